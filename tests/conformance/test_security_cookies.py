"""What has hit SYN cookies elsewhere, and the property that answers each.

Tests for the rows of docs/security.md about cookies; test_security_history.py has the
others.  The arithmetic of docs/cookies.md is recomputed by test_cookies.py.
"""

from __future__ import annotations

import random
from itertools import product

import pytest

from syncache import Cookie, FourTuple, SynOptions
from syncache.cookies import LAYOUTS as TABLES
from tests.conformance.hand import (
    ALL_OPTIONS,
    IRS,
    LOCAL,
    MASK32,
    PEER,
    Hand,
)
from tests.conformance.test_security_history import (
    COOKIES_ONLY,
    ONE_BUCKET,
    flood,
    tsval_of,
)

KEYS = (b"0123456789abcdef", b"fedcba9876543210")
LAYOUTS = ("wide", "freebsd")


# 32-bit keys: FreeBSD-SA-03:03.


@pytest.mark.parametrize("layout", LAYOUTS)
def test_short_keys_every_one_of_128_bits_counts(layout):
    """Flip one, and the cookie is another (but for one in 2^24)."""
    ends = FourTuple("192.0.2.1", 50000, "198.51.100.7", 80)
    options = SynOptions(mss=1460, wscale=7, sack_permitted=True)
    whole = Cookie.mint(KEYS[0], ends, IRS, options, layout=layout)
    for bit in range(128):
        key = bytearray(KEYS[0])
        key[bit // 8] ^= 1 << bit % 8
        other = Cookie.mint(bytes(key), ends, IRS, options, layout=layout)
        assert other >> 8 != whole >> 8, bit


def test_short_keys_of_another_length_are_refused():
    """16 bytes, no fewer and no more."""
    ends = FourTuple("192.0.2.1", 50000, "198.51.100.7", 80)
    for size in (0, 4, 15, 17):
        with pytest.raises(ValueError, match="16 bytes"):
            Cookie.mint(bytes(size), ends, IRS, SynOptions(None, None, False))


# Cookies past an access list: CVE-2001-0851.


def test_acl_bypass_cookies_only_for_an_endpoint_that_overflowed(family):
    """A flood of one port opens no other, though the key is the same."""
    hand = Hand(None, ONE_BUCKET, family=family)
    hand.engine.listen(81, LOCAL[family])
    hand.syn(1, dport=81)
    hand.rst(1, dport=81)
    hand.syn(2)
    flood(hand, 10)
    assert "REPLY_RST" == hand.ack(1, dport=81).reason
    assert "ACCEPT_COOKIE" == hand.ack(2).reason


def test_acl_bypass_the_gate_closes_after_two_lifetimes(family):
    """Recently means 64 s; a cookie of before is dead by then, too."""
    hand = Hand(None, {**ONE_BUCKET, "syncache.rexmtlimit": 0}, family=family)
    flood(hand, 10)
    hand.run(63_900)
    hand.syn(1)
    hand.rst(1)
    assert "ACCEPT_COOKIE" == hand.ack(1).reason
    hand.run(200)
    hand.syn(2)
    hand.rst(2)
    assert "REPLY_RST" == hand.ack(2).reason


# Replay.


def test_replay_ack_and_request_are_redeemed_once(family):
    """The same segment again, after the connection ended: refused, and counted."""
    hand = Hand(None, COOKIES_ONLY, family=family)
    hand.syn()
    conn = hand.ack(payload=b"GET /").made
    hand.engine.accepted(conn, 1)
    hand.engine.closed(conn)
    assert "REPLY_RST" == hand.ack(payload=b"GET /").reason
    assert 1 == hand.engine.stats.replayed


# The additive layout: measured in Linux.


def verifies(ends, layout, iss, *, irs=IRS):
    """Does a number pass as our ISS, answered with its successor."""
    seq, ack = (irs + 1) & MASK32, (iss + 1) & MASK32
    return Cookie.check(KEYS, ends, seq, ack, layout=layout) is not None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_additive_layout_no_neighbouring_ack_verifies(family, layout):
    """Within 4096 of the true one: none but itself (by chance one in 2048 tuples)."""
    ends = FourTuple(PEER[family], 50000, LOCAL[family], 80)
    options = SynOptions(mss=1460, wscale=7, sack_permitted=True)
    iss = Cookie.mint(KEYS[0], ends, IRS, options, layout=layout)
    near = [d for d in range(-4096, 4097) if verifies(ends, layout, iss + d)]
    assert [0] == near


@pytest.mark.parametrize("layout", LAYOUTS)
def test_additive_layout_each_choice_has_one_number_and_no_other_verifies(layout):
    """All that can be negotiated, times the parity; then 50,000 guesses."""
    ends = FourTuple("192.0.2.1", 50000, "198.51.100.7", 80)
    table = TABLES[layout]
    choices = product(table.mss4, (None, *table.wscale), (False, True), (0, 1))
    minted = {
        Cookie.mint(KEYS[p], ends, IRS, SynOptions(*kept), parity=p, layout=layout)
        for *kept, p in choices
    }
    assert 256 == len(minted)
    assert all(verifies(ends, layout, iss) for iss in minted)
    rng = random.Random(3)
    guesses = {rng.getrandbits(32) for _ in range(50_000)} - minted
    assert [] == [iss for iss in guesses if verifies(ends, layout, iss)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_additive_layout_no_shift_of_seq_and_ack_verifies(family, layout):
    """(SEQ + d, ACK + d) is another cookie's question, for every d."""
    ends = FourTuple(PEER[family], 50000, LOCAL[family], 80)
    options = SynOptions(mss=1460, wscale=7, sack_permitted=True)
    iss = Cookie.mint(KEYS[0], ends, IRS, options, layout=layout)
    shifts = [*range(-3000, 3000), 100_000, -100_000, 123_456_789, 1 << 24, 1 << 31]
    good = [d for d in shifts if verifies(ends, layout, iss + d, irs=IRS + d)]
    assert [0] == good


def test_additive_layout_engine_accepts_no_neighbour(family):
    """The same through the engine, which tries every live key."""
    hand = Hand(None, {**COOKIES_ONLY, "x.rst_limit": 0}, family=family)
    hand.syn()
    refused = {"REPLY_RST", "DROP_COOKIE_DATA"}
    assert refused == {hand.ack(dack=d).reason for d in range(-300, 300) if d != 0}
    assert refused == {hand.ack(dseq=d, dack=d).reason for d in range(1, 600)}
    assert "ACCEPT_COOKIE" == hand.ack().reason


# A cookie's strength.


def test_strength_timestamps_required_refuse_a_cookie_without(family):
    """x.cookie_ts=require: the echo must be one that we sent lately."""
    hand = Hand(None, {**COOKIES_ONLY, "x.cookie_ts": "require"}, family=family)
    sent = hand.syn(opts=ALL_OPTIONS).sent
    tsval = tsval_of(sent)
    assert "REPLY_RST" == hand.ack().reason
    for off in (2_000, -65_000, 1 << 31):
        echo = (tsval + off) & MASK32
        assert "REPLY_RST" == hand.ack(opts=(("ts", 101, echo),)).reason
    assert 4 == hand.engine.stats.ts_refused
    assert "ACCEPT_COOKIE" == hand.ack(opts=(("ts", 101, tsval),)).reason


@pytest.mark.parametrize(
    ("off", "good"), [(1000, True), (1001, False), (-64_000, True), (-64_001, False)]
)
def test_strength_echo_is_within_a_window_of_65_s(family, off, good):
    """Of 2^32 ms, which is about 2^-16 of all echoes."""
    hand = Hand(None, COOKIES_ONLY, family=family)
    tsval = tsval_of(hand.syn(opts=ALL_OPTIONS).sent)
    hand.now_ms += 20_000
    echo = ("ts", 101, tsval + 20_000 + off & MASK32)
    assert good is (hand.ack(opts=(echo,)).reason == "ACCEPT_COOKIE")
