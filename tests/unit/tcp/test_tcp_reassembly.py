"""Out-of-order data against a map from number to byte."""

from __future__ import annotations

import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncache.tcp.reassembly import PIECES_MAX, Reassembly

TEXT = bytes((i * 31 + i // 7) & 0xFF for i in range(400))
PIECES = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 60)), max_size=25)


@given(PIECES, st.integers(0, 300))
def test_take_returns_what_continues(pieces, rcv_nxt):
    """Whatever the order and the overlaps."""
    queue = Reassembly()
    held = set()
    for start, size in pieces:
        queue.add(start, TEXT[start : start + size])
        held |= set(range(start, start + size))
        assert len(held) == queue.size
    end = rcv_nxt
    while end in held:
        end += 1
    assert TEXT[rcv_nxt:end] == b"".join(queue.take(rcv_nxt))
    assert len({n for n in held if n > end}) == queue.size


@given(PIECES.filter(bool))
def test_newest_block_is_the_one_that_grew_last(pieces):
    """RFC 2018 4, and the blocks are the runs that are held."""
    queue = Reassembly()
    held = set()
    for start, size in pieces:
        queue.add(start, TEXT[start : start + size])
        held |= set(range(start, start + size))
    blocks = queue.newest(4)
    assert blocks[0][0] <= start < blocks[0][1]
    for left, right in blocks:
        assert set(range(left, right)) <= held
        assert left - 1 not in held
        assert right not in held


def test_pieces_are_bounded():
    """Tiny segments do not fill the memory."""
    queue = Reassembly()
    for n in range(PIECES_MAX + 10):
        queue.add(2 * n + 1, b"x")
    assert PIECES_MAX == queue.size
    queue.clear()
    assert not queue
    assert 0 == queue.size


def test_blocks_to_report_are_found_without_a_look_at_the_others():
    """A thousand islands of a byte make an ACK no dearer than three do."""
    queue = Reassembly()
    for n in range(PIECES_MAX):
        queue.add(2 * n + 1, b"x")
    tracemalloc.start()
    try:
        newest = queue.newest(3)
        spent = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    last = 2 * PIECES_MAX - 1
    assert [(last, last + 1), (last - 2, last - 1), (last - 4, last - 3)] == newest
    assert spent < 8 * PIECES_MAX  # of a list of them all


@pytest.mark.parametrize("order", ["backwards", "evens, then odds", "from both ends"])
def test_work_for_a_piece_does_not_grow_with_the_pieces_that_are_there(order):
    """Whatever the order: calls of functions, Python's and C's, are counted."""
    pieces = list(range(1, 2049))
    if order == "backwards":
        pieces.reverse()
    elif order == "evens, then odds":
        pieces = pieces[::2] + pieces[1::2]
    else:
        pieces = [
            n for pair in zip(pieces, reversed(pieces), strict=True) for n in pair
        ]
    queue, calls = Reassembly(), []
    sys.setprofile(lambda _, event, __: calls.append(event))
    try:
        for n in pieces:
            queue.add(n, b"x")
    finally:
        sys.setprofile(None)
    assert len(calls) < 40 * len(pieces)
    assert 2048 == queue.size
    assert b"x" * 2048 == b"".join(queue.take(1))


@pytest.mark.parametrize("way", ["take", "clear", "join"])
def test_pieces_that_went_make_room_for_as_many(way):
    """Delivered, forgotten, or covered by one that is larger."""
    queue = Reassembly()
    for _ in range(3):
        for n in range(PIECES_MAX - 1):
            queue.add(2 * n + 2, b"x")
        if way == "take":
            for n in range(PIECES_MAX - 1):
                assert [b"x"] == queue.take(2 * n + 2)
        elif way == "clear":
            queue.clear()
            queue.add(9, b"y")
            assert [(9, 10)] == queue.newest(4)
            queue.clear()
        else:
            queue.add(1, bytes(2 * PIECES_MAX))
            queue.add(3 * PIECES_MAX, b"z")  # a block of its own
            assert 2 == len(queue.newest(4))
            queue.take(1)
            queue.take(3 * PIECES_MAX)
        assert 0 == queue.size
        assert not queue


def test_blocks_that_join_keep_every_piece():
    """Whichever of the two has more of them."""
    for first in (1, 4):
        queue = Reassembly()
        for n in range(8):
            if n != first:
                queue.add(10 * n + 1, bytes((n,)) * 10)
        queue.add(10 * first + 1, bytes((first,)) * 10)
        whole = b"".join(bytes((n,)) * 10 for n in range(8))
        assert whole == b"".join(queue.take(1))
