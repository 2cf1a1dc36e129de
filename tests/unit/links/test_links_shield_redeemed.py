"""syncache/links/shield_redeemed.py, with maps in memory; the programs are in netns."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from syncache._core import bpf as _core_bpf
from syncache._core import shield as core
from syncache._core.redeemed import KEY_BYTES, numbers
from syncache.links import shield_redeemed
from syncache.links.shield_redeemed import ShieldRedeemed, packed, room_for

FILTERS, FRESH, SHARED, COUNTERS = 1, 2, 3, 4
MAPS = {
    "filters": FILTERS,
    "fresh": FRESH,
    "shared_map": SHARED,
    "counters_map": COUNTERS,
}
KEY = bytes(range(KEY_BYTES))
ENDS = {4: ("203.0.113.9", "192.0.2.1"), 6: ("2001:db8::9", "2001:db8::1")}
KINDS = {4: socket.AF_INET, 6: socket.AF_INET6}


@pytest.fixture
def maps(monkeypatch):
    """Return what is in the maps; 7 ACKs were not taken already."""
    found = {FILTERS: {}, FRESH: [], SHARED: {}}
    counts = dict.fromkeys(core.COUNTERS, 0) | {"elsewhere": 7}
    row = core.PROCESSOR.pack(struct.pack(f"={len(counts)}Q", *counts.values()))
    monkeypatch.setattr(_core_bpf, "lookup", lambda *_: row)
    monkeypatch.setattr(_core_bpf, "keys", lambda fd, _: [*found[fd]])
    monkeypatch.setattr(_core_bpf, "delete", lambda fd, key: found[fd].pop(key))
    monkeypatch.setattr(_core_bpf, "update", lambda fd, k, v: found[fd].update({k: v}))
    take = lambda fd, _: found[fd].pop(0) if found[fd] else None  # noqa: E731
    monkeypatch.setattr(_core_bpf, "take", take)
    return found


def handshake(family):
    """Return a handshake as the programs keep it, and as a group knows it."""
    raw = [socket.inet_pton(KINDS[family], end) for end in ENDS[family]]
    ports = struct.pack("!HH", 40_000, 80)
    words = b"".join(raw).ljust(32, b"\0") + ports + struct.pack("=II", 8, 5)
    known = struct.pack("!B16s16s4sII", family, *raw, ports, 5, 8)
    return words, known


def range_of(maps):
    """Return the first filter that the programs look at, and how many."""
    (content,) = maps[SHARED].values()
    return struct.unpack("=II", content[-8:])


@pytest.mark.parametrize("family", [4, 6])
def test_handshake_is_known_by_the_same_bytes_as_elsewhere(maps, family):
    """Of a group's machines each may have made it."""
    raw, known = handshake(family)
    assert known == packed(raw)
    redeemed = ShieldRedeemed(MAPS)
    redeemed.begin(KEY)
    maps[FRESH] += [raw, raw]
    assert [numbers(KEY, known)] * 2 == redeemed.fresh()
    assert [] == redeemed.fresh()


def test_acks_of_before_do_not_count(maps):
    """The counters of the programs are older than the group's key."""
    redeemed = ShieldRedeemed(MAPS)
    redeemed.begin(KEY)
    assert 0 == redeemed.refused


def test_filters_are_kept_for_their_time(maps):
    """In order; the first that is looked at is one that counts."""
    redeemed = ShieldRedeemed(MAPS)
    redeemed.begin(KEY)
    for now in (10.0, 11.0):
        redeemed.hear(b"\1\2", now, 64.0)
    assert (0, 2) == range_of(maps)
    assert (74_000_000_000, 2) == core.FILTER.unpack(maps[FILTERS][bytes(4)])[:2]
    redeemed.hear(b"\3", 74.5, 64.0)
    assert (1, 2) == range_of(maps)
    assert [1, 2] == [int.from_bytes(key, "little") for key in maps[FILTERS]]


def test_no_more_filters_are_kept_than_there_is_room_for(maps):
    """The oldest go; numbers go round at 2^32."""
    redeemed = ShieldRedeemed(MAPS)
    redeemed._first = 2**32 - 2
    for _ in range(core.FILTERS + 3):
        redeemed.hear(b"\1", 10.0, 64.0)
    assert core.FILTERS == len(maps[FILTERS])
    assert (1, core.FILTERS) == range_of(maps)
    assert (core.FILTERS).to_bytes(4, "little") in maps[FILTERS]


def test_filter_for_which_the_kernel_has_no_memory_is_left_out(maps, monkeypatch):
    """The shield goes on."""
    redeemed = ShieldRedeemed(MAPS)
    kept = _core_bpf.update

    def full(fd, key, value):
        if fd == FILTERS:
            raise OSError(errno.ENOMEM, "bpf(2)")
        kept(fd, key, value)

    with monkeypatch.context() as patch:
        patch.setattr(_core_bpf, "update", full)
        redeemed.hear(b"\1", 10.0, 64.0)
    assert (0, 0) == range_of(maps)
    redeemed.hear(b"\1", 10.0, 64.0)
    assert (0, 1) == range_of(maps)


@pytest.mark.parametrize("size", [0, core.FILTER_BYTES + 1])
def test_filter_of_another_size_is_refused(maps, size):
    redeemed = ShieldRedeemed(MAPS)
    with pytest.raises(ValueError, match=f"a filter of {size} bytes"):
        redeemed.hear(bytes(size), 1.0, 64.0)


def test_key_of_another_size_is_refused(maps):
    with pytest.raises(ValueError, match="a key of 16 bytes, not of 3"):
        ShieldRedeemed(MAPS).begin(b"abc")


@pytest.mark.parametrize(
    ("asked", "processors", "places"),
    [(0, 2, 1024), (0, 64, 16384), (65536, 64, 65536), (5000, 2, 5000)],
)
def test_programs_have_room_for_a_batch_on_each_processor(
    monkeypatch, asked, processors, places
):
    """The kernel keeps free places apart for each, at the cost of what is there."""
    monkeypatch.setattr(shield_redeemed, "processors", lambda: processors)
    assert places == room_for(asked)
