"""Tests of `Ring`: filling, reading, clearing, bounds."""

from __future__ import annotations

import array
import gc

import pytest

from syncache import Reason, Ring
from syncache.ring import Checksum

pytestmark = pytest.mark.isa


def test_push_reads_back():
    """What is pushed is there, with its checksum state and size."""
    ring = Ring(4)
    ring.push(b"one")
    ring.push(bytearray(b"two"), checksum=Checksum.PARTIAL, gso_size=1448)
    ring.push(memoryview(b"three"))
    assert [b"one", b"two", b"three"] == [bytes(ring[i]) for i in range(len(ring))]
    assert [b"one", b"two", b"three"] == [bytes(packet) for packet in ring]
    assert b"three" == bytes(ring[-1])
    assert (Checksum.VERIFY, 0) == (ring.checksum(0), ring.gso_size(0))
    assert (Checksum.PARTIAL, 1448) == (ring.checksum(1), ring.gso_size(1))
    assert (1, 0, 4) == (ring.free, ring.next, ring.slots)


def test_push_takes_any_contiguous_buffer():
    """Items of more than a byte count as their bytes."""
    ring = Ring(1)
    ring.push(array.array("I", [1, 2]))
    assert 8 == len(ring[0])


def test_packet_can_be_changed_in_place():
    """The views are of the ring's own memory."""
    ring = Ring(1)
    ring.push(b"abc")
    ring[0][0] = ord("x")
    assert b"xbc" == bytes(ring[0])


def test_full_ring_raises_buffer_error_and_changes_nothing():
    """One more than there are slots."""
    ring = Ring(2)
    ring.push(b"1")
    ring.push(b"2")
    with pytest.raises(BufferError, match="all 2 slots"):
        ring.push(b"3")
    assert (2, 0) == (len(ring), ring.free)


def test_slot_size_bounds_a_packet():
    """A packet of the slot's size fits, one byte more does not."""
    ring = Ring(2, 128)
    ring.push(bytes(128))
    with pytest.raises(ValueError, match="129 bytes do not fit into 128"):
        ring.push(bytes(129))
    assert 1 == len(ring)


def test_clear_empties():
    """A cleared ring starts over."""
    ring = Ring(1)
    ring.push(b"1")
    ring.clear()
    assert (0, 0, 1, []) == (len(ring), ring.next, ring.free, ring.passed)
    ring.push(b"2")
    assert b"2" == bytes(ring[0])


def test_advance_counts_as_consumed():
    """`next` moves within what is there."""
    ring = Ring(2)
    ring.push(b"1")
    ring.advance(1)
    assert 1 == ring.next
    for count in (1, -1):
        with pytest.raises(ValueError, match="cannot consume"):
            ring.advance(count)


@pytest.mark.parametrize("index", [1, -2, 100])
def test_index_beyond_raises(index):
    """There is no packet where none was pushed."""
    ring = Ring(4)
    ring.push(b"1")
    for read in (ring.__getitem__, ring.handle, ring.verdict, ring.conn):
        with pytest.raises(IndexError):
            read(index)


@pytest.mark.parametrize(
    ("slots", "slot_size"), [(0, 2048), (65536, 2048), (1, 100), (1, 64), (1, 0)]
)
def test_impossible_sizes_raise(slots, slot_size):
    """The bounds are named."""
    with pytest.raises(ValueError, match=r"a ring has|slot_size is"):
        Ring(slots, slot_size)


@pytest.mark.parametrize(
    "wrong", [{"checksum": 3}, {"gso_size": -1}, {"gso_size": 65536}]
)
def test_push_refuses_wrong_arguments(wrong):
    """A slot holds only what the link knows."""
    ring = Ring(1)
    with pytest.raises(ValueError, match="not legal"):
        ring.push(b"1", **wrong)
    assert 0 == len(ring)


def test_push_refuses_what_is_no_buffer():
    """A packet is bytes."""
    with pytest.raises(TypeError):
        Ring(1).push("text")


def test_before_a_burst_nothing_is_passed():
    """No verdict, no handle, no connection yet."""
    ring = Ring(1)
    ring.push(b"1")
    assert ([], 0, Reason(0)) == (ring.passed, ring.handle(0), ring.verdict(0))
    with pytest.raises(ValueError, match="completed no handshake"):
        ring.conn(0)
    assert "<Ring 1 of 1, next 0>" == repr(ring)


def test_view_of_a_packet_outlives_its_ring():
    """The memory is there as long as anybody looks at it."""
    ring = Ring(4, 128)
    ring.push(b"abc")
    view = ring[0]
    del ring
    gc.collect()
    assert [bytearray(4 * 128 + 64) for _ in range(100)]
    assert b"abc" == bytes(view)
