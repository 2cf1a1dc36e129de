"""CLOSE-WAIT: we may still send (half-close)."""

from __future__ import annotations

from harness import close_wait


def test_close_wait_sends_and_takes_acks(family):
    """The peer closed its half only."""
    hand = close_wait(family)
    hand.write(100)
    hand.expect("P. 1:101(100) ack 2")
    hand.inject(". 2:2(0) ack 101")
    assert 0 == hand.connection.info.unsent
    assert "CLOSE-WAIT" == hand.state


def test_close_wait_close_enters_last_ack(family):
    """FIN goes out behind the data."""
    hand = close_wait(family)
    hand.connection.write(b"x" * 10)
    hand.close()
    hand.expect("FP. 1:11(10) ack 2")
    assert "LAST-ACK" == hand.state


def test_close_wait_rcv_fin_again_is_acknowledged(family):
    """Our ACK was lost."""
    hand = close_wait(family)
    hand.inject("F. 1:1(0) ack 1")
    hand.expect(". 1:1(0) ack 2")
    assert "CLOSE-WAIT" == hand.state
    assert [] == hand.events()


def test_close_wait_rcv_data_beyond_fin_is_ignored(family):
    """There is nothing behind the end."""
    hand = close_wait(family)
    hand.inject("P. 2:12(10) ack 1")
    assert 0 == hand.connection.info.unread
    assert [] == hand.events()


def test_close_wait_rcv_rst_closes(family):
    """RST is RST."""
    hand = close_wait(family)
    hand.inject("R 2:2(0)")
    assert "CLOSED" == hand.state
