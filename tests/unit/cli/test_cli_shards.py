"""syncache/cli/shards.py: when a service of several processes begins again.

The processes themselves are in tests/netns/test_shard.py.
"""

from __future__ import annotations

import errno
import os
import signal
from typing import ClassVar

import pytest

from syncache.cli import serve, shards
from syncache.cli.shards import LOST_STATUS, Shards
from syncache.links.link import LinkError


class Interface:
    """A made-up interface, which is there or not."""

    missing: ClassVar[list[int]] = []
    restored = 0

    def __init__(self, *_, **__):
        if self.missing:
            raise LinkError("no interface", self.missing.pop())

    def restore(self):
        Interface.restored += 1


@pytest.fixture
def begin(monkeypatch):
    """Run the service with the statuses of its rounds; what was waited for."""
    waits = []
    monkeypatch.setattr(shards, "Interface", Interface)
    monkeypatch.setattr(shards, "check_local", lambda _: None)
    monkeypatch.setattr(shards, "wait_for", lambda names, *_: waits.append(names))
    monkeypatch.setattr(Interface, "missing", [])
    monkeypatch.setattr(Interface, "restored", 0)

    def begin(statuses, *words, then=lambda: None):
        def run(count, work, *, turn, wakes):
            assert 2 == count
            turn(False)
            status = statuses.pop(0)
            then()
            return status

        monkeypatch.setattr(shards, "run", run)
        line = ["--echo", "--packet", "eth9", "--address", "192.0.2.1/24", *words]
        options = serve.parser().parse_args([*line, "--shards", "2"])
        return Shards(
            options, ["192.0.2.1"], None, serve.tunables, serve.serve
        ).run(), waits

    return begin


def test_lost_interface_is_waited_for_and_served_again(begin, capfd):
    """A line says so; what was changed is undone each time."""
    assert (0, [["eth9"]] * 2) == begin([LOST_STATUS, 0], "--wait")
    assert "eth9 is gone; waiting for eth9\n" == capfd.readouterr().out
    assert 2 == Interface.restored


@pytest.mark.parametrize("words", [(), ("--wait",)])
def test_failure_ends_it(begin, words):
    """Whatever else it was."""
    assert 1 == begin([1], *words)[0]
    assert 1 == Interface.restored


def test_interface_that_goes_before_it_is_opened_is_waited_for(begin):
    """But an address that cannot be is not."""
    Interface.missing = [errno.EINVAL, errno.ENODEV]
    with pytest.raises(LinkError):
        begin([0], "--wait")
    Interface.missing = [errno.ENODEV]
    assert 0 == begin([0], "--wait")[0]
    Interface.missing = [errno.ENODEV]
    with pytest.raises(LinkError):
        begin([0])


def test_signal_to_stop_while_the_interface_is_gone_ends_it(begin):
    """In an orderly way."""

    def stop():
        os.kill(os.getpid(), signal.SIGTERM)

    assert 0 == begin([LOST_STATUS], "--wait", then=stop)[0]
