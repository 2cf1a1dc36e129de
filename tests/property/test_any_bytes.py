"""Any bytes at all: nothing is raised, and the two ways in agree bit for bit.

Invariant: for every sequence of byte strings, an engine fed by packet() and one fed by
burst() give the same verdicts, the same replies and the same counters.
"""

from __future__ import annotations

import random

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import syncache
from tests.conformance.hand import ALL_OPTIONS, LOCAL, PEER, PORT, SEED
from tests.model import option
from tests.model.packet import Packet, icmp_error

pytestmark = pytest.mark.isa

FAMILIES = (4, 6)


def engine(*, hashsize=4):
    sysctl = syncache.Sysctl({"net.inet.tcp.syncache.hashsize": hashsize})
    sysctl["net.inet.tcp.syncache.bucketlimit"] = 3
    made = syncache.Syncache(sysctl, seed=SEED)
    made.listen(PORT)
    for address in LOCAL.values():
        made._address(address)
    return made


def sound_packets():
    """Packets of every kind that an engine knows, both families."""
    out = []
    for family in FAMILIES:
        src, dst = PEER[family], LOCAL[family]
        options = option.encode(list(ALL_OPTIONS))
        for number, flags in enumerate(("S", "A", "R", "SA", "F", "", "SEW", "PA")):
            ends = (src, dst, 40000 + number % 3, PORT)
            payload = b"data" * (flags == "PA")
            packet = Packet(*ends, flags=flags, seq=7, ack=9, options=options)
            out.append(Packet(*ends, flags, 7, 9, 100, options, payload).encode())
            out.append(packet.encode(bad_checksum=True))
        ours = Packet(dst, src, PORT, 40000, flags="SA", seq=1).encode()
        kind = (3, 1) if family == 4 else (1, 3)
        out.append(icmp_error(ours, dst.replace("7", "8"), kind=kind))
    return out


SOUND = sound_packets()
mutations = st.lists(
    st.tuples(st.integers(0, 80), st.integers(0, 255)), min_size=0, max_size=4
)


@st.composite
def mutants(draw):
    """A sound packet with some bytes changed and perhaps its end cut off."""
    data = bytearray(draw(st.sampled_from(SOUND)))
    for place, value in draw(mutations):
        data[place % len(data)] = value
    cut = draw(st.sampled_from((0, 0, 0, 1, 7, 20, 60)))
    return bytes(data[: max(len(data) - cut, 0)])


def by_packet(made, packets, now):
    out = []
    for packet in packets:
        verdict = made.packet(packet, now)
        reply = None if verdict.reply is None else verdict.reply.packet()
        out.append((verdict.reason, reply))
    return out


def by_burst(made, packets, now):
    rx, tx = syncache.Ring(64, 2048), syncache.Ring(64, 256)
    for packet in packets:
        rx.push(packet)
    assert len(packets) == made.burst(rx, tx, now)
    replies = iter([bytes(tx[i]) for i in range(len(tx))])
    out = []
    for i in range(len(packets)):
        reason = rx.verdict(i)
        has_reply = reason.kind is syncache.Kind.REPLY
        out.append((reason, next(replies) if has_reply else None))
    assert [] == list(replies)
    return out


@given(
    bursts=st.lists(
        st.lists(st.binary(max_size=200) | mutants(), max_size=24), max_size=4
    ),
    hashsize=st.sampled_from((1, 64)),
)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_both_ways_in_agree_on_any_bytes(bursts, hashsize):
    """Nothing raised; verdicts, replies and counters alike."""
    one, many = engine(hashsize=hashsize), engine(hashsize=hashsize)
    for number, packets in enumerate(bursts):
        now = 1000.0 + number
        assert by_packet(one, packets, now) == by_burst(many, packets, now)
        assert one.stats == many.stats
        assert sorted(map(str, one.half_open())) == sorted(map(str, many.half_open()))


@given(data=st.binary(max_size=120))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_bytes_are_survived_by_the_stack(data):
    """A stack takes anything from the wire."""
    stack = syncache.Stack(list(LOCAL.values()), seed=SEED)
    stack.listen(PORT)
    stack.receive(data, 1.0)
    stack.packets_to_send(1.0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_and_mutated_packets_in_bulk(seed):
    """Twenty thousand a seed; every byte string gets a verdict of its own counter."""
    print("seed", seed)
    rng = random.Random(seed)
    one, many = engine(), engine()
    for step in range(300):
        packets = []
        for _ in range(64):
            data = bytearray(rng.choice(SOUND))
            for _ in range(rng.choice((0, 1, 1, 2, 8))):
                data[rng.randrange(len(data))] = rng.randrange(256)
            packets.append(bytes(data[: rng.choice((len(data), rng.randrange(61)))]))
        now = 1000.0 + step / 50
        assert by_packet(one, packets, now) == by_burst(many, packets, now)
    assert one.stats == many.stats
    assert 300 * 64 == sum(one.stats.verdicts.values())
