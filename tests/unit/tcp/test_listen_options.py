"""What `Stack.listen()` is told holds for the connections, not for SYN-ACKs alone."""

from __future__ import annotations

import pytest
from harness import HANDSHAKE, established, listen


@pytest.mark.parametrize("scaled", [True, False], ids=["scaled", "plain"])
@pytest.mark.parametrize("window", [4000, 65535, 200_000])
def test_window_of_a_listener_holds_for_the_connection(family, window, scaled):
    """What is given is what may lie unread, and it does not grow when it is read."""
    hand = listen(family, listen={"rcv_window": window})
    options = HANDSHAKE if scaled else "mss 1460"
    hand.inject(f"S 0:0(0) win 65535 <{options}>")
    assert min(window, 65535) == hand.expect("S. 0:0(0) ack 1").window
    hand.inject(". 1:1(0) ack 1 win 500")
    connection = hand.connection
    unit = 1 << (connection.info.rcv_wscale or 0)
    top = window if scaled else min(window, 65535)
    seq, told = 1, 0
    for _ in range(300):
        size = min(1000, connection.receiver.rcv_wnd)
        hand.inject(f". {seq}:{seq + size}({size}) ack 1")
        seq += size
        connection.read(1 << 20)
        hand.advance(ms=50)
        told = max([told, *(sent.window * unit for sent in hand.sent)])
        hand.sent.clear()
    assert top - unit < told < top + unit


@pytest.mark.parametrize("via", ["cache", "cookie"])
@pytest.mark.parametrize(
    ("window", "scale"),
    [(1, 0), (536, 0), (65535, 0), (65536, 1), (131_071, 2), (1 << 30, 14)],
)
def test_window_of_a_listener_has_the_least_scale(family, window, scale, via):
    """Told in larger units, a small window would move back and forth."""
    sysctl = {"net.inet.tcp.syncookies_only": int(via == "cookie")}
    hand = listen(family, listen={"rcv_window": window}, sysctl=sysctl)
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    assert scale == hand.expect("S. 0:0(0) ack 1").wscale
    hand.inject(". 1:1(0) ack 1 win 500")
    connection = hand.connection
    assert scale == connection.info.rcv_wscale
    size = min(window, 1000)
    hand.inject(f"P. 1:{1 + size}({size}) ack 1 win 500")
    hand.advance(ms=50)
    left = min(window, 65535) - size
    unit = 1 << scale
    assert left <= hand.sent[-1].window * unit or not left
    if scale == 0:
        assert left == hand.sent[-1].window


def test_window_of_a_listener_that_names_none_grows(family):
    """From net.inet.tcp.recvspace to recvbuf_max, as before."""
    hand = established(family)
    assert 65535 < hand.connection.receiver.limit_max


def test_options_of_a_listener_hold_for_the_connection(family):
    """mss_max both ways, class and hop limit, no options, MTU."""
    given = {"mss_max": 700, "tos": 0x48, "hop_limit": 255, "mtu": 1400}
    for options in (True, False):
        hand = listen(family, listen={**given, "options": options})
        hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
        sent = [hand.expect("S. 0:0(0) ack 1")]
        hand.inject(". 1:1(0) ack 1 win 65535")
        assert 700 == hand.connection.info.mss == hand.connection.mss_announced
        hand.write(5000)
        sent += hand.sent
        assert {(0x48, 255)} == {(s.tos & 0xFC, s.hop_limit) for s in sent}
        assert 700 == max(len(segment.payload) for segment in sent)
        if not options:
            assert [b""] * len(sent) == [s.options_bytes for s in sent]


@pytest.mark.parametrize("via", ["cache", "cookie"])
@pytest.mark.parametrize("window", [65_536, 131_071, 200_000, 1 << 24])
def test_window_beyond_what_a_syn_ack_tells_costs_no_segment(family, window, via):
    """It is told with what leaves anyhow: an answer, or the ACK of the first data."""
    sysctl = {"net.inet.tcp.syncookies_only": int(via == "cookie")}
    hand = listen(family, listen={"rcv_window": window}, sysctl=sysctl)
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S. 0:0(0) ack 1")
    hand.inject(". 1:1(0) ack 1 win 500")
    hand.advance(ms=500)
    assert [] == hand.sent
    hand.inject("P. 1:11(10) ack 1 win 500")
    assert b"x" * 10 == bytes(len(hand.connection.read(100)) * b"x")
    assert [] == hand.sent  # its ACK is delayed, and may go with an answer
    hand.write(5)
    unit = 1 << hand.connection.info.rcv_wscale
    (answer,) = hand.sent
    assert window - 10 - unit <= answer.window * unit <= window + unit
