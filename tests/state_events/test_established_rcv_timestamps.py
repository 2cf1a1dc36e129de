"""ESTABLISHED with timestamps: PAWS and the echo (RFC 7323)."""

from __future__ import annotations

from harness import WITH_TIMESTAMPS, established, text


def test_established_rcv_old_timestamp_is_acknowledged_and_dropped(family):
    """PAWS: R1 of RFC 7323 5.3."""
    hand = established(family, options=WITH_TIMESTAMPS)
    hand.inject(f"P. 1:11(10) ack 1 <TS val 99 ecr {hand.tsval}>")
    hand.expect(". 1:1(0) ack 1")
    assert 0 == hand.connection.info.unread


def test_established_rcv_equal_timestamp_is_taken(family):
    """The same millisecond is not the past."""
    hand = established(family, options=WITH_TIMESTAMPS)
    hand.inject(f"P. 1:11(10) ack 1 <TS val 101 ecr {hand.tsval}>")
    assert 10 == hand.connection.info.unread


def test_established_rcv_old_timestamp_after_24_days_is_taken(family):
    """RFC 7323 5.5: a clock that wrapped meanwhile is not held against the peer."""
    hand = established(family, options=WITH_TIMESTAMPS)
    hand.advance(ms=25 * 86_400_000)
    hand.inject(f"P. 1:11(10) ack 1 <TS val 5 ecr {hand.tsval}>")
    assert 10 == hand.connection.info.unread


def test_established_rcv_no_timestamp_is_tolerated_or_not(family):
    """net.inet.tcp.tolerate_missing_ts."""
    for tolerate in (0, 1):
        sysctl = {"net.inet.tcp.tolerate_missing_ts": tolerate}
        hand = established(family, options=WITH_TIMESTAMPS, sysctl=sysctl)
        hand.inject("P. 1:11(10) ack 1")
        hand.expect_nothing()
        assert 10 * tolerate == hand.connection.info.unread


def test_established_rcv_out_of_order_does_not_move_the_echo(family):
    """RFC 7323 4.3: the echo is of the oldest segment not acknowledged."""
    hand = established(family, options=WITH_TIMESTAMPS)
    hand.inject(f". 101:111(10) ack 1 <TS val 150 ecr {hand.tsval}>")
    assert 101 == hand.expect(". 1:1(0) ack 1").timestamps.tsecr
    hand.inject(f". 1:101(100) ack 1 <TS val 140 ecr {hand.tsval}>")
    assert 140 == hand.expect(". 1:1(0) ack 111").timestamps.tsecr


def test_established_rcv_rst_needs_no_timestamp(family):
    """PAWS does not apply to RST."""
    hand = established(family, options=WITH_TIMESTAMPS)
    hand.inject("R 1:1(0)")
    assert "CLOSED" == hand.state


def test_established_rcv_refused_ack_leaves_ts_recent_alone(family):
    """No ACK, one of what was never sent, one far too old (RFC 5961 5)."""
    hand = established(family, options=WITH_TIMESTAMPS)
    stamps = f"<TS val {101 + 2**30} ecr {hand.tsval}>"
    for line in ("- 1:1(0)", ". 1:1(0) ack 900000", f". 1:1(0) ack {-(2**30)}"):
        hand.inject(f"{line} {stamps}")
    hand.inject(f"P. 1:11(10) ack 1 <TS val 102 ecr {hand.tsval}>")
    assert text(0, 10) == hand.connection.read(100)
