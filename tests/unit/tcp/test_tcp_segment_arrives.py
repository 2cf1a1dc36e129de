"""SEGMENT ARRIVES: corners; the states are in state_events/."""

from __future__ import annotations

from harness import established, syn_received


def test_close_before_the_handshake_ends_keeps_the_syn_in_mind(family):
    """FIN-WAIT-1 with an unacknowledged SYN: only an ACK of it is one."""
    hand = syn_received(family)
    hand.write(100)
    hand.close()
    assert "FIN-WAIT-1" == hand.state
    hand.sent.clear()
    for _ in range(4):
        hand.inject(". 1:1(0) ack 0 win 500")
    assert 4 == len(hand.sent)  # a RST each
    hand.sent.clear()
    hand.inject(". 1:1(0) ack 102")
    assert "FIN-WAIT-2" == hand.state


def test_close_before_the_handshake_ends_does_not_bound_fin_wait_2(family):
    """The handshake's timer ends with the handshake."""
    hand = syn_received(family)
    hand.close()
    hand.inject(". 1:1(0) ack 2")
    hand.advance(ms=200_000)
    assert "FIN-WAIT-2" == hand.state


def test_ack_of_everything_at_once_moves_through_states(family):
    """SYN, data and FIN in one ACK, with the peer's FIN on it."""
    hand = syn_received(family)
    hand.write(100)
    hand.close()
    hand.inject("F. 1:1(0) ack 102")
    assert "TIME-WAIT" == hand.state


def test_fin_beyond_the_window_does_not_count(family):
    """The end of a stream that was cut is not the end."""
    hand = established(family)
    hand.inject("F. 65000:66500(1500) ack 1")
    hand.inject(". 1:1(0) ack 1")
    assert hand.connection.receiver.fin_seq is None


def test_data_behind_the_fin_is_cut(family):
    """Whatever came first."""
    hand = established(family)
    hand.inject("F. 101:111(10) ack 1")
    hand.inject(". 1:201(200) ack 1")
    assert 110 == hand.connection.info.unread
    assert "CLOSE-WAIT" == hand.state


def test_segment_with_syn_fin_and_data_is_challenged(family):
    """Nonsense with a good number."""
    hand = established(family)
    hand.inject("SF. 1:11(10) ack 1")
    hand.expect(". 1:1(0) ack 1")
    assert 0 == hand.connection.info.unread
