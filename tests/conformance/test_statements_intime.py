"""Statement 61: FreeBSD 4.x, the ancestor of INtime's TCP stack, as a preset.

Six tunables, timers of 3 s, and cookies as that generation's documentation promises
them.  Left out: which entry a full cache evicts, which is another order there.
"""

from __future__ import annotations

import pytest

from tests.conformance.hand import ALL_OPTIONS, PORT, Hand
from tests.model import option

ONE_BUCKET = {"syncache.hashsize": 1, "syncache.bucketlimit": 2}
SIX = {
    "net.inet.tcp.syncookies": 1,
    "net.inet.tcp.syncache.hashsize": 512,
    "net.inet.tcp.syncache.bucketlimit": 30,
    "net.inet.tcp.syncache.cachelimit": 15_359,
    "net.inet.tcp.syncache.rexmtlimit": 3,
    "net.inet.tcp.syncache.count": 0,
}


def intime(family=4, tune=None):
    return Hand("intime", tune, family=family)


def evicted(family, **fields):
    """A hand whose peer 1 was evicted by two others."""
    hand = intime(family, ONE_BUCKET)
    for peer in (1, 2, 3):
        hand.syn(peer, **fields)
    assert {2, 3} == hand.peers()
    return hand


def test_statement_61_six_tunables_have_the_values_of_that_time():
    """cachelimit was computed and then decremented."""
    assert SIX == {name: intime().sysctl[name] for name in SIX}


def test_statement_61_timers(family):
    """Retransmissions at 3, 9 and 21 s, and the end at 45 s."""
    hand = intime(family)
    hand.syn()
    late = [
        at - want
        for (at, _), want in zip(hand.run(44_900), (3_000, 9_000, 21_000), strict=True)
    ]
    assert all(0 <= ms < 5 for ms in late)
    assert 1 == len(hand.entries)
    hand.run(110)
    assert [] == hand.entries
    assert 1 == hand.moved()["sc_stale"]


def test_statement_61_full_cache_is_counted(family):
    """cacheoverflow, and somebody makes room."""
    tune = {"syncache.hashsize": 1, "syncache.bucketlimit": 4, "syncache.cachelimit": 2}
    hand = intime(family, tune)
    for peer in (1, 2, 3):
        hand.syn(peer)
    assert {2, 3} == hand.peers()
    assert 1 == hand.moved()["sc_cacheoverflow"]


def test_statement_61_entry_keeps_the_syns_options_until_the_connection_is_made(family):
    """And is released then."""
    hand = intime(family)
    hand.syn(opts=ALL_OPTIONS)
    conn = hand.ack(opts=(("ts", 101, 0),)).made
    got = (conn.snd_wscale, conn.sack_permitted, conn.timestamps, conn.via)
    assert (7, True, True, "cache") == got
    assert [] == hand.entries


def test_statement_61_cookie_is_not_tried_while_there_is_an_entry(family):
    """An ACK that is wrong for the entry is refused, whatever cookie it may be."""
    hand = evicted(family)
    first = hand.iss[1]
    hand.syn(1, seq=0x777)
    assert {1, 3} == hand.peers()
    old = hand.ack(1, seq=0x12345679, ack=first + 1 & 0xFFFFFFFF)
    assert "REPLY_CHALLENGE_ACK" == old.reason


def test_statement_61_cookie_needs_an_eviction_before_it(family):
    """Without one even a genuine cookie draws a RST."""
    hand = intime(family)
    hand.syn()
    hand.rst()
    assert "REPLY_RST" == hand.ack().reason
    assert "ACCEPT_COOKIE" == evicted(family).ack(1).reason


@pytest.mark.parametrize(("after_ms", "good"), [(1_900, True), (4_100, False)])
def test_statement_61_cookie_is_good_for_four_seconds_at_most(family, after_ms, good):
    """Of that listener's eviction."""
    hand = evicted(family)
    hand.now_ms += after_ms
    assert good is (hand.ack(1).reason == "ACCEPT_COOKIE")


def test_statement_61_eviction_of_one_listener_opens_no_other(family):
    """The time of the eviction is the listener's own."""
    hand = intime(family, ONE_BUCKET)
    hand.engine.listen(PORT + 1, hand.packet().dst)
    hand.syn(1, dport=PORT + 1)
    hand.rst(1, dport=PORT + 1)
    for peer in (2, 3, 4):
        hand.syn(peer)
    assert "REPLY_RST" == hand.ack(1, dport=PORT + 1).reason
    assert "ACCEPT_COOKIE" == hand.ack(2).reason


@pytest.mark.parametrize(("mss", "kept"), [(535, 216), (1459, 536), (1460, 1460)])
def test_statement_61_cookie_keeps_the_mss_alone(family, mss, kept):
    """Window scale and SACK are gone; MSS is one of four."""
    hand = evicted(family, opts=(("mss", mss), ("ws", 7), ("sack_ok",)))
    conn = hand.ack(1).made
    path = {4: 1460, 6: 1440}[family]
    got = (conn.mss, conn.snd_wscale, conn.sack_permitted)
    assert (min(kept, path), None, False) == got


def test_statement_61_no_pause_begins(family):
    """The next SYN is stored, however many were evicted."""
    hand = intime(family, ONE_BUCKET)
    for peer in range(50):
        hand.syn(peer)
    assert not hand.engine.paused
    kinds = {o[0] for o in option.decode(hand.syn(99, opts=ALL_OPTIONS).sent.options)}
    assert {"mss", "ws", "sack_ok", "ts"} <= kinds
    assert 99 in hand.peers()
