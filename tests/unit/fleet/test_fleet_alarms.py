"""syncache/fleet/alarms.py: what is told, and how often."""

from __future__ import annotations

import pytest

from syncache.fleet import alarms
from syncache.fleet.alarms import TOLD_MAX, TOLD_SECONDS, Alarms


@pytest.fixture
def now(monkeypatch):
    """Return a clock: a list of the time."""
    found = [1000.0]
    monkeypatch.setattr(alarms.time, "monotonic", lambda: found[0])
    return found


@pytest.fixture
def lines():
    return []


def test_alarm_is_told_when_it_begins_changes_and_ends(now, lines):
    """And not in between."""
    known = Alarms(lines.append)
    for text in ("one", "one", "two"):
        known.set("disk", text)
    assert {"disk": "two"} == known.active
    known.clear("disk")
    known.clear("disk")
    assert {} == known.active
    assert ["ALARM disk: one", "ALARM disk: two", "alarm disk is over"] == lines


def test_alarm_that_comes_and_goes_is_told_so_often_a_minute(now, lines):
    """Another one has lines of its own."""
    known = Alarms(lines.append)
    for _ in range(1000):
        known.set("lower", "put back")
        known.clear("lower")
    assert 2 * TOLD_MAX == len(lines)
    known.set("away", "gone")
    assert "ALARM away: gone" == lines[-1]


def test_alarm_that_was_folded_and_stays_is_told(now, lines):
    """With the number of those that were not."""
    known = Alarms(lines.append)
    for _ in range(TOLD_MAX + 5):
        known.set("lower", "put back")
        known.clear("lower")
    known.set("lower", "put back")
    known.again()
    assert "alarm lower is over" == lines[-1]
    now[0] += TOLD_SECONDS + 1
    known.again()
    assert "ALARM lower: put back (and 7 times before)" == lines[-1]
    known.again()
    known.clear("lower")
    assert "alarm lower is over" == lines[-1]
    assert 2 * TOLD_MAX + 2 == len(lines)


def test_line_that_was_too_many_is_told_again_to_the_second(now, lines):
    """So long after the first of those that were told."""
    known = Alarms(lines.append)
    for _ in range(TOLD_MAX):
        known.set("lower", "put back")
        known.clear("lower")
    for after, told in ((TOLD_SECONDS - 0.5, 0), (TOLD_SECONDS, 1)):
        now[0] = 1000.0 + after
        before = len(lines)
        known.set("lower", "put back")
        assert told == len(lines) - before
    assert "ALARM lower: put back (and 1 time before)" == lines[-1]
