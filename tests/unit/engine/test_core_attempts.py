"""syncache/_core/attempts.py: the sketch of connection attempts as Python reads it."""

from __future__ import annotations

import pytest

from syncache import Ring
from syncache._core.attempts import REGISTERS, ROWS, AttemptsCore, estimate
from syncache.segment import ACK, SYN, Segment


def show(attempts, *segments):
    ring = Ring(max(len(segments), 1))
    for segment in segments:
        ring.push(segment.packet())
    attempts.look(ring, 0)


def syn(src, dst="192.0.2.1", dport=80, flags=SYN):
    return Segment(src=src, dst=dst, sport=1024, dport=dport, flags=flags)


def test_syns_are_added_up_by_destination_and_by_prefix():
    """Both families, the heaviest first; what is no SYN is nobody's attempt."""
    attempts = AttemptsCore(bytes(16))
    show(
        attempts,
        *(syn(f"198.51.100.{host}") for host in range(5)),
        *(syn(f"2001:db8:7:{net}::1", "2001:db8::1", 443) for net in range(3)),
        syn("203.0.113.1", dport=22),
        syn("203.0.113.1", dport=22, flags=ACK),
        syn("203.0.113.1", dport=22, flags=SYN | ACK),
    )
    counted = attempts.take()
    assert (9, 3) == (counted.total, counted.prefixes)
    assert [
        ("192.0.2.1", 80, 5, 1),
        ("2001:db8::1", 443, 3, 1),
        ("192.0.2.1", 22, 1, 1),
    ] == [row[:4] for row in counted.asked]
    assert [
        ("198.51.100.0/24", 5),
        ("2001:db8:7::/48", 3),
        ("203.0.113.0/24", 1),
    ] == counted.asking
    assert (0, 0, [], []) == attempts.take()[:4]


def test_flood_of_many_prefixes_is_bounded_and_its_prefixes_are_estimated():
    """Rows are few; the number of prefixes is right within four standard errors."""
    attempts = AttemptsCore(bytes(16))
    for net in range(5000):
        show(attempts, syn(f"10.{net >> 8}.{net & 255}.1", dport=100 + net % 100))
        show(attempts, syn(f"10.{net >> 8}.{net & 255}.2", dport=25))
    counted = attempts.take()
    assert (10000, ROWS) == (counted.total, len(counted.asked))
    assert (25, 5000) == (counted.asked[0].port, counted.asked[0].syns)
    assert len(counted.asking) == ROWS
    for prefixes in (counted.prefixes, counted.asked[0].prefixes):
        assert 5000 * 0.74 < prefixes < 5000 * 1.26


@pytest.mark.parametrize("count", [0, 1, 10])
def test_small_numbers_are_estimated_well(count):
    """By the registers that are still empty."""
    registers = bytes([1] * count + [0] * (REGISTERS - count))
    assert abs(estimate(registers) - count) <= 1


def test_first_passes_over_the_packets_before():
    """A ring that is looked at in two parts counts each packet once."""
    attempts = AttemptsCore(bytes(16))
    ring = Ring(4)
    ring.push(syn("198.51.100.1").packet())
    attempts.look(ring, 0)
    ring.push(syn("198.51.100.1").packet())
    attempts.look(ring, 1)
    assert 2 == attempts.take().total
