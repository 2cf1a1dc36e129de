"""Loss by time: repaired before the time-out (RFC 8985 7)."""

from __future__ import annotations

import pytest
from harness import established

from syncache.tcp.congestion import NewReno
from syncache.tcp.rto import RetransmissionTimeout
from syncache.tcp.sender import Sender
from syncache.tcp.tail import DELAYED_ACK_MS, Tail

MSS = 1000
QUIET_MS = 22  # two round trips of 10, and the clock's granularity
TIMEOUT_MS = 230


def sender(segments, *, written=None, sack=True, window=100_000):
    """Return one that has sent some segments at 0; the round trip is 10 ms."""
    rto = RetransmissionTimeout(1000, (30, 64000), 200)
    half = Sender(0, MSS, NewReno(100_000), rto)
    half.sack = sack
    half.open_window(window, 0, 0)
    half.acknowledge(1, 0, 10)
    half.queue.write(bytes(segments * MSS if written is None else written))
    assert send(half) == [1 + MSS * n for n in range(segments)]
    return half


def send(half, now=0):
    """Send all that may go; return the sequence number of each."""
    sent = []
    while (plan := half.plan(now)) is not None:
        half.sent(plan, now)
        sent.append(plan.seq)
    half.settle(now)
    return sent


def test_last_segment_is_sent_again_after_two_quiet_round_trips():
    """Once; then the time-out counts, from when the data was sent."""
    half = sender(4)
    assert half.deadline == QUIET_MS
    assert half.expire(QUIET_MS)
    assert send(half, QUIET_MS) == [3001]
    assert half.deadline == TIMEOUT_MS
    assert half.rto.shift == 0
    assert half.congestion.cwnd == 100_000


def test_new_data_goes_in_place_of_the_last_segment():
    """RFC 8985 7.3: it serves as well, and is of use."""
    half = sender(4, written=4000)
    half.queue.write(bytes(10))
    half.expire(QUIET_MS)
    assert send(half, QUIET_MS) == [4001]
    assert half.retransmitted == 0


def test_sack_of_the_probe_shows_what_was_lost_before_it():
    """All holes below it are sent again, as the window allows."""
    half = sender(4)
    half.expire(QUIET_MS)
    send(half, QUIET_MS)
    assert half.mark([(3001, 4001)])
    half.duplicate()
    half.heard(32)
    assert send(half, 32) == [1, 1001]
    half.acknowledge(1001, 42, 10)
    assert send(half, 42) == [2001]
    half.acknowledge(4001, 52, 10)
    assert half.deadline is None


def test_sack_of_a_probe_with_new_data_shows_what_was_lost_before_it():
    """The holes are not left to the time-out."""
    half = sender(2)
    half.queue.write(bytes(MSS))
    half.expire(QUIET_MS)
    assert send(half, QUIET_MS) == [2001]
    assert half.mark([(2001, 3001)])
    half.duplicate()
    half.heard(32)
    assert half.deadline == 32 + QUIET_MS
    half.expire(32 + QUIET_MS)
    assert send(half, 32 + QUIET_MS) == [1, 1001]


def test_hole_below_two_marked_segments_is_lost_when_nothing_more_comes():
    """DupThresh is never reached at the tail."""
    half = sender(3)
    half.mark([(1001, 3001)])
    half.duplicate()
    half.heard(10)
    assert send(half, 10) == []
    assert half.deadline == 10 + QUIET_MS
    half.expire(32)
    assert send(half, 32) == [1]


def test_repetition_that_was_lost_is_sent_again_before_the_time_out():
    """In recovery too, silence for two round trips means loss."""
    half = sender(6)
    half.mark([(1001, 6001)])
    half.duplicate()
    half.heard(10)
    assert send(half, 10) == [1]
    half.expire(10 + QUIET_MS)
    assert send(half, 32) == [1]
    half.expire(half.deadline)
    assert half.rto.shift == 1


def test_lone_segment_waits_for_a_delayed_ack_too():
    """RFC 8985 7.2."""
    assert sender(1).deadline == QUIET_MS + DELAYED_ACK_MS


@pytest.mark.parametrize("kind", ["no SACK", "no sample", "backed off"])
def test_time_out_alone_counts_where_silence_tells_nothing(kind):
    """A peer without SACK, a round trip that is unknown, a time-out before."""
    half = sender(4, sack=kind != "no SACK")
    if kind == "no sample":
        half.rto.srtt_ms = None
    if kind == "backed off":
        half.rto.back_off()
    half.deadline = None
    half.queue.write(bytes(MSS))
    send(half, 0)
    assert half.deadline == half.rto.timeout_ms


def test_loss_that_the_probe_repaired_slows_the_sender_once():
    """RFC 8985 7.4: an ACK beyond it, and no D-SACK."""
    half = sender(4)
    half.expire(QUIET_MS)
    send(half, QUIET_MS)
    half.acknowledge(4001, 32, 10)
    assert half.congestion.ssthresh > 100_000
    half.queue.write(bytes(MSS))
    send(half, 40)
    half.acknowledge(5001, 50, 10)
    assert half.congestion.ssthresh == 2 * MSS


@pytest.mark.parametrize("beyond", [False, True])
def test_probe_that_came_twice_does_not_slow_the_sender(beyond):
    """A D-SACK, with an ACK of the probe or one beyond it: the original had arrived."""
    half = sender(4)
    half.expire(QUIET_MS)
    send(half, QUIET_MS)
    if beyond:
        half.queue.write(bytes(MSS))
        send(half, 30)
    half.acknowledge(5001 if beyond else 4001, 32, 10, twice=True)
    half.queue.write(bytes(MSS))
    send(half, 40)
    half.acknowledge(half.snd_max, 50, 10)
    assert half.congestion.ssthresh > 100_000


def test_established_probe_that_came_twice_does_not_slow_the_sender(family):
    """Its D-SACK comes in an ACK without news."""
    hand = established(family, options="mss 1460, sackOK")
    mss = hand.connection.info.mss
    hand.write(4 * mss)
    hand.advance(ms=70)
    end = 1 + 4 * mss
    hand.inject(f". 1:1(0) ack {end} win 65535")
    hand.inject(f". 1:1(0) ack {end} win 65535 <sack {end - mss}:{end}>")
    hand.write(mss)
    hand.inject(f". 1:1(0) ack {end + mss} win 65535")
    assert hand.connection.info.ssthresh > 1 << 20


def test_fin_that_was_lost_is_probed_for():
    """There is no data to repeat."""
    half = sender(2)
    half.close()
    assert send(half, 1) == [2001]
    half.acknowledge(2001, 10, 10)
    half.expire(half.deadline)
    assert send(half, 100) == [2001]


def test_wait_ends_at_the_time_out_at_the_latest():
    """A long round trip leaves no room for a probe before it."""
    tail = Tail()
    tail.timeout_at = 100
    assert tail.wait_until(0, 10, holes=False, lone=False) == QUIET_MS
    assert tail.wait_until(0, 0.2, holes=False, lone=False) == 10
    assert tail.wait_until(0, 0.2, holes=True, lone=True) == 3
    assert tail.wait_until(0, 80, holes=False, lone=True) == 100


def test_established_lost_tail_is_repaired_before_the_time_out(family):
    """By the SACK of the probe, two segments at a time."""
    hand = established(family, options="mss 1460, sackOK, TS val 1 ecr 0")
    mss = hand.connection.info.mss
    hand.write(4 * mss)
    hand.sent.clear()
    hand.advance(ms=70)
    last = 1 + 3 * mss
    hand.expect(f"P. {last}:{last + mss}({mss})")
    hand.inject(f". 1:1(0) ack 1 win 65535 <sack {last}:{last + mss}>")
    for n in range(2):
        hand.expect(f". {1 + n * mss}:{1 + (n + 1) * mss}({mss})")
    hand.expect_nothing()
    hand.inject(f". 1:1(0) ack {1 + mss} win 65535 <sack {last}:{last + mss}>")
    hand.expect(f". {1 + 2 * mss}:{last}({mss})")


def test_time_out_after_silence_leaves_the_probe_its_chance():
    """At least PROBE_MIN_MS from now."""
    tail = Tail()
    tail.timeout_at = 100
    assert tail.next_timeout(50) == 100
    assert tail.next_timeout(95) == 105


def test_cleared_tail_owes_nothing_and_knows_no_loss():
    """The time-out repairs everything."""
    tail = Tail()
    assert (tail.owed, tail.is_due, tail.late, tail.end) == (False, False, 0, None)
    tail.owed, tail.late, tail.end = True, 5, 9
    assert tail.repaired(8, twice=False) is False
    assert tail.repaired(9, twice=False) is False
    assert tail.repaired(10, twice=False) is True
    tail.end = 9
    tail.clear()
    assert (tail.owed, tail.late, tail.end) == (False, 0, None)
    assert tail.repaired(10, twice=False) is False


def test_closed_window_is_no_silence():
    """What is under way waits for the time-out, not for a probe."""
    half = sender(4)
    half.open_window(0, 1, 1)
    half.acknowledge(1001, 10, 10)
    assert not half.tail.is_due
    assert half.deadline == half.tail.timeout_at == 10 + half.rto.timeout_ms


def test_news_of_the_peer_begin_the_wait_anew_in_recovery_or_before_a_probe():
    """Elsewhere the time-out stays where it is."""
    half = sender(4, sack=False)
    before = half.deadline
    half.heard(10)
    assert half.deadline == before
    half = sender(6)
    half.mark([(1001, 6001)])
    half.duplicate()
    half.tail.is_due = False
    half.heard(10)
    assert half.deadline == 10 + QUIET_MS
    for persisting in (False, True):
        half.deadline, half.persisting = (50 if persisting else None), persisting
        half.heard(20)
        assert half.deadline == (50 if persisting else None)


def test_sack_of_the_probe_is_taken_once():
    """The loss is repaired; the next ACK is no repair of the probe."""
    half = sender(4)
    half.expire(QUIET_MS)
    send(half, QUIET_MS)
    assert half.tail.end == 4001
    half.mark([(3001, 4001)])
    half.duplicate()
    half.heard(32)
    assert half.tail.end is None
