"""LISTEN, an ACK arrives: the end of a handshake, or not (RFC 9293 3.10.7.2)."""

from __future__ import annotations

from harness import HANDSHAKE, WITH_TIMESTAMPS, listen


def half_open(family, options=HANDSHAKE, **kwargs):
    hand = listen(family, **kwargs)
    hand.inject(f"S 0:0(0) win 65535 <{options}>")
    hand.expect("S. 0:0(0) ack 1")
    return hand


def test_listen_rcv_ack_of_syn_ack_makes_a_connection(family):
    """The third segment is answered by silence."""
    hand = half_open(family)
    hand.inject(". 1:1(0) ack 1")
    hand.expect_nothing()
    assert ["Accepted"] == hand.events()
    assert "ESTABLISHED" == hand.state
    assert (hand.src, 40000) == hand.connection.peername
    assert (hand.dst, 80) == hand.connection.sockname


def test_listen_rcv_ack_of_nothing_sends_rst(family):
    """An ACK that belongs to nobody is refused with its own number."""
    hand = listen(family)
    hand.iss = 0
    hand.inject(". 17:17(0) ack 34")
    hand.expect("R 34:34(0)")


def test_listen_rcv_ack_with_data_delivers_the_data(family):
    """Data on the third segment is the connection's."""
    hand = half_open(family)
    hand.inject("P. 1:12(11) ack 1")
    assert ["Accepted", "Readable"] == hand.events()
    assert 11 == len(hand.connection.read(100))
    hand.advance(ms=40)
    hand.expect(". 1:1(0) ack 12")


def test_listen_rcv_ack_with_data_and_fin_enters_close_wait(family):
    """A whole request may come with the third segment."""
    hand = half_open(family)
    hand.inject("FP. 1:12(11) ack 1")
    hand.expect(". 1:1(0) ack 13")
    assert "CLOSE-WAIT" == hand.state
    assert ["Accepted", "Readable", "EndOfStream"] == hand.events()


def test_listen_rcv_ack_beyond_a_gap_waits_for_what_is_missing(family):
    """Any number in the window completes; the data before it is still owed."""
    hand = half_open(family)
    hand.inject(". 101:111(10) ack 1")
    hand.expect(". 1:1(0) ack 1 <sack 101:111>")
    hand.inject(". 1:101(100) ack 1")
    hand.expect(". 1:1(0) ack 111")
    assert 110 == len(hand.connection.read(200))


def test_listen_rcv_ack_after_syn_ack_loss_starts_with_one_segment(family):
    """RFC 5681 3.1: the SYN-ACK was sent twice, so the path may be full."""
    hand = half_open(family)
    hand.advance(ms=1010)
    hand.expect("S. 0:0(0) ack 1")
    hand.inject(". 1:1(0) ack 1")
    mss = hand.connection.info.mss
    hand.write(10 * mss)
    hand.expect(f". 1:{1 + mss}({mss})")
    hand.expect_nothing()
    assert 3000 == hand.connection.info.rto_ms


def test_listen_rcv_ack_by_cookie_starts_as_usual(family):
    """A cookie cannot know of lost SYN-ACKs."""
    hand = half_open(family, sysctl={"net.inet.tcp.syncookies_only": 1})
    hand.inject(". 1:1(0) ack 1")
    info = hand.connection.info
    assert "cookie" == info.via
    assert info.cwnd > 4 * info.mss


def test_listen_rcv_ack_with_timestamps_continues_the_syn_acks_clock(family):
    """Our TSval goes on where the SYN-ACK began, and the echo gives the first RTT."""
    hand = listen(family)
    hand.inject(f"S 0:0(0) win 65535 <{WITH_TIMESTAMPS}>")
    first = hand.expect("S. 0:0(0) ack 1").timestamps.tsval
    hand.advance(ms=25)
    hand.inject(f". 1:1(0) ack 1 <TS val 125 ecr {first}>")
    hand.write(10)
    stamps = hand.expect("P. 1:11(10) ack 1").timestamps
    assert (first + 25, 125) == stamps
    assert 25.0 == hand.connection.info.srtt_ms
