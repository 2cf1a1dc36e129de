"""FIN-WAIT-1: an ACK, a FIN, both."""

from __future__ import annotations

from harness import established, fin_wait_1


def test_fin_wait_1_rcv_ack_of_fin_enters_fin_wait_2(family):
    """The peer has our FIN."""
    hand = fin_wait_1(family)
    hand.inject(". 1:1(0) ack 2")
    hand.expect_nothing()
    assert "FIN-WAIT-2" == hand.state


def test_fin_wait_1_rcv_fin_enters_closing(family):
    """Both at once."""
    hand = fin_wait_1(family)
    hand.inject("F. 1:1(0) ack 1")
    hand.expect(". 2:2(0) ack 2")
    assert "CLOSING" == hand.state


def test_fin_wait_1_rcv_fin_and_ack_of_fin_enters_time_wait(family):
    """One segment, two transitions."""
    hand = fin_wait_1(family)
    hand.inject("F. 1:1(0) ack 2")
    hand.expect(". 2:2(0) ack 2")
    assert "TIME-WAIT" == hand.state
    assert ["EndOfStream", "Closed"] == hand.events()


def test_fin_wait_1_rcv_data_is_delivered(family):
    """Half-close: the peer may go on."""
    hand = fin_wait_1(family)
    hand.inject("P. 1:101(100) ack 2")
    assert ["Readable"] == hand.events()
    assert 100 == len(hand.connection.read(1000))


def test_fin_wait_1_fin_unacknowledged_is_sent_again(family):
    """A FIN is retransmitted like data."""
    hand = fin_wait_1(family)
    hand.advance(ms=1000)
    hand.expect("F. 1:1(0) ack 1")


def test_fin_wait_1_waits_with_the_fin_until_the_data_is_out(family):
    """CLOSE is not ABORT."""
    hand = established(family)
    mss = hand.connection.info.mss
    hand.connection.write(b"x" * (12 * mss))
    hand.close()
    assert "FIN-WAIT-1" == hand.state
    assert 10 == len(hand.sent)
    hand.sent.clear()
    hand.inject(f". 1:1(0) ack {1 + 10 * mss} win 5000")
    hand.expect(f". {1 + 10 * mss}:0({mss})")
    hand.expect(f"FP. {1 + 11 * mss}:0({mss})")
