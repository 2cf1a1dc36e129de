"""What is made of cookies and what arrives, as numbers."""

from __future__ import annotations

import pytest

from syncache.links.shield_arrivals import LEAST, RETRY_SECONDS, SHARE, Arrivals


def looked(*counts):
    """What each look says of how many were made and how many have arrived."""
    arrivals = Arrivals()
    return [arrivals.are_lost(made, arrived) for made, arrived in counts]


def test_what_arrives_is_not_lost():
    """However much it is, and however it comes."""
    assert not any(looked((0, 50), (100, 150), (100, 150), (5000, 5050), (5000, 5050)))


def test_what_does_not_arrive_is_told_once_it_had_its_time():
    """A look later."""
    assert [False, False, True] == looked((3, 50), (3 + LEAST, 50), (3 + LEAST, 50))


def test_what_arrives_by_the_next_look_was_under_way():
    assert not any(looked((0, 0), (1000, 0), (1000, 1000), (1000, 1000)))


def test_few_are_waited_for_until_they_are_enough():
    """One in a second too."""
    counts = [(made, 7) for made in range(LEAST + 2)]
    assert [False] * (LEAST + 1) + [True] == looked(*counts)


@pytest.mark.parametrize(("arrived", "lost"), [(9, True), (10, False)])
def test_others_connections_hide_it_only_if_they_are_many(arrived, lost):
    """SSH has some too."""
    made = 10 * SHARE
    assert lost == looked((0, 0), (made, 0), (made, arrived))[-1]


def test_it_begins_anew_afterwards():
    """The time between is none of its own."""
    counts = [(0, 0), (9, 0), (9, 0), (9, 0), (9, 0), (20, 11), (20, 11)]
    assert [False, False, True, False, False, False, False] == looked(*counts)


def test_what_the_kernel_has_after_all_is_no_reason_to_rest():
    """However few of them arrive: whoever spoils his own handshakes is no measure."""
    arrivals = Arrivals()
    for now, made in enumerate([0, 9, 9, 20, 20, 30, 30]):
        assert arrivals.look(made, 0, float(now), lambda: True) is None
    assert not arrivals.is_resting


def test_suspicion_is_one_in_five_seconds():
    """And only where handshakes were replayed since."""
    arrivals = Arrivals()
    looks = [(0, 0), (1, 1), (2, 2), (2, 5), (2, 6), (2, 20), (3, 21)]
    seen = [arrivals.is_suspect(replayed, float(now)) for replayed, now in looks]
    assert [False, True, False, False, True, False, True] == seen


def test_rest_is_as_long_as_told_and_longer_the_next_time():
    """With a line at each end."""
    arrivals, told = Arrivals(), []
    for now, made in enumerate([0, 9, 9, 9, *[9] * int(RETRY_SECONDS), 18, 18, 18]):
        if said := arrivals.look(made, 0, float(now), lambda: False):
            told.append((now, said[0], arrivals.is_resting))
    wait = int(RETRY_SECONDS)
    assert [(2, "refused", True), (2 + wait, "retry", False)] == told[:2]
    assert (wait + 5, "refused", True) == told[2]
