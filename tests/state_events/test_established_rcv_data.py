"""ESTABLISHED, data arrives: order, acknowledgement, window (RFC 9293 3.10.7.4)."""

from __future__ import annotations

import pytest
from harness import established, text


def test_established_rcv_data_in_order_delays_the_ack(family):
    """One small segment is acknowledged after delacktime."""
    hand = established(family)
    hand.inject("P. 1:101(100) ack 1")
    hand.expect_nothing()
    hand.advance(ms=39)
    hand.expect_nothing()
    hand.advance(ms=1)
    hand.expect(". 1:1(0) ack 101")
    assert text(0, 100) == hand.connection.read(1000)


@pytest.mark.parametrize("size", [1, 100, 536, 1440])
def test_established_rcv_data_second_segment_is_acknowledged_at_once(family, size):
    """RFC 5681 4.2: whatever its size; the first full ones each, for slow start."""
    hand = established(family)
    seq = 1
    for _ in range(16 if size >= 536 else 0):
        hand.inject(f". {seq}:{seq + size}({size}) ack 1")
        seq += size
        hand.expect(f". 1:1(0) ack {seq}")
    for _ in range(3):
        hand.inject(f". {seq}:{seq + size}({size}) ack 1")
        hand.expect_nothing()
        hand.inject(f". {seq + size}:{seq + 2 * size}({size}) ack 1")
        seq += 2 * size
        hand.expect(f". 1:1(0) ack {seq}")
    hand.expect_nothing()


def test_established_rcv_data_again_is_told_as_a_duplicate(family):
    """D-SACK: whole, in part, below a hole, within a block, behind it (RFC 2883)."""
    hand = established(family)
    hand.inject(". 1:101(100) ack 1")
    hand.inject(". 1:101(100) ack 1")
    hand.expect(". 1:1(0) ack 101 <sack 1:101>")
    hand.inject(". 51:151(100) ack 1")
    hand.expect(". 1:1(0) ack 151 <sack 51:101>")
    hand.inject(". 201:301(100) ack 1")
    hand.expect(". 1:1(0) ack 151 <sack 201:301>")
    hand.inject(". 221:241(20) ack 1")
    hand.expect(". 1:1(0) ack 151 <sack 221:241 201:301>")
    hand.inject(". 401:501(100) ack 1")
    hand.expect(". 1:1(0) ack 151 <sack 401:501 201:301>")
    hand.inject(". 251:351(100) ack 1")
    hand.expect(". 1:1(0) ack 151 <sack 251:301 201:351 401:501>")
    hand.inject(". 1:51(50) ack 1")
    hand.expect(". 1:1(0) ack 151 <sack 1:51 201:351 401:501>")
    hand.inject(". 151:201(50) ack 1")
    hand.expect(". 1:1(0) ack 351 <sack 401:501>")
    hand.expect_nothing()


def test_established_rcv_data_filling_a_hole_tells_what_it_repeats(family):
    """A retransmission that covers a hole and blocks that were there (RFC 2883 4)."""
    hand = established(family)
    hand.inject(". 101:201(100) ack 1")
    hand.expect(". 1:1(0) ack 1 <sack 101:201>")
    hand.inject(". 301:401(100) ack 1")
    hand.expect(". 1:1(0) ack 1 <sack 301:401 101:201>")
    hand.inject(". 501:601(100) ack 1")
    hand.expect(". 1:1(0) ack 1 <sack 501:601 301:401 101:201>")
    hand.inject(". 1:451(450) ack 1")
    hand.expect(". 1:1(0) ack 451 <sack 101:201 501:601>")
    hand.inject(". 401:601(200) ack 1")
    hand.expect(". 1:1(0) ack 601 <sack 401:451>")
    assert text(0, 600) == hand.connection.read(1000)
    hand.expect_nothing()


def test_established_rcv_data_again_without_sack_tells_nothing(family):
    """The option was not agreed on."""
    hand = established(family, options="mss 1460")
    hand.inject(". 1:101(100) ack 1")
    hand.inject(". 1:101(100) ack 1")
    assert () == hand.expect(". 1:1(0) ack 101").options


def test_established_rcv_fin_does_not_shrink_the_window(family):
    """An unscaled window is told to the byte, and a FIN takes none of the buffer."""
    hand = established(family, options="mss 1460")
    told = 65535 - 100
    hand.inject(". 1:101(100) ack 1")
    hand.inject("F. 101:101(0) ack 1")
    hand.expect(f". 1:1(0) ack 102 win {told}")


def test_established_rcv_data_without_delayed_ack_is_acknowledged_at_once(family):
    """net.inet.tcp.delayed_ack=0."""
    hand = established(family, sysctl={"net.inet.tcp.delayed_ack": 0})
    hand.inject("P. 1:101(100) ack 1")
    hand.expect(". 1:1(0) ack 101")


def test_established_rcv_data_ack_rides_on_data(family):
    """An answer within the delay carries the ACK."""
    hand = established(family)
    hand.inject("P. 1:101(100) ack 1")
    hand.write(50)
    hand.expect("P. 1:51(50) ack 101")
    hand.advance(ms=100)
    hand.expect_nothing()


def test_established_rcv_data_out_of_order_sends_sack_blocks_newest_first(family):
    """RFC 2018 4: the block that changed last comes first."""
    hand = established(family)
    hand.inject(". 201:301(100) ack 1")
    hand.expect(". 1:1(0) ack 1 <sack 201:301>")
    hand.inject(". 401:501(100) ack 1")
    hand.expect(". 1:1(0) ack 1 <sack 401:501 201:301>")
    hand.inject(". 301:351(50) ack 1")
    hand.expect(". 1:1(0) ack 1 <sack 201:351 401:501>")


def test_established_rcv_data_filling_the_hole_delivers_all_and_acks_at_once(family):
    """Nothing is asked for twice."""
    hand = established(family)
    hand.inject(". 101:201(100) ack 1")
    hand.expect(". 1:1(0) ack 1")
    hand.inject(". 1:101(100) ack 1")
    hand.expect(". 1:1(0) ack 201 <>")
    assert text(0, 200) == hand.connection.read(1000)
    hand.expect_nothing()


def test_established_rcv_data_without_sack_gets_plain_duplicate_acks(family):
    """A peer that did not offer SACK counts ACKs."""
    hand = established(family, options="mss 1460")
    for place in (101, 201, 301):
        hand.inject(f". {place}:{place + 100}(100) ack 1")
        hand.expect(". 1:1(0) ack 1 <>")


def test_established_rcv_data_again_is_acknowledged_and_not_delivered_twice(family):
    """Our ACK was lost."""
    hand = established(family)
    hand.inject("P. 1:101(100) ack 1")
    hand.advance(ms=40)
    hand.expect(". 1:1(0) ack 101")
    hand.inject("P. 1:101(100) ack 1")
    hand.expect(". 1:1(0) ack 101")
    assert text(0, 100) == hand.connection.read(1000)


def test_established_rcv_data_overlapping_keeps_what_is_new(family):
    """A retransmission may be cut at other places."""
    hand = established(family)
    hand.inject("P. 1:101(100) ack 1")
    hand.inject("P. 51:151(100) ack 1")
    assert text(0, 150) == hand.connection.read(1000)


def test_established_rcv_data_beyond_the_window_is_cut(family):
    """Nothing beyond the announced edge is taken."""
    hand = established(
        family,
        listen={"rcv_window": 1000, "rcv_wscale": 0},
        sysctl={"net.inet.tcp.recvspace": 1000, "net.inet.tcp.recvbuf_max": 1000},
    )
    hand.inject("P. 1:1201(1200) ack 1")
    hand.advance(ms=40)
    hand.expect(". 1:1(0) ack 1001 win 0")
    assert text(0, 1000) == hand.connection.read(2000)
    hand.expect(". 1:1(0) ack 1001 win 1000")


def test_established_rcv_data_outside_the_window_is_acknowledged_and_dropped(family):
    """RFC 9293: an unacceptable segment draws an ACK."""
    hand = established(family)
    hand.inject("P. 2000001:2000101(100) ack 1")
    hand.expect(". 1:1(0) ack 1 <>")
    hand.expect_nothing()
    assert 0 == hand.connection.info.unread


def test_established_rcv_data_with_urgent_pointer_is_plain_data(family):
    """RFC 6093: urgent data is in line."""
    hand = established(family)
    hand.inject("U. 1:2(1) ack 1")
    hand.advance(ms=40)
    hand.expect(". 1:1(0) ack 2")
    assert text(0, 1) == hand.connection.read(10)


def test_established_rcv_data_unread_closes_the_window_and_reading_opens_it(family):
    """Flow control reaches from the application to the peer."""
    sysctl = {
        "net.inet.tcp.recvspace": 4000,
        "net.inet.tcp.recvbuf_max": 4000,
    }
    hand = established(
        family, sysctl=sysctl, listen={"rcv_window": 4000, "rcv_wscale": 0}
    )
    for place in range(1, 4001, 1000):
        hand.inject(f". {place}:{place + 1000}(1000) ack 1")
    hand.advance(ms=40)
    while len(hand.sent) > 1:
        hand.sent.pop(0)
    hand.expect(". 1:1(0) ack 4001 win 0")
    assert 100 == len(hand.connection.read(100))
    hand.expect_nothing()
    assert 3900 == len(hand.connection.read(5000))
    hand.expect(". 1:1(0) ack 4001 win 4000")


def test_established_rcv_data_probe_of_a_closed_window_is_answered(family):
    """RFC 9293 3.8.6.1: the peer asks with one byte."""
    sysctl = {"net.inet.tcp.recvspace": 1000, "net.inet.tcp.recvbuf_max": 1000}
    hand = established(
        family, sysctl=sysctl, listen={"rcv_window": 1000, "rcv_wscale": 0}
    )
    hand.inject(". 1:1001(1000) ack 1")
    hand.advance(ms=40)
    hand.expect(". 1:1(0) ack 1001 win 0")
    hand.inject(". 1001:1002(1) ack 1")
    hand.expect(". 1:1(0) ack 1001 win 0")
    assert 1000 == hand.connection.info.unread


def test_established_rcv_data_after_release_is_acknowledged_and_thrown_away(family):
    """Nobody reads, and the peer may still finish."""
    hand = established(family)
    hand.connection.release()
    hand.inject("P. 1:101(100) ack 1")
    hand.advance(ms=40)
    hand.expect(". 1:1(0) ack 101")
    assert 0 == hand.connection.info.unread
    assert [] == hand.events()
