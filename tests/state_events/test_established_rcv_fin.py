"""ESTABLISHED, a FIN arrives."""

from __future__ import annotations

from harness import established


def test_established_rcv_fin_enters_close_wait(family):
    """The peer has no more; we may have."""
    hand = established(family)
    hand.inject("F. 1:1(0) ack 1")
    hand.expect(". 1:1(0) ack 2")
    assert "CLOSE-WAIT" == hand.state
    assert ["EndOfStream"] == hand.events()


def test_established_rcv_fin_with_data_delivers_the_data_first(family):
    """End of stream comes after what precedes it."""
    hand = established(family)
    hand.inject("FP. 1:101(100) ack 1")
    hand.expect(". 1:1(0) ack 102")
    assert ["Readable", "EndOfStream"] == hand.events()
    assert 100 == len(hand.connection.read(1000))


def test_established_rcv_fin_out_of_order_waits_for_the_hole(family):
    """A FIN counts when everything before it is there."""
    hand = established(family)
    hand.inject("FP. 101:201(100) ack 1")
    hand.sent.clear()
    assert "ESTABLISHED" == hand.state
    assert [] == hand.events()
    hand.inject(". 1:101(100) ack 1")
    hand.expect(". 1:1(0) ack 202")
    assert "CLOSE-WAIT" == hand.state


def test_established_rcv_fin_without_ack_is_ignored(family):
    """RFC 9293: a segment without ACK is dropped."""
    hand = established(family)
    hand.inject("F 1:1(0)")
    hand.expect_nothing()
    assert "ESTABLISHED" == hand.state


def test_established_rcv_bare_fin_beyond_a_hole_is_acknowledged(family):
    """RFC 5681 4.2: what is out of order draws an ACK at once, data or not."""
    hand = established(family)
    hand.inject("F. 101:101(0) ack 1")
    hand.expect(". 1:1(0) ack 1")
    assert "ESTABLISHED" == hand.state
    hand.inject(". 1:101(100) ack 1")
    hand.expect(". 1:1(0) ack 102")
    assert "CLOSE-WAIT" == hand.state
