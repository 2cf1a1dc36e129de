"""syncache/cli/collector.py: full collections have a share of the time."""

from __future__ import annotations

import gc

import pytest

from syncache.cli.collector import EVERY_SECONDS, SHARE, Collector


@pytest.fixture
def full():
    """When full collections ended, by their number."""
    ends = []

    def note(phase, info):
        if phase == "stop" and info["generation"] == 2:
            ends.append(info["collected"])

    gc.callbacks.append(note)
    yield ends
    gc.callbacks.remove(note)


def crowd(count):
    """Objects that all live."""
    return [[number] for number in range(count)]


def test_crowd_of_objects_starts_no_full_collection(full):
    """Without the collector it does, several times."""
    collector = Collector()
    collector.begin(0.0)
    try:
        frozen = gc.get_freeze_count()
        del full[:]
        kept = crowd(300_000)
        assert [] == full
        assert frozen > 0
    finally:
        collector.end()
    assert 300_000 == len(kept)
    assert 0 == gc.get_freeze_count()


def test_full_collection_is_due_after_a_minute_or_a_thousand_times_its_time(full):
    """Garbage is found, and a slow collection is seldom."""
    times = iter((0.0, 0.001, 5.0, 5.5))
    collector = Collector(lambda: next(times))
    before = gc.get_threshold()
    collector.begin(100.0)
    try:
        del full[:]
        ring = []
        ring.append(ring)
        del ring
        collector.turn(100.0 + EVERY_SECONDS - 1)
        assert [] == full
        collector.turn(100.0 + EVERY_SECONDS)
        assert 1 == len(full)
        assert full[0] >= 1
        collector.turn(100.0 + 2 * EVERY_SECONDS)
        assert 2 == len(full)
        collector.turn(100.0 + 2 * EVERY_SECONDS + 0.5 * SHARE - 1)
        assert 2 == len(full)
    finally:
        collector.end()
    assert before == gc.get_threshold()


def test_collector_that_has_not_begun_does_nothing(full):
    """A command that fails at its start."""
    collector = Collector()
    del full[:]
    collector.turn(1e9)
    collector.end()
    assert [] == full
