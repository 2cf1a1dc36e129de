"""syncache/observer.py: around each burst of an engine."""

from __future__ import annotations

import asyncio

import pytest

from syncache import Inspection, Intercept, Ring, Segment, aio
from syncache.acl import AccessList
from syncache.flow import Side
from syncache.links.memory import pair

SYN = Segment(src="192.0.2.10", dst="198.51.100.5", sport=9, dport=80, flags=2).packet()


class Notes:
    """An observer that writes down what it is told."""

    def __init__(self):
        self.lines = []

    def before(self, rx):
        self.lines.append(("before", rx.next, len(rx)))
        return len(self.lines)

    def after(self, rx, seen, side, now):
        self.lines.append(("after", rx.next, seen, side, now))


@pytest.mark.parametrize("kind", [Inspection, Intercept])
def test_burst_tells_before_and_after(kind):
    """What `before` returns comes back, with the side and the time."""
    more = {"acl": AccessList("x")} if kind is Intercept else {}
    engine = kind(seed=bytes(16), **more)
    engine.observer = notes = Notes()
    rx, client, server = Ring(), Ring(), Ring()
    rx.push(SYN)
    engine.burst(rx, Side.SERVER, client, server, 3.0)
    assert [("before", 0, 1), ("after", 1, 1, Side.SERVER, 3.0)] == notes.lines


def test_replay_tells_no_time():
    """Packets of a capture have their own."""
    engine = Inspection(seed=bytes(16))
    engine.observer = notes = Notes()
    rx = Ring()
    rx.push(SYN)
    engine.replay(rx)
    assert [("before", 0, 1), ("after", 1, 1, Side.TAP, None)] == notes.lines


def test_host_tells_of_its_stack():
    """As the engines do."""

    async def scene():
        ours, theirs = pair()
        async with aio.Host(ours, "198.51.100.5", seed=bytes(16)) as host:
            host.observer = notes = Notes()
            await host.create_server(asyncio.Protocol, 80)
            tx = Ring()
            tx.push(SYN)
            theirs.send(tx)
            for _ in range(100):
                if notes.lines:
                    break
                await asyncio.sleep(0.01)
        theirs.close()
        return notes.lines

    first, second = asyncio.run(scene())[:2]
    assert ("before", 0, 1) == first
    assert ("after", 1, 1, 0) == second[:4]
