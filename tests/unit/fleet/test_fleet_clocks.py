"""Tests of the judgement of clocks."""

from __future__ import annotations

import pytest

from syncache.fleet.clocks import (
    FRESH_SECONDS,
    Doubt,
    Sight,
    against,
    is_ahead,
    is_wrong,
)

SKEW = 1.0
NOW = 1000.0


def sight(name, error, *, ahead=None, seen=NOW):
    """Of a member whose clock differs from ours."""
    return Sight(name=name, told=seen + error, seen=seen, ahead=ahead or {})


def group(errors, me=0):
    """What member `me` sees of the others, and they of it, with these clocks."""
    found = []
    for number, error in enumerate(errors):
        if number == me:
            continue
        mine = NOW + errors[me]
        ahead = {"me": mine} if errors[me] - error > SKEW else {}
        found.append(Sight(name=str(number), told=NOW + error, seen=mine, ahead=ahead))
    return found


def wrong(errors, me=0, valkey_offset=None):
    now = NOW + errors[me]
    return is_wrong("me", now, group(errors, me), SKEW, valkey_offset=valkey_offset)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([0], [False]),
        ([0, 0.9], [False, False]),
        ([0, 0, 3], [False, False, True]),
        ([0, 0, -3], [False, False, True]),
        ([0, 0, 0, 3, -3], [False, False, False, True, True]),
        ([0, 0, 3, 3], [True] * 4),  # no majority is right: all say so
        ([0.5, 0, -0.5], [False] * 3),
    ],
)
def test_member_gives_way_to_the_majority(errors, expected):
    """Ahead or behind, by more than the skew."""
    assert expected == [wrong(errors, me) for me in range(len(errors))]


def test_of_two_members_valkey_names_the_wrong_one():
    """It alone decides nothing."""
    assert [False, True] == [
        wrong([0, 3], 0, valkey_offset=0.1),
        wrong([0, 3], 1, valkey_offset=-2.9),
    ]
    assert wrong([0, 3], 0, valkey_offset=None)
    assert not wrong([0, 0.5], 0, valkey_offset=3600.0)


def test_old_records_are_no_evidence_of_being_ahead():
    """Valkey may show old ones as long as it likes."""
    shown = [sight(str(n), -500) for n in range(5)]
    assert not is_wrong("me", NOW, shown, SKEW, valkey_offset=-500)


def test_members_that_are_silent_do_not_vote():
    """Nor count."""
    old = NOW - FRESH_SECONDS - 1
    silent = [sight(str(n), 5, seen=old) for n in range(5)]
    assert not is_wrong("me", NOW, silent, SKEW, valkey_offset=5)


@pytest.mark.parametrize(
    ("told", "counts"),
    [(NOW, True), (NOW - 61, False), (NOW + 5, False), (NOW + 0.5, True)],
)
def test_accusation_counts_for_what_we_told_lately(told, counts):
    """After our clock was set back, what was said of it is history."""
    said = [sight("a", -3, ahead={"me": told})]
    assert counts == bool(against("me", NOW, said, SKEW))


def test_ahead_is_beyond_the_skew():
    """A message takes time, which only makes it older."""
    assert [False, True] == [is_ahead(sight("a", e), SKEW) for e in (1.0, 1.01)]


@pytest.mark.parametrize("step", [30.0, -30.0, 5.0, -5.0])
@pytest.mark.parametrize("right", [True, False])
def test_records_say_whether_a_clock_that_was_set_is_right(step, right):
    """They are sealed about now by the one clock, and not by the other."""
    doubt = Doubt()
    sight = Sight(name="b", told=NOW - 0.5, seen=NOW if right else NOW + step)
    doubt.hear(sight, 1.0)
    assert doubt.agree is None
    doubt.begin(step)
    doubt.hear(sight, 1.0)
    assert right is doubt.agree
    doubt.begin(None)
    assert doubt.agree is None


def test_voices_of_most_members_count_and_old_records_say_nothing():
    """One that is sick is outvoted; one that is gone has no voice."""
    doubt = Doubt()
    doubt.begin(30.0)
    doubt.hear(Sight(name="gone", told=NOW - 500, seen=NOW), 1.0)
    assert doubt.agree is None
    for name, told in (("a", NOW - 30), ("b", NOW), ("c", NOW - 1)):
        doubt.hear(Sight(name=name, told=told, seen=NOW), 1.0)
    assert doubt.agree
    doubt.hear(Sight(name="c", told=NOW - 31, seen=NOW), 1.0)
    assert not doubt.agree
