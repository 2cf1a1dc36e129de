"""TIME-WAIT: RST, FIN, ACK, data, and the end (RFC 9293 3.10.7.4, RFC 1337)."""

from __future__ import annotations

from harness import time_wait


def test_time_wait_rcv_rst_is_ignored(family):
    """RFC 1337: TIME-WAIT is not assassinated."""
    hand = time_wait(family)
    hand.inject("R 2:2(0)")
    hand.inject(". 2:2(0) ack 2")
    hand.expect_nothing()
    assert "TIME-WAIT" == hand.state


def test_time_wait_rcv_fin_again_is_acknowledged_and_waits_anew(family):
    """2 MSL from the last FIN on."""
    hand = time_wait(family)
    hand.advance(ms=50_000)
    hand.inject("F. 1:1(0) ack 2")
    hand.expect(". 2:2(0) ack 2")
    hand.advance(ms=59_000)
    assert "TIME-WAIT" == hand.state
    assert [] == hand.events()


def test_time_wait_rcv_old_data_is_acknowledged(family):
    """Anything but a mere duplicate ACK draws an ACK."""
    hand = time_wait(family)
    hand.inject("P. 1:2(1) ack 2")
    hand.expect(". 2:2(0) ack 2")


def test_time_wait_rcv_segment_without_ack_is_ignored(family):
    """There is nothing to say."""
    hand = time_wait(family)
    hand.inject("F 1:1(0)")
    hand.expect_nothing()


def test_time_wait_ends_after_2_msl(family):
    """And then the tuple is nobody's."""
    hand = time_wait(family)
    hand.advance(ms=59_990)
    assert "TIME-WAIT" == hand.state
    hand.advance(ms=20)
    assert "CLOSED" == hand.state
    assert [] == hand.stack.connections
    assert [] == hand.events()
    hand.inject(". 2:2(0) ack 2")
    hand.expect("R 2:2(0)")
