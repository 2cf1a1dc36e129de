"""SYN-RECEIVED by TCP Fast Open, a RST arrives (RFC 5961 3.2)."""

from __future__ import annotations

from harness import syn_received


def test_syn_received_rcv_rst_at_rcv_nxt_closes(family):
    """The peer wants nothing of it; the listener is as it was."""
    hand = syn_received(family)
    hand.inject("R 1:1(0)")
    hand.expect_nothing()
    assert "CLOSED" == hand.state
    assert ["Closed connection reset by peer"] == hand.events()
    assert [] == hand.stack.connections


def test_syn_received_rcv_rst_in_window_sends_challenge_ack(family):
    """A guess is not enough."""
    hand = syn_received(family)
    hand.inject("R 100:100(0)")
    hand.expect(". 1:1(0) ack 1")
    assert "SYN-RECEIVED" == hand.state
