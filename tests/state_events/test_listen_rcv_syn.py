"""LISTEN, a SYN arrives: through the whole stack (RFC 9293 3.10.7.2)."""

from __future__ import annotations

from harness import HANDSHAKE, listen


def test_listen_rcv_syn_sends_syn_ack_and_makes_no_connection(family):
    """A SYN costs an entry, not a connection."""
    hand = listen(family)
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    mss = 1460 if family == 4 else 1440
    hand.expect(f"S. 0:0(0) ack 1 win 65535 <mss {mss},wscale 6,sackOK>")
    assert [] == hand.stack.connections
    assert 1 == len(hand.stack.syncache.half_open())


def test_listen_rcv_syn_with_data_does_not_acknowledge_the_data(family):
    """Data on a SYN without a TFO cookie is not kept."""
    hand = listen(family)
    hand.inject("S 0:3(3) win 65535 <mss 1460>")
    hand.expect("S. 0:0(0) ack 1")


def test_listen_rcv_syn_unanswered_is_sent_again(family):
    """What the half-open side owes leaves by the same door."""
    hand = listen(family)
    hand.inject("S 0:0(0) win 65535 <mss 1460>")
    hand.expect("S. 0:0(0) ack 1")
    hand.advance(ms=1010)
    hand.expect("S. 0:0(0) ack 1")
    hand.expect_nothing()
