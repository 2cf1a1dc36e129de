"""The sending half: samples, probes and recovery (RFC 6298, RFC 6582, RFC 6675)."""

from __future__ import annotations

import pytest
from test_tcp_sender import MSS, send, sender

from syncache.tcp.congestion import NewReno
from syncache.tcp.rto import RetransmissionTimeout
from syncache.tcp.sender import Sender
from syncache.tcp.sendstate import Plan


def test_silence_counts_from_the_last_segment_sent():
    """Not from the beginning."""
    half = sender(size=1000)
    half.congestion.initial = 10_000
    assert [(1, MSS)] == send(half, 5000)
    half.acknowledge(1001, 5000, None)
    half.congestion.cwnd = 40_000
    half.queue.write(bytes(1000))
    assert half.plan(5000 + half.rto.timeout_ms) is not None
    assert 40_000 == half.congestion.cwnd
    assert half.plan(5001 + half.rto.timeout_ms) is not None
    assert 10_000 == half.congestion.cwnd


def test_one_segment_is_timed_at_a_time_and_none_in_recovery():
    """RFC 6298 3; what is sent meanwhile does not move the clock."""
    half = sender(size=1000)
    send(half, 10)
    half.nodelay = True
    half.queue.write(bytes(1000))
    send(half, 50)
    half.acknowledge(1001, 110, None)
    assert 100 == half.rto.srtt_ms
    half = sender(size=40_000)
    send(half)
    half.mark([(1001, 10_001)])
    half.duplicate()
    assert [10_001, 11_001] == [seq for seq, _ in send(half, 10)][1:3]
    assert half._timed is None


def test_data_for_a_window_that_opened_ends_the_probing():
    """Its time-out is one of data."""
    half = sender(size=2000)
    half.open_window(0, 1, 1)
    half.settle(0)
    assert half.persisting
    half.open_window(100_000, 2, 1)
    assert [(1, MSS), (1001, MSS)] == send(half, 100)
    assert not half.persisting
    assert 100 + half.rto.timeout_ms == half.deadline


def test_window_that_closes_again_is_no_progress():
    """The probing goes on as rarely as it was."""
    half = sender(size=2000)
    half.open_window(5, 1, 1)
    half.persisting = half._probe = True
    half.rto.shift = 3
    assert half.open_window(0, 2, 1)
    assert (3, True) == (half.rto.shift, half._probe)
    assert half.open_window(9, 3, 1)
    assert (0, False) == (half.rto.shift, half._probe)


def test_window_is_full_from_the_half_of_it_on():
    """It grows by what was acknowledged, if half of it was used."""
    for size, cwnd in ((5000, 11_000), (4999, 10_000)):
        half = sender(size=size)
        half.nodelay = True
        send(half)
        half.acknowledge(1001, 10, None)
        assert cwnd == half.congestion.cwnd


def test_ack_ends_the_back_off_and_the_count_of_duplicates():
    """Two and one are not three."""
    half = sender(size=5000)
    send(half)
    half.expire(1000)
    assert 1 == half.rto.shift
    half.persisting = True
    half.acknowledge(1001, 1010, None)
    assert 0 == half.rto.shift
    assert not half.persisting
    half = sender(size=5000)
    send(half)
    half.duplicate()
    half.duplicate()
    half.acknowledge(1001, 10, None)
    assert 4000 == half.pipe()
    half.duplicate()
    assert half._recover is None


@pytest.mark.parametrize(("ack", "over"), [(10_000, False), (10_001, True)])
def test_recovery_is_over_with_an_ack_of_all_that_was_sent_before_it(ack, over):
    """Not with one byte less, nor only with one more."""
    half = sender(size=10_000)
    send(half)
    for _ in range(3):
        half.duplicate()
    assert 10_001 == half._recover
    half.acknowledge(ack, 10, None)
    assert over == (half._recover is None)


def test_partial_ack_deflates_by_what_it_acknowledges_less_a_segment():
    """RFC 6582 3.2, step 3."""
    half = sender(size=10_000)
    send(half)
    for _ in range(5):
        half.duplicate()
    assert 5000 == half.pipe()
    half.acknowledge(3001, 10, None)
    assert 7000 - (5000 - 2000) == half.pipe()
    half.acknowledge(3501, 11, None)  # less than a segment: nothing is taken back
    assert 6500 - 3000 == half.pipe()


def test_third_duplicate_counts_beside_a_mark_that_proves_nothing():
    """RFC 6675 5, step 4."""
    half = sender(size=5000)
    send(half)
    half.mark([(1001, 1002)])
    half.duplicate()
    half.duplicate()
    assert half._recover is None
    half.duplicate()
    assert 5001 == half._recover


def test_recovery_begins_at_the_first_hole_whatever_an_earlier_one_repeated():
    """After a time-out, or smaller segments."""
    for how in ("time-out", "mss"):
        half = sender(size=10_000)
        send(half)
        half.mark([(9001, 10_001)])
        half._enter_recovery()
        half._high_rxt = 9001
        if how == "mss":
            half.lower_mss(MSS)
        else:
            half.expire(1000)
        assert half._recover is None
        half.snd_nxt = half.snd_max
        half._enter_recovery()
        assert (1, MSS) == half.plan(1000)[:2]


def in_recovery():
    """A sender that has repeated its first segment, and sent 11 behind the ten."""
    half = sender(size=40_000, cwnd=10_000)
    send(half)
    half.mark([(1001, 8001)])
    half.duplicate()
    assert [1, 10_001, 11_001] == [seq for seq, _ in send(half)]
    half.congestion.cwnd = 8000
    return half


def test_repetition_is_lost_if_what_was_first_sent_after_it_arrives():
    """Of more than reordering explains; the window is halved again, once."""
    half = in_recovery()
    send(half)
    half.mark([(8001, 12_001)])  # of the time before the repetition: all but two
    half.heard(10)
    assert 1 not in [seq for seq, _ in send(half, 10)]
    half.mark([(12_001, 13_001)])
    for _ in range(2):  # several ACKs in one burst
        half.heard(11)
    assert 4000 == half.congestion.cwnd
    assert (1, MSS) == send(half, 11)[0]
    half.heard(12)
    assert half.plan(12) is None


def test_partial_ack_beside_later_marks_shows_that_the_next_repetition_was_lost():
    """Two holes, both repeated; the second repetition was lost."""
    half = sender(size=40_000, cwnd=12_000)
    send(half)
    half.mark([(1001, 2001), (3001, 9001)])
    half.duplicate()
    assert [1, 2001] == [seq for seq, _ in send(half)][:2]
    half.congestion.cwnd = 12_000
    send(half, 5)
    half.mark([(9001, 15_001)])
    half.acknowledge(2001, 10, 10)
    assert (2001, MSS) == send(half, 10)[0]


@pytest.mark.parametrize(("initial", "cwnd"), [(1000, 2000), (5000, 5000)])
def test_recovery_ends_with_a_burst_that_any_path_is_sent_at_first(initial, cwnd):
    """RFC 6582 3.2, step 3; an initial window is no larger burst than at the start."""
    half = sender(size=20_000, cwnd=20_000)
    half.congestion.initial = initial
    send(half)
    for _ in range(3):
        half.duplicate()
    half.acknowledge(20_001, 10, None)
    assert (10_000, cwnd) == (half.congestion.ssthresh, half.congestion.cwnd)


def test_small_window_is_probed_as_data_when_its_time_is_over():
    """RFC 9293 3.8.6.2.1: what fits leaves, with time-outs of its own."""
    half = sender(size=5000)
    half.open_window(900, 1, 1)
    send(half)
    assert half.persisting
    half.tail.owed = True
    assert half.expire(half.deadline)
    assert (False, False, None) == (half.persisting, half.tail.owed, half.deadline)
    assert [(1, 900)] == send(half, 200)


def test_lost_fin_is_sent_again_with_the_data_before_it():
    """It has a number, and no byte of the queue."""
    half = sender(size=500)
    half.close()
    send(half)
    for _ in range(3):
        half.duplicate()
    assert Plan(1, 500, fin=True) == half.plan(10)


def test_fin_does_not_leave_before_the_data_that_the_window_holds_back():
    """Nor does a byte of it, when all of the window is under way."""
    half = sender(size=20_000)
    half.close()
    assert 10 == len(send(half))
    assert half.plan(1) is None
    half.stop()
    half._probe = True
    half.stop()
    assert half.plan(2) is None


def test_new_sender_waits_five_to_sixty_seconds_with_a_closed_window():
    """And has counted nothing."""
    rto = RetransmissionTimeout(1000, (30, 64000), 200)
    half = Sender(0, MSS, NewReno(10_000), rto)
    assert (5000, 60_000) == half.persist_limits
    assert 0 == half.retransmitted == half._dupacks == half._unanswered
    assert 1 == half.pipe()  # the SYN


@pytest.mark.parametrize(("cuts", "srtt"), [(True, 50), (False, None)])
def test_super_segment_that_is_cut_is_timed_by_its_first_piece(cuts, srtt):
    """The peer acknowledges pieces; one that is not cut is answered as a whole."""
    half = sender(size=4000)
    half.gso_max, half.cuts = 4000, cuts
    assert [(1, 4000)] == send(half)
    half.acknowledge(1001, 50, None)
    assert srtt == half.rto.srtt_ms
