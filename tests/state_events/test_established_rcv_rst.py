"""ESTABLISHED, a RST arrives (RFC 5961 3.2)."""

from __future__ import annotations

import pytest
from harness import close_wait, closing, established, last_ack, time_wait


def test_established_rcv_rst_at_rcv_nxt_closes(family):
    """Exact: the peer says so."""
    hand = established(family)
    hand.inject("R 1:1(0)")
    hand.expect_nothing()
    assert "CLOSED" == hand.state
    assert ["Closed connection reset by peer"] == hand.events()
    assert [] == hand.stack.connections


@pytest.mark.parametrize("seq", [2, 65535])
def test_established_rcv_rst_in_window_sends_challenge_ack(family, seq):
    """In the window, but a guess."""
    hand = established(family)
    hand.inject(f"R {seq}:{seq}(0)")
    hand.expect(". 1:1(0) ack 1")
    assert "ESTABLISHED" == hand.state


@pytest.mark.parametrize("seq", [0, -5, 65536, 70000])
def test_established_rcv_rst_outside_the_window_is_silent(family, seq):
    """Out of the window nothing is answered to a RST."""
    hand = established(family)
    hand.inject(f"R {seq}:{seq}(0)")
    hand.expect_nothing()
    assert "ESTABLISHED" == hand.state


def test_established_rcv_rst_in_window_with_insecure_rst_closes(family):
    """net.inet.tcp.insecure_rst=1: as before RFC 5961."""
    hand = established(family, sysctl={"net.inet.tcp.insecure_rst": 1})
    hand.inject("R 1000:1000(0)")
    assert "CLOSED" == hand.state


def test_established_rcv_rst_challenges_are_limited_per_connection(family):
    """Five a second, and another connection has its own five."""
    hand = established(family)
    for _ in range(7):
        hand.inject("R 1000:1000(0)")
    assert 5 == len(hand.sent)
    hand.advance(ms=1000)
    hand.inject("R 1000:1000(0)")
    assert 6 == len(hand.sent)


def test_established_rcv_rst_after_data_still_lets_the_data_be_read(family):
    """What arrived before is the application's."""
    hand = established(family)
    hand.inject("P. 1:101(100) ack 1")
    hand.inject("R 101:101(0)")
    assert ["Readable", "Closed connection reset by peer"] == hand.events()
    assert 100 == len(hand.connection.read(1000))
    assert 0 == hand.connection.write(b"too late")


@pytest.mark.parametrize("state", [close_wait, closing, last_ack])
def test_rst_with_the_number_of_the_fin_closes(family, state):
    """As macOS resets what it has closed; one number before that it is old."""
    hand = state(family)
    hand.inject("R 0:0(0)")
    assert [] == hand.events()
    hand.inject("R 1:1(0)")
    hand.expect_nothing()
    assert "CLOSED" == hand.state
    assert ["Closed connection reset by peer"] == hand.events()


def test_time_wait_rcv_rst_with_the_number_of_the_fin_is_silent(family):
    """RFC 1337."""
    hand = time_wait(family)
    hand.inject("R 1:1(0)")
    hand.expect_nothing()
    assert "TIME-WAIT" == hand.state
