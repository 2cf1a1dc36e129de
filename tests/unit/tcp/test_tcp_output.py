"""What leaves a connection."""

from __future__ import annotations

import pytest
from harness import HANDSHAKE, WITH_TIMESTAMPS, Hand, established

from syncache import Ring
from syncache.ring import Checksum
from syncache.segment import PSH


def test_full_ring_ends_the_turn_and_nothing_is_lost(family):
    """transmit() goes on where it stopped."""
    hand = established(family)
    hand.connection.nodelay = True
    hand.connection.write(bytes(14_000))
    ring = Ring(3, 2048)
    total = 0
    while count := hand.stack.transmit(ring, hand.now):
        total += sum(len(ring[i]) - (40 if family == 4 else 60) for i in range(count))
        ring.clear()
    assert 14_000 == total


def test_full_ring_keeps_acks_and_resets_for_later(family):
    """Neither is lost for want of a slot."""
    hand = established(family)
    other = second(hand)
    full = Ring(1, 2048)
    full.push(b"x")
    hand.stack.receive(hand.segment(". 101:201(100) ack 1").packet(), hand.now)
    other.abort()
    hand.stack.transmit(full, hand.now)
    for connection in (hand.connection, other):
        assert not connection.transmit(full, int(hand.now * 1000), 0)
    assert 2 == len(hand.stack.packets_to_send(hand.now))


def test_connections_take_turns(family):
    """One with much to say does not keep the others waiting."""
    hand = established(family, window=4_000_000)
    other = second(hand)
    hand.connection.sender.congestion.cwnd = 1_000_000
    for connection in (hand.connection, other):
        connection.write(bytes(100_000))
    ring = Ring(40, 2048)
    hand.stack.transmit(ring, hand.now)
    ports = {bytes(ring[i])[22 if family == 4 else 42 :][:2] for i in range(len(ring))}
    assert 2 == len(ports)


def second(hand: Hand):
    """Make another connection of the same stack."""
    kept, hand.iss = hand.iss, None
    hand.port += 1
    hand.inject(f"S 0:0(0) win 65535 <{HANDSHAKE}>")
    hand.expect("S. 0:0(0) ack 1")
    hand.inject(". 1:1(0) ack 1")
    hand.port, hand.iss = hand.port - 1, kept
    return hand.listener.accept()


def test_push_marks_the_end_of_what_was_written(family):
    """PSH on the last segment alone."""
    hand = established(family)
    hand.write(3000)
    hand.close()
    assert [0, 0, PSH] == [segment.flags & PSH for segment in hand.sent]


def test_sack_blocks_ride_on_data_where_there_is_room(family):
    """A small segment carries them, a full one does not."""
    hand = established(family, options=WITH_TIMESTAMPS)
    stamp = f"<TS val 101 ecr {hand.tsval}>"
    hand.inject(f". 101:201(100) ack 1 {stamp}")
    hand.sent.clear()
    hand.write(10)
    assert ((201 - 100, 201),) == tuple(
        (a - hand.isn & 0xFFFFFFFF, b - hand.isn & 0xFFFFFFFF)
        for a, b in hand.sent[0].sack.blocks
    )
    hand.sent.clear()
    hand.inject(f". 1:1(0) ack 11 {stamp}")
    hand.write(hand.connection.info.mss)
    assert hand.sent[0].sack is None


def test_super_segment_is_left_to_the_link(family):
    """One slot, its gso_size and a partial checksum; a small one is complete."""
    hand = established(family, window=1_000_000)
    hand.stack.segment_max = 65483
    hand.connection.sender.congestion.cwnd = 1_000_000
    mss = hand.connection.info.mss
    hand.connection.write(bytes(10 * mss))
    ring = Ring(8, 65600)
    assert 1 == hand.stack.transmit(ring, hand.now)
    assert (mss, Checksum.PARTIAL) == (ring.gso_size(0), ring.checksum(0))
    assert 10 * mss + (40 if family == 4 else 60) == len(ring[0])
    hand.inject(f". 1:1(0) ack {1 + 10 * mss} win 5000")
    hand.connection.write(bytes(10))
    ring.clear()
    hand.stack.transmit(ring, hand.now)
    assert (0, Checksum.VALID) == (ring.gso_size(0), ring.checksum(0))


def test_super_segments_fit_the_rings_slots(family):
    """A ring of smaller slots gets smaller ones."""
    hand = established(family, window=1_000_000)
    hand.stack.segment_max = 65483
    hand.connection.sender.congestion.cwnd = 1_000_000
    hand.connection.write(bytes(60_000))
    ring = Ring(32, 4096)
    hand.stack.transmit(ring, hand.now)
    assert 2 * hand.connection.info.mss == len(ring[0]) - (40 if family == 4 else 60)


def test_ring_smaller_than_the_mtu_is_refused():
    """The caller's mistake, said before anything is sent."""
    hand = established(4)
    with pytest.raises(ValueError, match="1500"):
        hand.stack.transmit(Ring(4, 1024), hand.now)


def test_keepalive_probe_is_a_number_that_the_peer_has(family):
    """And its answer keeps the connection."""
    hand = established(family)
    hand.connection.keepalive = True
    hand.advance(ms=7_200_000)
    hand.expect(". 0:0(0) ack 1")
    hand.inject(". 1:1(0) ack 1")
    hand.advance(ms=7_199_000)
    hand.expect_nothing()
    hand.advance(ms=10 * 75_000)
    assert 8 == len(hand.sent)
    assert ["Closed timed out"] == hand.events()


def test_keepalive_is_off_by_default(family):
    """RFC 9293: MUST."""
    hand = established(family)
    hand.advance(ms=86_400_000)
    hand.expect_nothing()
    assert "ESTABLISHED" == hand.state
