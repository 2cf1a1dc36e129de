"""CLOSING: both have sent FIN, ours is not acknowledged."""

from __future__ import annotations

from harness import closing


def test_closing_rcv_ack_of_fin_enters_time_wait(family):
    """Then both are done."""
    hand = closing(family)
    hand.inject(". 2:2(0) ack 2")
    hand.expect_nothing()
    assert "TIME-WAIT" == hand.state
    assert ["Closed"] == hand.events()


def test_closing_rcv_ack_of_less_stays(family):
    """Our FIN is still under way."""
    hand = closing(family)
    hand.inject(". 2:2(0) ack 1")
    assert "CLOSING" == hand.state
