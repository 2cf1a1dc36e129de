"""Statements 43 to 60: limits, failures, pauses, the gate, isolation, listing."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

import syncache
from tests.conformance import packetdrill
from tests.conformance.hand import ALL_OPTIONS, IRS, PORT, WINDOW, Hand
from tests.conformance.player import play
from tests.conformance.script import Expect, Shape

LISTEN = """
+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 5) = 0
"""
ONE_BUCKET: dict[str, int | str] = {
    "syncache.hashsize": 1,
    "syncache.bucketlimit": 3,
}


def played(text):
    """What goes wrong in a packetdrill script after listen()."""
    return play(packetdrill.read(LISTEN + text, "statement"))


def overflow(hand, *, peers=4):
    """Send SYNs until a bucket of three has overflowed."""
    for peer in range(1, peers + 1):
        hand.syn(peer)


@pytest.mark.parametrize("syncookies", [0, 1])
def test_statement_43_exhausted_cache_evicts_the_buckets_oldest(syncookies):
    """cachelimit reached, bucket not empty: its tail goes, and a pause if cookies."""
    tune = {**ONE_BUCKET, "syncache.cachelimit": 2, "syncookies": syncookies}
    hand = Hand(tune=tune)
    hand.syn(1)
    hand.syn(2)
    hand.moved()
    assert "REPLY_SYN_ACK" == hand.syn(3).reason
    assert {2, 3} == hand.peers()
    assert 1 == hand.moved()["sc_zonefail"]
    assert bool(syncookies) == hand.engine.paused


@pytest.mark.parametrize(
    ("syncookies", "reason"), [(1, "REPLY_SYN_COOKIE"), (0, "DROP_CACHE_FULL")]
)
def test_statement_44_exhausted_cache_and_empty_bucket(syncookies, reason):
    """Nothing to evict here: a cookie if they are on, else silence."""
    tune: dict[str, int | str] = {
        "syncache.hashsize": 1024,
        "syncache.cachelimit": 1,
        "syncookies": syncookies,
    }
    hand = Hand(tune=tune)
    hand.syn(1)
    hand.moved()
    assert reason == hand.syn(2).reason
    assert 1 == hand.moved()["sc_zonefail"]
    assert {1} == hand.peers()


def test_statement_45_first_syn_ack_that_cannot_be_sent_leaves_no_entry():
    """dropped, not added."""
    hand = Hand()
    reply = hand.engine.packet(hand.packet(flags="S").encode(), hand.now).reply
    hand.engine.unsent(reply)
    assert [] == hand.entries
    assert {"sc_dropped": 1} == hand.moved()


@pytest.mark.parametrize("how", ["duplicate", "timer"])
def test_statement_45_later_syn_ack_that_cannot_be_sent_removes_the_entry(how):
    """For a duplicate SYN's answer and for the timer's alike."""
    hand = Hand()
    hand.syn()
    if how == "duplicate":
        packet = hand.packet(flags="S", seq=IRS).encode()
        reply = hand.engine.packet(packet, hand.now).reply
    else:
        ((_, packet),) = hand.run(1000)
        reply = syncache.Segment.parse(packet.encode())
    hand.moved()
    hand.engine.unsent(reply)
    assert [] == hand.entries
    assert {"sc_dropped": 1} == hand.moved()


@pytest.mark.parametrize("rst", [0, 1])
def test_statement_46_no_room_for_the_connection(family, rst):
    """aborted and listendrop, the entry is gone; a RST if rst_on_sock_fail."""
    hand = Hand(tune={"syncache.rst_on_sock_fail": rst}, family=family)
    hand.syn()
    conn = hand.ack().made
    hand.moved()
    hand.engine.accepted(conn, ok=False)
    sent = hand.poll()
    assert [] == hand.entries
    moved = hand.moved()
    assert (1, 1) == (moved["sc_aborted"], moved["listendrop"])
    assert [("R", hand.iss[1] + 1)] * rst == [(p.flags, p.seq) for p in sent]


@pytest.mark.parametrize("wrong", [500, 0])
def test_statement_47_wrong_hashsize_falls_back_to_512(wrong):
    """Not a power of two: 512 and a warning (x.strict=0)."""
    sysctl = syncache.Sysctl()
    sysctl.preset("freebsd")
    with pytest.warns(RuntimeWarning, match="512"):
        sysctl["net.inet.tcp.syncache.hashsize"] = wrong
    assert 512 == sysctl["net.inet.tcp.syncache.hashsize"]


def test_statement_47_cachelimit_follows_hashsize_unless_set():
    """hashsize x bucketlimit; an explicit cachelimit wins."""
    sysctl = syncache.Sysctl()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sysctl["net.inet.tcp.syncache.hashsize"] = 1024
    assert 30720 == sysctl["net.inet.tcp.syncache.cachelimit"]
    sysctl["net.inet.tcp.syncache.cachelimit"] = 77
    sysctl["net.inet.tcp.syncache.hashsize"] = 2048
    assert 77 == sysctl["net.inet.tcp.syncache.cachelimit"]


@pytest.mark.parametrize("name", ["hashsize", "bucketlimit", "cachelimit", "count"])
def test_statement_48_boot_tunables_are_refused_after_the_start(name):
    """Written once an engine uses them: refused, unchanged."""
    hand = Hand()
    before = dict(hand.sysctl)
    with pytest.raises(PermissionError):
        hand.set(f"syncache.{name}", 64)
    assert before == dict(hand.sysctl)


def test_statement_49_pause_lengths_double():
    """15 30 60 120 240 480 960 960 s under attack; 15 again after a quiet spell."""
    hand = Hand(tune=ONE_BUCKET)
    lengths = []
    for _ in range(8):
        overflow(hand)
        assert hand.engine.paused
        start = hand.now_ms
        while hand.engine.paused:
            hand.run(1000)
        lengths.append((hand.now_ms - start) / 1000)
    assert [15, 30, 60, 120, 240, 480, 960, 960] == lengths
    hand.run(961_000)
    overflow(hand)
    hand.run(14_900)
    assert hand.engine.paused
    hand.run(100)
    assert not hand.engine.paused


def test_statement_50_a_pause_empties_the_cache():
    """Every entry is gone 8.2 s later, and not as stale, reset or dropped."""
    hand = Hand(tune={"syncache.hashsize": 4, "syncache.bucketlimit": 4})
    for peer in range(1, 40):
        hand.syn(peer)
    assert hand.engine.paused
    hand.moved()
    assert [] == hand.run(8_200)
    assert [] == hand.entries
    moved = hand.moved()
    assert {"purged"} == set(moved)


def test_statement_51_after_the_pause_syns_are_stored_again():
    """Not a moment before its end."""
    hand = Hand(tune=ONE_BUCKET)
    overflow(hand)
    hand.run(14_999)
    assert "REPLY_SYN_COOKIE" == hand.syn(7).reason
    hand.run(1)
    assert "REPLY_SYN_ACK" == hand.syn(8).reason


def test_statement_52_recency_gate():
    """A cookie of an overflowed bucket is tried for 15 s of whole seconds."""
    for seconds, reason in ((15, "ACCEPT_COOKIE"), (16, "REPLY_RST")):
        # The life of cookies is out of the way, and so is the pause.
        hand = Hand(tune={**ONE_BUCKET, "x.pause_policy": "none"})
        hand.run(15_000 * 3 - 1)  # cookies made just before a new key live 15 s only
        hand.run(1)
        overflow(hand)
        hand.run(seconds * 1000)
        assert reason == hand.ack(1).reason


def test_statement_53_same_ports_on_two_local_addresses_are_two_entries():
    """The local address is part of the tuple."""
    hand = Hand()
    hand.engine.listen(PORT, "198.51.100.8")
    assert "REPLY_SYN_ACK" == hand.syn().reason
    assert "REPLY_SYN_ACK" == hand.syn(dst="198.51.100.8").reason
    assert {"198.51.100.7", "198.51.100.8"} == {e.laddr for e in hand.entries}


def test_statement_54_families_do_not_meet():
    """An IPv4 entry is not found by the mapped IPv6 address, nor the other way."""
    hand = Hand()
    hand.engine.listen(PORT, "2001:db8::7")
    hand.syn()
    six = {"src": "::ffff:192.0.2.1", "dst": "2001:db8::7"}
    hand.moved()
    assert "ACCEPT" not in hand.ack(**six).reason
    assert "DROP_RST" != hand.rst(**six).reason
    assert 1 == len(hand.entries)
    assert "ACCEPT_CACHE" == hand.ack().reason


@pytest.mark.parametrize(("wait", "rxmits"), [(0, 1), (1000, 2), (3200, 3)])
def test_statement_55_connection_knows_of_retransmissions(wait, rxmits):
    """More than one SYN-ACK: the stack begins with one segment (RFC 5681 3.1)."""
    hand = Hand()
    hand.syn()
    hand.run(wait)
    assert rxmits == hand.ack().made.rxmits


def test_statement_55_window_of_one_segment_after_a_retransmission():
    """cwnd 1 makes the second segment wait for the first one's ACK."""
    script = """
    +0 < S 0:0(0) win 65535 <mss 1000>
    +0 > S. 0:0(0) ack 1 <mss 1460>
    {retransmission}
    +.1 < . 1:1(0) ack 1 win 65535
    +0 accept(3, ..., ...) = 4
    +0 write(4, ..., 2000) = 2000
    +0 > {first}. 1:1001(1000) ack 1
    {ack}
    +0 > P. 1001:2001(1000) ack 1
    """
    normal = script.format(retransmission="", ack="", first="")
    assert [] == played(normal)
    limited = script.format(
        retransmission="1.0 > S. 0:0(0) ack 1 <mss 1460>",
        ack="+.1 < . 1:1(0) ack 1001 win 65535",
        first="",
    )
    assert [] == played(limited)


def test_statement_56_count_equals_the_list_at_all_times():
    """The gauge, the list, and the sum of what came and went."""
    hand = Hand(tune={**ONE_BUCKET, "syncookies": 0})
    for step in range(60):
        peer = step * 7 % 11
        (hand.syn, hand.ack, hand.rst)[step % 3](peer)
        hand.run(step * 13 % 700)
        listed = len(hand.entries)
        assert 0 <= listed <= 3
        assert listed == hand.sysctl["net.inet.tcp.syncache.count"]
        now = hand.counters()
        left = sum(
            now[name]
            for name in ("sc_stale", "sc_reset", "sc_unreach", "sc_dropped", "evicted")
        )
        accepted = hand.engine.stats.verdicts[syncache.Reason.ACCEPT_CACHE]
        assert now["sc_added"] == left + accepted + listed


@pytest.mark.parametrize("irs", [0xFFFFFFFF, 0, 0x7FFFFFFF, 0x80000000])
def test_statement_57_sequence_numbers_wrap(family, irs):
    """Statements 2 to 5 and 23 to 25 where numbers wrap."""
    hand = Hand(family=family)
    assert (irs + 1) & 0xFFFFFFFF == hand.syn(seq=irs).sent.ack
    assert "REPLY_CHALLENGE_ACK" == hand.ack(dseq=-1).reason
    assert "REPLY_CHALLENGE_ACK" == hand.ack(dseq=WINDOW).reason
    assert "REPLY_RST" == hand.ack(dack=1).reason
    assert "DROP_RST_OUTSIDE" == hand.rst(dseq=-1).reason
    assert "REPLY_CHALLENGE_ACK" == hand.rst(dseq=WINDOW - 1).reason
    assert "DROP_RST_OUTSIDE" == hand.rst(dseq=WINDOW).reason
    assert "ACCEPT_CACHE" == hand.ack(dseq=WINDOW - 1).reason
    hand.syn(2, seq=irs)
    assert "DROP_RST" == hand.rst(2).reason


def test_statement_57_iss_wraps():
    """An ISS just below 2^32: its ACK is small, and completes."""
    hand = Hand(tune={"syncookies": 0})
    gap = (0xFFFFFFFF - hand.syn().sent.seq) & 0xFFFFFFFF
    hand.rst()
    # Without cookies an ISS rises by 250 a millisecond (RFC 6528): wait for the wrap.
    hand.now_ms += gap // 250
    left = 0xFFFFFFFF - hand.syn().sent.seq
    assert 0 <= left < 250
    assert "REPLY_CHALLENGE_ACK" == hand.rst(dseq=1).reason
    assert "ACCEPT_CACHE" == hand.ack().reason


TIME_WAIT = """
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
+0 close(4) = 0
+0 > F. 1:1(0) ack 1
+.1 < F. 1:1(0) ack 2 win 65535
* > . 2:2(0) ack 2
"""


def test_statement_58_syn_right_of_time_wait_replaces_the_connection():
    """Through the ordinary SYN path: one SYN-ACK with an ISS of its own."""
    case = "+1 < S 70000:70000(0) win 65535 <mss 1460>"
    script = packetdrill.read(LISTEN + TIME_WAIT + case, "statement 58")
    at = script.steps[-1].at
    fresh = Expect(at, at + 0.005, Shape("SA", seq=None, ack=70001, win=WINDOW))
    assert [] == play(replace(script, steps=(*script.steps, fresh)))


@pytest.mark.parametrize("seq", [1, 2])
def test_statement_58_syn_at_or_left_of_time_wait_does_not(seq):
    """It draws a challenge ACK, and TIME-WAIT goes on."""
    assert [] == played(
        f"""{TIME_WAIT}
        +1 < S {seq}:{seq}(0) win 65535 <mss 1460>
        +0 > . 2:2(0) ack 2
        """
    )


def test_statement_59_closed_listener_leaves_its_entries():
    """They go on to their end; the ACK finds a closed port."""
    hand = Hand()
    hand.syn()
    hand.endpoint.close()
    hand.moved()
    assert [1000] == [at for at, _ in hand.run(1_000)]
    assert "REPLY_RST" == hand.ack().reason
    hand.moved()
    assert [3200, 7400] == [at for at, _ in hand.run(15_000)]
    assert 1 == hand.moved()["sc_stale"]
    assert [] == hand.entries


def test_statement_59_a_new_listener_inherits_them():
    """The entry completes on whoever listens there now."""
    hand = Hand()
    hand.syn(opts=ALL_OPTIONS)
    hand.endpoint.close()
    heir = hand.engine.listen(PORT, "198.51.100.7")
    assert heir is hand.ack(opts=(("ts", 101, 0),)).made.endpoint


def test_statement_60_one_line_for_each_entry():
    """SYN_RECEIVED lines; none in cookies-only mode."""
    hand = Hand()
    for peer in (1, 2, 3):
        hand.syn(peer)
    assert 3 == len([e for e in hand.entries if "SYN_RECEIVED" in str(e)])
    hand = Hand(tune={"syncookies_only": 1})
    hand.syn()
    assert [] == hand.entries
