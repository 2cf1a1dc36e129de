"""What a tap does to the order of packets, and what it misses.

By `Inspection` and by watch mode; both families, `receive()` and `burst()`.
"""

from __future__ import annotations

import pytest

from syncache import Inspection, Ring, Segment, Sysctl
from syncache.acl import AccessList, permit
from syncache.flow import Side
from syncache.intercept import Intercept
from syncache.options import WindowScale, encode
from syncache.segment import ACK, FIN, RST, SYN

ENDS = {4: ("192.0.2.1", "198.51.100.5"), 6: ("2001:db8::1", "2001:db8:5::5")}
C, S = 0xFFFFFF00, 900_000
M32 = 0xFFFFFFFF


class Tap:
    """An engine beside the traffic of one client and one server."""

    def __init__(self, family, way, kind):
        self.client, self.server = ENDS[family]
        self.way, self.now = way, 1.0
        if kind == "inspect":
            self.engine = Inspection(seed=b"seed")
        else:
            web = AccessList("web", [permit(dport=80)])
            watch = Sysctl({"net.inet.tcp.intercept.mode": "watch"})
            self.engine = Intercept(watch, acl=web, seed=b"seed")

    def see(self, from_client, flags, seq, ack=0, size=0):
        """Let a segment pass."""
        ends = (self.client, self.server)
        src, dst = ends if from_client else ends[::-1]
        scale = encode((WindowScale(0),)) if flags & SYN else b""
        packet = Segment(
            src=src,
            dst=dst,
            sport=40000 if from_client else 80,
            dport=80 if from_client else 40000,
            seq=seq & M32,
            ack=ack & M32,
            flags=flags,
            window=8000,
            payload=bytes(size),
            options_bytes=scale,
        ).packet()
        if self.way == "receive":
            self.engine.receive(packet, Side.TAP, self.now)
        else:
            rx = Ring(1)
            rx.push(packet)
            self.engine.burst(rx, Side.TAP, Ring(64), Ring(64), self.now)
        self.now += 0.00002

    def handshake(self):
        """All three, in order."""
        self.see(True, SYN, C)
        self.see(False, SYN | ACK, S, C + 1)
        self.see(True, ACK, C + 1, S + 1)

    def resets(self, seconds):
        """Let time pass; return what would be sent."""
        self.now += seconds
        self.engine.handle_timer(self.now)
        return self.engine.packets_to_send(self.now)

    @property
    def counts(self):
        """Half-open, established, closing."""
        stats = self.engine.stats()
        return stats["incomplete"], stats["established"], stats["terminating"]


@pytest.fixture(params=["receive", "burst"])
def way(request):
    """How packets are given."""
    return request.param


@pytest.fixture(params=["inspect", "watch"])
def tap(request, family, way):
    """Either engine."""
    return Tap(family, way, request.param)


def test_syn_ack_before_its_syn_is_one_handshake(tap):
    """Microseconds of disorder leave nothing half-open, and reset nobody."""
    tap.see(False, SYN | ACK, S, C + 1)
    tap.see(True, SYN, C)
    assert (1, 0, 0) == tap.counts
    tap.see(True, ACK, C + 1, S + 1)
    assert (0, 1, 0) == tap.counts
    assert [] == tap.resets(31.0)
    assert (0, 1, 0) == tap.counts


def test_syn_ack_of_another_syn_does_not_answer_it(tap):
    """Its number is not the one, or it is too old."""
    tap.see(False, SYN | ACK, S, C + 7)
    tap.see(True, SYN, C)
    tap.see(True, ACK, C + 1, S + 1)
    assert (1, 0, 0) == tap.counts


def test_syn_ack_long_before_a_syn_does_not_answer_it(tap):
    """A second later it is of something else."""
    tap.see(False, SYN | ACK, S, C + 1)
    tap.now += 1.1
    tap.see(True, SYN, C)
    tap.see(True, ACK, C + 1, S + 1)
    assert (1, 0, 0) == tap.counts


@pytest.mark.parametrize("acks_first", [False, True])
def test_gap_wider_than_the_window_is_found_out_of(tap, acks_first):
    """90 of 200 segments missed: both FINs, or the RST, are still seen."""
    for end in ("fin", "rst"):
        tap.handshake()
        seq = S + 1
        for number in range(200):
            seen = not 50 <= number < 140
            if seen and not acks_first:
                tap.see(False, ACK, seq, C + 1, size=1460)
            if seen and number % 2:
                tap.see(True, ACK, C + 1, seq + 1460)
            if seen and acks_first:
                tap.see(False, ACK, seq, C + 1, size=1460)
            seq += 1460
        if end == "fin":
            tap.see(False, FIN | ACK, seq, C + 1)
            tap.see(True, FIN | ACK, C + 1, seq + 1)
            tap.see(False, ACK, seq + 1, C + 2)
            assert (0, 0, 1) == tap.counts
        else:
            tap.see(False, RST, seq)
            assert 0 == tap.counts[1]
        tap.resets(130.0)
        assert (0, 0, 0) == tap.counts


def test_fin_behind_a_gap_counts_once_it_is_acknowledged(tap):
    """The first thing seen after the gap."""
    tap.handshake()
    tap.see(False, FIN | ACK, S + 300_000, C + 1, size=100)
    tap.see(True, FIN | ACK, C + 1, S + 300_101)
    assert (0, 0, 1) == tap.counts


@pytest.mark.parametrize("ack", [S + 1, S + 400_000])
def test_one_end_alone_moves_nothing_over_a_gap(tap, ack):
    """A blind sender speaks for one of them only."""
    tap.handshake()
    tap.see(False, ACK, S + 300_000, C + 1, size=100)
    tap.see(False, RST, S + 300_100)
    tap.see(True, ACK, C + 1, ack)
    tap.see(False, RST, S + 300_100)
    assert (0, 1, 0) == tap.counts
    # And the ones that were known go on.
    tap.see(False, RST, S + 1)
    assert 0 == tap.counts[1]
