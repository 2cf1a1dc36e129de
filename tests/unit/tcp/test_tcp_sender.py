"""The sending half: what goes out next (RFC 9293 3.8, RFC 5681, RFC 6675)."""

from __future__ import annotations

import pytest

from syncache.tcp.congestion import NewReno
from syncache.tcp.rto import RetransmissionTimeout
from syncache.tcp.scoreboard import NOTHING_MARKED
from syncache.tcp.sender import Sender
from syncache.tcp.sendstate import Plan

MSS = 1000


def sender(size=0, window=100_000, cwnd=10_000):
    rto = RetransmissionTimeout(1000, (30, 64000), 200)
    half = Sender(0, MSS, NewReno(cwnd), rto)
    half.open_window(window, 0, 0)
    half.acknowledge(1, 0, None)
    half.congestion.cwnd = cwnd
    half.queue.write(bytes(size))
    return half


def send(half, now=0):
    """Send all that may go; return (seq, size) of each."""
    sent = []
    while (plan := half.plan(now)) is not None:
        half.sent(plan, now)
        sent.append((plan.seq, plan.size))
    half.settle(now)
    return sent


def test_full_segments_go_out_up_to_the_congestion_window():
    """Ten of them, then silence."""
    half = sender(size=20_000)
    assert [(1 + MSS * n, MSS) for n in range(10)] == send(half)
    assert 10_000 == half.pipe()


def test_small_segment_waits_for_the_ack_unless_nodelay():
    """Nagle."""
    half = sender(size=1500)
    assert [(1, MSS)] == send(half)
    half.nodelay = True
    assert [(1001, 500)] == send(half)


def test_small_segment_goes_out_when_nothing_is_under_way():
    """An idle connection delays nothing."""
    assert [(1, 10)] == send(sender(size=10))


def test_last_segment_goes_out_with_the_fin():
    """CLOSE ends Nagle's wait."""
    half = sender(size=1500)
    half.close()
    plans = []
    while (plan := half.plan(0)) is not None:
        half.sent(plan, 0)
        plans.append(plan)
    assert [Plan(1, MSS), Plan(1001, 500, fin=True)] == plans


def test_small_window_is_not_filled_with_small_segments():
    """RFC 9293 3.8.6.2.1: half of the largest window, or wait."""
    half = sender(size=5000, window=100_000)
    half.open_window(900, 1, 1)
    assert [] == send(half)
    assert half.persisting


def test_super_segment_is_a_multiple_of_the_mss():
    """The link cuts it; a tail smaller than the MSS comes alone at the end."""
    half = sender(size=9500, cwnd=100_000)
    half.gso_max = 4999
    assert [(1, 4000), (4001, 4000), (8001, 1000)] == send(half)
    half.nodelay = True
    assert [(9001, 500)] == send(half)


def test_time_out_sends_all_again_and_skips_what_is_marked():
    """One segment, then slow start over the holes."""
    half = sender(size=5000)
    send(half)
    half.mark([(2001, 3001)])
    assert half.expire(1000)
    assert [(1, MSS)] == send(half, 1000)
    half.acknowledge(1001, 1010, None)
    assert [(1001, MSS), (3001, MSS)] == send(half, 1010)


def test_marks_at_the_cumulative_ack_are_forgotten():
    """RFC 2018 8: the peer reneged."""
    half = sender(size=5000)
    send(half)
    half.mark([(1, 1001)])
    half.expire(1000)
    assert not half.board
    assert [(1, MSS)] == send(half, 1000)


def test_what_one_connection_has_marked_is_none_of_another():
    """The board that connections share while nothing is marked stays empty."""
    one, other = sender(size=5000), sender(size=5000)
    for half in (one, other):
        send(half)
    one.mark([(1001, 2001)])
    other.stop()
    assert (1000, 0) == (one.board.total, other.board.total)
    assert not NOTHING_MARKED


def test_recovery_sends_new_data_as_the_pipe_drains():
    """RFC 6675: half of the flight, new data when all holes are filled."""
    half = sender(size=40_000)
    send(half)
    half.mark([(1001, 4001)])
    half.duplicate()
    assert [(1, MSS)] == send(half)
    assert 5000 == half.congestion.cwnd
    half.mark([(4001, 10_001)])
    half.duplicate()
    assert [(10_001 + MSS * n, MSS) for n in range(4)] == send(half)


def test_recovery_ends_at_the_point_where_it_began():
    """A full ACK deflates."""
    half = sender(size=12_000)
    send(half)
    half.mark([(1001, 10_001)])
    half.duplicate()
    send(half)
    half.acknowledge(half.snd_max, 50, None)
    assert half._recover is None
    assert half.congestion.cwnd <= half.congestion.ssthresh


def test_retransmitted_segment_gives_no_sample_without_timestamps():
    """Karn's rule."""
    half = sender(size=1000)
    send(half)
    half.expire(1000)
    send(half, 1000)
    half.acknowledge(1001, 1001, None)
    assert half.rto.srtt_ms is None


def test_lower_mss_sends_again_in_smaller_segments():
    """The path is narrower than it was said to be."""
    half = sender(size=2000)
    send(half)
    half.lower_mss(600)
    assert [(1, 600), (601, 600), (1201, 600), (1801, 200)] == send(half)


def test_time_out_with_a_closed_window_becomes_a_probe():
    """The peer shrank its window under what was sent."""
    half = sender(size=2000)
    send(half)
    half.open_window(0, 1, 1)
    assert half.expire(1000)
    assert half.persisting
    assert Plan(1, 1) == half.plan(1000)


def test_probe_that_an_ack_overtook_is_not_sent():
    """Everything was acknowledged between the time-out and the turn to send."""
    half = sender(size=100)
    send(half)
    half.open_window(0, 1, 1)
    assert half.expire(1000)
    half.acknowledge(101, 1001, None)
    assert half.plan(1001) is None


def test_orphan_is_not_probed_for_ever():
    """With nobody to write for, answers do not count."""
    half = sender(size=2000)
    half.orphan = True
    half.open_window(0, 1, 1)
    half.settle(0)
    now, alive, probes = 0, True, 0
    while alive:
        now = half.deadline
        alive = half.expire(now)
        probes += 1
        send(half, now)
        half.open_window(0, 1, 1)
    assert 13 == probes


def test_fin_alone_probes_a_closed_window():
    """It occupies a number, so it may not go before the window opens."""
    half = sender()
    half.close()
    half.open_window(0, 1, 1)
    assert half.plan(0) is None
    half.settle(0)
    assert half.expire(half.deadline)
    assert Plan(1, 0, fin=True) == half.plan(half.deadline)


@pytest.mark.parametrize(
    ("seq", "ack", "taken"),
    [
        (99, 50, False),
        (99, 51, False),  # an older segment, whatever it acknowledges
        (100, 49, False),
        (100, 50, True),
        (100, 51, True),
        (101, 49, True),
        (101, 50, True),
    ],
)
def test_window_is_taken_of_the_latest_segment_only(seq, ack, taken):
    """RFC 9293 3.10.7.4: SND.WL1 and SND.WL2."""
    half = sender()
    assert half.open_window(5000, 100, 50)
    assert taken == half.open_window(7000, seq, ack)
    assert (7000 if taken else 5000) == half.snd_wnd
    assert not half.open_window(half.snd_wnd, seq, ack)  # no news


@pytest.mark.parametrize(
    ("acknowledged", "later_ms", "cwnd"),
    [(True, 1001, 10_000), (True, 1000, 40_000), (False, 1001, 40_000)],
)
def test_congestion_window_is_closed_after_a_silence(acknowledged, later_ms, cwnd):
    """RFC 5681 4.1: of longer than a time-out, with nothing under way."""
    half = sender(size=1000)
    half.congestion.initial = 10_000
    half.congestion.cwnd = 40_000
    assert [(1, MSS)] == send(half)
    if acknowledged:
        half.acknowledge(1001, 0, None)
    half.congestion.cwnd = 40_000
    half.queue.write(bytes(1000))
    half.nodelay = True
    wait = half.rto.timeout_ms - 1000 + later_ms
    assert half.plan(wait) is not None
    assert cwnd == half.congestion.cwnd


def test_closed_window_is_probed_ever_more_rarely_between_limits():
    """RFC 9293 3.8.6.1: doubled from the time-out on, within persmin and persmax."""
    half = sender(size=2000)
    half.persist_limits = (5000, 60_000)
    half.open_window(0, 1, 1)
    half.settle(0)
    now, waits = 0, []
    for _ in range(8):
        waits.append(half.deadline - now)
        now = half.deadline
        assert half.expire(now)
        assert [(1, 1)] == send(half, now)
        half.open_window(0, 1, 1)
    assert [5000, 5000, 5000, 8000, 16_000, 32_000, 60_000, 60_000] == waits


def test_time_out_runs_anew_from_each_ack_until_all_is_acknowledged():
    """RFC 6298 5.2 and 5.3."""
    half = sender(size=2000)
    send(half)
    half.acknowledge(1001, 500, None)
    assert 500 + half.rto.timeout_ms == half.deadline
    half.acknowledge(2001, 600, None)
    assert half.deadline is None


@pytest.mark.parametrize(("ack", "left"), [(1, 100), (51, 50), (101, 0)])
def test_first_ack_takes_what_it_acknowledges_beside_the_syn(ack, left):
    """The SYN has a number, and no byte of the queue."""
    rto = RetransmissionTimeout(1000, (30, 64000), 200)
    half = Sender(0, MSS, NewReno(10_000), rto)
    half.queue.write(bytes(100))
    half.open_window(1000, 0, 0)
    half.acknowledge(ack, 0, None)
    assert left == half.queue.size


def test_syn_ack_is_sent_again_when_its_time_is_over_and_takes_its_number():
    """Alone, until it is acknowledged."""
    rto = RetransmissionTimeout(1000, (30, 64000), 200)
    half = Sender(70, MSS, NewReno(10_000), rto)
    half.open_window(1000, 0, 0)
    for now in (1000, 3000):
        assert half.expire(now)
        again = half.plan(now)
        assert Plan(70, 0, syn=True) == again
        half.sent(again, now)
        assert half.plan(now) is None
    half.acknowledge(71, 3100, None)
    half.queue.write(bytes(10))
    assert [(71, 10)] == send(half, 3100)


def test_lost_and_marked_bytes_are_not_under_way():
    """RFC 6675 4: SetPipe; what was sent again is."""
    half = sender(size=40_000)
    send(half)
    half.mark([(1001, 4001)])
    assert 7000 == half.pipe()
    half.duplicate()
    assert 6000 == half.pipe()
    assert [(1, MSS)] == send(half)
    assert 7000 == half.pipe()


def test_recovery_halves_once_until_all_of_its_flight_is_acknowledged():
    """A partial ACK with marks above it tells of the same loss."""
    half = sender(size=40_000)
    send(half)
    half.mark([(2001, 6001)])
    half.duplicate()
    send(half)
    assert 5000 == half.congestion.ssthresh
    half.acknowledge(1001, 50, None)
    half.duplicate()
    assert 5000 == half.congestion.ssthresh


def test_time_out_ends_recovery_and_begins_slowly():
    """RFC 5681 3.1: one segment, then two more for each ACK of a full window."""
    half = sender(size=40_000)
    send(half)
    half.mark([(1001, 4001)])
    half.duplicate()
    send(half)
    assert half.expire(1000)
    assert MSS == half.congestion.cwnd
    assert [(1, MSS)] == send(half, 1000)
    half.acknowledge(1001, 1010, None)
    assert 2 * MSS == half.congestion.cwnd


def test_marks_that_the_ack_denies_are_forgotten():
    """It lacks what was marked: nothing marked counts any more."""
    half = sender(size=5000)
    send(half)
    half.mark([(1001, 2001), (3001, 4001)])
    half.acknowledge(1001, 10, None)
    assert 0 == half.board.total
    half.mark([(3001, 4001)])
    assert 1000 == half.board.total
