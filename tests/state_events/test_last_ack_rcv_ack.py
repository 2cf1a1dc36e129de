"""LAST-ACK: waiting for the ACK of our FIN."""

from __future__ import annotations

from harness import last_ack


def test_last_ack_rcv_ack_of_fin_closes(family):
    """No TIME-WAIT on this side."""
    hand = last_ack(family)
    hand.inject(". 2:2(0) ack 2")
    hand.expect_nothing()
    assert "CLOSED" == hand.state
    assert ["Closed"] == hand.events()
    assert [] == hand.stack.connections


def test_last_ack_unanswered_sends_fin_again_then_gives_up(family):
    """The peer has vanished."""
    hand = last_ack(family)
    hand.advance(ms=1000)
    hand.expect("F. 1:1(0) ack 2")
    hand.advance(ms=3_600_000)
    assert ["Closed timed out"] == hand.events()


def test_last_ack_rcv_rst_closes(family):
    """RST is RST."""
    hand = last_ack(family)
    hand.inject("R 2:2(0)")
    assert "CLOSED" == hand.state


def test_closed_rcv_ack_sends_rst(family):
    """Nothing is left of the connection: the engine refuses."""
    hand = last_ack(family)
    hand.inject(". 2:2(0) ack 2")
    hand.inject(". 2:2(0) ack 2")
    hand.expect("R 2:2(0)")
