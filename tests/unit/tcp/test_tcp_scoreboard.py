"""The scoreboard against a set of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncache.tcp.scoreboard import RANGES_MAX, Scoreboard

RANGES = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 40)).map(lambda r: (r[0], sum(r))),
    max_size=20,
)


def marked(ranges):
    return {n for start, end in ranges for n in range(start, end)}


@given(RANGES, st.integers(0, 240), st.integers(0, 240), st.integers(0, 240))
def test_board_counts_what_a_set_would(ranges, una, low, high):
    """add, advance, total, marked."""
    board, model = Scoreboard(), set()
    for start, end in ranges:
        news = not set(range(start, end)) <= model
        assert news == board.add(start, end)
        model |= set(range(start, end))
        assert len(model) == board.total
    board.advance(una)
    model = {n for n in model if n >= una}
    assert len(model) == board.total
    assert len(model & set(range(low, high))) == board.marked(low, high)
    assert bool(model) == bool(board)


@given(RANGES, st.integers(0, 240), st.integers(0, 240))
def test_hole_is_the_first_run_that_is_not_marked(ranges, seq, limit):
    """What to send again."""
    board = Scoreboard()
    for start, end in ranges:
        board.add(start, end)
    missing = [n for n in range(seq, limit) if n not in marked(ranges)]
    hole = board.hole(seq, limit)
    if not missing:
        assert hole is None
        return
    end = missing[0]
    while end in missing:
        end += 1
    assert (missing[0], end) == hole


def test_lost_is_what_has_three_segments_above_it():
    """RFC 6675 4: more than (DupThresh - 1) * SMSS bytes."""
    board = Scoreboard()
    board.add(1000, 3000)
    assert 0 == board.lost_below(1000)
    board.add(3000, 3001)
    assert 1000 == board.lost_below(1000)


def test_lost_is_what_has_three_ranges_above_it():
    """RFC 6675 4: DupThresh discontiguous ranges."""
    board = Scoreboard()
    for start in (1000, 2000, 3000):
        board.add(start, start + 1)
    assert 1000 == board.lost_below(1000)


def test_ranges_are_bounded():
    """A peer that marks every second byte is heard so far."""
    board = Scoreboard()
    for n in range(2 * RANGES_MAX):
        board.add(2 * n, 2 * n + 1)
    assert RANGES_MAX == board.total
    assert not board.add(10_000, 10_001)


def test_reneging_is_seen_at_the_cumulative_ack():
    """The peer lacks what it marked."""
    board = Scoreboard()
    board.add(10, 20)
    assert board.begins_at(10)
    assert not board.begins_at(9)
    board.clear()
    assert not board.begins_at(10)


def test_board_is_empty_when_the_ack_has_come_to_its_end():
    """And when it was cleared; what is marked then counts alone."""
    board = Scoreboard()
    board.add(10, 20)
    board.advance(20)
    assert not board
    assert 0 == board.last_start
    board.add(30, 40)
    board.clear()
    board.add(50, 60)
    board.add(70, 75)
    assert 70 == board.last_start
    assert 15 == board.marked(0, 100)
    assert 5 == board.marked(55, 70)
    assert (60, 70) == board.hole(50, 100)
