"""RFC 5961: blind in-window attacks, on half-open and on established connections."""

from __future__ import annotations

import pytest
from harness import HANDSHAKE, established

from tests.conformance.hand import MASK32, Hand


@pytest.mark.parametrize("dseq", [1, 2, 30_000, 65_534])
def test_s3_2_half_open_rst_in_the_window_is_challenged(family, dseq):
    """Only the exact number resets."""
    hand = Hand(None, family=family)
    iss = hand.syn().sent.seq
    ack = hand.rst(dseq=dseq).sent
    assert ("A", iss + 1 & MASK32) == (ack.flags, ack.seq)
    assert 1 == len(hand.entries)
    hand.rst()
    assert [] == hand.entries


@pytest.mark.parametrize("dseq", [-1, 65_535, 1 << 31])
def test_s3_2_half_open_rst_outside_the_window_is_dropped(family, dseq):
    """In silence."""
    hand = Hand(None, family=family)
    hand.syn()
    answer = hand.rst(dseq=dseq)
    assert ("DROP_RST_OUTSIDE", None) == (answer.reason, answer.packet)
    assert 1 == len(hand.entries)


def test_s3_2_established_rst_is_exact_or_challenged_or_dropped(family):
    """The same three cases with a connection."""
    hand = established(family)
    hand.inject("R 2:2(0)")
    hand.expect(". 1:1(0) ack 1")
    hand.inject("R 0:0(0)")
    hand.expect_nothing()
    hand.inject("R 1:1(0)")
    assert "CLOSED" == hand.state


@pytest.mark.parametrize("seq", [0, 1, 100, -5000])
def test_s4_2_syn_in_a_synchronized_state_is_challenged(family, seq):
    """Whatever its number is."""
    hand = established(family)
    hand.inject(f"S {seq}:{seq}(0) win 65535 <{HANDSHAKE}>")
    hand.expect(". 1:1(0) ack 1")
    assert "ESTABLISHED" == hand.state


def test_s4_2_challenge_lets_a_restarted_peer_reset(family):
    """It answers the challenge with a RST of the exact number."""
    hand = established(family)
    hand.inject(f"S 5000:5000(0) win 65535 <{HANDSHAKE}>")
    hand.expect(". 1:1(0) ack 1")
    hand.inject("R 1:1(0)")
    assert "CLOSED" == hand.state


@pytest.mark.parametrize(("ack", "taken"), [(1, True), (0, True), (-65536, False)])
def test_s5_2_ack_is_within_what_was_sent(family, ack, taken):
    """SND.UNA - MAX.SND.WND .. SND.NXT; else a challenge, and the data goes."""
    hand = established(family)
    hand.inject(f"P. 1:11(10) ack {ack}")
    assert (b"" != hand.connection.read(100)) is taken


def test_s5_2_ack_beyond_snd_nxt_is_challenged(family):
    """What was not sent cannot have been seen."""
    hand = established(family)
    hand.inject("P. 1:11(10) ack 2")
    hand.expect(". 1:1(0) ack 1")
    assert b"" == hand.connection.read(100)


def test_s7_challenges_are_limited_per_half_open_connection(family):
    """ack_war_cnt in ack_war_timewindow, and then in silence."""
    hand = Hand(None, family=family)
    hand.syn()
    answers = [hand.rst(dseq=1).reason for _ in range(7)]
    assert ["REPLY_CHALLENGE_ACK"] * 5 + ["DROP_CHALLENGE_LIMIT"] * 2 == answers
    hand.now_ms += 1000
    assert "REPLY_CHALLENGE_ACK" == hand.rst(dseq=1).reason


def test_s7_challenges_are_limited_per_connection(family):
    """The same with a connection."""
    hand = established(family)
    for _ in range(7):
        hand.inject("R 2:2(0)")
    assert 5 == len(hand.sent)


def test_s7_one_connections_limit_does_not_show_at_another(family):
    """No counter is shared: nobody can count another's challenges."""
    hand = Hand(None, family=family)
    hand.syn(1)
    hand.syn(2)
    for _ in range(10):
        hand.rst(1, dseq=1)
    answers = [hand.rst(2, dseq=1).reason for _ in range(6)]
    assert ["REPLY_CHALLENGE_ACK"] * 5 + ["DROP_CHALLENGE_LIMIT"] == answers
