"""Statement 61, and what INtime's help promises of its syncache: FreeBSD 4.x's.

The entry holds the options of the initial SYN and is released when the ACK makes the
connection; a cookie is tried only when no entry is found; a prior entry must have been
evicted; cookies of that generation lose window scale and SACK.
"""

from __future__ import annotations

import pytest

from tests.conformance.hand import ALL_OPTIONS, IRS, Hand
from tests.model import option

SMALL: dict[str, int | str] = {
    "syncache.hashsize": 1,
    "syncache.bucketlimit": 3,
    "syncache.cachelimit": 3,
}
SIX = {
    "net.inet.tcp.syncookies": 1,
    "net.inet.tcp.syncache.hashsize": 512,
    "net.inet.tcp.syncache.bucketlimit": 30,
    "net.inet.tcp.syncache.cachelimit": 15359,
    "net.inet.tcp.syncache.rexmtlimit": 3,
    "net.inet.tcp.syncache.count": 0,
}


def test_statement_61_the_six_tunables_read_as_documented():
    """cachelimit is 15359: computed, then decremented."""
    hand = Hand("intime")
    assert {name: hand.sysctl[name] for name in SIX} == SIX


def test_statement_61_cachelimit_stays_when_hashsize_changes():
    """It was computed before the overrides."""
    hand = Hand("intime", {"syncache.hashsize": 1024})
    assert 15359 == hand.sysctl["net.inet.tcp.syncache.cachelimit"]


def test_statement_61_timers(family):
    """SYN-ACKs again at 3, 9 and 21 s; stale at 45 s."""
    hand = Hand("intime", family=family)
    hand.syn()
    assert [3000, 9000, 21_000] == [at for at, _ in hand.run(44_999)]
    assert 1 == len(hand.entries)
    hand.run(1)
    assert [] == hand.entries
    assert 1 == hand.moved()["sc_stale"]


def test_statement_61_total_overflow_evicts_and_counts():
    """The cache is full, the bucket is not: an entry goes, cacheoverflow."""
    hand = Hand("intime", {**SMALL, "syncache.bucketlimit": 10})
    for peer in range(1, 5):
        hand.syn(peer)
    assert 1 == hand.moved()["sc_cacheoverflow"]
    assert {2, 3, 4} == hand.peers()
    assert not hand.engine.paused


@pytest.mark.parametrize(("wait", "ok"), [(0, True), (1900, True), (4001, False)])
def test_statement_61_cookie_within_four_seconds_of_an_eviction(wait, ok):
    """The listener's last eviction opens the door for 4 s, and a cookie lives so long.

    A key mints for 2 s and verifies for 4 s, so the worst phase allows 2 s.
    """
    hand = Hand("intime", SMALL)
    for peer in range(1, 5):
        hand.syn(peer)
    hand.run(wait)
    answer = hand.ack(1)
    assert ("ACCEPT_COOKIE" if ok else "REPLY_RST") == answer.reason


def test_statement_61_another_listener_stays_closed_to_cookies():
    """The eviction was on one listener; the other's cookies are not tried."""
    hand = Hand("intime", SMALL)
    hand.engine.listen(81, "198.51.100.7")
    hand.syn(9, dport=81)
    for peer in range(1, 5):
        hand.syn(peer)
    hand.run(1000)
    # The entry of port 81 was the oldest, so it was evicted: its port is open too.
    assert "ACCEPT_COOKIE" == hand.ack(9, dport=81).reason
    hand = Hand("intime", SMALL)
    hand.engine.listen(81, "198.51.100.7")
    for peer in range(1, 5):
        hand.syn(peer)
    assert "REPLY_RST" == hand.ack(1, dport=81).reason


def test_help_entry_holds_the_syns_options_until_the_connection(family):
    """What the SYN said is what the connection has; then the entry is gone."""
    hand = Hand("intime", family=family)
    hand.syn(opts=ALL_OPTIONS)
    (entry,) = hand.entries
    got = (entry.mss, entry.snd_wscale, entry.sack_permitted, entry.timestamps)
    assert (1460, 7, True, True) == got
    conn = hand.ack(opts=(("ts", 101, 0),)).made
    assert [] == hand.entries
    assert (IRS, 7, True) == (conn.irs, conn.snd_wscale, conn.timestamps)


def test_help_cookie_only_if_no_entry_is_found():
    """A wrong ACK for an entry is not tried as a cookie."""
    hand = Hand("intime", SMALL)
    for peer in range(1, 5):
        hand.syn(peer)
    other = hand.iss[1]
    hand.iss[4] = other
    assert "REPLY_RST" == hand.ack(4).reason
    assert 0 == hand.moved()["sc_bucketoverflow"] - 1
    assert {2, 3, 4} == hand.peers()


def test_help_cookie_without_eviction_is_refused():
    """A prior entry must have been evicted."""
    hand = Hand("intime")
    hand.syn()
    hand.rst()
    assert "REPLY_RST" == hand.ack().reason


def test_help_cookies_lose_scale_and_sack():
    """Only the MSS comes back; what cannot come back is not offered."""
    hand = Hand("intime", SMALL)
    for peer in range(1, 5):
        hand.syn(peer, opts=ALL_OPTIONS)
    conn = hand.ack(1).made
    got = (conn.via, conn.mss, conn.snd_wscale, conn.sack_permitted)
    assert ("cookie", 1460, None, False) == got


def test_stateless_syn_ack_offers_only_what_its_cookie_keeps():
    """Nothing stored: no window scale and no SACK in the SYN-ACK either."""
    hand = Hand("intime", {"syncookies_only": 1})
    sent = hand.syn(opts=ALL_OPTIONS).sent
    kinds = {o[0] for o in option.decode(sent.options)}
    assert not {"ws", "sack_ok"} & kinds


def test_accept_queue_full_is_silent():
    """A handshake without room is lost without a RST."""
    hand = Hand("intime")
    hand.syn()
    hand.engine.accepted(hand.ack().made, ok=False)
    assert [] == hand.run(50_000)
    assert 1 == hand.moved()["sc_aborted"]
