"""More of the intime preset than statement 61 says: what follows from FreeBSD 4.x.

The statement itself, and what INtime's help promises, is in test_statements_intime.py.
"""

from __future__ import annotations

from tests.conformance.hand import ALL_OPTIONS, Hand
from tests.model import option

SMALL: dict[str, int | str] = {
    "syncache.hashsize": 1,
    "syncache.bucketlimit": 3,
    "syncache.cachelimit": 3,
}


def test_statement_61_cachelimit_stays_when_hashsize_changes():
    """It was computed before the overrides."""
    hand = Hand("intime", {"syncache.hashsize": 1024})
    assert 15359 == hand.sysctl["net.inet.tcp.syncache.cachelimit"]


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
