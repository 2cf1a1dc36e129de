"""What has hit SYN handling elsewhere, and the property that answers each.

Tests for the rows of docs/security.md that can be seen at the API; those of cookies
are in test_security_cookies.py.  Rows about the inside are elsewhere: keys wiped from
memory in test_core.py, bounds of the parser in fuzz/.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import fields
from itertools import pairwise

import pytest

import syncache
from syncache import Conn
from tests.conformance.hand import (
    ALL_OPTIONS,
    IRS,
    LOCAL,
    MASK32,
    PEER,
    PORT,
    Hand,
)
from tests.model import option
from tests.model.packet import Packet

ONE_BUCKET = {"syncache.hashsize": 1, "syncache.bucketlimit": 4}
COOKIES_ONLY = {"syncookies_only": 1}


def tsval_of(packet):
    """The TSval of a packet."""
    (stamps,) = (o for o in option.decode(packet.options) if o[0] == "ts")
    return stamps[1]


def flood(hand, count, first=100, **fields):
    """SYNs of peers that never answer; the reasons of the verdicts."""
    return Counter(hand.syn(n, **fields).reason for n in range(first, first + count))


# LAND, CVE-1999-0016


def test_land_segment_from_ourselves_is_dropped_before_any_state(family):
    """Source and destination the same: no entry, no answer, for listener or not."""
    hand = Hand(None, family=family)
    for flags in ("S", "A", "R", "SA"):
        for port in (PORT, 81):
            segment = hand.packet(
                src=LOCAL[family], sport=port, dport=port, flags=flags, seq=1
            )
            answer = hand.send(segment)
            assert ("DROP_LAND", None) == (answer.reason, answer.packet)
    assert [] == hand.entries


# Guessable ISNs: CVE-1999-0077, NUMBER:JACK.


@pytest.mark.parametrize("syncookies", [0, 1])
def test_guessable_isns_no_bit_and_no_difference_is_predictable(syncookies):
    """4096 ISNs of neighbouring ports: bits, byte values and differences look even.

    The bounds are six standard deviations, and the seed is fixed.
    """
    hand = Hand(None, {"syncookies": syncookies})
    count = 4096
    numbers = [hand.syn(peer).sent.seq for peer in range(count)]
    assert count - 2 <= len(set(numbers))
    differences = [(b - a) & MASK32 for a, b in pairwise(numbers)]
    for values in (numbers, differences):
        for bit in range(32):
            ones = sum(value >> bit & 1 for value in values)
            assert abs(ones - count / 2) < 6 * (count / 4) ** 0.5, bit
        for shift in (8, 16, 24):
            seen = Counter(value >> shift & 255 for value in values)
            chi2 = sum((seen[v] - count / 256) ** 2 for v in range(256)) * 256 / count
            assert abs(chi2 - 255) < 6 * (2 * 255) ** 0.5, shift


def test_guessable_isns_same_syn_another_period_is_another_number(family):
    """An observed ISS tells nothing about that of the next key."""
    hand = Hand(None, COOKIES_ONLY, family=family)
    numbers = []
    for _ in range(16):
        numbers.append(hand.syn().sent.seq)
        hand.now_ms += 32_000
    gaps = {(b - a) & MASK32 for a, b in pairwise(numbers)}
    assert 15 == len(gaps)


# Uninitialised fields and stale listeners: FreeBSD-SA-02:20.


def test_stale_listener_cookie_and_cache_build_the_same_connection(family):
    """Field by field, but for how it came about."""
    made = []
    for tune in ({}, COOKIES_ONLY):
        hand = Hand(None, tune, family=family)
        opts = (("mss", {4: 1452, 6: 1432}[family]), *ALL_OPTIONS[1:])
        tsval = tsval_of(hand.syn(opts=opts).sent)
        made.append(hand.ack(opts=(("ts", 101, tsval),)).made)
    # A cookie does not know whether ECN was asked for ("echo"), and counts nothing.
    names = {field.name for field in fields(Conn)} - {
        "via",
        "endpoint",
        "rxmits",
        "ecn",
    }
    assert {n: getattr(made[0], n) for n in names} == {
        n: getattr(made[1], n) for n in names
    }


def test_stale_listener_closed_endpoint_is_never_offered_to(family):
    """Its entries stay, but an ACK finds nobody; a successor gets its own."""
    hand = Hand(None, family=family)
    hand.syn()
    hand.endpoint.close()
    assert "REPLY_RST" == hand.ack().reason
    again = hand.engine.listen(PORT, LOCAL[family])
    assert again is hand.ack().made.endpoint


# Signed ticks: FreeBSD c932130a.


@pytest.mark.parametrize(
    "start_ms",
    [
        pytest.param(base + offset, id=f"2^{bits}{offset:+d}")
        for bits, base in (
            (16, 1 << 16),
            (31, 1 << 31),
            (32, 1 << 32),
            (41, 1 << 41),
        )
        for offset in (-16_000, -3_000, -1, 0)
    ]
    + [0, 1],
)
def test_clock_wrap_retransmission_and_expiry_are_on_time(start_ms):
    """At each place where a counter of the clock could wrap."""
    hand = Hand(None, start_ms=start_ms)
    hand.syn()
    times = [at for at, _ in hand.run(15_500)]
    late = [t - want for t, want in zip(times, (1000, 3200, 7400), strict=True)]
    assert all(0 <= ms < 5 for ms in late), times
    assert 1 == len(hand.entries)
    hand.run(110)
    assert [] == hand.entries


@pytest.mark.parametrize("bits", [31, 32, 41])
def test_clock_wrap_cookie_lives_as_long(bits):
    """Across the wrap it is accepted, and beyond two lifetimes it is not."""
    hand = Hand(None, COOKIES_ONLY, start_ms=(1 << bits) - 20_000)
    hand.syn(1)
    hand.syn(2)
    hand.now_ms += 31_000
    assert "ACCEPT_COOKIE" == hand.ack(1).reason
    hand.now_ms += 33_000
    assert "DROP_COOKIE_DATA" == hand.ack(2).reason


@pytest.mark.parametrize("bits", [53, 62, 63])
def test_clock_wrap_extreme_times_raise_nothing(bits):
    """Floats beyond whole milliseconds: clamped or rounded, never an error."""
    hand = Hand(None)
    hand.engine.packet(hand.packet(flags="S", seq=IRS).encode(), float(1 << bits))
    assert 1 == len(hand.entries)
    hand.engine.packet(hand.packet(2, flags="S", seq=IRS).encode(), float(1 << bits))
    assert 2 == len(hand.entries)


# Shared challenge budgets: CVE-2016-5696 and what followed.


def test_shared_budget_what_one_peer_sees_tells_nothing_of_another(family):
    """All answers to one peer are the same with and without another's storm.

    RSTs to segments of no connection have a budget, the peer's network's own.
    """
    other = {4: "198.18.7.1", 6: "2001:db8:2::1"}[family]
    seen = []
    for storm in (False, True):
        hand = Hand(None, family=family)
        hand.syn(1)
        hand.syn(2)
        answers = []
        for _ in range(12):
            if storm:
                for _ in range(20):
                    hand.rst(2, dseq=1)
                    hand.ack(2, dseq=-5)
                    hand.ack(3, src=other)
            answers += [hand.rst(1, dseq=1), hand.ack(1, dack=9), hand.ack(1, dseq=-1)]
            hand.now_ms += 50
        seen.append([(a.reason, a.packet) for a in answers])
    assert seen[0] == seen[1]


def test_shared_budget_ip_identification_is_no_counter():
    """DF is set and the number is 0: it counts nothing that others could read."""
    hand = Hand(None)
    sent = [hand.syn(peer).sent for peer in range(20)]
    assert {(0, True)} == {(packet.ip_id, packet.df) for packet in sent}


# Timestamp offsets without ports: CVE-2026-23247.


def ts_offset(hand, peer=1, **fields):
    """Our timestamp clock for a peer, less the time."""
    sent = hand.syn(peer, opts=ALL_OPTIONS, **fields).sent
    return (tsval_of(sent) - hand.now_ms) & MASK32


@pytest.mark.parametrize("tune", [{}, COOKIES_ONLY])
def test_ts_offset_depends_on_addresses_and_on_ports(family, tune):
    """Another port of the same host shows another offset, cached or by cookie."""
    hand = Hand(None, tune, family=family)
    hand.engine.listen(81, LOCAL[family])
    other = {4: "192.0.2.77", 6: "2001:db8:1::77"}[family]
    offsets = [
        ts_offset(hand, 1),
        ts_offset(hand, 2),
        ts_offset(hand, 1, dport=81),
        ts_offset(hand, 1, src=other),
    ]
    assert 4 == len(set(offsets))
    hand.now_ms += 5000
    assert offsets[0] == ts_offset(hand, 1)


def test_ts_offset_by_host_is_a_choice(family):
    """ts_offset_per_conn 0: one clock for each peer, as before."""
    hand = Hand(None, {"ts_offset_per_conn": 0}, family=family)
    assert ts_offset(hand, 1) == ts_offset(hand, 2)


# Collisions that an attacker makes, CVE-2023-1206


def test_collisions_buckets_are_even_and_keyed():
    """Tuples that share a bucket under one key do not under another."""
    survivors = []
    for seed in (b"a" * 16, b"b" * 16):
        sysctl = syncache.Sysctl(
            {
                "net.inet.tcp.syncache.hashsize": 64,
                "net.inet.tcp.syncache.bucketlimit": 1,
            }
        )
        engine = syncache.Syncache(sysctl, seed=seed)
        engine.listen(PORT, LOCAL[4])
        for port in range(1000, 1064):
            syn = Packet(PEER[4], LOCAL[4], port, PORT, "S", IRS)
            engine.packet(syn.encode(), 1.0)
        survivors.append({entry.fport for entry in engine.half_open()})
    assert survivors[0] != survivors[1]
    # 64 balls into 64 urns leave 40.5 urns occupied, give or take 3.
    assert all(30 <= len(found) <= 51 for found in survivors)


def test_collisions_worst_bucket_holds_bucketlimit(family):
    """All in one: no more than it, however many come."""
    hand = Hand(None, ONE_BUCKET, family=family)
    flood(hand, 300)
    assert 4 == len(hand.entries)


# Suppressed answers: CVE-2026-4247.


def test_suppressed_answers_leave_nothing_behind(family):
    """5,000 RSTs beyond the limit: the same memory, entries and next deadline."""
    hand = Hand(None, family=family)
    hand.syn()
    for _ in range(5):
        hand.rst(dseq=1)
    engine = hand.engine
    before = (engine.memory_bytes, hand.entries, engine.next_deadline())
    packet = hand.packet(flags="R", seq=IRS + 2).encode()
    for _ in range(5_000):
        assert "DROP_CHALLENGE_LIMIT" == engine.packet(packet, hand.now).reason.name
    assert before == (engine.memory_bytes, hand.entries, engine.next_deadline())


# Tiny MSS: CVE-2019-11477 and -11479.


@pytest.mark.parametrize("mss", [0, 1, 8, 48, 215])
@pytest.mark.parametrize("tune", [{}, COOKIES_ONLY])
def test_tiny_mss_is_raised_to_minmss(family, mss, tune):
    """216 bytes at least, by entry or cookie; 0 is no MSS at all."""
    hand = Hand(None, tune, family=family)
    hand.syn(opts=(("mss", mss),))
    default = {4: 536, 6: 1220}[family]
    assert (default if mss == 0 else 216) == hand.ack().made.mss


def test_tiny_mss_of_the_path_is_announced_and_does_not_underflow(family):
    """What the wire takes, below minmss too; the least MTU leaves 28 bytes and 8."""
    for mtu, mss in ((128, {4: 88, 6: 68}), (68, {4: 28, 6: 8})):
        hand = Hand(None, family=family, listen={"mtu": mtu})
        sent = hand.syn().sent
        assert ("mss", mss[family]) == option.decode(sent.options)[0]
        assert mss[family] == hand.ack().made.mss


# Option loops and truncation: FreeRTOS+TCP, AMNESIA:33.


@pytest.mark.parametrize(
    "raw", ["0200", "0201", "00", "0800ffff", "fd00", "01" * 40, "02" * 40, "ff" * 40]
)
def test_option_loops_end(family, raw):
    """Length 0 or 1, beyond the end, all NOPs: answered once, without hanging."""
    hand = Hand(None, family=family)
    assert "REPLY_SYN_ACK" == hand.syn(opts=(("raw", raw),)).reason


def test_truncated_packets_are_dropped_at_every_length(family):
    """From nothing to one byte short: never an answer, never an error."""
    hand = Hand(None, family=family)
    whole = hand.packet(flags="S", seq=IRS, opts=ALL_OPTIONS).encode()
    for size in range(len(whole)):
        verdict = hand.engine.packet(whole[:size], hand.now)
        assert verdict.kind in (syncache.Kind.DROP, syncache.Kind.PASS), size
    assert [] == hand.entries


@pytest.mark.parametrize("doff", range(16))
def test_truncated_header_by_its_own_account_is_dropped(family, doff):
    """A data offset below 5, or beyond the packet."""
    hand = Hand(None, family=family)
    answer = hand.send(hand.packet(flags="S", seq=IRS, doff=doff, opts=()))
    assert ("REPLY_SYN_ACK" if doff == 5 else "DROP_TCP_HEADER") == answer.reason


# SYN-ACK that cannot be sent: FreeBSD's ENOBUFS paths.


def test_enobufs_entry_goes_and_its_cookie_may_still_finish(family):
    """Once the endpoint has overflowed, the number that was sent is good."""
    hand = Hand(None, ONE_BUCKET, family=family)
    flood(hand, 10)
    reply = hand.engine.packet(hand.packet(flags="S", seq=IRS).encode(), hand.now).reply
    assert reply is not None
    before = len(hand.entries)
    hand.engine.unsent(reply)
    assert before - 1 == len(hand.entries)
    hand.iss[1] = reply.seq
    assert "ACCEPT_COOKIE" == hand.ack().reason


# Half-open kill: Linux 6.18, and FreeBSD before 2025.


@pytest.mark.parametrize("opts", [ALL_OPTIONS, (), (("ts", 1, 0),)])
def test_blind_syn_never_removes_or_alters_an_entry(family, opts):
    """Any number but the peer's own: the entry is what it was, and completes."""
    hand = Hand(None, family=family)
    iss = hand.syn(opts=ALL_OPTIONS).sent.seq
    before = hand.entries
    rng = random.Random(1)
    for _ in range(200):
        hand.syn(seq=rng.choice([IRS + 1, IRS - 1, rng.getrandbits(32)]), opts=opts)
        assert before == hand.entries
    good = {"seq": IRS + 1, "ack": iss + 1 & MASK32}
    assert "ACCEPT_CACHE" == hand.ack(**good, opts=(("ts", 101, 0),)).reason


def test_blind_ack_rst_and_icmp_never_remove_an_entry(family):
    """Without the numbers nothing can be ended."""
    hand = Hand(None, family=family)
    hand.syn()
    rng = random.Random(2)
    for _ in range(200):
        guess = rng.getrandbits(32)
        hand.ack(dack=guess or 1)
        hand.ack(dseq=guess or 1, dack=guess or 1)
        hand.rst(dseq=guess or 1)
        hand.icmp(dseq=guess or 1)
    assert "ACCEPT_CACHE" == hand.ack().reason


# Reflection.


def answers_of(hand, packets):
    """Packets and bytes that leave within a minute, for packets that arrive."""
    out = [hand.send(packet).packet for packet in packets]
    out += [packet for _, packet in hand.run(60_000)]
    sizes = [len(packet.encode()) for packet in out if packet is not None]
    return len(sizes), sum(sizes)


@pytest.mark.parametrize(
    ("tune", "most"), [({}, 4), (COOKIES_ONLY, 1), ({"syncache.rexmtlimit": 0}, 1)]
)
def test_reflection_packets_out_for_a_spoofed_syn(family, tune, most):
    """4 at the default, 1 by cookie; in bytes at most 4.4 times a bare SYN."""
    hand = Hand(None, tune, family=family)
    syn = hand.packet(flags="S", seq=IRS)
    count, size = answers_of(hand, [syn])
    assert most == count
    assert size <= 1.1 * most * len(syn.encode())


def test_reflection_repeating_the_syn_gains_nothing(family):
    """Duplicates draw one answer each, eight at most, and refill no budget."""
    hand = Hand(None, family=family)
    syn = hand.packet(flags="S", seq=IRS)
    count, _ = answers_of(hand, [syn] * 100)
    assert 1 + 8 + 3 == count


def test_reflection_every_other_kind_draws_at_most_one(family):
    """ACKs, RSTs and SYN|ACKs of nobody."""
    for flags in ("A", "R", "SA", "F", "FA", "", "RA"):
        hand = Hand(None, family=family)
        count, _ = answers_of(hand, [hand.packet(flags=flags, seq=1, ack=1)])
        assert count <= 1, flags


# One engine at a time: DragonFly DF-0484.


def test_shared_scratch_two_engines_do_not_disturb_each_other():
    """Interleaved, each answers as it does alone: nothing is global."""
    alone = [Hand(None, family=4).syn(n).sent for n in range(50)]
    one, two = Hand(None, family=4), Hand(None, COOKIES_ONLY, family=6)
    mixed = []
    for n in range(50):
        mixed.append(one.syn(n).sent)
        two.syn(n)
        two.ack(n)
    fresh = Hand(None, family=4)
    assert [fresh.syn(n).sent for n in range(50)] == mixed
    assert alone == mixed


def test_shared_scratch_threads_with_engines_refuse_no_honest_cookie():
    """Four threads, each with its engine: no cookie fails."""
    from concurrent.futures import ThreadPoolExecutor

    def handshakes(_):
        hand = Hand(None, COOKIES_ONLY)
        for peer in range(200):
            hand.syn(peer)
        return [hand.ack(peer).reason for peer in range(200)]

    with ThreadPoolExecutor(4) as pool:
        reasons = [r for found in pool.map(handshakes, range(4)) for r in found]
    assert {"ACCEPT_COOKIE"} == set(reasons)
