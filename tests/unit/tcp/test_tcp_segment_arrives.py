"""SEGMENT ARRIVES: corners; the states are in state_events/."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from harness import established, syn_received, time_wait

from syncache.segment import ACK, RST, SYN
from syncache.tcp.segment_arrives import (
    _is_behind_closed_window,
    _take_rst,
    may_replace,
)
from syncache.tcp.state import State


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


def stub(**more):
    """A connection as far as one decision needs it; 1000 is the next number."""
    receiver = SimpleNamespace(
        rcv_nxt=1000, rcv_wnd=0, rcv_adv=1100, mss=100, fin_seq=None
    )
    timestamps = SimpleNamespace(enabled=False)
    return SimpleNamespace(receiver=receiver, timestamps=timestamps, **more)


@pytest.mark.parametrize(
    ("flags", "seq", "may"),
    [
        (SYN, 1001, True),
        (SYN, 1000, False),
        (SYN | ACK, 1001, False),
        (SYN | RST, 1001, False),
        (ACK, 1001, False),
    ],
)
def test_plain_syn_beyond_the_last_number_replaces_time_wait(flags, seq, may):
    """RFC 6191, RFC 9293 3.10.7.4."""
    arrival = SimpleNamespace(flags=flags, seq=seq, tsval=None)
    assert may == may_replace(stub(state=State.TIME_WAIT), arrival)


@pytest.mark.parametrize(
    ("seq", "counts"), [(1000, False), (1001, True), (1100, True), (1101, False)]
)
def test_ack_of_a_peer_that_probed_counts_a_segment_behind_the_edge(seq, counts):
    """Of a window that is closed."""
    arrival = SimpleNamespace(flags=ACK)
    assert counts == _is_behind_closed_window(stub(), arrival, seq, 0)


@pytest.mark.parametrize(
    ("seq", "happens"), [(1000, "reset"), (1099, "reset"), (1100, None)]
)
def test_insecure_reset_counts_in_the_window_only(seq, happens):
    """Its right edge is outside."""
    happened = []
    settings = SimpleNamespace(insecure_rst=True)
    connection = stub(
        settings=settings,
        happen=lambda what, _: happened.append("reset"),
        challenge=lambda _: happened.append("challenge"),
    )
    _take_rst(connection, seq, 0)
    assert ([happens] if happens else []) == happened


def test_data_with_a_bad_ack_of_our_syn_is_not_taken(family):
    """The segment is refused, and all of it."""
    hand = syn_received(family)
    hand.close()
    hand.sent.clear()
    hand.inject("P. 1:11(10) ack 0")
    assert 1 == len(hand.sent)
    assert hand.sent[0].flags & RST
    assert 0 == hand.connection.info.unread


def test_window_updates_of_a_peer_without_sack_are_no_duplicates(family):
    """RFC 5681 2: the window is the same in a duplicate ACK."""
    hand = established(family, options="mss 1460")
    hand.write(4 * 1460)
    hand.sent.clear()
    for window in (60_000, 61_000, 62_000, 63_000):
        hand.inject(f". 1:1(0) ack 1 win {window}")
    hand.expect_nothing()
    for _ in range(3):
        hand.inject(". 1:1(0) ack 1 win 63000")
    assert hand.sent


def test_fin_with_data_above_a_hole_is_acknowledged_once(family):
    """As any data there."""
    hand = established(family)
    hand.inject("F. 101:201(100) ack 1")
    hand.expect(". 1:1(0) ack 1")
    hand.expect_nothing()


def test_data_in_time_wait_is_acknowledged_even_at_the_next_number(family):
    """A mere ACK with that number is not."""
    hand = time_wait(family)
    hand.sent.clear()
    seq = hand.connection.receiver.rcv_nxt - hand.connection.receiver.irs
    una = hand.connection.sender.snd_una - hand.connection.sender.iss
    hand.inject(f". {seq}:{seq}(0) ack {una}")
    hand.expect_nothing()
    hand.inject(f". {seq}:{seq + 5}(5) ack {una}")
    assert 1 == len(hand.sent)
