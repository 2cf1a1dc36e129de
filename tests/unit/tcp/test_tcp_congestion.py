"""NewReno's window (RFC 5681, RFC 6928)."""

from __future__ import annotations

import pytest

from syncache.tcp.congestion import NewReno, initial_window


@pytest.mark.parametrize(
    ("mss", "window"),
    [(536, 5360), (1460, 14600), (1448, 14480), (8960, 17920), (1500, 14600)],
)
def test_initial_window_is_that_of_rfc_6928(mss, window):
    """min(10 * MSS, max(2 * MSS, 14600))."""
    assert window == initial_window(mss, 10)


def test_slow_start_doubles_in_a_round_trip():
    """Every byte acknowledged lets another one out."""
    window = NewReno(10_000)
    window.acked(10_000, 1000)
    assert 20_000 == window.cwnd


def test_congestion_avoidance_adds_one_segment_in_a_round_trip():
    """RFC 5681 3.1, counted in bytes."""
    window = NewReno(10_000)
    window.ssthresh = 10_000
    for _ in range(10):
        window.acked(1000, 1000)
    assert 11_000 == window.cwnd


def test_loss_halves_and_a_time_out_leaves_one_segment():
    """RFC 5681 3.1 and 3.2."""
    window = NewReno(20_000)
    window.lost(20_000, 1000)
    assert (10_000, 10_000) == (window.cwnd, window.ssthresh)
    window.timed_out(8000, 1000, again=False)
    assert (1000, 4000) == (window.cwnd, window.ssthresh)
    window.timed_out(1000, 1000, again=True)
    assert 4000 == window.ssthresh


def test_threshold_is_never_below_two_segments():
    """RFC 5681 equation 4."""
    window = NewReno(2000)
    window.lost(1000, 1000)
    assert 2000 == window.ssthresh


def test_idle_returns_to_the_initial_window():
    """RFC 5681 4.1."""
    window = NewReno(10_000)
    window.acked(50_000, 1000)
    window.idle()
    assert 10_000 == window.cwnd


def test_time_out_and_loss_begin_to_count_anew():
    """Bytes counted before do not enlarge the new window."""
    for event in ("lost", "timed out"):
        window = NewReno(10_000)
        window.ssthresh = 10_000
        window.acked(9000, 1000)
        if event == "lost":
            window.lost(20_000, 1000)
        else:
            window.timed_out(2000, 1000, again=False)
            assert 2000 == window.ssthresh  # of two segments at least
            window.cwnd = 10_000
        window.acked(9999, 1000)
        assert 10_000 == window.cwnd
        window.acked(1, 1000)
        assert 11_000 == window.cwnd
