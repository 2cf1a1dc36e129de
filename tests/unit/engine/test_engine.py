"""Tests of `Syncache`: FreeBSD's packets through the whole core, every call."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from syncache import (
    FourTuple,
    Keyring,
    Kind,
    Reason,
    Ring,
    Segment,
    Syncache,
    Sysctl,
)
from syncache.keyring import Master
from syncache.options import Mss, SackPermitted, Timestamps, WindowScale, encode
from syncache.segment import ACK, RST, SYN

pytestmark = pytest.mark.isa

TESTS = Path(__file__).resolve().parents[2]
VECTORS = json.loads((TESTS / "vectors" / "freebsd-cookies.json").read_text())
PACKETS = VECTORS["packets"]["items"]
X = "net.inet.tcp.syncache.x."
CLIENT = {4: "192.0.2.1", 6: "2001:db8::1"}
SERVER = {4: "198.51.100.7", 6: "2001:db8::2"}
OPTIONS = (Mss(1460), SackPermitted(), Timestamps(1, 0), WindowScale(7))


def engine(seed, **arguments):
    return Syncache(seed=seed, **arguments)


def syn(family=4, *, sport=4242, dport=80, seq=1000, options=OPTIONS):
    return Segment(
        src=CLIENT[family],
        dst=SERVER[family],
        sport=sport,
        dport=dport,
        seq=seq,
        flags=SYN,
        window=65535,
        options_bytes=encode(options),
    )


def ack_of(synack, **changed):
    """The ACK that completes a handshake."""
    stamps = synack.timestamps
    options = (Timestamps(2, stamps.tsval),) if stamps else ()
    return synack.reply(ACK, window=512, options=options, **changed)


def handshake(syncache, now, **which):
    """Return the SYN-ACK and the verdict on the ACK."""
    synack = syncache.packet(syn(**which).packet(), now).reply
    return synack, syncache.packet(ack_of(synack).packet(), now)


def without_tsval(segment):
    """A segment as a value, with our TSval set to zero."""
    options = [
        Timestamps(0, option.tsecr) if isinstance(option, Timestamps) else option
        for option in segment.options
    ]
    return replace(segment, options_bytes=b""), options


@pytest.mark.parametrize("number", range(len(PACKETS)))
def test_freebsd_preset_answers_freebsds_packets(number, seed):
    """Each SYN draws FreeBSD's SYN-ACK: every byte, but for TSval and its checksum."""
    vector = PACKETS[number]
    sysctl = Sysctl()
    sysctl.preset("freebsd")
    sysctl[X + "secmod"] = int(vector["secmod"], 16)
    keys = bytes.fromhex(vector["key0"]), bytes.fromhex(vector["key1"])
    syncache = Syncache(
        sysctl, keys=Keyring.fixed(keys, epoch=vector["oddeven"]), seed=seed
    )
    request = Segment.parse(bytes.fromhex(vector["syn_packet_hex"]))
    syncache.listen(request.dport)
    verdict = syncache.packet(request.packet(), 1.0)
    assert (Kind.REPLY, Reason.REPLY_SYN_ACK) == (verdict.kind, verdict.reason)
    expected = bytes.fromhex(vector["synack_packet_hex"])
    parsed = Segment.parse(expected)
    assert without_tsval(parsed) == without_tsval(verdict.reply)
    if parsed.timestamps is None:
        assert expected == verdict.reply.packet()
    else:
        assert len(expected) == len(verdict.reply.packet())


def test_there_are_58_packets():
    """The file is whole."""
    assert 58 == len(PACKETS)


def test_handshake_is_offered_then_known(family, seed):
    """SYN, ACK, accepted(): later segments carry the stack's handle."""
    syncache = engine(seed)
    endpoint = syncache.listen(80, tag="web")
    synack, offer = handshake(syncache, 1.0, family=family)
    assert (Kind.ACCEPT, Reason.ACCEPT_CACHE) == (offer.kind, offer.reason)
    conn = offer.conn
    assert endpoint is conn.endpoint
    assert "web" == conn.endpoint.tag
    assert (CLIENT[family], 4242) == (conn.faddr, conn.fport)
    assert (SERVER[family], 80) == (conn.laddr, conn.lport)
    assert (synack.seq, 1000) == (conn.iss, conn.irs)
    assert (7, 6, True, True) == (
        conn.snd_wscale,
        conn.rcv_wscale,
        conn.sack_permitted,
        conn.timestamps,
    )
    assert ("cache", "none", 512 << 7) == (conn.via, conn.ecn, conn.peer_window)
    again = ack_of(synack).packet()
    assert Reason.PASS_OFFERED is syncache.packet(again, 1.0).reason
    syncache.accepted(conn, 2**64 - 1)
    known = syncache.packet(again, 1.0)
    assert (Reason.PASS_KNOWN, 2**64 - 1) == (known.reason, known.handle)
    syncache.closed(conn)
    assert Kind.REPLY is syncache.packet(again, 1.0).kind


def test_cookie_handshake_needs_no_entry(family, seed):
    """With syncookies_only nothing is stored, and the ACK brings all back."""
    syncache = engine(seed, sysctl=Sysctl({"net.inet.tcp.syncookies_only": 1}))
    syncache.listen(80)
    synack = syncache.packet(syn(family).packet(), 1.0).reply
    assert [] == syncache.half_open()
    offer = syncache.packet(ack_of(synack).packet(), 1.0)
    assert Reason.ACCEPT_COOKIE is offer.reason
    assert ("cookie", 7, True) == (
        offer.conn.via,
        offer.conn.snd_wscale,
        offer.conn.sack_permitted,
    )


def test_burst_agrees_with_packet(family, seed):
    """The two forms give the same bytes, verdicts and counters."""
    packets = [syn(family, sport=1000 + i).packet() for i in range(100)]
    packets += [packets[7], b"", bytes(60), packets[9][:30]]
    one, many = engine(seed), engine(seed)
    for each in (one, many):
        each.listen(80)
    rx, tx = Ring(), Ring()
    for packet in packets:
        rx.push(packet)
    verdicts = [one.packet(packet, 1.0) for packet in packets]
    assert len(packets) == many.burst(rx, tx, 1.0)
    assert [v.reason for v in verdicts] == [rx.verdict(i) for i in range(len(rx))]
    replies = [v.reply.packet() for v in verdicts if v.reply is not None]
    assert replies == [bytes(tx[i]) for i in range(len(tx))]
    assert one.stats == many.stats


def test_burst_lists_what_is_the_stacks(seed):
    """Passed packets come in order of arrival; a completed handshake has its Conn."""
    syncache = engine(seed)
    endpoint = syncache.listen(80)
    synack = syncache.packet(syn().packet(), 1.0).reply
    rx, tx = Ring(), Ring()
    rx.push(syn(sport=1).packet())
    rx.push(ack_of(synack, payload=b"hello").packet())
    rx.push(ack_of(synack).packet())
    assert 3 == syncache.burst(rx, tx, 1.0)
    assert [1, 2] == rx.passed
    assert endpoint is rx.conn(1).endpoint
    assert 5 == rx.conn(1).payload_size
    assert Reason.PASS_OFFERED is rx.verdict(2)
    with pytest.raises(ValueError, match="completed no handshake"):
        rx.conn(2)
    syncache.accepted(rx.conn(1), 77)
    rx.clear()
    rx.push(ack_of(synack).packet())
    syncache.burst(rx, tx, 1.0)
    assert ([0], 77) == (rx.passed, rx.handle(0))


def test_burst_stops_where_tx_is_full(seed):
    """What has no room for its reply waits for the next call."""
    syncache = engine(seed)
    syncache.listen(80)
    rx, tx = Ring(), Ring(slots=2, slot_size=128)
    for i in range(5):
        rx.push(syn(sport=1 + i).packet())
    assert 2 == syncache.burst(rx, tx, 1.0)
    assert (2, 2) == (rx.next, len(tx))
    tx.clear()
    assert 2 == syncache.burst(rx, tx, 1.0)
    assert 4 == syncache.stats.sc_added


def test_segment_takes_tcp_and_answers_with_tcp(seed, family):
    """A host that owns the IP layer needs no IP header in either direction."""
    whole, bare = engine(seed), engine(seed)
    client, server = CLIENT[family], SERVER[family]
    for each in (whole, bare):
        each.listen(80)
    question = syn(family)
    synack = bare.segment(client, server, question.tcp(), 1.0).reply
    packet = whole.packet(question.packet(), 1.0).reply.packet()
    assert packet[20 if family == 4 else 40 :] == synack.tcp()
    done = bare.segment(client, server, ack_of(synack).tcp(), 1.1)
    assert Kind.ACCEPT is done.kind


@pytest.mark.parametrize("count", [0, 1, 200])
def test_poll_without_a_ring_returns_what_is_due(seed, count):
    """The same packets as with a ring, all of them at once."""
    one, many = engine(seed), engine(seed)
    for each in (one, many):
        each.listen(80)
        for sport in range(1, count + 1):
            each.packet(syn(sport=sport).packet(), 1.0)
    tx = Ring(512)
    assert count == many.poll(60.0, tx)
    assert [bytes(tx[i]) for i in range(len(tx))] == one.poll(60.0)
    assert [] == one.poll(60.0)
    assert many.stats == one.stats


def test_poll_retransmits_when_the_deadline_is_fed_back(seed):
    """Deadlines come back as they went: 1.0, 3.2, 7.4 s, removal at 15.6 s."""
    syncache = engine(seed)
    syncache.listen(80)
    start = 1234.567
    synack = syncache.packet(syn(options=()).packet(), start).reply
    tx, times = Ring(), []
    while syncache.half_open():
        now = syncache.next_deadline()
        tx.clear()
        if syncache.poll(now, tx):
            times.append(now - start)
            assert synack.packet() == bytes(tx[0])
    assert [1.0, 3.2, 7.4] == pytest.approx(times, abs=0.004)
    assert (3, 1) == (syncache.stats.sc_retransmitted, syncache.stats.sc_stale)


def test_half_open_lists_entries(family, seed):
    """The listing says what the SYN said, and its text is netstat's."""
    syncache = engine(seed)
    endpoint = syncache.listen(80)
    synack = syncache.packet(syn(family).packet(), 1.0).reply
    (entry,) = syncache.half_open()
    assert (CLIENT[family], 4242, SERVER[family], 80) == (
        entry.faddr,
        entry.fport,
        entry.laddr,
        entry.lport,
    )
    assert (synack.seq, 1000, endpoint.number) == (entry.iss, entry.irs, entry.endpoint)
    assert (1460, 7, 1) == (entry.mss, entry.snd_wscale, entry.rxmits)
    assert "SYN_RECEIVED" in str(entry)
    assert 1 == syncache.sysctl["net.inet.tcp.syncache.count"]


def test_half_open_lists_more_than_one_page(seed):
    """A long listing is whole and has no entry twice."""
    syncache = engine(seed)
    syncache.listen(80)
    for i in range(1000):
        syncache.packet(syn(sport=1000 + i).packet(), 1.0)
    assert set(range(1000, 2000)) == {entry.fport for entry in syncache.half_open()}


def test_segment_is_packet_without_its_ip_header(family, seed):
    """A stack that parsed IP gets the same reply."""
    one, other = engine(seed), engine(seed)
    for each in (one, other):
        each.listen(80)
    packet = syn(family).packet()
    header = 20 if family == 4 else 40
    verdict = one.segment(CLIENT[family], SERVER[family], packet[header:], 1.0)
    assert verdict.reply == other.packet(packet, 1.0).reply


def test_segment_verifies_only_what_is_all_there(seed):
    """With payload_size the caller vouches for the checksum; without, we look."""
    syncache = engine(seed)
    syncache.listen(80)
    raw = bytearray(syn().packet()[20:])
    raw[16] ^= 1
    broken = syncache.segment(CLIENT[4], SERVER[4], raw, 1.0)
    assert Reason.DROP_CHECKSUM is broken.reason
    trusted = syncache.segment(CLIENT[4], SERVER[4], raw, 1.0, payload_size=0)
    assert Reason.REPLY_SYN_ACK is trusted.reason
    short = syncache.segment(CLIENT[4], SERVER[4], b"\0" * 5, 1.0)
    assert Kind.DROP is short.kind


def test_unsent_removes_the_entry(seed):
    """A SYN-ACK that could not be sent leaves nothing behind."""
    syncache = engine(seed)
    syncache.listen(80)
    reply = syncache.packet(syn().packet(), 1.0).reply
    syncache.unsent(reply)
    assert [] == syncache.half_open()
    assert 1 == syncache.stats.sc_dropped


def test_icmp_error_with_the_right_number_is_noted(seed):
    """A quoted SYN-ACK clears DF; one with another number does not."""
    syncache = engine(seed)
    syncache.listen(80)
    reply = syncache.packet(syn().packet(), 1.0).reply
    syncache.icmp_error(replace(reply, seq=reply.seq ^ 1), 1.1)
    syncache.icmp_error(reply, 1.1)
    tx = Ring()
    syncache.poll(2.0, tx)
    assert reply.dont_fragment
    assert not Segment.parse(tx[0]).dont_fragment


def test_opened_tuple_is_the_stacks(seed):
    """An active open's SYN-ACK passes with its handle."""
    syncache = engine(seed)
    syncache.listen(80)
    mine = FourTuple(CLIENT[4], 4242, SERVER[4], 80)
    assert syncache.opened(mine, 5)
    verdict = syncache.packet(syn().packet(), 1.0)
    assert (Reason.PASS_KNOWN, 5) == (verdict.reason, verdict.handle)
    syncache.closed(mine)
    assert Kind.REPLY is syncache.packet(syn().packet(), 1.0).kind


def test_without_table_unknown_segments_pass(seed):
    """established_max=0: the stack answers what nobody knows, and opened() says no."""
    syncache = engine(seed, established_max=0)
    syncache.listen(80)
    verdict = syncache.packet(syn(dport=81).packet(), 1.0)
    assert Reason.PASS_NO_ENDPOINT is verdict.reason
    assert not syncache.opened(FourTuple(CLIENT[4], 4242, SERVER[4], 80))


@pytest.mark.parametrize("way", ["packet", "burst"])
def test_flood_of_acks_draws_the_rsts_of_a_second(family, way, seed):
    """About 200 a second of its prefix (x.rst_limit); others are answered."""
    syncache = engine(seed)
    syncache.listen(80)
    other = {4: "198.18.7.1", 6: "2001:db8:7::1"}[family]

    def answered(now, **fields):
        stray = replace(syn(family, options=()), flags=ACK, ack=77, **fields).packet()
        if way == "packet":
            return syncache.packet(stray, now).reason is Reason.REPLY_RST
        rx, tx = Ring(4), Ring(4)
        rx.push(stray)
        syncache.burst(rx, tx, now)
        return len(tx) == 1

    for second in range(3):
        now = 10.24 + 1.024 * second
        sent = sum(answered(now, sport=1024 + number) for number in range(600))
        assert 200 <= sent <= 215
        assert answered(now, src=other)


def test_closed_endpoint_answers_rst(seed):
    """After close() the port is closed, and may be listened on again."""
    syncache = engine(seed)
    syncache._address(SERVER[4])
    with syncache.listen(80, SERVER[4]) as endpoint:
        pass
    endpoint.close()
    assert endpoint.closed
    reply = syncache.packet(syn().packet(), 1.0).reply
    assert reply.flags & RST
    assert not syncache.listen(80, SERVER[4]).closed


def test_same_seed_same_everything(seed):
    """Two engines of one seed answer bit for bit alike; another seed does not."""
    replies = []
    for each in (engine(seed), engine(seed), engine(b"another")):
        each.listen(80)
        replies.append(each.packet(syn().packet(), 1.0).reply.packet())
    assert replies[0] == replies[1] != replies[2]


def test_key_rotation_goes_on_without_calls_in_between(seed):
    """After any gap a fresh cookie verifies, and one of two periods ago does not."""
    sysctl = Sysctl({"net.inet.tcp.syncookies_only": 1, X + "cookie_ts": "off"})
    syncache = engine(seed, sysctl=sysctl)
    syncache.listen(80)
    now = 10.0
    for gap in (1, 31, 32, 33, 64, 1e5, 1e9):
        now += gap
        synack, offer = handshake(syncache, now)
        assert Reason.ACCEPT_COOKIE is offer.reason
        syncache.accepted(offer.conn, ok=False)
        syncache.closed(offer.conn)
        now += 65
        late = syncache.packet(ack_of(synack).packet(), now)
        assert Kind.ACCEPT is not late.kind


def test_derived_keys_agree_between_machines(seed):
    """A cookie of one machine is honoured by another with other clock and hash."""
    master = Master(1, 0, bytes(32))
    wall = 1_800_000_000.0
    made = []
    for clock, own_seed in ((5.0, seed), (9e6, b"other")):
        keys = Keyring.derived((master,), wall_offset=wall - clock)
        sysctl = Sysctl({"net.inet.tcp.syncookies_only": 1})
        made.append((Syncache(sysctl, keys=keys, seed=own_seed), clock))
    for each, _ in made:
        each.listen(80)
    for (one, now), (other, later) in (made, made[::-1]):
        synack = one.packet(syn().packet(), now + 1).reply
        offer = other.packet(ack_of(synack).packet(), later + 1)
        assert Reason.ACCEPT_COOKIE is offer.reason
        other.accepted(offer.conn, ok=False)
        other.closed(offer.conn)
        again = other.packet(syn().packet(), later + 1).reply
        assert synack.timestamps.tsval == again.timestamps.tsval


def test_rekey_takes_effect_at_once(seed):
    """A keyring put in place of another makes the next cookie."""
    sysctl = Sysctl({"net.inet.tcp.syncookies_only": 1})
    syncache = engine(seed, sysctl=sysctl)
    syncache.listen(80)
    before = syncache.packet(syn().packet(), 1.0).reply.seq
    syncache.rekey(Keyring.from_seed(b"new"))
    assert before != syncache.packet(syn().packet(), 1.0).reply.seq


def test_rehash_purges(seed):
    """A new bucket hash leaves what is half-open to its cookie."""
    syncache = engine(seed)
    syncache.listen(80)
    syncache.packet(syn().packet(), 1.0)
    syncache.rehash(b"fresh")
    syncache.rehash()
    assert ([], 1) == (syncache.half_open(), syncache.stats.purged)


def test_sysctl_write_reaches_the_core(seed):
    """A tunable set while the engine runs is in force for the next packet."""
    syncache = engine(seed)
    syncache.listen(80)
    syncache.sysctl["net.inet.tcp.rfc1323"] = 0
    reply = syncache.packet(syn().packet(), 1.0).reply
    assert (None, None, True) == (reply.wscale, reply.timestamps, reply.sack_permitted)


def test_second_engine_refuses_the_sysctl(seed):
    """A Sysctl belongs to one engine."""
    sysctl = Sysctl()
    engine(seed, sysctl=sysctl)
    with pytest.raises(ValueError, match="another engine"):
        engine(seed, sysctl=sysctl)


def test_sysctl_count_does_not_need_a_clock(seed):
    """An engine that has seen no time has no entries, no deadline, no pause."""
    syncache = engine(seed)
    assert (0, False, []) == (
        syncache.sysctl["net.inet.tcp.syncache.count"],
        syncache.paused,
        syncache.half_open(),
    )
    assert syncache.next_deadline() is None


def test_timestamps_follow_base_and_hz(seed):
    """TSval is ts_base + now * ts_hz, plus the tuple's offset."""
    syncache = engine(seed, ts_base=1000, ts_hz=100, ts_per_tuple=False)
    syncache.listen(80)
    assert 1700 == syncache.packet(syn().packet(), 7.0).reply.timestamps.tsval
    shifted = engine(seed, ts_base=1000, ts_hz=100)
    shifted.listen(80)
    synack, offer = handshake(shifted, 7.0)
    offset = (synack.timestamps.tsval - 1700) % 2**32
    assert offset == offer.conn.ts_offset - 1000 or offset == offer.conn.ts_offset


def test_plain_verdicts_are_one_object_each(seed):
    """A flood of junk makes no objects."""
    syncache = engine(seed)
    assert syncache.packet(b"", 1.0) is syncache.packet(b"", 2.0)
