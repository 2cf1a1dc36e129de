"""RFC 4987: the defences against SYN floods, cache and cookies together."""

from __future__ import annotations

import pytest

from tests.conformance.hand import ALL_OPTIONS, Hand
from tests.model import option

ONE_BUCKET = {"syncache.hashsize": 1, "syncache.bucketlimit": 4}


def flood(hand, count, first=100):
    """SYNs of peers that never answer."""
    for peer in range(first, first + count):
        hand.syn(peer, opts=ALL_OPTIONS)


def test_s3_2_half_open_connections_are_bounded(family):
    """The backlog cannot be exhausted: memory is the same before and after."""
    hand = Hand(None, ONE_BUCKET, family=family)
    before = hand.engine.memory_bytes
    flood(hand, 1000)
    assert (4, before) == (len(hand.entries), hand.engine.memory_bytes)


def test_s3_3_timer_of_a_syn_received_connection_can_be_reduced(family):
    """rexmtlimit 0: one SYN-ACK, one second."""
    hand = Hand(None, {"syncache.rexmtlimit": 0}, family=family)
    hand.syn()
    assert [] == hand.run(1_004)
    assert [] == hand.entries


def test_s3_4_the_oldest_half_open_connection_is_recycled(family):
    """And the younger ones stay."""
    hand = Hand(None, ONE_BUCKET, family=family)
    flood(hand, 6, first=1)
    assert {3, 4, 5, 6} == hand.peers()


def test_s3_5_cache_keeps_every_option(family):
    """What an entry holds is what the SYN said, to the byte."""
    hand = Hand(None, family=family)
    hand.syn(opts=(("mss", 1357), ("ws", 5), ("sack_ok",), ("ts", 9, 0)))
    conn = hand.ack(opts=(("ts", 10, 0),)).made
    got = (conn.mss, conn.snd_wscale, conn.sack_permitted, conn.timestamps)
    assert (1357, 5, True, True) == got


def test_s3_6_cookie_keeps_what_it_can(family):
    """MSS and scale come back as the largest of a table that are not above."""
    hand = Hand(None, {"syncookies_only": 1}, family=family)
    hand.syn(opts=(("mss", 1357), ("ws", 5), ("sack_ok",)))
    conn = hand.ack().made
    smaller = {4: 1300, 6: 1220}[family]
    assert (smaller, 4, True) == (conn.mss, conn.snd_wscale, conn.sack_permitted)
    assert "cookie" == conn.via


def test_s3_6_cookie_keeps_no_state_for_an_unverified_peer(family):
    """Nothing is stored, and nothing is sent again."""
    hand = Hand(None, {"syncookies_only": 1}, family=family)
    flood(hand, 100)
    assert ([], []) == (hand.entries, hand.run(60_000))


def test_s3_6_cookie_does_not_lose_options_that_it_cannot_keep(family):
    """What is lost is not promised: layout mss offers neither scale nor SACK."""
    tune = {"syncookies_only": 1, "x.cookie_layout": "mss"}
    sent = Hand(None, tune, family=family).syn(opts=ALL_OPTIONS).sent
    kinds = {o[0] for o in option.decode(sent.options)}
    assert set() == kinds & {"ws", "sack_ok"}


@pytest.mark.parametrize("peer", range(1, 7))
def test_s3_7_hybrid_evicted_peers_still_come_in(family, peer):
    """By the cookie that their SYN-ACK was; those in the cache by their entry."""
    hand = Hand(None, ONE_BUCKET, family=family)
    flood(hand, 6, first=1)
    via = "cookie" if peer <= 2 else "cache"
    assert via == hand.ack(peer).made.via


def test_s3_7_hybrid_uses_no_cookie_before_an_overflow(family):
    """A genuine cookie without entry and without overflow is refused."""
    hand = Hand(None, family=family)
    hand.syn()
    hand.rst()
    assert "REPLY_RST" == hand.ack().reason
    assert 1 == hand.moved()["sc_spurcookie"]


def test_s4_no_entry_of_one_peer_is_lost_by_another_while_there_is_room(family):
    """A thousand SYNs in 512 buckets: every one is there."""
    hand = Hand(None, family=family)
    flood(hand, 1000)
    assert set(range(100, 1100)) == hand.peers()
