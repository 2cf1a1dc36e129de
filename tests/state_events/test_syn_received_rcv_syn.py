"""SYN-RECEIVED by TCP Fast Open, a SYN arrives."""

from __future__ import annotations

from harness import HANDSHAKE, syn_received


def test_syn_received_rcv_syn_again_repeats_the_syn_ack(family):
    """The peer did not get our SYN-ACK."""
    hand = syn_received(family)
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S. 0:0(0) ack 1")
    hand.expect_nothing()


def test_syn_received_rcv_syn_in_window_sends_challenge_ack(family):
    """RFC 5961 4.2: another SYN is challenged."""
    hand = syn_received(family)
    hand.inject("S 100:100(0) win 65535")
    hand.expect(". 1:1(0) ack 1")
    assert "SYN-RECEIVED" == hand.state
