"""RFC 7323 timestamps as values."""

from __future__ import annotations

import pytest

from syncache.tcp.timestamps import Timestamps


def stamps(ts_recent=100, offset=0):
    return Timestamps(ts_recent, offset)


@pytest.mark.parametrize(
    ("recent", "tsval", "old"),
    [
        (100, 99, True),
        (100, 100, False),
        (100, 101, False),
        (0, 0xFFFFFFFF, True),
        (0xFFFFFFFF, 0, False),
        (0, 0x7FFFFFFF, False),
        (0, 0x80000000, True),
    ],
)
def test_old_is_before_modulo_2_to_32(recent, tsval, old):
    """PAWS compares on the circle."""
    assert old == stamps(recent).is_old(tsval, 0)
    assert (not old and tsval != recent) == stamps(recent).is_newer(tsval)


def test_outdated_ts_recent_refuses_nothing():
    """RFC 7323 5.5: after 24 days."""
    day = 86_400_000
    for begin in (0, 30 * day):
        clock = stamps()
        clock.note(100, 0, 0, begin)
        assert clock.is_old(99, begin + 24 * day)
        assert not clock.is_old(99, begin + 24 * day + 1)


def test_only_the_oldest_unacknowledged_segment_is_echoed():
    """RFC 7323 4.3."""
    clock = stamps()
    clock.note(150, 11, 10, 0)
    assert 100 == clock.ts_recent
    clock.note(150, 10, 10, 0)
    assert 150 == clock.ts_recent


def test_round_trip_is_the_age_of_the_echo():
    """And nothing if the echo cannot be ours."""
    clock = stamps(offset=0xFFFFFFF0)
    assert 20 == clock.round_trip((1000 + 0xFFFFFFF0) & 0xFFFFFFFF, 1020)
    assert clock.round_trip(0, 1020) is None
    assert clock.round_trip(1020 + 5, 1020) is None


def test_echo_from_before_the_connection_is_no_round_trip():
    """But for its SYN-ACK, which a cookie may have kept for a while."""
    clock = stamps()
    clock.begun_ms = 500_000
    assert 75_000 == clock.round_trip(425_000, 500_000)
    assert clock.round_trip(424_999, 500_000) is None
    assert 76_000 == clock.round_trip(425_000, 501_000)


def test_option_is_aligned_by_two_nops():
    """RFC 7323 appendix A."""
    assert bytes.fromhex("0101080a000003e800000064") == stamps().option(1000)
