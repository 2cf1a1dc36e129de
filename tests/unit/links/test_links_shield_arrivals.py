"""What is made of cookies and what is seen of it, as numbers."""

from __future__ import annotations

import pytest

from syncache._core import shield as core
from syncache.links.shield_arrivals import (
    PATIENCE_SECONDS,
    RETRY_SECONDS,
    RETRY_SECONDS_MAX,
    Absence,
    Arrivals,
)

FEW, MANY = core.TRIAL - 1, core.TRIAL


def looked(*counts, held=False):
    """What each look says, half of the patience after the one before."""
    arrivals = Arrivals()
    times = (number * PATIENCE_SECONDS / 2 for number in range(len(counts)))
    return [
        arrivals.look(*each, now, lambda: held)
        for each, now in zip(counts, times, strict=True)
    ]


def test_connection_that_is_seen_arrives():
    """However late, and however many were made."""
    assert ["arrive"] == looked((1, 1))
    assert ["", "", "arrive"] == looked((MANY, 0), (MANY, 0), (99, 1))


def test_few_are_no_reason_to_judge():
    assert [""] * 9 == looked(*[(FEW, 0)] * 9)


def test_what_is_not_seen_is_lost_once_it_had_its_time():
    """From the look on that saw enough of them; and it begins anew afterwards."""
    assert ["", "", "", "lost"] == looked((FEW, 0), (MANY, 0), (99, 0), (99, 0))
    looks = looked(*[(MANY, 0)] * 6)
    assert ["", "", "lost", "", "", "lost"] == looks


def test_time_counts_anew_when_one_was_seen_in_between():
    looks = looked((MANY, 0), (MANY, 1), (MANY, 0), (MANY, 0), (MANY, 0))
    assert ["", "arrive", "", "", "lost"] == looks


def test_connection_whose_client_is_silent_is_asked_of_the_kernel():
    """It has it, and so it arrives."""
    assert ["", "", "arrive"] == looked(*[(MANY, 0)] * 3, held=True)


@pytest.mark.parametrize("counts", [(0, 0), (MANY, 1), (FEW, 0)])
def test_kernel_is_not_asked_without_need(counts):
    """Its list may be long."""

    def ask():
        raise AssertionError

    arrivals = Arrivals()
    for now in range(9):
        arrivals.look(*counts, float(now), ask)


def test_service_is_left_for_twice_as_long_each_time():
    """Up to an hour, while its connections never arrive."""
    absence, now, lasted = Absence(), 1000.0, []
    for _ in range(8):
        absence.begin(now)
        lasted.append(absence.seconds)
        assert not absence.is_over(now + absence.seconds - 1)
        now += absence.seconds
        assert absence.is_over(now)
    doubled = [RETRY_SECONDS * 2**i for i in range(8)]
    assert [min(one, RETRY_SECONDS_MAX) for one in doubled] == lasted


def test_absences_begin_anew_once_connections_have_arrived_as_long_as_it_was_left():
    """Not at the first one, of a service of which some are always refused."""
    absence, now = Absence(), 1000.0
    for _ in range(3):
        absence.begin(now)
        now = absence.end
        assert absence.is_over(now)
    absence.arrived(now + absence.seconds - 1)
    assert 8 * RETRY_SECONDS == absence.seconds
    absence.arrived(now + absence.seconds)
    assert RETRY_SECONDS == absence.seconds
