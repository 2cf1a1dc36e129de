"""RFC 6528: ISN = M + F(tuple, secret), for SYN-ACKs that are no cookies."""

from __future__ import annotations

import pytest

from syncache.keyring import derive
from tests.conformance.hand import LOCAL, MASK32, PEER, PEER_PORT, SEED, Hand
from tests.model.siphash import siphash24

NO_COOKIES = {"syncookies": 0}


def test_s3_m_ticks_every_4_microseconds(family):
    """2^32 of them take 4.77 hours; then it begins again."""
    start = Hand(None, NO_COOKIES, family=family).syn().sent.seq
    for gone_ms in (1, 1000, 17_179_869):
        hand = Hand(None, NO_COOKIES, family=family, start_ms=1_000_000 + gone_ms)
        assert 250 * gone_ms & MASK32 == hand.syn().sent.seq - start & MASK32


@pytest.mark.parametrize("part", ["src", "dst", "sport", "dport"])
def test_s3_f_depends_on_every_part_of_the_tuple(family, part):
    """Another one, another space of numbers."""
    hand = Hand(None, NO_COOKIES, family=family)
    other = {
        "src": PEER[family][:-1] + "9",
        "dst": LOCAL[family][:-1] + "9",
        "sport": 40_000,
        "dport": 81,
    }
    hand.engine.listen(81, LOCAL[family])
    hand.engine.listen(80, other["dst"])
    first = hand.syn().sent.seq
    second = hand.syn(**{part: other[part]}).sent.seq
    assert 1_000_000 < (second - first) & MASK32 < MASK32 - 1_000_000


def test_s3_f_is_siphash_under_a_key_of_128_bits():
    """As an independent SipHash computes it from the engine's secret."""
    hand = Hand(None, NO_COOKIES)
    secret = derive(SEED, "syncache engine")
    key = b"".join(
        siphash24(secret, b"iss " + bytes([half])).to_bytes(8, "little")
        for half in (0, 1)
    )
    packed = (
        bytes([192, 0, 2, 1, 198, 51, 100, 7])
        + (PEER_PORT + 1).to_bytes(2, "big")
        + (80).to_bytes(2, "big")
    )
    want = siphash24(key, packed) + 250 * hand.now_ms & MASK32
    assert want == hand.syn().sent.seq


def test_s3_numbers_of_a_reused_tuple_go_forward(family):
    """A connection that follows another does not reuse its numbers."""
    hand = Hand(None, NO_COOKIES, family=family)
    first = hand.syn().sent.seq
    hand.rst()
    hand.now_ms += 60_000
    assert 60_000 * 250 == hand.syn().sent.seq - first & MASK32
