"""A flood on the tuple of one connection: how much of it reaches the connection.

By bursts, as from a link; `receive()` answers one packet at a time and is limited by
time alone.
"""

from __future__ import annotations

import random

import pytest
from harness import HANDSHAKE, WITH_TIMESTAMPS, established, text, time_wait

from syncache import Reason, Ring

SLOTS = 256
LINES = (
    "S {far}:{far}(0)",
    "S 5:5(0)",
    "R 5:5(0)",
    "R {far}:{far}(0)",
    ". {seq}:{seq}(0) ack {ack}",
    ". {old}:{seq}(20) ack {ack}",
    ". {far}:{far_end}(100) ack {ack}",
    ". {seq}:{end}(100) ack {unsent}",
    "- {seq}:{end}(100)",
)
# Who does not know the numbers of the connection cannot send the others.
BLIND = tuple(line for line in LINES if "{ack}" not in line or "{far}" in line)


def flood(hand, count, lines=LINES, seed=1):
    """Give that many segments, by turns, in full rings; return how many arrived."""
    rng = random.Random(seed)
    receiver = hand.connection.receiver
    rx, tx = Ring(SLOTS, 2048), Ring(SLOTS, 2048)
    arrived = 0
    seq = receiver.rcv_nxt - receiver.irs
    ack = hand.connection.sender.snd_una - hand.connection.sender.iss
    names = {"seq": seq, "ack": ack, "old": seq - 20, "end": seq + 100}
    stamps = ""
    if hand.tsval:
        stamps = f" <TS val {hand.stack.connections[0].timestamps.ts_recent} ecr 0>"
    packets = []
    for line in lines:
        far = rng.randrange(1 << 20, 1 << 30)
        more = {"far": far, "far_end": far + 100, "unsent": ack + 5000}
        text = line.format(**names, **more)
        packets.append(hand.segment(text + stamps).packet())
    for first in range(0, count, SLOTS):
        rx.clear()
        tx.clear()
        for index in range(first, min(first + SLOTS, count)):
            rx.push(packets[index % len(packets)])
        assert len(rx) == hand.stack.burst(rx, tx, hand.now)
        arrived += len(rx.passed)
        tx.clear()
        hand.stack.transmit(tx, hand.now)
    return arrived


@pytest.mark.parametrize("options", [HANDSHAKE, WITH_TIMESTAMPS], ids=["plain", "ts"])
def test_flood_on_one_tuple_reaches_its_connection_in_a_bounded_number(family, options):
    """Of 20,000 segments within a second: what is answered, and no more."""
    hand = established(family, options=options)
    hand.inject(". 1:101(100) ack 1" + (" <TS val 102 ecr 0>" if hand.tsval else ""))
    hand.advance(ms=100)
    before = hand.connection.info
    assert 5 + 64 >= flood(hand, 20_000) >= 5
    assert 20_000 - 69 <= hand.stack.stats.verdicts[Reason.DROP_KNOWN_LIMIT]
    assert before == hand.connection.info
    hand.sent.clear()
    # A second later it is heard again.
    hand.advance(ms=1000)
    assert 5 + 64 >= flood(hand, 2_000) >= 5


def test_honest_exchange_goes_on_during_a_flood(family):
    """Data both ways, the peer's repetitions answered, its FIN taken; a blind flood."""
    hand = established(family)
    seq, ack = 1, 1
    for step in range(20):
        flood(hand, 1000, BLIND, seed=step)
        hand.sent.clear()
        hand.inject(f"P. {seq}:{seq + 700}(700) ack {ack}")
        seq += 700
        assert 700 == len(hand.connection.read(1000))
        hand.write(300)
        ack += 300
        hand.sent.clear()
        hand.inject(f". {seq}:{seq}(0) ack {ack}")
        assert 0 == hand.connection.info.unsent
        hand.inject(f"P. {seq - 700}:{seq}(700) ack {ack}")
        assert hand.sent
        hand.advance(ms=100)
    hand.inject(f"F. {seq}:{seq}(0) ack {ack}")
    assert "CLOSE-WAIT" == hand.state


def arrivals_of(hand, lines):
    """Give a ring of segments; the arrivals that the connection saw of it."""
    rx, tx = Ring(SLOTS, 2048), Ring(SLOTS, 2048)
    for line in lines:
        rx.push(hand.segment(line).packet())
    seen = []
    arrives = hand.connection.arrives

    def note(arrival, now_ms):
        seen.append((bytes(arrival.payload), arrival.window, arrival.segments))
        arrives(arrival, now_ms)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(hand.connection), "arrives", lambda _, *words: note(*words))
        assert len(rx) == hand.stack.burst(rx, tx, hand.now)
    hand.stack.transmit(tx, hand.now)
    return seen


def test_segments_that_continue_each_other_reach_the_connection_as_one(family):
    """Small data in order, and windows of an ACK; a read has all of it."""
    hand = established(family)
    hand.inject(". 1:101(100) ack 1")
    hand.connection.read(1000)
    small = [f"P. {seq}:{seq + 1}(1) ack 1" for seq in range(101, 141)]
    windows = [f". 141:141(0) ack 1 win {2000 + turn}" for turn in range(40)]
    ((payload, window, segments),) = arrivals_of(hand, small + windows)
    assert (text(100, 40), 2039, 40) == (payload, window, segments)
    assert text(100, 40) == hand.connection.read(1000)
    assert 2039 << 7 == hand.connection.info.snd_wnd


def test_full_segments_of_a_burst_are_one_arrival(family):
    """Whatever a slot of the ring holds; the application reads all in order."""
    hand = established(family)
    starts = range(1, 1 + 30 * 1460, 1460)
    lines = [f". {seq}:{seq + 1460}(1460) ack 1" for seq in starts]
    ((payload, _, segments),) = arrivals_of(hand, lines)
    assert (text(0, 30 * 1460), 30) == (payload, segments)
    assert text(0, 30 * 1460) == hand.connection.read(1 << 20)


def test_segments_that_each_repeat_most_of_the_last_are_one_arrival(family):
    """However little each adds: none uses up what may be out of order in a second."""
    hand = established(family)
    for begin in range(1, 30_001, 3000):
        starts = range(begin, begin + 3000, 100)
        lines = [f". {seq}:{seq + 150}(150) ack 1" for seq in starts]
        assert arrivals_of(hand, lines)[-1][2] >= 29
        assert 3000 + (50 if begin == 1 else 0) == len(hand.connection.read(1 << 20))


def test_small_segments_one_by_one_are_all_taken(family):
    """More than a second's number of tiny ones, before anything is sent or told."""
    hand = established(family)
    for seq in range(1, 301):
        hand.stack.receive(hand.segment(f". {seq}:{seq + 1}(1) ack 1").packet(), 1000.0)
    assert text(0, 300) == hand.connection.read(1000)


def test_repeated_acks_of_a_burst_count_each(family):
    """A sender without SACK begins its recovery by the third of them."""
    hand = established(family, options="mss 1460")
    hand.inject(". 1:1(0) ack 1 win 60000")
    hand.write(20_000)
    hand.inject(". 1:1(0) ack 1001 win 60000")
    hand.sent.clear()
    before = hand.connection.info.retransmitted
    ((_, _, segments),) = arrivals_of(hand, [". 1:1(0) ack 1001 win 60000"] * 3)
    assert 3 == segments
    assert before + 1 == hand.connection.info.retransmitted


def test_acks_that_each_say_a_little_are_taken_as_the_last(family):
    """An ACK for each byte of what is under way."""
    hand = established(family)
    hand.write(1000)
    lines = [f". 1:1(0) ack {1 + count}" for count in range(1, 200)]
    assert 1 == len(arrivals_of(hand, lines))
    assert 801 == hand.connection.info.unsent


@pytest.mark.parametrize(
    "lines",
    [
        (". 101:101(0) ack 1 <sack 2:9 20:99>", ". 101:101(0) ack 1 win 9 <sack 3:4>"),
        (". 101:101(0) ack 1", ". 101:101(0) ack 1 win 9", ". 101:101(0) ack 1 win 8"),
        tuple(f". {seq}:{seq + 500}(500) ack 1" for seq in range(200, 9000, 300)),
    ],
    ids=["sack", "windows", "ahead"],
)
def test_what_leads_on_nothing_is_bounded_by_what_is_under_way(family, lines):
    """Of 20,000 segments, while the peer has yet to acknowledge 10,000 bytes."""
    hand = established(family, options="mss 1460,sackOK")
    hand.inject(". 1:101(100) ack 1 win 60000")
    hand.write(10_000)
    hand.advance(ms=100)
    window = hand.connection.info.rcv_wnd
    assert 2 * (window + 10_000) // 128 + 64 >= flood(hand, 20_000, lines) > 0


def test_reset_in_a_flood_is_taken(family):
    """The exact one, whatever came before it in the ring."""
    hand = established(family)
    hand.inject(". 1:101(100) ack 1")
    flood(hand, 1000)
    flood(hand, 1, lines=("R {seq}:{seq}(0)",))
    assert "CLOSED" == hand.state


@pytest.mark.parametrize(("size", "passed"), [(1, 255), (127, 255), (128, 255 + 8 * 4)])
def test_segments_ahead_of_a_hole_fill_no_turn(family, size, passed):
    """A number of them in each second, and of those that are not tiny four a ring."""
    hand = established(family)
    hand.inject(". 1:101(100) ack 1")
    hand.advance(ms=100)
    first = range(200, 2200, 2)
    lines = tuple(f". {seq}:{seq + size}({size}) ack 1" for seq in first)
    assert passed == flood(hand, 2048, lines)
    hand.advance(ms=1000)
    assert passed == flood(hand, 2048, lines)


def test_flood_on_a_tuple_in_time_wait_is_bounded(family):
    """And afterwards it still takes the next connection's SYN."""
    hand = time_wait(family)
    assert 5 + 64 >= flood(hand, 5_000, ("S 1:1(0)", ". 1:2(1) ack 2"))
    assert "TIME-WAIT" == hand.state
    hand.advance(ms=1000)
    hand.inject("S 100000:100000(0) win 65535 <mss 1460>")
    assert hand.sent[-1].flags & 0x12 == 0x12


def test_no_limit_of_challenge_acks_lets_all_pass(family):
    """net.inet.tcp.ack_war_cnt=0, as before."""
    hand = established(family, sysctl={"net.inet.tcp.ack_war_cnt": 0})
    hand.inject(". 1:101(100) ack 1")
    assert 1000 == flood(hand, 1000)
