"""Tests of sequence arithmetic at its edges: 0, 2^31, 2^32-1."""

from __future__ import annotations

import pytest
import seq

EDGES = [0, 1, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1]


@pytest.mark.parametrize("start", EDGES)
def test_next_number_is_after(start):
    """One step forward is after, wherever it starts."""
    after = seq.add(start, 1)
    assert (1, -1) == (seq.diff(after, start), seq.diff(start, after))
    assert seq.lt(start, after)
    assert seq.leq(start, after)
    assert seq.gt(after, start)
    assert seq.geq(after, start)
    assert not seq.lt(after, start)
    assert not seq.gt(start, after)
    assert not seq.leq(after, start)
    assert not seq.geq(start, after)


@pytest.mark.parametrize("number", EDGES)
def test_number_is_itself(number):
    """Equal numbers are neither before nor after."""
    assert 0 == seq.diff(number, number)
    assert seq.leq(number, number)
    assert seq.geq(number, number)
    assert not seq.lt(number, number)
    assert not seq.gt(number, number)


@pytest.mark.parametrize("start", EDGES)
def test_far_side(start):
    """2^31 - 1 ahead is after; 2^31 ahead counts as behind."""
    assert 2**31 - 1 == seq.diff(seq.add(start, 2**31 - 1), start)
    assert -(2**31) == seq.diff(seq.add(start, 2**31), start)


def test_add_goes_back():
    """A negative count wraps below zero."""
    assert 2**32 - 1 == seq.add(0, -1)


@pytest.mark.parametrize("start", EDGES)
def test_within_a_window(start):
    """The first and the last number of a window are in it, the next is not."""
    assert seq.within(start, start, 10)
    assert seq.within(seq.add(start, 9), start, 10)
    assert not seq.within(seq.add(start, 10), start, 10)
    assert not seq.within(seq.add(start, -1), start, 10)
    assert not seq.within(start, start, 0)
