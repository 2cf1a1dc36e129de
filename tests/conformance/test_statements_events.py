"""Statements 20 to 29: duplicate SYNs, RSTs, ICMP errors."""

from __future__ import annotations

import pytest

from tests.conformance.hand import ALL_OPTIONS, IRS, WINDOW, Hand
from tests.model import option

pytestmark = pytest.mark.isa


def timestamps(answer):
    """TSval and TSecr of what was sent, or None."""
    return option.read(answer.sent.options, syn=True).ts


def test_statement_20_duplicate_syn_gets_the_same_answer_and_a_new_budget(family):
    """The same SYN again: same ISS, dupsyn, and three more retransmissions."""
    hand = Hand(family=family)
    iss = hand.syn().sent.seq
    hand.run(500)
    hand.moved()
    again = hand.syn()
    assert ("REPLY_DUPSYN", iss) == (again.reason, again.sent.seq)
    assert {"sc_dupsyn": 1} == hand.moved()
    sent = hand.run(7_500)
    assert [1500, 3700, 7900] == [at for at, _ in sent]


def test_statement_20_duplicate_syn_after_retransmissions_refills_the_budget():
    """A repeat at 5 s, after two retransmissions, allows three more."""
    hand = Hand()
    hand.syn()
    assert [1000, 3200] == [at for at, _ in hand.run(5_000)]
    hand.syn()
    sent = hand.run(15_599)
    assert [6000, 8200, 12_400] == [at for at, _ in sent]
    assert 1 == len(hand.entries)


def test_statement_21_other_isn_is_answered_with_the_old_one(family):
    """FreeBSD's way; the RST that this draws from the peer removes the entry."""
    hand = Hand(family=family)
    hand.syn()
    answer = hand.syn(seq=IRS + 9999)
    assert IRS + 1 == answer.sent.ack
    hand.isn[1] = IRS
    assert "DROP_RST" == hand.rst().reason
    assert [] == hand.entries


def test_statement_22_repeat_without_timestamps_switches_them_off():
    """What the repeat does not offer is withdrawn for good."""
    hand = Hand()
    first = hand.syn(opts=ALL_OPTIONS)
    assert 100 == timestamps(first)[1]
    assert timestamps(hand.syn()) is None
    assert timestamps(hand.syn(opts=ALL_OPTIONS)) is None
    assert not hand.entries[0].timestamps


def test_statement_22_repeat_with_timestamps_is_echoed():
    """TSecr is the newest TSval."""
    hand = Hand()
    hand.syn(opts=ALL_OPTIONS)
    again = hand.syn(opts=(("mss", 1460), ("ts", 777, 0)))
    assert 777 == timestamps(again)[1]
    assert 777 == option.read(hand.run(1000)[0][1].options, syn=True).ts[1]


def test_statement_23_exact_rst_removes_the_entry(family):
    """RST at RCV.NXT: gone, counted, not answered."""
    hand = Hand(family=family)
    hand.syn()
    hand.moved()
    answer = hand.rst()
    assert ("DROP_RST", None) == (answer.reason, answer.packet)
    assert {"sc_reset": 1} == hand.moved()
    assert [] == hand.entries


@pytest.mark.parametrize("dseq", [1, 1000, WINDOW - 1])
def test_statement_24_rst_in_the_window_is_challenged(family, dseq):
    """RFC 5961 3.2: in the window but not exact, a challenge ACK."""
    hand = Hand(family=family)
    hand.syn()
    hand.moved()
    answer = hand.rst(dseq=dseq)
    got = (answer.sent.flags, answer.sent.seq, answer.sent.ack, answer.sent.window)
    assert ("A", hand.iss[1] + 1, IRS + 1, WINDOW) == got
    assert {"badrst": 1, "challenge_acks": 1} == hand.moved()
    assert 1 == len(hand.entries)


def test_statement_24_insecure_rst_removes_in_the_whole_window():
    """insecure_rst=1: any RST in the window will do."""
    hand = Hand(tune={"insecure_rst": 1})
    hand.syn()
    assert "DROP_RST" == hand.rst(dseq=WINDOW - 1).reason
    hand.syn()
    assert "DROP_RST_OUTSIDE" == hand.rst(dseq=WINDOW).reason


def test_statement_24_challenge_ack_carries_timestamps():
    """RFC 7323 3.2: once negotiated, on every segment."""
    hand = Hand()
    hand.syn(opts=ALL_OPTIONS)
    answer = hand.rst(dseq=5)
    assert 100 == option.read(answer.sent.options, syn=False).ts[1]


@pytest.mark.parametrize("dseq", [-1, WINDOW, 1 << 31])
def test_statement_25_rst_outside_the_window_is_silent(family, dseq):
    """Outside: counted, not answered, nothing removed."""
    hand = Hand(family=family)
    hand.syn()
    hand.moved()
    assert "DROP_RST_OUTSIDE" == hand.rst(dseq=dseq).reason
    assert {"badrst": 1} == hand.moved()
    assert 1 == len(hand.entries)


def test_statement_26_challenge_acks_are_limited_per_entry():
    """Five a second and entry; another entry has its own; the next second too."""
    hand = Hand()
    hand.syn(1)
    hand.syn(2)
    reasons = [hand.rst(1, dseq=5).reason for _ in range(6)]
    assert ["REPLY_CHALLENGE_ACK"] * 5 + ["DROP_CHALLENGE_LIMIT"] == reasons
    assert "REPLY_CHALLENGE_ACK" == hand.rst(2, dseq=5).reason
    hand.now_ms += 999
    assert "DROP_CHALLENGE_LIMIT" == hand.rst(1, dseq=5).reason
    hand.now_ms += 2
    assert "REPLY_CHALLENGE_ACK" == hand.rst(1, dseq=5).reason


@pytest.mark.parametrize("name", ["ack_war_cnt", "ack_war_timewindow"])
def test_statement_26_zero_means_unlimited(name):
    """Either tunable at 0 takes the limit away."""
    hand = Hand(tune={name: 0})
    hand.syn()
    reasons = {hand.rst(dseq=5).reason for _ in range(50)}
    assert {"REPLY_CHALLENGE_ACK"} == reasons


def test_statement_26_limit_holds_where_the_clock_of_16_bits_wraps():
    """65,536 ms after the first burst of RSTs the entry has a fresh budget."""
    hand = Hand(tune={"syncache.rexmtlimit": 12})
    hand.syn()
    for _ in range(6):
        hand.rst(dseq=5)
    hand.run(65_536 + 100)
    assert "REPLY_CHALLENGE_ACK" == hand.rst(dseq=5).reason


def test_statement_27_rst_without_entry_is_counted():
    """badrst, and no reply."""
    hand = Hand()
    assert "DROP_RST_NO_ENTRY" == hand.rst().reason
    assert {"badrst": 1} == hand.moved()


def test_statement_27_rst_during_cookies_only_is_not_even_counted():
    """Nothing is looked up, so nothing is known."""
    hand = Hand(tune={"syncookies_only": 1})
    hand.syn()
    hand.moved()
    assert "DROP_RST_NO_ENTRY" == hand.rst().reason
    assert {} == hand.moved()
    assert "ACCEPT_COOKIE" == hand.ack().reason


def test_statement_28_icmp_with_a_wrong_sequence_number_changes_nothing(family):
    """The quotation must be our SYN-ACK's."""
    hand = Hand(family=family)
    hand.syn()
    hand.run(8_000)
    hand.moved()
    for _ in range(3):
        hand.icmp(dseq=1)
    assert {} == hand.moved()
    assert 1 == len(hand.entries)


def test_statement_29_first_icmp_error_clears_df():
    """DF off from then on, the entry stays."""
    hand = Hand()
    assert hand.syn().sent.df
    hand.icmp()
    assert [False] == [packet.df for _, packet in hand.run(1000)]


def test_statement_29_second_icmp_after_the_third_retransmission_removes(family):
    """Two errors before that do not."""
    hand = Hand(family=family)
    hand.syn()
    hand.icmp()
    hand.run(7_300)
    hand.icmp()
    assert 1 == len(hand.entries)
    hand.run(100)
    hand.moved()
    hand.icmp()
    assert {"sc_unreach": 1} == hand.moved()
    assert [] == hand.entries
