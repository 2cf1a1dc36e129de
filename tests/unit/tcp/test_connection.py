"""The user calls (RFC 9293 3.9.1)."""

from __future__ import annotations

import pytest
from described import described
from harness import WITH_TIMESTAMPS, established, fin_wait_2, text, time_wait

from syncache import FourTuple, State


def test_read_returns_what_arrived_in_order(family):
    """No more than asked for, nothing when there is nothing."""
    hand = established(family)
    assert b"" == hand.connection.read(10)
    hand.inject("P. 1:101(100) ack 1")
    assert text(0, 60) == hand.connection.read(60)
    assert text(60, 40) == hand.connection.read(60)


def test_readable_is_told_once_until_read(family):
    """An event says that something changed, not how much."""
    hand = established(family)
    hand.inject("P. 1:11(10) ack 1")
    hand.inject("P. 11:21(10) ack 1")
    assert ["Readable"] == hand.events()
    hand.connection.read(100)
    hand.inject("P. 21:31(10) ack 1")
    assert ["Readable"] == hand.events()


def test_write_sends_nothing_by_itself(family):
    """Stamping and timers belong to packets_to_send()."""
    hand = established(family)
    assert 5 == hand.connection.write(b"hello")
    assert hand.connection.deadline is None
    assert 1 == len(hand.stack.packets_to_send(hand.now))
    assert hand.connection.deadline is not None


def test_write_takes_bytes_of_any_kind(family):
    """bytes, bytearray, memoryview."""
    hand = established(family)
    for data in (b"abc", bytearray(b"def"), memoryview(b"ghi")):
        assert 3 == hand.connection.write(data)
    hand.collect()
    assert b"abcdefghi" == hand.sent[0].payload


def test_write_after_close_raises(family):
    """The caller's mistake."""
    hand = established(family)
    hand.connection.close()
    with pytest.raises(RuntimeError, match="after close"):
        hand.connection.write(b"x")


def test_write_to_a_dead_connection_takes_nothing(family):
    """The network's doing, which Closed tells of."""
    hand = established(family)
    hand.inject("R 1:1(0)")
    assert 0 == hand.connection.write(b"x")
    assert 0 == hand.connection.write_room


def test_close_twice_is_close_once(family):
    """CLOSE in FIN-WAIT-1 changes nothing."""
    hand = established(family)
    hand.close()
    hand.close()
    hand.expect("F. 1:1(0) ack 1")
    hand.expect_nothing()


def test_abort_sends_rst_and_forgets(family):
    """RFC 9293 3.10.5."""
    hand = established(family)
    hand.connection.write(b"lost")
    hand.connection.abort()
    hand.expect("R. 1:1(0) ack 1")
    hand.expect_nothing()
    assert "CLOSED" == hand.state
    assert ["Closed aborted"] == hand.events()
    assert [] == hand.stack.connections
    hand.inject(". 1:1(0) ack 1")
    hand.expect("R 1:1(0)")


def test_abort_in_time_wait_is_silent(family):
    """Nobody is left to be told."""
    hand = time_wait(family)
    hand.connection.abort()
    hand.expect_nothing()
    assert [] == hand.stack.connections


def test_release_opens_the_window_for_what_nobody_reads(family):
    """Unread data goes too."""
    hand = fin_wait_2(family)
    for place in range(1, 60_001, 1000):
        hand.inject(f". {place}:{place + 1000}(1000) ack 2")
    hand.sent.clear()
    hand.connection.release()
    hand.collect()
    assert 0 == hand.connection.info.unread
    assert 1 == len(hand.sent)


def test_nodelay_sends_small_segments_at_once(family):
    """Nagle is the default, and can be turned off."""
    hand = established(family)
    hand.write(10)
    hand.write(10)
    assert 1 == len(hand.sent)
    assert not hand.connection.nodelay
    hand.connection.nodelay = True
    assert hand.connection.nodelay
    hand.collect()
    assert 2 == len(hand.sent)


def test_info_tells_what_was_negotiated(family):
    """A snapshot."""
    hand = established(family, options=WITH_TIMESTAMPS)
    info = hand.connection.info
    assert State.ESTABLISHED is info.state
    assert (True, True, 7, 6) == (
        info.sack,
        info.timestamps,
        info.snd_wscale,
        info.rcv_wscale,
    )
    assert (1448 if family == 4 else 1428) == info.mss
    assert "cache" == info.via
    assert "ESTABLISHED" in repr(hand.connection)


def test_receive_buffer_grows_with_a_peer_that_is_read(family):
    """Up to net.inet.tcp.recvbuf_max, while the application keeps up."""
    hand = established(family, sysctl={"net.inet.tcp.recvbuf_max": 300_000})
    seq = 1
    for _ in range(601):
        hand.inject(f". {seq}:{seq + 1400}(1400) ack 1")
        seq += 1400
        hand.connection.read(10_000)
    hand.advance(ms=40)
    assert 300_000 - 64 < hand.sent[-1].window << 6 <= 300_000


def test_keepalive_probes_a_silent_peer(family):
    """Off by default; turned on, a probe leaves after net.inet.tcp.keepidle."""
    hand = established(family, sysctl={"net.inet.tcp.keepidle": 5000})
    assert not hand.connection.keepalive
    hand.advance(ms=6000)
    hand.expect_nothing()
    hand.connection.keepalive = True
    assert hand.connection.keepalive
    hand.collect()
    hand.advance(ms=1)
    hand.expect(". 0:0(0) ack 1")


def test_segment_for_a_closed_connection_changes_nothing(family):
    """Whoever still holds it may give it one."""
    hand = established(family)
    hand.connection.abort()
    hand.collect()
    hand.sent.clear()
    one = hand.segment("P. 1:5(4) ack 1")
    known = FourTuple(one.src, one.sport, one.dst, one.dport)
    arrival = described(one.packet(), [known])
    hand.connection.arrives(arrival, 0)
    assert "CLOSED" == hand.state
    hand.expect_nothing()
