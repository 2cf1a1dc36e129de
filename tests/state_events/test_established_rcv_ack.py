"""ESTABLISHED, an ACK arrives (RFC 9293 3.10.7.4, RFC 5681, RFC 5961 5)."""

from __future__ import annotations

import pytest
from harness import established


def test_established_rcv_ack_repeated_is_silent(family):
    """The third segment may be doubled."""
    hand = established(family)
    hand.inject(". 1:1(0) ack 1")
    hand.expect_nothing()


def test_established_rcv_ack_of_data_not_sent_sends_challenge_ack(family):
    """RFC 5961 5.2."""
    hand = established(family)
    hand.inject(". 1:1(0) ack 100")
    hand.expect(". 1:1(0) ack 1")


def test_established_rcv_ack_too_old_sends_challenge_ack(family):
    """RFC 5961 5.2: below SND.UNA - MAX.SND.WND, or the connection's beginning."""
    hand = established(family)
    hand.write(1000)
    hand.inject(". 1:1(0) ack 1001")
    hand.sent.clear()
    hand.inject(". 1:1(0) ack 0")
    hand.expect_nothing()
    hand.inject(". 1:1(0) ack -1")
    hand.expect(". 1001:1001(0) ack 1")
    hand.connection.sender.max_snd_wnd = 400
    hand.inject(". 1:1(0) ack 601")
    hand.expect_nothing()
    hand.inject(". 1:1(0) ack 600")
    hand.expect(". 1001:1001(0) ack 1")


def test_established_rcv_old_ack_tells_no_window(family):
    """RFC 9293 3.10.7.4: SND.UNA =< SEG.ACK; its data counts."""
    hand = established(family)
    hand.write(100)
    hand.inject(". 1:1(0) ack 101 win 400")
    told = hand.connection.info.snd_wnd
    hand.inject("P. 1:11(10) ack 51 win 3")
    hand.inject("P. 11:21(10) ack 51 win 3")
    assert told == hand.connection.info.snd_wnd
    assert 20 == len(hand.connection.read(100))


def test_established_rcv_ack_opens_the_congestion_window(family):
    """Slow start: as many bytes as were acknowledged."""
    hand = established(family)
    mss = hand.connection.info.mss
    before = hand.connection.info.cwnd
    hand.write(20 * mss)
    assert 10 == len(hand.sent)
    hand.inject(f". 1:1(0) ack {1 + 2 * mss} win 5000")
    assert before + 2 * mss == hand.connection.info.cwnd
    assert 14 == len(hand.sent)


def test_established_rcv_three_duplicate_acks_retransmit_and_halve(family):
    """Fast retransmit without SACK: RFC 5681 3.2."""
    hand = established(family, options="mss 1460")
    mss = hand.connection.info.mss
    hand.write(10 * mss)
    hand.sent.clear()
    for _ in range(2):
        hand.inject(". 1:1(0) ack 1 win 65535")
    hand.expect_nothing()
    hand.inject(". 1:1(0) ack 1 win 65535")
    hand.expect(f". 1:{1 + mss}({mss})")
    hand.expect_nothing()
    assert 5 * mss == hand.connection.info.ssthresh


def test_established_rcv_old_acks_are_no_duplicates(family):
    """RFC 5681 2: a duplicate acknowledges the greatest number that was."""
    hand = established(family, options="mss 1460")
    mss = hand.connection.info.mss
    hand.write(10 * mss)
    hand.inject(f". 1:1(0) ack {1 + 2 * mss} win 65535")
    before = hand.connection.info.cwnd
    hand.sent.clear()
    for _ in range(5):
        hand.inject(f". 1:1(0) ack {1 + mss} win 65535")
    hand.expect_nothing()
    assert before == hand.connection.info.cwnd
    assert 0 == hand.connection.info.retransmitted


def test_established_rcv_partial_ack_in_recovery_retransmits_the_next_hole(family):
    """RFC 6582 3.2: NewReno's step 3."""
    hand = established(family, options="mss 1460")
    mss = hand.connection.info.mss
    hand.write(10 * mss)
    hand.sent.clear()
    for _ in range(3):
        hand.inject(". 1:1(0) ack 1 win 65535")
    hand.expect(f". 1:{1 + mss}({mss})")
    at = 1 + 4 * mss
    hand.inject(f". 1:1(0) ack {at} win 65535")
    hand.expect(f". {at}:{at + mss}({mss})")


def test_established_rcv_sack_retransmits_each_hole_and_nothing_else(family):
    """RFC 6675: what was reported is not sent again."""
    hand = established(family)
    mss = hand.connection.info.mss
    hand.write(10 * mss)
    hand.sent.clear()
    at = [1 + i * mss for i in range(11)]
    blocks = f"sack {at[3]}:{at[10]} {at[1]}:{at[2]}"
    hand.inject(f". 1:1(0) ack 1 win 5000 <{blocks}>")
    hand.expect(f". {at[0]}:{at[1]}({mss})")
    hand.expect(f". {at[2]}:{at[3]}({mss})")
    hand.expect_nothing()


def test_established_rcv_sack_of_data_not_sent_is_ignored(family):
    """A block beyond SND.NXT marks nothing."""
    hand = established(family)
    mss = hand.connection.info.mss
    hand.write(2 * mss)
    hand.sent.clear()
    hand.inject(f". 1:1(0) ack 1 win 5000 <sack {1 + mss}:{10 * mss}>")
    hand.expect_nothing()
    assert 0 == hand.connection.info.retransmitted


def test_established_rcv_ack_with_zero_window_stops_and_probes(family):
    """RFC 9293 3.8.6.1: probes follow each other at growing distance."""
    hand = established(family)
    hand.inject(". 1:1(0) ack 1 win 0")
    hand.write(1000)
    hand.expect_nothing()
    hand.advance(ms=4990)
    hand.expect_nothing()
    hand.advance(ms=10)
    hand.expect(". 1:2(1)")
    hand.inject(". 1:1(0) ack 1 win 0")
    hand.expect_nothing()
    hand.inject(". 1:1(0) ack 1 win 500")
    hand.expect("P. 1:1001(1000)")


def test_established_rcv_ack_of_each_probe_keeps_the_connection(family):
    """A closed window may stay closed for ever while the peer answers."""
    hand = established(family)
    hand.inject(". 1:1(0) ack 1 win 0")
    hand.write(1000)
    for _ in range(30):
        hand.advance(ms=60_000)
        hand.inject(". 1:1(0) ack 1 win 0")
    assert "ESTABLISHED" == hand.state


def test_established_unanswered_probes_end_the_connection(family):
    """Silence does not."""
    hand = established(family)
    hand.inject(". 1:1(0) ack 1 win 0")
    hand.write(1000)
    hand.advance(ms=3_600_000)
    assert "CLOSED" == hand.state
    assert ["Closed timed out"] == hand.events()


def test_established_unacknowledged_data_is_sent_again_with_back_off(family):
    """RFC 6298 5: each time-out doubles; after twelve the connection ends."""
    hand = established(family)
    hand.write(100)
    hand.expect("P. 1:101(100)")
    times = []
    start = hand.now
    while hand.stack.connections:
        due = hand.stack.next_deadline()
        hand.advance(ms=(due - hand.now) * 1000)
        if hand.sent:
            hand.expect("P. 1:101(100)")
            times.append(round(hand.now - start))
    assert [1, 3, 7, 15, 31, 63, 127, 191] == times[:8]
    assert 12 == len(times)
    assert ["Closed timed out"] == hand.events()


def test_established_rcv_ack_without_negotiated_timestamps_ignores_the_option(family):
    """A TS option that nobody agreed on says nothing."""
    hand = established(family)
    hand.inject("P. 1:11(10) ack 1 <TS val 7 ecr 9>")
    hand.inject("P. 11:21(10) ack 1 <TS val 5 ecr 9>")
    assert 20 == hand.connection.info.unread


def test_established_writable_after_room_returns(family):
    """write() takes less when the buffer is full; Writable tells when to go on."""
    hand = established(family)
    taken = hand.write(1 << 20)
    assert 32768 == taken
    assert 0 == hand.write(10)
    mss = hand.connection.info.mss
    assert [] == hand.events()
    hand.inject(f". 1:1(0) ack {1 + 10 * mss} win 5000")
    assert ["Writable"] == hand.events()
    assert 0 < hand.write(1 << 20)


def test_established_rcv_ack_beyond_closed_window_counts(family):
    """A peer that probed our closed window still acknowledges (RFC 9293 3.10.7.4)."""
    hand = established(family)
    hand.write(100)
    receiver = hand.connection.receiver
    for _ in range(200):
        seq = receiver.rcv_nxt - receiver.irs
        size = min(1000, receiver.rcv_wnd)
        if not size:
            break
        hand.inject(f"P. {seq}:{seq + size}({size}) ack 1")
    assert 0 == receiver.rcv_wnd
    beyond = seq + 1
    hand.inject(f". {beyond}:{beyond}(0) ack 101 win 500")
    sender = hand.connection.sender
    assert 101 == sender.snd_una - sender.iss


@pytest.mark.parametrize("left", [1, 7, 400])
def test_established_rcv_ack_that_shrinks_the_window_lets_what_fits_be_resent(
    family, left
):
    """RFC 9293 3.8.6: else each time-out would pass without a segment, to the last."""
    hand = established(family, options="mss 1460,sackOK")
    hand.write(1000)
    hand.sent.clear()
    hand.inject(f". 1:1(0) ack 1 win {left}")
    hand.expect_nothing()
    hand.advance(ms=1000)
    hand.expect(f". 1:{1 + left}({left}) ack 1")
    hand.sent.clear()
    hand.inject(f". 1:1(0) ack {1 + left} win {left}")
    hand.expect(f". {1 + left}:{1 + 2 * left}({left}) ack 1")
    hand.inject(". 1:1(0) ack 1001 win 5000")
    hand.advance(ms=100_000)
    hand.expect_nothing()
    assert "ESTABLISHED" == hand.state


def test_established_rcv_ack_with_small_window_delays_data_for_a_moment(family):
    """RFC 9293 3.8.6.2.1: silly-window avoidance ends after 0.1 to 1 s."""
    hand = established(family)
    hand.inject(". 1:1(0) ack 1 win 7")  # 896 bytes, less than a segment
    hand.write(5000)
    hand.expect_nothing()
    for seq in range(1, 3585, 896):
        hand.advance(ms=190)
        hand.expect_nothing()
        hand.advance(ms=20)
        hand.expect(f". {seq}:{seq + 896}(896)")
        hand.inject(f". 1:1(0) ack {seq + 896} win 7")
        hand.expect_nothing()


def test_established_rcv_acks_that_change_a_small_window_delay_data_no_longer(family):
    """The wait is counted from its begin, also where the window closes between."""
    hand = established(family)
    hand.inject(". 1:1(0) ack 1 win 7")
    hand.write(5000)
    for window in (6, 7, 0, 6, 5, 0, 7):
        hand.advance(ms=25)
        hand.inject(f". 1:1(0) ack 1 win {window}")
        hand.expect_nothing()
    hand.advance(ms=30)
    hand.expect(". 1:897(896)")


def test_established_small_window_of_a_silent_peer_ends_by_the_last_time_out(family):
    """What it takes is sent as often as other data."""
    hand = established(family)
    hand.inject(". 1:1(0) ack 1 win 7")
    hand.write(5000)
    times = []
    start = hand.now
    while hand.stack.connections:
        due = hand.stack.next_deadline()
        hand.advance(ms=(due - hand.now) * 1000)
        if hand.sent:
            hand.expect(". 1:897(896)")
            times.append(round(hand.now - start))
    assert [0, 1, 3, 7, 15, 31, 63] == times[:7]
    assert 12 + 1 == len(times)
    assert ["Closed timed out"] == hand.events()
