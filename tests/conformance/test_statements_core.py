"""Statements 1 to 19 of the specification: SYN, ACK, timer, overflow, cookies."""

from __future__ import annotations

import pytest

import syncache
from tests.conformance.hand import ALL_OPTIONS, IRS, PEER, PORT, WINDOW, Hand
from tests.model import option

KEYS = (bytes(range(16)), bytes(range(16, 32)))
FULL: dict[str, int | str] = {"syncache.hashsize": 1, "syncache.bucketlimit": 3}


def test_statement_01_syn_makes_one_entry_and_one_syn_ack(family):
    """A SYN is answered once, makes an entry, and no connection."""
    hand = Hand(family=family)
    answer = hand.syn()
    assert "REPLY_SYN_ACK" == answer.reason
    assert ("SA", IRS + 1) == (answer.sent.flags, answer.sent.ack)
    assert answer.conn is None
    assert 1 == len(hand.entries)
    assert {"sc_added": 1} == hand.moved()


def test_statement_02_good_ack_makes_the_connection(family):
    """The third segment makes a connection with what the SYN negotiated."""
    hand = Hand(family=family)
    hand.syn(opts=ALL_OPTIONS)
    hand.moved()
    conn = hand.ack(opts=(("ts", 101, 0),)).made
    hand.engine.accepted(conn, 7)
    assert (IRS, hand.iss[1]) == (conn.irs, conn.iss)
    assert (7, 6, True, True) == (
        conn.snd_wscale,
        conn.rcv_wscale,
        conn.sack_permitted,
        conn.timestamps,
    )
    assert 101 == conn.ts_recent
    assert {"sc_completed": 1, "accepts": 1} == hand.moved()
    assert [] == hand.entries


def test_statement_03_wrong_ack_draws_rst_and_keeps_the_entry(family):
    """A wrong SEG.ACK costs the peer nothing: entry and timer stay."""
    hand = Hand(family=family)
    hand.syn()
    before = hand.entries
    answer = hand.ack(dack=5)
    assert "REPLY_RST" == answer.reason
    assert ("R", hand.iss[1] + 6) == (answer.sent.flags, answer.sent.seq)
    assert [e.deadline for e in before] == [e.deadline for e in hand.entries]
    assert "ACCEPT_CACHE" == hand.ack().reason


@pytest.mark.parametrize("dseq", [-1, -1000, WINDOW, WINDOW + 1])
def test_statement_04_seq_outside_the_window_is_challenged(family, dseq):
    """SEG.SEQ at or left of IRS, or right of the window: one challenge ACK."""
    hand = Hand(family=family)
    hand.syn()
    answer = hand.ack(dseq=dseq)
    assert "REPLY_CHALLENGE_ACK" == answer.reason
    got = (answer.sent.flags, answer.sent.seq, answer.sent.ack)
    assert ("A", hand.iss[1] + 1, IRS + 1) == got
    assert 1 == len(hand.entries)


def test_statement_04_seq_at_the_windows_end_passes(family):
    """SEG.SEQ = IRS + window is inside."""
    hand = Hand(family=family)
    hand.syn()
    assert "ACCEPT_CACHE" == hand.ack(dseq=WINDOW - 1).reason


def test_statement_05_cookie_without_overflow_draws_rst(family):
    """A genuine cookie is not tried while the cache copes."""
    hand = Hand(family=family)
    hand.syn()
    hand.rst()
    hand.moved()
    assert "REPLY_RST" == hand.ack().reason
    assert {"sc_spurcookie": 1, "rst_sent": 1} == hand.moved()


def test_statement_06_retransmissions_and_expiry(family):
    """SYN-ACKs again at 1.0, 3.2 and 7.4 s with one seq; gone at 15.6 s."""
    hand = Hand(family=family)
    iss = hand.syn().sent.seq
    sent = hand.run(15_599)
    assert [1000, 3200, 7400] == [at for at, _ in sent]
    assert {iss} == {packet.seq for _, packet in sent}
    assert 1 == len(hand.entries)
    assert [] == hand.run(2)
    assert [] == hand.entries
    moved = hand.moved()
    assert (3, 1) == (moved["sc_retransmitted"], moved["sc_stale"])


def test_statement_07_rexmtlimit_zero_expires_at_one_second():
    """rexmtlimit 0: nothing again, stale after a second."""
    hand = Hand(tune={"syncache.rexmtlimit": 0})
    hand.syn()
    assert [] == hand.run(999)
    assert 1 == len(hand.entries)
    assert [] == hand.run(1)
    assert [] == hand.entries
    assert 1 == hand.moved()["sc_stale"]


def test_statement_07_rexmtlimit_above_twelve_is_refused():
    """13 is refused and changes nothing, 12 is taken."""
    hand = Hand()
    with pytest.raises(ValueError, match="12"):
        hand.set("syncache.rexmtlimit", 13)
    assert 3 == hand.sysctl["net.inet.tcp.syncache.rexmtlimit"]
    hand.set("syncache.rexmtlimit", 12)
    assert 12 == hand.sysctl["net.inet.tcp.syncache.rexmtlimit"]


def test_statement_08_full_bucket_evicts_its_oldest(family):
    """The oldest inserted goes, even if a duplicate SYN came for it since."""
    hand = Hand(tune={**FULL, "syncookies": 0}, family=family)
    for peer in (1, 2, 3):
        hand.syn(peer)
    hand.syn(1)
    assert "REPLY_SYN_ACK" == hand.syn(4).reason
    assert {2, 3, 4} == hand.peers()
    hand.syn(5)
    assert {3, 4, 5} == hand.peers()


def test_statement_09_overflow_begins_a_pause():
    """The first full bucket: cookies only from then on, counted once."""
    hand = Hand(tune=FULL)
    for peer in range(1, 5):
        hand.syn(peer)
    assert hand.engine.paused
    moved = hand.moved()
    assert (1, 1) == (moved["sc_bucketoverflow"], moved["pauses"])
    answer = hand.syn(5)
    assert "REPLY_SYN_COOKIE" == answer.reason
    assert {2, 3, 4} == hand.peers()
    assert {"cookie_only_synacks": 1} == hand.moved()


def test_statement_10_without_cookies_no_pause_and_a_rst():
    """syncookies=0: every eviction counts, and the evicted peer is lost."""
    hand = Hand(tune={**FULL, "syncookies": 0})
    for peer in range(1, 9):
        hand.syn(peer)
    assert not hand.engine.paused
    assert 5 == hand.moved()["sc_bucketoverflow"]
    assert "REPLY_RST" == hand.ack(1).reason
    assert "ACCEPT_CACHE" == hand.ack(8).reason


@pytest.mark.parametrize("peer", [1, 3, 9], ids=["evicted", "cached", "fresh"])
def test_statement_11_cookies_complete_during_a_pause(family, peer):
    """While paused every ACK is a cookie's, whatever its SYN met."""
    hand = Hand(tune=FULL, family=family)
    for syn in (1, 2, 3, 4, 9):
        hand.syn(syn)
    hand.moved()
    assert "ACCEPT_COOKIE" == hand.ack(peer).reason
    assert {"sc_recvcookie": 1} == hand.moved()


ALTERED = {
    "address": {"src": "192.0.2.77"},
    "port": {"sport": 60000},
    "irs": {"dseq": 1},
    "ack": {"dack": 1},
    "both": {"dseq": 3, "dack": 3},
}


@pytest.mark.parametrize("change", ALTERED.values(), ids=ALTERED)
def test_statement_12_altered_tuple_or_isn_fails(change):
    """A cookie is good for its own tuple and ISN only."""
    hand = Hand(tune={"syncookies_only": 1})
    hand.syn()
    assert "REPLY_RST" == hand.ack(**change).reason
    assert "ACCEPT_COOKIE" == hand.ack().reason


def test_statement_12_altered_local_end_fails():
    """The local address and port are part of it too."""
    hand = Hand(tune={"syncookies_only": 1})
    hand.engine.listen(PORT + 1, "198.51.100.7")
    hand.engine.listen(PORT, "198.51.100.8")
    hand.syn()
    assert "REPLY_RST" == hand.ack(dport=PORT + 1).reason
    assert "REPLY_RST" == hand.ack(dst="198.51.100.8").reason


@pytest.mark.parametrize("bit", range(8))
def test_statement_12_altered_option_bits_fail(bit):
    """Each bit of the cookie byte is covered by the MAC: MSS, scale, SACK, parity."""
    hand = Hand(tune={"syncookies_only": 1})
    hand.syn(opts=ALL_OPTIONS)
    hand.iss[1] ^= 1 << bit
    assert "REPLY_RST" == hand.ack().reason


@pytest.mark.parametrize("phase_s", [0, 1, 7, 14])
def test_statement_13_life_is_two_periods_less_the_phase(phase_s):
    """Issued at phase p of 15 s, a cookie is good until 30 - p s, not after."""
    for wait_s, reason in ((30 - phase_s - 1, "ACCEPT_COOKIE"), (30 - phase_s, "RST")):
        hand = Hand(tune={"syncookies_only": 1})
        hand.poll()
        hand.run(phase_s * 1000)
        hand.syn()
        hand.run(wait_s * 1000)
        assert hand.ack().reason.endswith(reason)


A4 = ("192.0.2.1", 49152, "198.51.100.7", 80)
B4 = ("203.0.113.9", 1, "198.51.100.7", 65535)
A6 = ("2001:db8::1", 49152, "2001:db8::2", 443)
GOLDEN = [  # tuple, irs, (mss, ws, sack), parity, secmod, ISS, what comes back
    (A4, 0x12345678, (1460, 7, True), 0, 0, 0xA86B1952, (1460, 7, True)),
    (A4, 0x12345678, (1460, 7, True), 1, 0, 0x007E21FB, (1460, 7, True)),
    (A4, 0x12345678, (1460, None, False), 0, 5, 0x3FF6C9DF, (1460, None, False)),
    (A4, 0xFFFFFFFF, (None, 0, True), 0, 5, 0x71A62977, (216, 0, True)),
    (B4, 0, (8960, 14, True), 1, 511, 0x251B81DA, (1460, 8, True)),
    (A6, 0x12345678, (1440, 9, True), 0, 0, 0x018FF3BF, (1440, 8, True)),
    (A6, 0x12345678, (1220, 3, False), 1, 7, 0x6D600220, (1200, 2, False)),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda g: f"{g[5]:08x}")
def test_statement_14_golden_vectors(golden):
    """ISS and decoding of the specification's vectors."""
    ends, irs, options, parity, secmod, iss, restored = golden
    tup = syncache.FourTuple(*ends)
    offered = syncache.SynOptions(*options)
    made = syncache.Cookie.mint(
        KEYS[parity],
        tup,
        irs,
        offered,
        parity=parity,
        secmod=secmod,
        layout="freebsd",
    )
    assert iss == made
    seq, ack = (irs + 1) & 0xFFFFFFFF, (iss + 1) & 0xFFFFFFFF
    found = syncache.Cookie.check(KEYS, tup, seq, ack, secmod=secmod, layout="freebsd")
    assert syncache.SynOptions(*restored) == found


def test_statement_15_syncookies_only_works_alone(family):
    """syncookies_only=1 with syncookies=0: a cookie, and nothing stored."""
    hand = Hand(tune={"syncookies": 0, "syncookies_only": 1}, family=family)
    assert "REPLY_SYN_COOKIE" == hand.syn().reason
    assert [] == hand.entries
    assert {"cookie_only_synacks": 1} == hand.moved()
    assert "ACCEPT_COOKIE" == hand.ack().reason


def test_statement_16_cookies_only_never_retransmits():
    """What is not stored cannot be sent again."""
    hand = Hand(tune={"syncookies_only": 1})
    hand.syn()
    assert [] == hand.run(70_000)


def restored_options(opts):
    """Options that a handshake by cookie restores."""
    hand = Hand(tune={"syncookies_only": 1}, listen={"mtu": 9000})
    hand.syn(opts=opts)
    return hand.ack().made


@pytest.mark.parametrize(
    ("offered", "restored"),
    [
        (215, 216),
        (216, 216),
        (535, 216),
        (536, 536),
        (1199, 536),
        (1200, 1200),
        (1459, 1452),
        (1460, 1460),
        (9000, 1460),
        (None, 216),
    ],
)
def test_statement_17_mss_table(offered, restored):
    """The largest entry not above the offer; the floor below and without option."""
    opts = () if offered is None else (("mss", offered),)
    assert restored == restored_options(opts).mss


@pytest.mark.parametrize(
    ("offered", "restored"),
    [
        *((scale, scale) for scale in (None, 0, 1, 2, 4, 6, 7, 8)),
        *((3, 2), (5, 4), (9, 8), (14, 8)),
    ],
)
def test_statement_18_scale_table(offered, restored):
    """Scales none 0 1 2 4 6 7 8."""
    opts = (("mss", 1460),) if offered is None else (("nop",), ("ws", offered))
    assert restored == restored_options(opts).snd_wscale


def test_statement_19_timestamps_of_a_cookie_connection(family):
    """On iff the ACK carries them, and our TSval goes on where the SYN-ACK was."""
    hand = Hand(tune={"syncookies_only": 1}, family=family)
    sent = hand.syn(opts=ALL_OPTIONS).sent
    tsval = option.read(sent.options, syn=True).ts[0]
    conn = hand.ack(opts=(("ts", 101, tsval),)).made
    assert conn.timestamps
    assert 101 == conn.ts_recent
    assert tsval == (hand.now_ms + conn.ts_offset) & 0xFFFFFFFF
    hand.syn(2, opts=ALL_OPTIONS)
    assert not hand.ack(2).made.timestamps
    assert PEER[family] == conn.faddr
