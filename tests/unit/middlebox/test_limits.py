"""What the boxes let pass of segments that belong nowhere, and answer again.

Both families, by `receive()` and by `burst()`.
"""

from __future__ import annotations

import pytest

from syncache import Ring, Segment, Sysctl
from syncache.acl import AccessList, permit
from syncache.flow import Side
from syncache.inspection import Inspection
from syncache.intercept import Intercept
from syncache.segment import ACK, FIN, RST, SYN

ENDS = {4: ("192.0.2.1", "198.51.100.5"), 6: ("2001:db8::1", "2001:db8:5::5")}
LEARN = "net.inet.tcp.intercept.learn_limit"
STRAY = "net.inet.inspect.tcp.stray_limit"
C, S = 500_000, 900_000
STRANGERS = {"ack": ACK, "fin": FIN | ACK, "rst": RST, "syn-ack": SYN | ACK}


class Box:
    """A client, a server and a box between them; `way` is how packets are given."""

    def __init__(self, kind, family, way, **tunables):
        self.ends, self.way, self.now = ENDS[family], way, 1.0
        self.made = []  # what the box sent besides
        if kind == "intercept":
            web = AccessList("web", [permit(dport=80)])
            self.box = Intercept(Sysctl(tunables), acl=web, seed=b"seed")
        else:
            self.box = Inspection(Sysctl(tunables), seed=b"seed")

    def segment(self, side, flags, seq, ack=0, payload=b"", port=40_000):
        """Make a segment of one end's."""
        mine = side is Side.CLIENT
        return Segment(
            src=self.ends[0 if mine else 1],
            dst=self.ends[1 if mine else 0],
            sport=port if mine else 80,
            dport=80 if mine else port,
            seq=seq,
            ack=ack,
            flags=flags,
            window=60_000,
            payload=payload,
        ).packet()

    def give(self, side, packet):
        """Let a packet come; return whether it went on, and what else was sent."""
        if self.way == "receive":
            self.box.receive(packet, side, self.now)
            out = [packet for _, packet in self.box.packets_to_send(self.now)]
            self.made += [p for p in out if p != packet]
            return packet in out, [p for p in out if p != packet]
        rx, to_client, to_server = Ring(4), Ring(64), Ring(64)
        rx.push(packet)
        assert 1 == self.box.burst(rx, side, to_client, to_server, self.now)
        made = [
            bytes(ring[i]) for ring in (to_client, to_server) for i in range(len(ring))
        ]
        self.made += made
        return bool(list(rx.passed)), made

    def passes(self, side, flags, seq, ack=0, **more):
        """Does a segment go on?"""
        return self.give(side, self.segment(side, flags, seq, ack, **more))[0]

    def establish(self):
        """A handshake that passes."""
        assert self.passes(Side.CLIENT, SYN, C)
        assert self.passes(Side.SERVER, SYN | ACK, S, C + 1)
        assert self.passes(Side.CLIENT, ACK, C + 1, S + 1)


@pytest.fixture(params=["receive", "burst"])
def way(request):
    """How packets are given."""
    return request.param


def flood(box, flags, count):
    """Segments of strange tuples; return how many went on."""
    return sum(
        box.passes(Side.CLIENT, flags, 77 * n, 99 * n, port=1024 + n)
        for n in range(count)
    )


@pytest.mark.parametrize("flags", STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize(("kind", "name"), [("inspect", STRAY), ("intercept", LEARN)])
def test_segments_of_no_session_pass_by_a_quota(kind, name, flags, family, way):
    """Ten a second are let through, then none until the next second."""
    box = Box(kind, family, way, **{name: 10})
    assert 10 == flood(box, flags, 40)
    assert 0 == flood(box, flags, 40)
    box.now += 1
    assert 10 == flood(box, flags, 40)


@pytest.mark.parametrize(("kind", "name"), [("inspect", STRAY), ("intercept", LEARN)])
def test_connection_from_before_goes_on_beside_a_flood(kind, name, family, way):
    """Its server speaks, so its client's segments are no strangers'."""
    box = Box(kind, family, way, **{name: 10})
    assert box.passes(Side.SERVER, ACK, S, C)
    flood(box, ACK, 40)
    for n in range(20):
        assert box.passes(Side.CLIENT, ACK, C + n, S, payload=b"x")
        assert box.passes(Side.SERVER, ACK, S, C + n + 1)


def test_inspection_counts_a_servers_rst_as_no_word_of_it(family, way):
    """A server answers a flood with RSTs, which open no door."""
    box = Box("inspect", family, way, **{STRAY: 10})
    assert box.passes(Side.SERVER, RST, 5, port=7000)
    assert 10 == flood(box, ACK, 40)
    assert not box.passes(Side.CLIENT, ACK, 5, 6, port=7000)


def test_inspection_without_a_limit_lets_all_pass(family, way):
    """The original did."""
    assert 40 == flood(Box("inspect", family, way, **{STRAY: 0}), ACK, 40)


def test_inspection_that_only_detects_lets_all_pass(family, way):
    """It touches nothing."""
    only = {STRAY: 1, "net.inet.inspect.detect_only": 1}
    assert 40 == flood(Box("inspect", family, way, **only), ACK, 40)


def test_intercept_learns_nothing_from_a_wrong_checksum(family, way):
    """A segment that the client would not take adopts no connection."""
    box = Box("intercept", family, way)
    packet = bytearray(box.segment(Side.SERVER, ACK, S, C))
    packet[-1] ^= 1  # in the urgent pointer
    box.give(Side.SERVER, bytes(packet))
    assert [] == list(box.box.connections())
    box.passes(Side.SERVER, ACK, S, C)
    assert 1 == len(list(box.box.connections()))


def test_intercept_answers_a_repeated_syn_eight_times(family, way):
    """A flood of duplicates of one SYN draws no flood of SYN-ACKs."""
    box = Box("intercept", family, way)
    syn = box.segment(Side.CLIENT, SYN, C)
    assert 1 + 8 == sum(len(box.give(Side.CLIENT, syn)[1]) for _ in range(100))


@pytest.mark.parametrize(
    ("flags", "seq", "bound"),
    [(SYN, 7, 10), (RST, C + 9, 10), (ACK, C - 70_000, 100)],
    ids=["syn", "inexact rst", "old data"],
)
def test_segments_without_use_to_their_session_are_limited(
    flags, seq, bound, family, way
):
    """Of one tuple some a second; data in the window passes all the while."""
    box = Box("inspect", family, way)
    box.establish()
    box.now += 1
    passed = sum(
        box.passes(Side.CLIENT, flags, seq, S + 1 if flags & ACK else 0, payload=b"")
        for _ in range(300)
    )
    assert bound == passed
    for n in range(300):
        assert box.passes(Side.CLIENT, ACK, C + 1 + n, S + 1, payload=b"x")
    assert box.passes(Side.CLIENT, RST, C + 301)
    assert [] == list(box.box.sessions())


SILENT = {
    "inspect": "net.inet.inspect.tcp.silent_max",
    "intercept": "net.inet.tcp.intercept.silent_max",
}
SIZES = {
    "inspect": "net.inet.inspect.sessions_max",
    "intercept": "net.inet.tcp.intercept.sessions_max",
}


def connect(box, port, say=b""):
    """Complete a handshake through the box, and perhaps say something."""
    made = box.give(Side.CLIENT, box.segment(Side.CLIENT, SYN, C, port=port))[1]
    answers = [a for a in map(Segment.parse, made) if a.flags & SYN]
    isn = S if isinstance(box.box, Inspection) else answers[-1].seq
    if isinstance(box.box, Inspection):
        box.passes(Side.SERVER, SYN | ACK, S, C + 1, port=port)
    box.passes(Side.CLIENT, ACK, C + 1, isn + 1, port=port)
    if not isinstance(box.box, Inspection):
        box.passes(Side.SERVER, SYN | ACK, S, C + 1, port=port)
    if say:
        box.passes(Side.CLIENT, ACK, C + 1, isn + 1, payload=say, port=port)


def ports(box):
    """The clients' ports of the sessions that there are."""
    table = box.box.sessions if isinstance(box.box, Inspection) else box.box.connections
    return {session.client.port for session in table()}


@pytest.mark.parametrize("kind", SILENT)
def test_silent_clients_of_one_prefix_have_a_number(kind, family, way):
    """The oldest of them goes, with a RST to both ends; who spoke stays."""
    box = Box(kind, family, way, **{SILENT[kind]: 3})
    connect(box, 1, say=b"hello")
    for port in range(2, 6):
        connect(box, port)
        box.now += 0.5
    # A crowd has three seconds to speak.
    assert {1, 2, 3, 4, 5} == ports(box)
    box.now += 1
    connect(box, 6)
    assert {1, 3, 4, 5, 6} == ports(box)
    box.box.handle_timer(box.now)
    box.made += [packet for _, packet in box.box.packets_to_send(box.now)]
    sent = [Segment.parse(packet) for packet in box.made]
    resets = {(s.sport, s.dport) for s in sent if s.flags & RST}
    assert {(80, 2), (2, 80)} == resets


@pytest.mark.parametrize("kind", SILENT)
def test_silent_clients_make_room_in_a_full_table(kind, family, way):
    """Seventy of a prefix said nothing; those who spoke and the half-open stay."""
    box = Box(kind, family, way, **{SIZES[kind]: 80})
    for port in range(1, 11):
        connect(box, port, say=b"hello")
    for port in range(100, 170):
        connect(box, port)
    connect(box, 200, say=b"hello")
    assert {*range(1, 11), *range(101, 170), 200} == ports(box)
