"""A segment that both ends would refuse changes nothing in a box between them.

It may pass, since its receiver decides; but the session is then not to be told from one
that never saw it, by its state and numbers, or by what becomes of later segments.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_box import SMALL

from syncache import Ring, Segment, Sysctl
from syncache.acl import AccessList, permit
from syncache.flow import Side
from syncache.inspection import Inspection
from syncache.intercept import Intercept
from syncache.options import Mss, encode
from syncache.segment import ACK, FIN, PSH, RST, SYN

I = "net.inet.tcp.intercept."  # noqa: E741
ENDS = {4: ("192.0.2.1", "198.51.100.5"), 6: ("2001:db8::1", "2001:db8:5::5")}
C, S = 5_000, 900_000
FAR = 1 << 30
M32 = 0xFFFFFFFF
BOXES = ("intercept", "watch", "inspect")
# Each: flags, seq and ack as offsets from what its sender would say, bytes of data.
REASONS = {
    "no ACK": (0, 0, 0, 10),
    "ACK of what was never sent": (ACK, 0, FAR, 10),
    "ACK of what was never sent, FIN": (ACK | FIN, 0, FAR, 0),
    "ACK far too old": (ACK, 0, -FAR, 10),
    "old data": (ACK, -FAR, 0, 50),
    "data beyond the window": (ACK, FAR, 0, 10),
    "FIN beyond the window": (ACK | FIN, FAR, 0, 0),
    "SYN outside": (SYN, FAR, 0, 0),
    "SYN-ACK": (SYN | ACK, FAR, 0, 0),
    "RST in the window": (RST, 5, 0, 0),
    "RST outside": (RST, FAR, 0, 0),
    "RST outside with ACK": (RST | ACK, -7, 0, 0),
}


class Path:
    """A client, a box, a server; a connection that is established."""

    def __init__(self, kind, family, burst):
        self.ends, self.burst, self.now = ENDS[family], burst, 100.0
        self.box = self._make(kind)
        self.seq = {Side.CLIENT: C, Side.SERVER: S}
        self.told = {}  # what each end believes of the other's numbers
        self.say(Side.CLIENT, SYN, ack=0, options=(Mss(1460),))
        if kind == "intercept":
            self.say(Side.CLIENT, ACK)
        self.say(Side.SERVER, SYN | ACK, options=(Mss(1460),))
        if kind != "intercept":
            self.say(Side.CLIENT, ACK)
        self.say(Side.CLIENT, ACK | PSH, size=100)
        self.say(Side.SERVER, ACK | PSH, size=200)
        self.say(Side.CLIENT, ACK)

    @staticmethod
    def _make(kind):
        web = AccessList("web", [permit(dport=80)])
        tunables = Sysctl({**SMALL, I + "learn_time": 0})
        if kind == "inspect":
            return Inspection(tunables, seed=b"seed")
        tunables[I + "mode"] = kind
        return Intercept(tunables, acl=web, seed=b"seed")

    def say(self, side, flags, *, ack=None, size=0, options=(), dseq=0, dack=0):
        """Let an end send what is due, or that with its numbers off; return all."""
        off = dseq or dack or flags in (0, RST)
        seq = self.seq[side]
        number = self.told.get(side, 0) if ack is None else ack
        packet = Segment(
            src=self.ends[side is Side.SERVER],
            dst=self.ends[side is Side.CLIENT],
            sport=40000 if side is Side.CLIENT else 80,
            dport=80 if side is Side.CLIENT else 40000,
            seq=(seq + dseq) & M32,
            ack=(number + dack) & M32 if flags & ACK else 0,
            flags=flags,
            window=30000,
            payload=bytes(size),
            options_bytes=encode(options),
        ).packet()
        sent = self._give(packet, side)
        if not off:
            self.seq[side] = seq + size + bool(flags & SYN) + bool(flags & FIN)
            self._hear(sent)
        return sent

    def _hear(self, sent):
        for to, text in sent:
            segment = Segment.parse(text)
            length = len(segment.payload) + bool(segment.flags & SYN)
            length += bool(segment.flags & FIN)
            end = segment.seq + length
            self.told[to] = end & M32

    def _give(self, packet, side):
        there = side.other
        if not self.burst:
            self.box.receive(packet, side, self.now)
            return self.box.packets_to_send(self.now)
        rx, to_client, to_server = Ring(4), Ring(64), Ring(64)
        rx.push(packet)
        self.box.burst(rx, side, to_client, to_server, self.now)
        out = [(there, bytes(rx[i])) for i in rx.passed]
        for to, ring in ((Side.CLIENT, to_client), (Side.SERVER, to_server)):
            out += [(to, bytes(ring[i])) for i in range(len(ring))]
        return out

    def seen(self):
        """What can be seen of the session, but for the time of its last packet."""
        return [
            replace(s, last=0, deadline=0, client_bytes=0, server_bytes=0)
            for s in self.sessions
        ]

    @property
    def sessions(self):
        """Those of the box, by whichever name."""
        listed = getattr(self.box, "sessions", None) or self.box.connections
        return listed()

    def go_on(self):
        """The rest of the connection: data both ways, the end, and what is left."""
        found = [self.seen()]
        found.append(self.say(Side.CLIENT, ACK | PSH, size=300))
        found.append(self.say(Side.SERVER, ACK | PSH, size=400))
        found.append(self.say(Side.CLIENT, ACK | FIN))
        found += [self.seen()]
        found.append(self.say(Side.SERVER, ACK | FIN))
        found.append(self.say(Side.CLIENT, ACK))
        return [*found, self.seen()]


def compare(kind, family, burst, side, reason):
    flags, dseq, dack, size = reason
    with_it, without = (Path(kind, family, burst) for _ in range(2))
    assert "ESTAB" == str(without.sessions[0].state)
    with_it.say(side, flags, size=size, dseq=dseq, dack=dack)
    assert without.go_on() == with_it.go_on()
    assert "CLOSING" == str(without.sessions[0].state)


@pytest.mark.parametrize("kind", BOXES)
@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("burst", [False, True], ids=["receive", "burst"])
def test_refused_segment_changes_nothing_in_a_box(family, burst, kind, reason):
    """From either side."""
    for side in Side.CLIENT, Side.SERVER:
        compare(kind, family, burst, side, REASONS[reason])


@settings(max_examples=80, deadline=None)
@given(
    kind=st.sampled_from(BOXES),
    family=st.sampled_from((4, 6)),
    side=st.sampled_from((Side.CLIENT, Side.SERVER)),
    flags=st.sampled_from((0, ACK, ACK | FIN, SYN | ACK, RST, RST | ACK, ACK | PSH)),
    dseq=st.integers(140_000, 1 << 31) | st.integers(-(1 << 31) + 400, -140_000),
    dack=st.integers(-(1 << 31), 1 << 31),
    size=st.integers(0, 400),
)
def test_any_segment_outside_the_window_changes_nothing_in_a_box(
    kind, family, side, flags, dseq, dack, size
):
    """Wherever it lies, whatever it says."""
    compare(kind, family, True, side, (flags, dseq, dack, size))
