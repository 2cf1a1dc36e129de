"""Tests of `Talkers`: which networks a sample names, and what is no SYN."""

from __future__ import annotations

import random

import pytest

from syncache import Segment
from syncache.fleet import talkers
from syncache.fleet.talkers import Talkers, ends
from syncache.segment import ACK, RST, SYN


def packet(src, dst, flags=SYN):
    return Segment(src=src, dst=dst, sport=1, dport=80, flags=flags).packet()


def test_networks_and_targets_have_shares_of_all_syns():
    """The heaviest come first; what is below SHARE_MIN is left out."""
    seen = Talkers()
    syns = [packet(f"203.0.113.{n}", "192.0.2.1") for n in range(60)]
    syns += [packet(f"2001:db8:1:{n:x}::7", "2001:db8::1") for n in range(39)]
    syns += [packet("198.51.100.1", "192.0.2.1")]
    seen.see([*syns, packet("198.51.100.9", "192.0.2.1", ACK)])
    assert (("203.0.113.0/24", 0.6), ("2001:db8:1::/48", 0.39)) == seen.sources
    assert (("192.0.2.1", 0.61), ("2001:db8::1", 0.39)) == seen.targets


def test_share_fades_when_others_take_over():
    """Half a minute later nothing is left of it."""
    seen = Talkers()
    seen.see([packet("203.0.113.1", "192.0.2.1")] * 64)
    for _ in range(40):
        seen.see([packet("198.51.100.1", "192.0.2.1")] * 64)
    assert ["198.51.100.0/24"] == [name for name, _ in seen.sources]
    for _ in range(100):
        seen.see([])
    assert ((), ()) == (seen.sources, seen.targets)


def test_counts_are_bounded_whatever_comes(monkeypatch):
    """Random sources of a flood name nobody, and take no memory."""
    monkeypatch.setattr(talkers, "KEPT", 8)
    seen, chance = Talkers(), random.Random(1)
    for _ in range(50):
        spoofed = [chance.getrandbits(31) for _ in range(64)]
        texts = [f"{s >> 24}.{s >> 16 & 255}.{s >> 8 & 255}.1" for s in spoofed]
        seen.see([packet(text, "192.0.2.1") for text in texts])
    assert len(seen._sources) <= 8
    assert () == seen.sources
    assert (("192.0.2.1", pytest.approx(1.0)),) == seen.targets


@pytest.mark.parametrize("size", range(0, 48, 3))
def test_packet_cut_off_is_no_syn(size):
    """Nothing is read beyond it."""
    for one in (
        packet("203.0.113.1", "192.0.2.1"),
        packet("2001:db8::2", "2001:db8::1"),
    ):
        ends(one[:size])
    assert ends(packet("2001:db8::2", "2001:db8::1")[: min(size, 39)]) is None


@pytest.mark.parametrize("flags", [ACK, SYN | ACK, RST, RST | ACK, 0])
def test_other_segments_are_no_syns(flags):
    assert ends(packet("203.0.113.1", "192.0.2.1", flags)) is None


@pytest.mark.parametrize(
    "data", [b"", b"\x45" + bytes(60), b"\x60" + bytes(60), b"\x00" * 64, b"\xff" * 64]
)
def test_other_packets_are_no_syns(data):
    assert ends(data) is None
