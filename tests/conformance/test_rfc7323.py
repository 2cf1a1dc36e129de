"""RFC 7323: window scaling, timestamps and PAWS; RFC 2018: SACK-permitted."""

from __future__ import annotations

import pytest
from harness import HANDSHAKE, WITH_TIMESTAMPS, established, listen

from tests.conformance.hand import ALL_OPTIONS, MASK32, Hand
from tests.model import option


def kinds(packet):
    """The options of a packet, by name."""
    return {o[0] for o in option.decode(packet.options)} - {"nop", "eol"}


def test_s2_2_scaling_only_if_both_offer(family):
    """A SYN without it gets none, and neither end scales."""
    hand = Hand(None, family=family)
    assert "ws" in kinds(hand.syn(1, opts=(("ws", 7),)).sent)
    assert "ws" not in kinds(hand.syn(2).sent)
    conn = hand.ack(2).made
    assert (None, None) == (conn.snd_wscale, conn.rcv_wscale)


def test_s2_2_window_of_a_syn_is_not_scaled(family):
    """Neither ours in the SYN-ACK; the third segment's is."""
    hand = listen(family, sysctl={"net.inet.tcp.recvspace": 30_000})
    hand.inject("S 0:0(0) win 40000 <mss 1460,wscale 7>")
    hand.expect("S. 0:0(0) ack 1 win 30000")
    hand.inject(". 1:1(0) ack 1 win 100")
    assert 100 << 7 == hand.connection.info.snd_wnd


@pytest.mark.parametrize("scale", [15, 255])
def test_s2_3_scale_above_14_is_14(family, scale):
    """The largest window stays below 2^30."""
    hand = Hand(None, family=family)
    hand.syn(opts=(("ws", scale),))
    assert 14 == hand.ack().made.snd_wscale


def test_s2_3_our_scale_makes_the_largest_buffer_fit():
    """The smallest scale by which 65535 covers kern.ipc.maxsockbuf, at most 14."""
    for buffer, scale in ((65_535, 0), (65_536, 1), (2_097_152, 6), (1 << 30, 14)):
        hand = Hand(None, {"kern.ipc.maxsockbuf": buffer})
        sent = hand.syn(opts=(("ws", 0),)).sent
        assert ("ws", scale) in option.decode(sent.options)


def test_s3_2_timestamps_only_if_the_syn_had_them(family):
    """Then in the SYN-ACK, the challenge ACK and every segment of the connection."""
    hand = Hand(None, family=family)
    assert "ts" not in kinds(hand.syn(1).sent)
    assert "ts" in kinds(hand.syn(2, opts=ALL_OPTIONS).sent)
    assert "ts" in kinds(hand.rst(2, dseq=1).sent)
    peer = established(family, options=WITH_TIMESTAMPS)
    peer.write(10)
    assert peer.sent[0].timestamps is not None


def test_s3_2_tsecr_of_a_syn_is_ignored(family):
    """It has no meaning without ACK."""
    sent = []
    for tsecr in (0, 0xDEADBEEF):
        hand = Hand(None, family=family)
        sent.append(hand.syn(opts=(("ts", 100, tsecr),)).sent)
    assert sent[0] == sent[1]


def test_s3_2_tsval_is_echoed(family):
    """TSecr of the SYN-ACK is the SYN's TSval; of a RST nothing is asked."""
    hand = Hand(None, family=family)
    sent = hand.syn(opts=(("ts", 0xCAFE0001, 0),)).sent
    (stamps,) = (o for o in option.decode(sent.options) if o[0] == "ts")
    assert 0xCAFE0001 == stamps[2]
    assert "DROP_RST" == hand.rst().reason


def test_s3_2_segment_without_timestamps_is_tolerated_or_dropped(family):
    """SHOULD drop; FreeBSD's default, and ours, tolerates: tolerate_missing_ts=0."""
    for tolerate, reason in ((1, "ACCEPT_CACHE"), (0, "DROP_MISSING_TS")):
        hand = Hand(None, {"tolerate_missing_ts": tolerate}, family=family)
        hand.syn(opts=ALL_OPTIONS)
        assert reason == hand.ack().reason


@pytest.mark.parametrize(
    ("irs_tsval", "tsval", "reason"),
    [
        (100, 100, "ACCEPT_CACHE"),
        (100, 99, "DROP_PAWS"),
        (0xFFFFFFFF, 0, "ACCEPT_CACHE"),
        (0, 0xFFFFFFFF, "DROP_PAWS"),
        (0, (1 << 31) - 1, "ACCEPT_CACHE"),
        (0, (1 << 31) + 1, "DROP_PAWS"),
    ],
)
def test_s5_2_paws_compares_modulo_2_32(family, irs_tsval, tsval, reason):
    """Older than the SYN's is dropped, across the wrap too."""
    hand = Hand(None, family=family)
    hand.syn(opts=(("ts", irs_tsval, 0),))
    assert reason == hand.ack(opts=(("ts", tsval, 0),)).reason


def test_s5_2_paws_is_not_for_rst(family):
    """An old timestamp does not save a connection from an exact RST."""
    hand = Hand(None, family=family)
    hand.syn(opts=ALL_OPTIONS)
    assert "DROP_RST" == hand.rst(opts=(("ts", 1, 0),)).reason


def test_s5_3_ts_recent_comes_from_what_is_in_order_alone(family):
    """A segment beyond a hole is not echoed."""
    hand = established(family, options=WITH_TIMESTAMPS)
    hand.inject(f"P. 101:201(100) ack 1 <TS val 500 ecr {hand.tsval}>")
    hand.write(10)
    assert {101} == {segment.timestamps.tsecr for segment in hand.sent}


def test_s5_3_old_timestamp_draws_an_ack_and_is_dropped(family):
    """R1: not acceptable, so acknowledged and thrown away."""
    hand = established(family, options=WITH_TIMESTAMPS)
    hand.inject(f"P. 1:11(10) ack 1 <TS val 50 ecr {hand.tsval}>")
    hand.expect(". 1:1(0) ack 1")
    assert b"" == hand.connection.read(100)


def test_s5_4_clock_runs_at_a_millisecond_with_an_offset_per_connection(family):
    """Two peers see unrelated values, each advancing by 1000 a second."""
    values = {}
    for start_ms in (1_000_000, 1_001_000):
        hand = Hand(None, family=family, start_ms=start_ms)
        for peer in (1, 2):
            sent = hand.syn(peer, opts=ALL_OPTIONS).sent
            (stamps,) = (o for o in option.decode(sent.options) if o[0] == "ts")
            values[start_ms, peer] = stamps[1]
    for peer in (1, 2):
        gone = values[1_001_000, peer] - values[1_000_000, peer]
        assert 1000 == gone & MASK32
    apart = (values[1_000_000, 1] - values[1_000_000, 2]) & MASK32
    assert 1_000_000 < apart < MASK32 - 1_000_000


def test_rfc2018_s2_sack_permitted_only_with_syn_and_if_offered(family):
    """The SYN-ACK has it if the SYN had; in an ACK it counts for nothing."""
    hand = Hand(None, family=family)
    assert "sack_ok" in kinds(hand.syn(1, opts=(("sack_ok",),)).sent)
    assert "sack_ok" not in kinds(hand.syn(2).sent)
    assert not hand.ack(2, opts=(("sack_ok",),)).made.sack_permitted


def test_rfc2018_s4_blocks_report_what_lies_beyond_a_hole(family):
    """The newest first."""
    hand = established(family, options=HANDSHAKE)
    hand.inject("P. 101:201(100) ack 1")
    hand.expect(". 1:1(0) ack 1 <sack 101:201>")
    hand.inject("P. 301:401(100) ack 1")
    hand.expect(". 1:1(0) ack 1 <sack 301:401 101:201>")
