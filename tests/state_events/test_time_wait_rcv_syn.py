"""TIME-WAIT, a SYN arrives: the next connection of the tuple, or not (RFC 6191)."""

from __future__ import annotations

import pytest
from harness import HANDSHAKE, WITH_TIMESTAMPS, established, time_wait


@pytest.mark.parametrize("seq", [-100, 1, 2])
def test_time_wait_rcv_syn_at_or_left_of_rcv_nxt_sends_challenge_ack(family, seq):
    """It could be an old duplicate."""
    hand = time_wait(family)
    hand.inject(f"S {seq}:{seq}(0) win 65535 <{HANDSHAKE}>")
    hand.expect(". 2:2(0) ack 2")
    hand.expect_nothing()
    assert "TIME-WAIT" == hand.state


def test_time_wait_rcv_rst_behind_a_challenged_syn_ends_it(family):
    """RFC 5961 4.2: the peer has forgotten the connection; its next SYN is served."""
    hand = time_wait(family)
    hand.inject(f"S 1:1(0) win 65535 <{HANDSHAKE}>")
    hand.expect(". 2:2(0) ack 2")
    for inexact in (1, 3, 60_000):
        hand.inject(f"R {inexact}:{inexact}(0)")
        assert "TIME-WAIT" == hand.state
    hand.inject("R 2:2(0)")
    assert ([], "CLOSED", []) == (hand.events(), hand.state, hand.stack.connections)
    hand.inject(f"S 1:1(0) win 65535 <{HANDSHAKE}>")
    hand.iss = None
    hand.expect("S. 0:0(0) ack 2")


def test_time_wait_rcv_rst_behind_an_old_segment_is_ignored(family):
    """RFC 1337: what an old duplicate draws, and the peer refuses, ends nothing."""
    hand = time_wait(family)
    hand.inject("P. 1:2(1) ack 2")
    hand.expect(". 2:2(0) ack 2")
    hand.inject("R 2:2(0)")
    assert "TIME-WAIT" == hand.state


@pytest.mark.parametrize("seq", [-100, 2])
def test_time_wait_rcv_old_syn_with_insecure_syn_sends_rst(family, seq):
    """net.inet.tcp.insecure_syn=1."""
    hand = time_wait(family, sysctl={"net.inet.tcp.insecure_syn": 1})
    iss = hand.iss
    for flags, size in (("S", 1), ("FS", 2)):  # SEG.LEN counts a FIN as well
        hand.iss = iss
        hand.inject(f"{flags} {seq}:{seq}(0) win 65535 <{HANDSHAKE}>")
        hand.iss = 0
        hand.expect(f"R. 0:0(0) ack {seq + size}")
        assert "TIME-WAIT" == hand.state


@pytest.mark.parametrize("seq", [3, 65536, 0x7FFFFF00])
def test_time_wait_rcv_syn_beyond_rcv_nxt_begins_anew(family, seq):
    """One SYN-ACK, and the old connection is gone."""
    hand = time_wait(family)
    old = hand.iss
    hand.inject(f"S {seq}:{seq}(0) win 65535 <{HANDSHAKE}>")
    hand.iss = None
    hand.expect(f"S. 0:0(0) ack {seq + 1}")
    hand.expect_nothing()
    assert old != hand.iss
    assert [] == hand.stack.connections
    hand._connection = None
    hand.inject(f". {seq + 1}:{seq + 1}(0) ack 1")
    assert "ESTABLISHED" == hand.state


def test_time_wait_rcv_syn_with_newer_timestamp_begins_anew(family):
    """RFC 6191: the timestamp tells old from new where the number does not."""
    hand = time_wait_with_timestamps(family)
    hand.inject("S 1:1(0) win 65535 <mss 1460,TS val 102 ecr 0>")
    hand.iss = None
    hand.expect("S. 0:0(0) ack 2")


def test_time_wait_rcv_syn_with_equal_timestamp_sends_challenge_ack(family):
    """Neither number nor timestamp is beyond."""
    hand = time_wait_with_timestamps(family)
    hand.inject("S 1:1(0) win 65535 <mss 1460,TS val 101 ecr 0>")
    hand.expect(". 2:2(0) ack 2")


@pytest.mark.parametrize("cookies_only", [0, 1])
@pytest.mark.parametrize("seq", [1, 2, 3, 65536])
def test_time_wait_rcv_syn_with_older_timestamp_sends_challenge_ack(
    family, seq, cookies_only
):
    """RFC 6191: an old duplicate's number may be beyond, its timestamp is not."""
    hand = time_wait_with_timestamps(family, cookies_only)
    for tsval in (100, 101 + 0x80000001):
        hand.inject(f"S {seq}:{seq}(0) win 65535 <mss 1460,TS val {tsval} ecr 0>")
        hand.expect(". 2:2(0) ack 2")
    assert "TIME-WAIT" == hand.state
    hand.inject("S 3:3(0) win 65535 <mss 1460,TS val 101 ecr 0>")
    hand.iss = None
    hand.expect("S. 0:0(0) ack 4")


def test_time_wait_rcv_syn_without_timestamp_is_old_by_its_number(family):
    """The connection that ended had timestamps; or this SYN alone has one."""
    hand = time_wait_with_timestamps(family)
    hand.inject("S 1:1(0) win 65535 <mss 1460>")
    assert "TIME-WAIT" == hand.state
    hand = time_wait(family)
    hand.inject("S 1:1(0) win 65535 <mss 1460,TS val 4000000 ecr 0>")
    assert "TIME-WAIT" == hand.state


def time_wait_with_timestamps(family, cookies_only=0):
    only = {"net.inet.tcp.syncookies_only": cookies_only}
    hand = established(family, options=WITH_TIMESTAMPS, sysctl=only)
    hand.close()
    hand.sent.clear()
    hand.inject(f"F. 1:1(0) ack 2 <TS val 101 ecr {hand.tsval}>")
    hand.sent.clear()
    assert "TIME-WAIT" == hand.state
    return hand
