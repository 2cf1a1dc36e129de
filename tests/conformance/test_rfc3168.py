"""RFC 3168 6.1.1 and RFC 9768 3.1: what a SYN-ACK says about ECN."""

from __future__ import annotations

import pytest

from tests.conformance.hand import Hand

ECN = set("EWN")  # N is AE


def ecn_of(flags):
    return "".join(sorted(set(flags) & ECN))


@pytest.mark.parametrize(
    ("asked", "told"), [("", ""), ("E", ""), ("W", ""), ("EW", "E"), ("EWN", "E")]
)
def test_s6_1_1_ecn_setup_syn_draws_ece_alone(family, asked, told):
    """ECE and CWR ask; AE with them is a newer peer that falls back."""
    hand = Hand(None, family=family)
    assert told == ecn_of(hand.syn(flags="S" + asked).sent.flags)
    assert ("classic" if told else "none") == hand.ack().made.ecn


def test_s6_1_1_syn_ack_is_not_ect(family):
    """Whatever the listener's TOS has in its two lowest bits."""
    hand = Hand(None, family=family, listen={"tos": 0xBB})
    assert 0xB8 == hand.syn(flags="SEW").sent.tos & 0xFC
    assert 0 == hand.syn(2, flags="SEW").sent.tos & 3


@pytest.mark.parametrize("mark", [1, 2, 3])
def test_s6_1_1_marked_syn_is_answered_all_the_same(family, mark):
    """Linux takes an ECT mark on a SYN for no ECN; FreeBSD, and we, accept."""
    hand = Hand(None, family=family)
    assert "E" == ecn_of(hand.syn(flags="SEW", tos=mark).sent.flags)


def test_s6_1_1_1_ecn_is_given_up_when_nobody_answers(family):
    """From the second retransmission on (ecn.maxretries 1): a middlebox may object."""
    hand = Hand(None, family=family)
    hand.syn(flags="SEW")
    assert ["E", "", ""] == [ecn_of(p.flags) for _, p in hand.run(8_000)]
    assert "none" == hand.ack().made.ecn


def test_s6_1_1_ecn_can_be_refused(family):
    """ecn.enable 0."""
    hand = Hand(None, {"ecn.enable": 0}, family=family)
    assert "" == ecn_of(hand.syn(flags="SEW").sent.flags)


@pytest.mark.parametrize(("mark", "told"), [(0, "W"), (1, "EW"), (2, "N"), (3, "NW")])
def test_rfc9768_s3_1_accurate_ecn_echoes_the_syns_mark(family, mark, told):
    """Not-ECT, ECT(1), ECT(0), CE: CWR, CWR and ECE, AE, AE and CWR."""
    hand = Hand(None, {"ecn.enable": 3}, family=family)
    assert told == ecn_of(hand.syn(flags="SEWN", tos=mark).sent.flags)
    assert "accurate" == hand.ack().made.ecn


@pytest.mark.parametrize("asked", ["N", "E", "W", "NE", "NW"])
def test_rfc9768_s3_1_unknown_combinations_are_accurate(family, asked):
    """For what may come: anything but none and ECE with CWR."""
    hand = Hand(None, {"ecn.enable": 3}, family=family)
    assert "W" == ecn_of(hand.syn(flags="S" + asked).sent.flags)


def test_rfc9768_s3_1_4_retransmission_says_nothing(family):
    """The SYN-ACK's second retransmission is plain."""
    hand = Hand(None, {"ecn.enable": 3}, family=family)
    hand.syn(flags="SEWN")
    assert ["W", "", ""] == [ecn_of(p.flags) for _, p in hand.run(8_000)]
