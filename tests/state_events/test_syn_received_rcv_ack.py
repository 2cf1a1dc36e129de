"""SYN-RECEIVED by TCP Fast Open, an ACK arrives (RFC 9293 3.10.7.4, RFC 7413)."""

from __future__ import annotations

from harness import syn_received


def test_syn_received_rcv_ack_of_syn_ack_enters_established(family):
    """The handshake ends like any other."""
    hand = syn_received(family)
    hand.inject(". 1:1(0) ack 1")
    hand.expect_nothing()
    assert "ESTABLISHED" == hand.state


def test_syn_received_rcv_ack_of_data_already_sent_enters_established(family):
    """The server may answer before the handshake ends."""
    hand = syn_received(family, size=10)
    assert 10 == len(hand.connection.read(100))
    hand.write(20)
    hand.expect("P. 1:21(20) ack 11")
    hand.inject(". 11:11(0) ack 21")
    assert "ESTABLISHED" == hand.state
    assert 0 == hand.connection.info.unsent


def test_syn_received_rcv_ack_beyond_what_was_sent_sends_rst(family):
    """RFC 9293: an unacceptable ACK of the handshake is refused."""
    hand = syn_received(family)
    hand.inject(". 1:1(0) ack 7")
    hand.expect("R 7:7(0)")
    assert "SYN-RECEIVED" == hand.state


def test_syn_received_unanswered_sends_syn_ack_again_then_gives_up(family):
    """The connection itself repeats the SYN-ACK, with the options of the first."""
    hand = syn_received(family)
    hand.advance(ms=1010)
    mss = 1460 if family == 4 else 1440
    hand.expect(f"S. 0:0(0) ack 1 <mss {mss},wscale 6,sackOK>")
    hand.advance(ms=80_000)
    assert "CLOSED" == hand.state
    assert "Closed timed out" == hand.events()[-1]
