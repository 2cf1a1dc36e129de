"""The tunable of each departure: the default beside the value that goes back.

Each test changes nothing but the departure's own tunable, so that it shows what that
one does; presets/freebsd.conf sets them all.  More of the default: test_departures.py.
"""

from __future__ import annotations

import pytest

import syncache
from tests.conformance.hand import ALL_OPTIONS, IRS, MASK32, Hand
from tests.model import option

ONE_BUCKET = {"syncache.hashsize": 1, "syncache.bucketlimit": 4}
COOKIES_ONLY = {"syncookies_only": 1}


def tsval_of(packet):
    """The TSval of a packet."""
    (stamps,) = (o for o in option.decode(packet.options) if o[0] == "ts")
    return stamps[1]


@pytest.mark.parametrize("preset", [None, "freebsd"])
def test_departure_01_bucket_depends_on_the_local_address(preset):
    """FreeBSD leaves it out; nobody can see that, so there is no switch."""
    tune = {"syncache.hashsize": 64, "syncache.bucketlimit": 1, "syncookies": 0}
    survivors = set()
    for local in range(1, 5):
        hand = Hand(preset, tune)
        hand.engine.listen(80, f"203.0.113.{local}")
        for peer in range(64):
            hand.syn(peer, dst=f"203.0.113.{local}")
        survivors.add(frozenset(hand.peers()))
    assert 4 == len(survivors)


@pytest.mark.parametrize(
    ("policy", "paused", "peers"),
    [("age", False, {2, 3, 4, 5}), ("bucket", True, None)],
)
def test_departure_02_full_bucket_evicts_and_does_not_pause(policy, paused, peers):
    """FreeBSD answers by cookie alone for 15 s once one bucket overflows."""
    hand = Hand(None, {**ONE_BUCKET, "x.pause_policy": policy})
    for peer in range(1, 6):
        hand.syn(peer)
    assert paused is hand.engine.paused
    if peers is not None:
        assert peers == hand.peers()
    assert ("REPLY_SYN_COOKIE" if paused else "REPLY_SYN_ACK") == hand.syn(9).reason


def test_departure_02_young_victims_pause_but_entries_still_match():
    """A flood that evicts within pause_age_ms stops insertion, and that alone."""
    hand = Hand(None, ONE_BUCKET)
    for step in range(40):
        for peer in range(5):
            hand.syn(100 + 5 * step + peer)
        hand.now_ms += 100
    assert hand.engine.paused
    before = hand.peers()
    assert "REPLY_SYN_COOKIE" == hand.syn(1).reason
    assert before == hand.peers()
    assert "ACCEPT_CACHE" == hand.ack(max(before)).reason


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ("endpoint", "ACCEPT_COOKIE"),
        ("always", "ACCEPT_COOKIE"),
        ("bucket", "REPLY_RST"),
    ],
)
def test_departure_03_cookie_given_out_is_honoured(gate, reason):
    """Full cache, empty bucket: FreeBSD's gate is of buckets that overflowed."""
    hand = Hand(None, {"syncache.cachelimit": 1, "x.cookie_gate": gate})
    hand.syn(1)
    assert "REPLY_SYN_COOKIE" == hand.syn(2).reason
    assert reason == hand.ack(2).reason


@pytest.mark.parametrize(
    ("told", "flags", "ecn"), [(0, "SA", "echo"), (1, "SAE", "none")]
)
def test_departure_04_no_ecn_where_nothing_is_stored(told, flags, ecn):
    """FreeBSD says ECE and never echoes; we say nothing, and echo what is marked."""
    hand = Hand(None, {**COOKIES_ONLY, "x.ecn_in_cookie": told})
    assert flags == hand.syn(flags="SEW").sent.flags
    assert ecn == hand.ack().made.ecn


def test_departure_05_refused_offer_keeps_its_entry_and_is_made_again(family):
    """A full accept queue costs the peer a second, not its connection."""
    hand = Hand(None, family=family)
    hand.syn()
    hand.engine.accepted(hand.ack().made, ok=False)
    assert ["SA"] == [packet.flags for _, packet in hand.run(1_010)]
    hand.engine.accepted(hand.ack().made, 1)
    assert "PASS_KNOWN" == hand.ack().reason


def test_departure_05_freebsd_resets_instead(family):
    """rst_on_sock_fail 1 and offer_timeout 0."""
    tune = {"syncache.rst_on_sock_fail": 1, "x.offer_timeout": 0}
    hand = Hand(None, tune, family=family)
    hand.syn()
    hand.engine.accepted(hand.ack().made, ok=False)
    assert [] == hand.entries
    assert ["R"] == [packet.flags for packet in hand.poll()]


@pytest.mark.parametrize(("limit", "answered"), [(8, 8), (3, 3), (0, 20)])
def test_departure_06_duplicate_syns_are_answered_so_often(limit, answered):
    """And do not move the timer; FreeBSD answers all, each with a new budget."""
    hand = Hand(None, {"x.dupsyn_limit": limit})
    hand.syn()
    hand.now_ms += 900
    reasons = [hand.syn().reason for _ in range(20)]
    assert answered == reasons.count("REPLY_DUPSYN")
    assert (1 if limit else 0) == len(hand.run(200))


@pytest.mark.parametrize(("limit", "acked"), [(8, IRS + 77), (0, IRS)])
def test_departure_06_another_isn_is_answered_with_its_own(limit, acked):
    """Its handshake can complete, and then replaces the entry."""
    hand = Hand(None, {"x.dupsyn_limit": limit})
    hand.syn()
    assert acked + 1 == hand.syn(seq=IRS + 77).sent.ack
    if limit:
        assert "cookie" == hand.ack().made.via
        assert [] == hand.entries


@pytest.mark.parametrize(
    ("entries", "reason"), [(65_536, "REPLY_RST"), (0, "ACCEPT_COOKIE")]
)
def test_departure_07_handshake_is_redeemed_once(entries, reason):
    """FreeBSD takes the ACK again while its key lives."""
    hand = Hand(None, {**COOKIES_ONLY, "x.replay_entries": entries})
    hand.syn()
    conn = hand.ack().made
    hand.engine.accepted(conn, 1)
    hand.engine.closed(conn)
    assert reason == hand.ack().reason


@pytest.mark.parametrize(
    ("policy", "strange", "none"),
    [
        ("check", "REPLY_RST", "ACCEPT_COOKIE"),
        ("auto", "REPLY_RST", "ACCEPT_COOKIE"),
        ("require", "REPLY_RST", "REPLY_RST"),
        ("off", "ACCEPT_COOKIE", "ACCEPT_COOKIE"),
    ],
)
def test_departure_08_echo_of_a_cookies_ack_is_checked(policy, strange, none):
    """FreeBSD does not look at TSecr."""
    hand = Hand(None, {**COOKIES_ONLY, "x.cookie_ts": policy})
    for peer, reason, opts in ((1, strange, 1 << 31), (2, none, None)):
        tsval = tsval_of(hand.syn(peer, opts=ALL_OPTIONS).sent)
        echo = () if opts is None else (("ts", 101, (tsval + opts) & MASK32),)
        assert reason == hand.ack(peer, opts=echo).reason


@pytest.mark.parametrize(
    ("lifetime", "after_s", "reason"),
    [
        (32, 63, "ACCEPT_COOKIE"),
        (32, 65, "DROP_COOKIE_DATA"),
        (15, 29, "ACCEPT_COOKIE"),
        (15, 31, "DROP_COOKIE_DATA"),
    ],
)
def test_departure_09_cookie_lives_so_long(lifetime, after_s, reason):
    """Minted as its period begins: two lifetimes."""
    hand = Hand(None, {**COOKIES_ONLY, "x.cookie_lifetime": lifetime})
    hand.syn()
    hand.now_ms += 1000 * after_s
    assert reason == hand.ack().reason


@pytest.mark.parametrize(
    ("layout", "mss", "wscale"),
    [
        ("wide", {4: 536, 6: 1220}, 10),
        ("freebsd", {4: 216, 6: 216}, 8),
        ("mss", {4: 536, 6: 536}, None),
    ],
)
def test_departure_10_what_a_cookie_keeps(family, layout, mss, wscale):
    """Of a SYN without MSS option and with the scale that Linux offers."""
    hand = Hand(None, {**COOKIES_ONLY, "x.cookie_layout": layout}, family=family)
    hand.syn(opts=(("ws", 10),))
    conn = hand.ack().made
    assert (mss[family], wscale) == (conn.mss, conn.snd_wscale)


def test_departure_11_wrong_tunable_is_refused_or_replaced():
    """FreeBSD warns and takes 512."""
    sysctl = syncache.Sysctl()
    with pytest.raises(ValueError, match="power of two"):
        sysctl["net.inet.tcp.syncache.hashsize"] = 500
    assert 512 == sysctl["net.inet.tcp.syncache.hashsize"]
    sysctl["net.inet.tcp.syncache.hashsize"] = 1024
    sysctl["net.inet.tcp.syncache.x.strict"] = 0
    with pytest.warns(RuntimeWarning, match="512"):
        sysctl["net.inet.tcp.syncache.hashsize"] = 500
    assert 512 == sysctl["net.inet.tcp.syncache.hashsize"]


@pytest.mark.parametrize(("rst", "reason"), [(0, "DROP_COOKIE_DATA"), (1, "REPLY_RST")])
def test_departure_12_data_without_a_cookie_is_dropped_in_silence(rst, reason):
    """Its first segment, sent again, redeems the cookie; so with an ACK behind it."""
    hand = Hand(None, {**COOKIES_ONLY, "x.failcookie_rst": rst})
    hand.syn()
    assert reason == hand.ack(dseq=100, payload=b"second").reason
    assert reason == hand.ack(dseq=100).reason
    assert "ACCEPT_COOKIE" == hand.ack(payload=b"first").reason


def test_departure_13_counters_tell_apart():
    """Evictions, answers without entry, challenges, RSTs, refusals by reason."""
    hand = Hand(None, ONE_BUCKET)
    for peer in range(1, 7):
        hand.syn(peer)
    hand.ack(6, dseq=-1)
    hand.ack(6, dack=1)
    hand.syn(6, seq=IRS + 5)
    moved = hand.moved()
    want = {"evicted": 2, "cookie_only_synacks": 1, "challenge_acks": 1, "rst_sent": 1}
    assert want == {name: moved.get(name) for name in want}
    refused = moved.get("cookie_bad_mac", 0) + moved.get("cookie_no_key", 0)
    assert 2 == refused == moved["sc_failcookie"]
