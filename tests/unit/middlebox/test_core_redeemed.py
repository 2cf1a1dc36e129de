"""syncache/_core/redeemed.py: an ACK is redeemed once in a group, by whichever engine.

`serve` notes and asks when it accepts a connection, a middlebox in its engine; both
know a handshake by the same numbers.
"""

from __future__ import annotations

import itertools

import pytest
from group_machines import ENGINES, WALL, segment

from syncache import Segment
from syncache._core.redeemed import (
    FILTER_BYTES_MAX,
    KEY_BYTES,
    NUMBERS,
    Shared,
    numbers,
)
from syncache.fleet.bloom import Bloom, Redeemed, packed_of
from syncache.segment import ACK, SYN

KEY = bytes(range(KEY_BYTES))
LIVES = 64.0
KINDS = ("serve", "intercept", "inspect")


class Taker:
    """A machine, and what it tells of handshakes and hears of others'."""

    def __init__(self, kind):
        self.machine = ENGINES[kind](WALL - 5000.25, 0.0)
        self.redeemed = Redeemed(KEY, LIVES)
        self.middlebox = kind != "serve"
        if self.middlebox:
            self.shared = self.machine.engine.redeemed(KEY)

    def takes(self, ack, wall):
        if self.middlebox:
            return self.machine.ack(ack, wall)
        conn = self.machine.engine.packet(ack, self.machine.now(wall)).conn
        if conn is None:
            return False
        self.machine.engine.closed(conn)
        return self.redeemed.admit(packed_of(conn), by_cookie=True)

    def tells(self):
        for digest in self.shared.fresh() if self.middlebox else ():
            self.redeemed.note(digest)
        return self.redeemed.take()

    def hears(self, body, wall):
        self.redeemed.hear(body)
        while self.middlebox and self.redeemed.arrived:
            bits = self.redeemed.arrived.popleft()
            self.shared.hear(bits, self.machine.now(wall), LIVES)


def acknowledgement(machine, family, port, wall):
    """Return the ACK to a machine's cookie."""
    syn = segment(family, port, dport=machine.port, seq=port, flags=SYN)
    answer = Segment.parse(machine.syn(syn.packet(), wall))
    fields = {"seq": port + 1, "ack": answer.seq + 1, "flags": ACK}
    return segment(family, port, dport=machine.port, **fields).packet()


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(("first", "other"), [*itertools.product(KINDS, KINDS)])
def test_ack_that_one_machine_has_redeemed_is_refused_by_another(first, other, family):
    """As soon as it was told of, and no other one is."""
    one, two = Taker(first), Taker(other)
    wall = WALL + 5.0
    told = acknowledgement(one.machine, family, 2000, wall)
    new = acknowledgement(one.machine, family, 2001, wall)
    assert one.takes(told, wall)
    body = one.tells()
    assert b"" == one.tells()
    two.hears(body, wall)
    assert not two.takes(told, wall + 1)
    assert two.takes(new, wall + 1)
    assert 1 == (two.shared if two.middlebox else two.redeemed).refused


@pytest.mark.parametrize("kind", KINDS)
def test_ack_is_taken_by_who_has_not_heard(kind):
    """Without the exchange nothing changes; two tells of one handshake are one."""
    one, two = Taker(kind), Taker(kind)
    ack = acknowledgement(one.machine, 4, 2000, WALL + 5.0)
    assert one.takes(ack, WALL + 5.0)
    assert two.takes(ack, WALL + 6.0)
    assert one.tells() == two.tells() != b""


@pytest.mark.parametrize("family", [4, 6])
def test_engines_know_a_handshake_by_the_same_numbers(family):
    """As a group of both has to."""
    takers = [Taker(kind) for kind in KINDS]
    ack = acknowledgement(takers[0].machine, family, 2000, WALL + 5.0)
    for taker in takers:
        assert taker.takes(ack, WALL + 5.0)
    assert 1 == len({taker.tells() for taker in takers})


def test_numbers_depend_on_the_key_and_on_every_byte():
    """And are spread over 16 bits."""
    data = bytes(45)
    seen = {numbers(KEY, data), numbers(bytes(KEY_BYTES), data)}
    for place in range(len(data)):
        seen.add(numbers(KEY, data[:place] + b"\1" + data[place + 1 :]))
    assert len(data) + 2 == len(seen)
    assert all(NUMBERS == len(found) for found in seen)
    assert max(max(found) for found in seen) > 2**15
    assert numbers(KEY, data)[:4] == tuple(
        siphash24(KEY, data + b"\0") >> shift & 0xFFFF for shift in (0, 16, 32, 48)
    )


def test_callers_mistakes_are_errors():
    """They say what is legal."""
    core = ENGINES["intercept"](WALL, 0.0).engine
    shared = core.redeemed(KEY)
    with pytest.raises(ValueError, match="a key of 16 bytes"):
        core.redeemed(b"short")
    with pytest.raises(ValueError, match="data of at most 64"):
        numbers(KEY, bytes(65))
    with pytest.raises(ValueError, match="data of at most 64"):
        numbers(b"short", b"")
    for size in (0, FILTER_BYTES_MAX + 1):
        with pytest.raises(ValueError, match=f"a filter of {size} bytes"):
            shared.hear(bytes(size), 1.0, LIVES)
    assert isinstance(shared, Shared)
    assert (0, []) == (shared.refused, shared.fresh())
    core.close()
    with pytest.raises(RuntimeError):
        shared.hear(b"x", 1.0, LIVES)
    assert FILTER_BYTES_MAX >= len(Bloom.of([numbers(KEY, b"x")]).bits)


def siphash24(key, data):
    """SipHash-2-4 as its authors describe it."""
    mask = 2**64 - 1

    def rotated(word, bits):
        return (word << bits | word >> 64 - bits) & mask

    k0, k1 = (int.from_bytes(key[n : n + 8], "little") for n in (0, 8))
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D]
    v += [k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rounds(count):
        for _ in range(count):
            v[0], v[2] = (v[0] + v[1]) & mask, (v[2] + v[3]) & mask
            v[1], v[3] = rotated(v[1], 13) ^ v[0], rotated(v[3], 16) ^ v[2]
            v[0] = rotated(v[0], 32)
            v[2], v[0] = (v[2] + v[1]) & mask, (v[0] + v[3]) & mask
            v[1], v[3] = rotated(v[1], 17) ^ v[2], rotated(v[3], 21) ^ v[0]
            v[2] = rotated(v[2], 32)

    last = data[len(data) // 8 * 8 :]
    words = [data[n : n + 8] for n in range(0, len(data) // 8 * 8, 8)]
    words.append(last.ljust(7, b"\0") + bytes([len(data) % 256]))
    for word in words:
        m = int.from_bytes(word, "little")
        v[3] ^= m
        rounds(2)
        v[0] ^= m
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]
