"""syncache/bridge.py: a bridge that nothing passes rests until something happens."""

from __future__ import annotations

import math
import os
import select

import pytest
from test_bridge import Ends, engine, send, syn

from syncache import Side
from syncache.bridge import CHECK_SECONDS, REST_SECONDS, Bridge


class Changes:
    """What a link says of its device: something, when it is told to."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        self.fileno = lambda: self.reader
        self.take = lambda: os.read(self.reader, 1)

    def close(self):
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture
def resting():
    """A bridge that has had nothing to do for a while, and its clock and checks."""
    now, checks = [100.0], []
    ends = Ends(on_alarm=lambda _: None, clock=lambda: now[0])
    changes = [Changes(), Changes()]
    for end, each in zip(ends.near, changes, strict=True):
        end.check, end.changes = lambda: checks.append(now[0]), each
    ends.bridge = Bridge(
        engine(), *ends.near, on_alarm=lambda _: None, clock=lambda: now[0]
    )
    ends.bridge.wait_max = math.inf
    assert {each.reader for each in changes} == ends.bridge.heeded.keys()
    for now[0] in (101.0, 102.0, 103.0, 104.0):
        ends.bridge.turn([])
    yield ends, now, checks, changes
    ends.bridge.close()
    for each in changes:
        each.close()


def test_idle_bridge_checks_its_links_when_they_say_so(resting):
    """Else seldom; and no more than once a second, whatever they say."""
    ends, now, checks, (change, _) = resting
    assert [101.0, 102.0, 103.0] == sorted(set(checks))
    assert REST_SECONDS - 1 == ends.bridge.wait()
    os.write(change.writer, b"!")
    poller = select.poll()
    poller.register(change.reader, select.POLLIN)
    assert set() == ends.bridge.take_waiting(poller, {})
    assert 0 == ends.bridge.wait()
    ends.bridge.turn([])
    assert now == checks[-1:]
    os.write(change.writer, b"!")
    assert ends.bridge.heed(change.reader)
    assert CHECK_SECONDS == ends.bridge.wait()
    assert not ends.bridge.heed(change.writer)


def test_packet_ends_the_rest_of_a_bridge(resting):
    """A second later there is a look at what came of it."""
    ends, now, checks, _ = resting
    now[0] = 110.0
    send(ends.client, syn())
    ends.bridge.turn([Side.CLIENT])
    assert CHECK_SECONDS == ends.bridge.wait()
    now[0] = 111.0
    ends.bridge.turn([])
    assert now == checks[-1:]
    assert 1 == ends.bridge.lookout.snapshot(now[0])["rates"]["syns"]
