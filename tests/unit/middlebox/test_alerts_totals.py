"""syncache/alerts/totals.py: how long an attack took."""

from __future__ import annotations

import pytest

from syncache.alerts.totals import INSPECT, Attack


@pytest.mark.parametrize(
    ("begin", "end", "seconds"),
    [(1.0, 3.5, 2.5), (3.0, 1.0, 0.0), (None, 1.0, None), (1.0, None, None)],
)
def test_attack_takes_from_its_begin_to_its_end(begin, end, seconds):
    """Unknown without both in the log; never negative, since lines come late."""
    attack = Attack(kind=INSPECT, router="r1", zone="", begin=begin, end=end)
    assert seconds == attack.duration


def test_attacks_have_counts_of_their_own():
    """Targets of one are not those of the next."""
    one, other = (Attack(kind=INSPECT, router="", zone="", begin=None) for _ in "ab")
    one.targets["192.0.2.1"] += 1
    assert (1, 0) == (one.targets["192.0.2.1"], len(other.targets))
