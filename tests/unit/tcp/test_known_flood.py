"""A flood on the tuple of one connection: how much of it reaches the connection.

By bursts, as from a link; `receive()` answers one packet at a time and is limited by
time alone.
"""

from __future__ import annotations

import random

import pytest
from harness import HANDSHAKE, WITH_TIMESTAMPS, established, time_wait

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
    """Give that many segments, by turns, in full rings; return how many passed."""
    rng = random.Random(seed)
    receiver = hand.connection.receiver
    rx, tx = Ring(SLOTS, 2048), Ring(SLOTS, 2048)
    before = hand.stack.stats.verdicts[Reason.PASS_KNOWN]
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
        tx.clear()
        hand.stack.transmit(tx, hand.now)
    return hand.stack.stats.verdicts[Reason.PASS_KNOWN] - before


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


def test_reset_in_a_flood_is_taken(family):
    """The exact one, whatever came before it in the ring."""
    hand = established(family)
    hand.inject(". 1:101(100) ack 1")
    flood(hand, 1000)
    flood(hand, 1, lines=("R {seq}:{seq}(0)",))
    assert "CLOSED" == hand.state


@pytest.mark.parametrize(("size", "passed"), [(1, 255), (127, 255), (128, 8 * 64)])
def test_segments_ahead_of_a_hole_fill_no_turn(family, size, passed):
    """Tiny ones in a number for each second, others 64 of a ring's 256."""
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
