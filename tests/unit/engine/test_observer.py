"""syncache/observer.py: around each burst of an engine."""

from __future__ import annotations

import asyncio

import pytest

from syncache import Inspection, Intercept, Ring, Segment, aio
from syncache.acl import AccessList, permit
from syncache.flow import Side
from syncache.links.memory import pair

SYN_ACK = 0x12
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

    def sent(self, tx, begin, side, now):
        kinds = [Segment.parse(tx[i]).flags for i in range(begin, len(tx))]
        self.lines.append(("sent", kinds, side, now))


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

    first, second, third = asyncio.run(scene())[:3]
    assert ("before", 0, 1) == first
    assert ("after", 1, 1, 0) == second[:4]
    assert ("sent", [SYN_ACK], 0) == third[:3]


def protected():
    """An engine that answers SYNs, and what it notes down."""
    engine = Intercept(acl=AccessList("a", [permit("tcp", dport=80)]), seed=bytes(16))
    engine.observer = notes = Notes()
    return engine, notes, (Ring(), Ring())


def test_packets_of_our_own_are_shown():
    """Behind the verdicts of the burst that they answer, where they begin."""
    engine, notes, (client, server) = protected()
    for now in (1.0, 1.5):
        rx = Ring()
        rx.push(SYN)
        engine.burst(rx, Side.CLIENT, client, server, now)
    sent = [line for line in notes.lines if line[0] == "sent"]
    assert [("sent", [SYN_ACK], Side.CLIENT, now) for now in (1.0, 1.5)] == sent
    assert "after" == notes.lines[1][0]


def test_packets_of_timers_are_shown():
    """A SYN-ACK again, and the reset of what was given up."""
    engine, notes, (client, server) = protected()
    rx = Ring()
    rx.push(SYN)
    engine.burst(rx, Side.CLIENT, client, server, 1.0)
    notes.lines.clear()
    while (due := engine.next_deadline()) is not None and due < 200.0:
        engine.poll(client, server, due)
        client.clear()
        server.clear()
    assert {SYN_ACK} == {flags for line in notes.lines for flags in line[1]}
    assert len(notes.lines) >= 2
    assert {"sent"} == {line[0] for line in notes.lines}


def test_nothing_is_shown_where_nothing_was_made():
    """Neither an empty part of a ring nor a ring that is not there."""
    engine = Inspection(seed=bytes(16))
    engine.observer = notes = Notes()
    rx = Ring()
    rx.push(SYN)
    engine.burst(rx, Side.TAP, None, None, 1.0)
    engine.poll(None, None, 2.0)
    assert ["before", "after"] == [line[0] for line in notes.lines]
