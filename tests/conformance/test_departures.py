"""The thirteen departures of the design, under defaults: the better behaviour.

Each is a twin of statements that the freebsd preset keeps; what FreeBSD does instead
stands in test_statements_*.py and, where it is short, here beside it.
"""

from __future__ import annotations

import pytest

import syncache
from tests.conformance.hand import ALL_OPTIONS, IRS, PORT, SEED, Hand
from tests.model import option

SMALL: dict[str, int | str] = {"syncache.hashsize": 1, "syncache.bucketlimit": 3}
COOKIES_ONLY: dict[str, int | str] = {"syncookies_only": 1}


def fill(hand, *, peers, first=1, opts=(("mss", 1460),)):
    """Send SYNs of as many peers."""
    for peer in range(first, first + peers):
        hand.syn(peer, opts=opts)


def test_departure_01_bucket_choice_hangs_on_a_key():
    """Another key, other collisions: who is evicted cannot be computed outside."""
    evicted = set()
    for seed in range(6):
        sysctl = syncache.Sysctl({"net.inet.tcp.syncache.hashsize": 4})
        sysctl["net.inet.tcp.syncache.bucketlimit"] = 2
        hand = Hand(None)
        hand.engine = syncache.Syncache(sysctl, seed=bytes([seed]) * 16)
        hand.engine.listen(PORT, "198.51.100.7")
        fill(hand, peers=8)
        evicted.add(frozenset(range(1, 9)) - frozenset(hand.peers()))
    assert 2 < len(evicted)


def test_departure_01_local_address_is_hashed():
    """Two local addresses spread over the buckets instead of sharing one."""
    sysctl = syncache.Sysctl({"net.inet.tcp.syncache.hashsize": 256})
    sysctl["net.inet.tcp.syncache.bucketlimit"] = 1
    engine = syncache.Syncache(sysctl, seed=SEED)
    hand = Hand()
    stored = 0
    for host in range(1, 33):
        address = f"198.51.100.{host}"
        engine.listen(PORT, address)
        packet = hand.packet(1, dst=address, flags="S").encode()
        engine.packet(packet, 1.0)
        stored = len(engine.half_open())
    assert 20 < stored


def test_departure_02_full_bucket_evicts_without_a_pause():
    """One bad bucket does not flip the machine; the victim's cookie lets it in."""
    hand = Hand(None, SMALL)
    for peer in range(1, 5):
        hand.syn(peer)
        hand.run(400)
    assert {2, 3, 4} == hand.peers()
    hand.run(1500)
    assert not hand.engine.paused
    assert "ACCEPT_COOKIE" == hand.ack(1).reason
    assert "ACCEPT_CACHE" == hand.ack(4).reason


def flood(hand, *, seconds, rate=10, first=100):
    """SYNs of new peers, evenly spread."""
    for number in range(seconds * rate):
        hand.syn(first + number)
        hand.run(1000 // rate)


def test_departure_02_pause_when_victims_are_young():
    """Ten SYNs a second through three places: entries live 0.3 s, so no more."""
    hand = Hand(None, SMALL)
    flood(hand, seconds=2)
    assert hand.engine.paused
    assert "REPLY_SYN_COOKIE" == hand.syn(7).reason
    assert "ACCEPT_COOKIE" == hand.ack(7).reason


def test_departure_02_pause_goes_on_matching_the_entries_it_has():
    """Entries complete and are sent again while insertion is paused."""
    hand = Hand(None, SMALL)
    flood(hand, seconds=1)
    hand.run(1)
    assert hand.engine.paused
    kept = sorted(hand.peers())
    assert "ACCEPT_CACHE" == hand.ack(kept[-1]).reason
    assert [] != hand.run(1100)
    assert 0 == hand.counters()["purged"]


def test_departure_02_pause_ends_when_the_rate_falls():
    """Five quiet seconds, not fifteen; and fifteen at most under attack."""
    hand = Hand(None, SMALL)
    flood(hand, seconds=2)
    hand.run(6000)
    assert not hand.engine.paused
    assert "REPLY_SYN_ACK" == hand.syn(9).reason


def cookie_connects(hand, peer, **where):
    """Does a cookie handshake of this peer succeed."""
    hand.rst(peer, **where)
    return "ACCEPT_COOKIE" == hand.ack(peer, **where).reason


def test_departure_03_gate_is_the_endpoints():
    """An eviction opens its own port for twice the lifetime, no other."""
    hand = Hand(None, {**SMALL, "x.cookie_ts": "off"})
    hand.engine.listen(81, "198.51.100.7")
    fill(hand, peers=4)
    hand.syn(5, dport=81)  # evicts peer 2: port 80's
    assert "ACCEPT_COOKIE" == hand.ack(1).reason
    assert not cookie_connects(hand, 5, dport=81)
    hand.run(63_000)
    hand.syn(6)
    assert cookie_connects(hand, 6)
    hand.run(2_000)
    hand.syn(7)
    assert not cookie_connects(hand, 7)


def test_departure_03_stateless_answer_opens_the_gate():
    """Where cachelimit leaves no room, the cookie handed out is honoured."""
    hand = Hand(None, {"syncache.hashsize": 1024, "syncache.cachelimit": 1})
    hand.syn(1)
    assert "REPLY_SYN_COOKIE" == hand.syn(2).reason
    assert "ACCEPT_COOKIE" == hand.ack(2).reason


def test_departure_04_no_ecn_in_a_cookie_syn_ack():
    """Nothing negotiated that is lost; what an evicted SYN-ACK said is echoed."""
    hand = Hand(None, COOKIES_ONLY)
    assert "SA" == hand.syn(flags="SEW").sent.flags
    assert "echo" == hand.ack().made.ecn
    freebsd = Hand("freebsd", COOKIES_ONLY)
    assert "SAE" == freebsd.syn(flags="SEW").sent.flags
    assert "none" == freebsd.ack().made.ecn


def test_departure_05_refused_offer_leaves_the_entry_and_its_timer():
    """No room now: the next SYN-ACK draws another ACK, which may find room."""
    hand = Hand(None)
    hand.syn()
    hand.engine.accepted(hand.ack().made, ok=False)
    assert 1 == len(hand.entries)
    assert [1000] == [at for at, _ in hand.run(1000)]
    conn = hand.ack().made
    hand.engine.accepted(conn, 5)
    assert [] == hand.entries
    answer = hand.ack(payload=b"x")
    assert ("PASS_KNOWN", 5) == (answer.reason, answer.handle)


def test_departure_05_offered_tuple_belongs_to_the_stack():
    """Later segments of an offered handshake pass; nothing is sent again."""
    hand = Hand(None)
    hand.syn()
    hand.ack()
    assert "PASS_OFFERED" == hand.ack(payload=b"x").reason
    assert [] == hand.run(4_900)


def test_departure_05_unanswered_offer_counts_as_refused():
    """After x.offer_timeout; the entry goes on."""
    hand = Hand(None)
    hand.syn()
    hand.ack()
    hand.moved()
    hand.run(5_000)
    assert 1 == hand.moved()["offer_timeout"]
    assert "ACCEPT_CACHE" == hand.ack().reason


def test_departure_05_late_acceptance_after_an_eviction_counts():
    """`accepted` matches the handshake, not the entry."""
    hand = Hand(None, SMALL)
    hand.syn(1)
    conn = hand.ack(1).made
    fill(hand, peers=4, first=2)
    assert 1 not in hand.peers()
    hand.engine.accepted(conn, 9)
    assert ("PASS_KNOWN", 9) == (hand.ack(1).reason, hand.ack(1).handle)


def test_departure_05_validated_entry_ends_with_a_rst():
    """The peer thinks that it is connected: it is told, once."""
    hand = Hand(None)
    hand.syn()
    hand.engine.accepted(hand.ack().made, ok=False)
    sent = hand.run(16_000)
    assert ["SA", "SA", "SA", "R"] == [packet.flags for _, packet in sent]
    assert hand.iss[1] + 1 == sent[-1][1].seq


def test_departure_05_refused_cookie_stays_unredeemed():
    """The same ACK, later, finds room."""
    hand = Hand(None, COOKIES_ONLY)
    hand.syn()
    hand.engine.accepted(hand.ack().made, ok=False)
    assert "ACCEPT_COOKIE" == hand.ack().reason


def test_departure_06_duplicate_syns_are_answered_eight_times():
    """And neither re-arm the timer nor refill the budget."""
    hand = Hand(None)
    hand.syn()
    reasons = [hand.syn().reason for _ in range(10)]
    assert ["REPLY_DUPSYN"] * 8 + ["DROP_DUPSYN_LIMIT"] * 2 == reasons
    assert [1000, 3200, 7400] == [at for at, _ in hand.run(15_700)]
    assert [] == hand.entries


def test_departure_06_other_isn_never_touches_the_entry():
    """It is answered with the cookie of its own ISN; both may complete."""
    for first, via in ((IRS, "cache"), (IRS + 7777, "cookie")):
        hand = Hand(None)
        hand.syn(opts=ALL_OPTIONS)
        before = hand.entries
        iss = hand.iss[1]
        answer = hand.syn(seq=IRS + 7777)
        assert ("REPLY_OTHER_ISN", IRS + 7778) == (answer.reason, answer.sent.ack)
        assert before == hand.entries
        if via == "cache":
            hand.isn[1], hand.iss[1] = IRS, iss
        conn = hand.ack().made
        assert (via, first) == (conn.via, conn.irs)
    assert [] == hand.entries
    assert 1 == hand.counters()["cookie_over_entry"]


def test_departure_07_replayed_ack_is_refused(family):
    """Once accepted, a handshake cannot be made again by its ACK, cached or not."""
    for tune in (SMALL, COOKIES_ONLY):
        hand = Hand(None, {**tune, "x.cookie_gate": "always"}, family=family)
        conn = hand.handshake()
        hand.engine.closed(conn)
        hand.moved()
        assert "REPLY_RST" == hand.ack().reason
        assert 1 == hand.moved()["replayed"]
    freebsd = Hand("freebsd", COOKIES_ONLY, family=family)
    freebsd.engine.closed(freebsd.handshake())
    assert "ACCEPT_COOKIE" == freebsd.ack().reason


@pytest.mark.parametrize(
    ("age_ms", "ok"), [(0, True), (-1000, True), (-1001, False), (5000, True)]
)
def test_departure_08_tsecr_of_a_cookie_ack_is_checked(age_ms, ok):
    """Age of the echoed TSval between -skew and twice the lifetime."""
    hand = Hand(None, COOKIES_ONLY)
    sent = hand.syn(opts=ALL_OPTIONS).sent
    tsval = option.read(sent.options, syn=True).ts[0]
    answer = hand.ack(opts=(("ts", 101, (tsval - age_ms) & 0xFFFFFFFF),))
    assert ("ACCEPT_COOKIE" if ok else "REPLY_RST") == answer.reason
    assert (not ok) == hand.counters()["ts_refused"]


@pytest.mark.parametrize(("excess_ms", "ok"), [(0, True), (1, False)])
def test_departure_08_tsecr_may_be_two_lifetimes_old(excess_ms, ok):
    """The longest that a cookie can live."""
    hand = Hand(None, COOKIES_ONLY)
    sent = hand.syn(opts=ALL_OPTIONS).sent
    tsecr = option.read(sent.options, syn=True).ts[0] - 64_000 - excess_ms
    answer = hand.ack(opts=(("ts", 101, tsecr & 0xFFFFFFFF),))
    assert ("ACCEPT_COOKIE" if ok else "REPLY_RST") == answer.reason


def test_departure_08_timestamps_may_be_required():
    """`require` refuses an ACK without; `auto` does so while cookies fail by masses."""
    hand = Hand(None, {**COOKIES_ONLY, "x.cookie_ts": "require"})
    hand.syn(opts=ALL_OPTIONS)
    assert "REPLY_RST" == hand.ack().reason
    hand = Hand(None, {**COOKIES_ONLY, "x.cookie_ts": "auto", "x.rst_limit": 0})
    hand.syn()
    hand.syn(2)
    assert "ACCEPT_COOKIE" == hand.ack(2).reason
    for _ in range(1002):
        hand.ack(dack=1)
    assert "REPLY_RST" == hand.ack().reason
    hand.run(2001)
    assert "ACCEPT_COOKIE" == hand.ack().reason


@pytest.mark.parametrize(("phase_s", "life_s"), [(0, 64), (31, 33)])
def test_departure_09_cookie_lives_32_to_64_seconds(phase_s, life_s):
    """Two key periods less the phase."""
    for wait_s, ok in ((life_s - 1, True), (life_s, False)):
        hand = Hand(None, COOKIES_ONLY)
        hand.poll()
        hand.run(phase_s * 1000)
        hand.syn()
        hand.run(wait_s * 1000)
        assert ok == ("ACCEPT_COOKIE" == hand.ack().reason)


def test_departure_09_period_is_a_tunable():
    """x.cookie_lifetime=5: gone after ten seconds."""
    hand = Hand(None, {**COOKIES_ONLY, "x.cookie_lifetime": 5})
    hand.poll()
    hand.syn()
    hand.run(9_999)
    assert "ACCEPT_COOKIE" == hand.ack().reason
    hand.syn(2)
    hand.run(10_001)
    assert "DROP_COOKIE_DATA" == hand.ack(2).reason


@pytest.mark.parametrize(
    ("family_", "offered", "restored"),
    [
        (4, None, 536),
        (4, 215, 216),
        (4, 1300, 1300),
        (4, 1459, 1452),
        (4, 8960, 8960),
        (6, None, 1220),
        (6, 1300, 1220),
        (6, 1432, 1432),
        (6, 9000, 8940),
    ],
)
def test_departure_10_mss_tables_by_family(family_, offered, restored):
    """No option is the family's default; jumbo frames have an entry."""
    hand = Hand(None, COOKIES_ONLY, family=family_, listen={"mtu": 9000})
    hand.syn(opts=() if offered is None else (("mss", offered),))
    assert restored == hand.ack().made.mss


@pytest.mark.parametrize(
    ("offered", "restored"),
    [(None, None), (0, 0), (1, 0), (2, 2), (3, 2), (5, 4), (9, 8), (10, 10), (14, 10)],
)
def test_departure_10_scale_table(offered, restored):
    """none 0 2 4 6 7 8 10."""
    hand = Hand(None, COOKIES_ONLY)
    opts = () if offered is None else (("nop",), ("ws", offered))
    hand.syn(opts=opts)
    assert restored == hand.ack().made.snd_wscale


def test_departure_10_our_own_scale_is_covered():
    """The buffer limit changed in between: the SYN-ACK's scale counts, for a while."""
    hand = Hand(None, COOKIES_ONLY)
    hand.syn(1, opts=ALL_OPTIONS)
    hand.syn(2, opts=ALL_OPTIONS)
    hand.set("kern.ipc.maxsockbuf", 262_144)
    assert 6 == hand.ack(1).made.rcv_wscale
    hand.syn(3, opts=ALL_OPTIONS)
    assert 3 == hand.ack(3).made.rcv_wscale
    hand.run(32_001)
    assert "DROP_COOKIE_DATA" == hand.ack(2).reason
    freebsd = Hand("freebsd", COOKIES_ONLY)
    freebsd.syn(opts=ALL_OPTIONS)
    freebsd.set("kern.ipc.maxsockbuf", 262_144)
    assert 3 == freebsd.ack().made.rcv_wscale


@pytest.mark.parametrize("wrong", [500, 0, 1 << 23])
def test_departure_11_wrong_tunable_raises_and_changes_nothing(wrong):
    """No silent fall back to 512."""
    sysctl = syncache.Sysctl()
    before = dict(sysctl)
    with pytest.raises(ValueError, match="power of two"):
        sysctl["net.inet.tcp.syncache.hashsize"] = wrong
    assert before == dict(sysctl)


def test_departure_12_failing_data_is_dropped_silently():
    """The gate is open, the third ACK is lost: data from IRS+1 redeems the cookie."""
    hand = Hand(None, COOKIES_ONLY)
    hand.syn()
    later = hand.ack(dseq=100, payload=b"second segment")
    assert ("DROP_COOKIE_DATA", None) == (later.reason, later.packet)
    assert "ACCEPT_COOKIE" == hand.ack(payload=b"first segment").reason
    freebsd = Hand("freebsd", COOKIES_ONLY)
    freebsd.syn()
    assert "REPLY_RST" == freebsd.ack(dseq=100, payload=b"second").reason


def test_departure_12_failing_ack_without_a_live_key_draws_a_rst():
    """No segment of its sender's could redeem a cookie."""
    hand = Hand(None, COOKIES_ONLY)
    hand.syn()
    assert "REPLY_RST" == hand.ack(dack=1).reason


def test_departure_13_counters_tell_what_freebsd_cannot():
    """Evicted, answered without storing, paused, challenged, reset, refused."""
    hand = Hand(None, SMALL)
    flood(hand, seconds=2)
    hand.run(1000)
    kept = min(hand.peers())
    hand.syn(kept)
    hand.rst(kept, dseq=5)
    hand.ack(kept, dack=256)
    hand.ack(kept, dack=1)
    moved = hand.counters()
    for name in (
        "evicted",
        "cookie_only_synacks",
        "pauses",
        "paused_ms",
        "challenge_acks",
        "rst_sent",
        "cookie_bad_mac",
    ):
        assert moved[name] > 0, name
    freebsd = Hand("freebsd", SMALL)
    fill(freebsd, peers=5)
    freebsd.run(9_000)
    assert 3 == freebsd.counters()["purged"]
