"""The shield's programs against the core, packet by packet (tools/shield_rig.py).

No interface and no network is there: the kernel runs the programs on packets that it is
given.  Needs root itself.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace

import pytest
from namespace import ROOT
from shield_packets import syn
from shield_rig import (
    LIFETIME_NS,
    MAC,
    SERVER,
    TAGS,
    TC_DROP,
    TC_NEXT,
    TC_REDIRECT,
    WALL,
    XDP_DROP,
    XDP_PASS,
    XDP_TX,
    Rig,
    compare,
    difference,
    difference_of_ack,
    frame,
)

from syncache import Segment, Sysctl
from syncache._core import bpf
from syncache._core import shield as core
from syncache.links.shield_config import SKEW

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)
VERIFIED_MAX = 100_000  # a tenth of what the verifier's patience is
COUNT = 2000
LINUX = bytes.fromhex("020405b40402080a000000010000000001030307")


def linux_syn(rig, family, **fields):
    """Return a SYN as Linux sends it."""
    source = "203.0.113.9" if family == 4 else "2001:db8::9"
    segment = Segment(
        src=source,
        dst=SERVER[family],
        sport=40_000,
        dport=rig.port,
        seq=1000,
        flags=2,
        window=64_240,
        options_bytes=LINUX,
    )
    return replace(segment, **fields)


def answer(segment, reply):
    """Return the ACK that answers a SYN-ACK."""
    return Segment(
        src=segment.src,
        dst=segment.dst,
        sport=segment.sport,
        dport=segment.dport,
        seq=segment.seq + 1,
        ack=(reply.seq + 1) % 2**32,
        flags=16,
        options_bytes=b"\1\1\10\12\0\0\0\2" + reply.timestamps.tsval.to_bytes(4, "big"),
    )


def minted(rig, segment):
    """Return the SYN-ACK of XDP."""
    run = rig.xdp(segment.packet())
    assert XDP_TX == run.verdict, rig.counters()
    return Segment.parse(run.packet[14:])


def answered(rig, segment):
    """Return the SYN-ACKs of the template, with a tag, and in tc."""
    runs = [rig.xdp(segment.packet(), tags) for tags in TAGS[:2]]
    assert [XDP_TX, XDP_TX] == [run.verdict for run in runs], rig.counters()
    runs.append(rig.skb(segment.packet()))
    return [run.packet[at:] for run, at in zip(runs, (14, 18, 14), strict=True)]


@pytest.mark.parametrize("family", [4, 6])
def test_client_that_asks_for_ttl_security_gets_it(rig, family):
    """A SYN with 255 is answered with 255 (RFC 5082), any other as usual."""
    at = 8 if family == 4 else 7
    packet = linux_syn(rig, family)
    for theirs, ours in ((255, 255), (254, 64), (64, 64)):
        segment = replace(packet, hop_limit=theirs)
        assert [ours] * 3 == [reply[at] for reply in answered(rig, segment)]


@pytest.mark.parametrize("family", [4, 6])
def test_listener_with_a_maximum_segment_size_has_it_told(rig, family):
    """TCP_MAXSEG, unless the interface has a lower one."""
    least = 1460 if family == 4 else 1440
    for given, told in ((900, 900), (9000, least)):
        for listener in rig.listeners:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, given)
        replies = answered(rig, linux_syn(rig, family))
        assert [told] * 3 == [Segment.parse(reply).mss for reply in replies]


@pytest.mark.parametrize("layout", ["wide", "freebsd"])
def test_random_packets_are_answered_as_the_core_answers_them(rig, layout):
    """Both families, any options, tags, data; SYN-ACKs byte by byte."""
    rig.retune(WALL, cookie_layout=layout)
    assert [] == compare(rig, random.Random(1), COUNT, cookie_layout=layout)


@pytest.mark.parametrize("family", [4, 6])
def test_flood_is_told_once_for_each_hold(rig, family):
    """With the service, the listener's queue and the time, by the ring buffer."""
    rig.put(mode=core.AUTO, qlen=0, hold_ns=10**12)
    began = time.monotonic()
    for _ in range(3):
        minted(rig, linux_syn(rig, family))
    (told,) = rig.told()
    assert (core.FLOOD, 0, SERVER[family], rig.port) == told[1:]
    # The program's clock goes by ticks, which a busy host may hold up.
    assert began - 5 <= told.time <= time.monotonic()


@pytest.mark.parametrize("family", [4, 6])
def test_service_gets_cookies_until_its_flood_was_over_for_a_while(rig, family):
    """Although its listener has room again."""
    rig.put(mode=core.AUTO, qlen=0, hold_ns=10**12)
    segment = linux_syn(rig, family)
    minted(rig, segment)
    rig.put(qlen=1000)
    minted(rig, segment)
    rig.counters()
    rig.protect(family)  # as if that were long ago
    assert XDP_PASS == rig.xdp(segment.packet()).verdict
    assert 1 == rig.counters()["calm"]


def test_what_finds_no_room_to_be_told_is_counted(rig):
    """The ring is bounded, and nobody reads it."""
    rig.put(mode=core.AUTO, qlen=0, hold_ns=0)
    packet = frame(linux_syn(rig, 4).packet())
    room = core.EVENTS_BYTES // (8 + core.EVENT.size)
    for _ in range(room + 10):
        bpf.bpf_run(rig.object.programs["shield_syn"], packet)
    counted = rig.counters()
    assert (room + 10, 10) == (counted["synack"], counted["events_lost"])
    assert room == len(rig.told())


def test_kernel_without_mptcp_has_no_field_for_it(monkeypatch):
    """No listener is one then; the programs load and answer."""
    found = bpf.btf_ask

    def without(btf, questions):
        answers = found(btf, questions)
        answers[questions.index(("tcp_sock", "is_mptcp"))] = None
        return answers

    monkeypatch.setattr(bpf, "btf_ask", without)
    with closing(Rig()) as rig:
        segment = linux_syn(rig, 4)
        assert TC_NEXT == rig.tc(answer(segment, minted(rig, segment)).packet())
        assert 1 == rig.counters()["cookie_good"]


def test_verifier_walks_less_than_a_tenth_of_its_limit(rig):
    """Of the programs as shipped, so that the next kernel has room."""
    walked = {name: rig.object.info(name).verified for name in rig.object.programs}
    assert VERIFIED_MAX > max(walked.values()), walked


def test_programs_are_those_of_their_sources():
    """Or the pinned compiler is not here, and says so."""
    done = subprocess.run(
        [sys.executable, ROOT / "csrc" / "bpf" / "build.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 77}, done.stdout + done.stderr
    assert ("not installed" in done.stdout) == (done.returncode == 77)


@pytest.mark.parametrize(
    ("family", "changes", "counter"),
    [
        (4, {"options_bytes": bytes.fromhex("02040217")}, "unfit"),  # MSS 535
        (6, {"options_bytes": bytes.fromhex("020404c3")}, "unfit"),  # MSS 1219
        (4, {"options_bytes": b"\x13\x12" + bytes(18)}, "unfit"),  # MD5
        (6, {"options_bytes": b"\x1d\x10" + bytes(14)}, "unfit"),  # AO
        (4, {"options_bytes": b"\1" * 28 + b"\2\4\5\xb4"}, "unfit"),  # too many NOPs
        (4, {"src": "0.1.2.3"}, "unfit"),
        (4, {"src": "127.0.0.1"}, "unfit"),
        (4, {"src": "224.0.0.1"}, "unfit"),
        (6, {"src": "::1"}, "unfit"),
        (6, {"src": "ff02::1"}, "unfit"),
        (6, {"src": "::ffff:192.0.2.1"}, "unfit"),
        (4, {"src": SERVER[4]}, "unfit"),  # what came from us is none of a client
        (6, {"src": SERVER[6]}, "unfit"),
        (4, {"payload": bytes(1537)}, "unfit"),  # more than is summed up
        (6, {"payload": bytes(2000)}, "unfit"),
        (4, {"dport": 1}, ""),
        (6, {"dst": "fd00:18::3"}, ""),
        (4, {"flags": 0x12}, ""),
        (4, {"flags": 0x03}, ""),
        (6, {"flags": 0x10}, ""),
    ],
)
def test_packet_that_only_the_kernel_can_judge_passes_unchanged(
    rig, family, changes, counter
):
    """Small MSS, signatures, odd sources, other services, other segments."""
    packet = linux_syn(rig, family, **changes).packet()
    for give, passed in ((rig.skb, TC_NEXT), (rig.xdp, XDP_PASS)):
        rig.counters()
        run = give(packet)
        assert passed == run.verdict
        assert frame(packet) == run.packet
    assert rig.counters().get(counter, 1) == 1
    assert 0 == rig.counters().get("synack", 0)


def with_byte(packet, at, value):
    """Change a byte."""
    return packet[:at] + bytes([value]) + packet[at + 1 :]


def v4_options(packet):
    """Put a router alert in the IPv4 header."""
    head = b"\x46" + packet[1:2] + (len(packet) + 4).to_bytes(2, "big") + packet[4:20]
    return head + b"\x94\4\0\0" + packet[20:]


def v6_header(kind):
    """Return what puts an extension header of 8 bytes in."""

    def change(packet):
        size = (len(packet) - 32).to_bytes(2, "big")
        head = packet[:4] + size + bytes([kind]) + packet[7:40]
        return head + b"\6\0" + bytes(6) + packet[40:]

    return change


@pytest.mark.parametrize(
    ("family", "change"),
    [
        (4, v4_options),
        (4, lambda packet: with_byte(packet, 6, 0x20)),  # more fragments
        (4, lambda packet: with_byte(packet, 7, 3)),  # a later one
        (4, lambda packet: with_byte(packet, 3, len(packet) + 40)),  # not all there
        (4, lambda packet: with_byte(packet, 3, 39)),
        (4, lambda packet: with_byte(packet, 3, 59)),  # no room for its options
        (4, lambda packet: with_byte(packet, 9, 17)),
        (4, lambda packet: with_byte(packet, 32, 0x40)),  # a header of 16 bytes
        (4, lambda packet: with_byte(packet, 32, 0xF0)),  # one beyond the end
        (6, lambda packet: with_byte(packet, 52, 0x40)),
        (6, lambda packet: with_byte(packet, 52, 0xF0)),
        (6, lambda packet: with_byte(packet, 5, 19)),
        (6, lambda packet: with_byte(packet, 5, 39)),
        (6, lambda packet: with_byte(packet, 5, 200)),
        *((6, v6_header(kind)) for kind in (0, 43, 44, 51, 60, 135)),
    ],
)
@pytest.mark.parametrize("tags", [0, 1, 2])
def test_packet_of_another_layout_passes_unchanged(rig, family, change, tags):
    """Options of IP, extension headers, fragments, lengths that do not fit."""
    packet = change(linux_syn(rig, family).packet())
    run = rig.xdp(packet, TAGS[tags])
    assert (XDP_PASS, frame(packet, TAGS[tags])) == (run.verdict, run.packet)
    if not tags:
        run = rig.skb(packet)
        assert (TC_NEXT, frame(packet)) == (run.verdict, run.packet)
    assert {} == rig.counters()


def test_three_tags_pass(rig):
    """Two are read."""
    tags = TAGS[2] + TAGS[1]
    assert XDP_PASS == rig.xdp(linux_syn(rig, 4).packet(), tags).verdict


@pytest.mark.parametrize("family", [4, 6])
def test_every_order_of_options_is_answered_as_the_core_answers_it(rig, family):
    """Four options and padding between them, in each of the 24 orders."""
    parts = (b"\2\4\5\xb4", b"\4\2", b"\10\12\0\0\0\1\0\0\0\0", b"\3\3\7")
    for order in itertools.permutations(parts):
        for between in (b"", b"\1"):
            text = between.join(order)
            text += bytes(-len(text) % 4)
            segment = linux_syn(rig, family, options_bytes=text)
            assert "" == difference(rig, segment.packet())


@pytest.mark.parametrize("family", [4, 6])
def test_frame_for_another_machine_passes(rig, family):
    """As a switch that floods would deliver it; each byte of the address counts."""
    packet = linux_syn(rig, family).packet()
    for at in range(6):
        other = with_byte(MAC, at, MAC[at] ^ 1)
        assert XDP_PASS == rig.xdp(packet, mac=other).verdict
        assert XDP_PASS == rig.xdp(packet, TAGS[1], mac=other).verdict
        assert TC_NEXT == rig.skb(packet, mac=other).verdict
    assert 18 == rig.counters()["unfit"]


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_short_frame_passes(rig, cut):
    """The program reads nothing that is not there."""
    whole = frame(linux_syn(rig, 4).packet())
    short = whole[: 14 + cut]
    run = bpf.bpf_run(rig.object.programs["shield_syn"], short)
    assert XDP_PASS == run.verdict
    assert short == run.packet


def test_any_bytes_are_survived(rig):
    """Random frames, and random changes of good ones."""
    chosen = random.Random(2)
    for _ in range(2000):
        packet = bytearray(syn(chosen, chosen.choice([4, 6]), rig.port).packet())
        for _ in range(chosen.randrange(4)):
            packet[chosen.randrange(len(packet))] = chosen.randrange(256)
        packet[0] = packet[0] & 0x0F | chosen.choice([0x40, 0x60])
        assert rig.xdp(bytes(packet)).verdict in {XDP_DROP, XDP_PASS, XDP_TX}
        assert rig.tc(bytes(packet)) in {TC_NEXT, TC_DROP}
        assert rig.skb(bytes(packet)).verdict in {TC_NEXT, TC_DROP, TC_REDIRECT}
        rig.protect()


@pytest.mark.parametrize("family", [4, 6])
def test_cookie_lives_through_the_next_period_and_no_longer(rig, family):
    """Keys change in mid-handshake; the program goes on by itself to the next epoch."""
    segment = linux_syn(rig, family)
    rig.retune(WALL, cookie_ts="off", clock_skew_ms=0)
    good = answer(segment, minted(rig, segment)).packet()
    for ahead, counter in ((0, "cookie_good"), (32, "cookie_good"), (64, "cookie_bad")):
        rig.retune(WALL + ahead, cookie_ts="off", clock_skew_ms=0)
        rig.counters()
        rig.tc(good)
        assert 1 == rig.counters()[counter], ahead
        rig.protect()


def test_process_that_gives_no_keys_leaves_everything_to_the_kernel(rig):
    """One period late costs nothing; two, and there is no key."""
    segment = linux_syn(rig, 4)
    for late, verdict in ((1, XDP_TX), (2, XDP_PASS)):
        rig.retune(WALL)
        rig.age(late)
        assert verdict == rig.xdp(segment.packet()).verdict
    assert 1 == rig.counters()["no_key"]


@pytest.mark.parametrize("family", [4, 6])
def test_key_of_a_period_that_begins_with_the_next_tick_is_used(rig, family):
    """The programs' clock goes by ticks; the process that writes is ahead of it."""
    rig.put(start_ns=time.monotonic_ns() + 10**9)
    segment = linux_syn(rig, family)
    last = answer(segment, minted(rig, segment))
    assert 0 == rig.counters().get("no_key", 0)
    rig.tc(last.packet())
    assert 1 == rig.counters()["cookie_good"]


def test_two_machines_with_one_keyring_take_each_others_cookies(rig):
    """SYN-ACK by one, ACK redeemed by the other."""
    other = Rig(port=rig.port)
    segment = linux_syn(rig, 6)
    reply = minted(rig, segment)
    other.tc(answer(segment, reply).packet())
    assert 1 == other.counters()["cookie_good"]
    other.close()


@pytest.mark.parametrize(
    ("policy", "change", "counter"),
    [
        ("check", {}, "refused"),
        ("check", {"options_bytes": b""}, "refused"),
        ("check", {"options_bytes": b"\1\1\10\12" + bytes(8)}, "ts_refused"),
        ("require", {"options_bytes": b""}, "ts_refused"),
        ("off", {"options_bytes": b"\1\1\10\12" + bytes(8)}, "refused"),
    ],
)
def test_timestamp_of_a_cookie_is_judged_by_its_policy(rig, policy, change, counter):
    """A test run has no listener to assign to: `refused` is as far as it goes."""
    rig.retune(WALL, cookie_ts=policy)
    segment = linux_syn(rig, 4)
    last = replace(answer(segment, minted(rig, segment)), **change)
    rig.counters()
    rig.tc(last.packet())
    assert 1 == rig.counters()[counter]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(
    "options",
    [b"\x13\x12" + bytes(18), b"\x1d\4\1\1", b"\1" * 25 + bytes(3)],
    ids=["md5", "ao", "many"],
)
def test_signed_ack_takes_no_cookie(rig, family, options):
    """TCP drops it without a key: it would be counted as one that did not arrive."""
    segment = linux_syn(rig, family)
    last = replace(answer(segment, minted(rig, segment)), options_bytes=options)
    rig.counters()
    assert TC_NEXT == rig.tc(last.packet())
    assert {"ack": 1} == rig.counters()


def test_service_that_was_refused_once_is_the_kernels(rig):
    """From the first refusal on no SYN is answered for it."""
    segment = linux_syn(rig, 4)
    last = answer(segment, minted(rig, segment)).packet()
    for _ in range(2):  # it is told once
        rig.tc(last)
        assert 1 == rig.counters()["refused"]
    (told,) = rig.told()
    assert (core.REFUSED, SERVER[4], rig.port) == (told.kind, told.address, told.port)
    assert XDP_PASS == rig.xdp(segment.packet()).verdict
    assert 1 == rig.counters()["off"]


def test_gate_is_closed_until_a_cookie_was_minted(rig):
    """An ACK costs nothing more while there can be no cookie."""
    rig.put(flags=0)
    segment = linux_syn(rig, 4)
    stray = answer(segment, Segment.parse(rig.reply_of_engine(segment.packet())))
    assert TC_NEXT == rig.tc(stray.packet())
    assert {} == rig.counters()
    minted(rig, linux_syn(rig, 4))
    rig.counters()
    rig.tc(stray.packet())
    assert 1 == rig.counters()["ack"]


def test_gate_is_closed_when_the_last_cookie_is_too_old(rig):
    """After two lifetimes, and what clocks may differ by."""
    rig.put(flags=0)
    segment = linux_syn(rig, 4)
    stray = answer(segment, Segment.parse(rig.reply_of_engine(segment.packet())))
    lives = 2 * LIFETIME_NS + 10**9  # with the skew
    for age, tried in ((lives - 10**9 // 2, 1), (lives + 10**7, None)):
        minted_ns = (time.monotonic_ns() - age).to_bytes(8, sys.byteorder)
        bpf.update(rig.object.maps["state_map"], bytes(4), minted_ns)
        rig.tc(stray.packet())
        assert tried == rig.counters().get("ack")


def test_files_of_the_programs_agree():
    """Each has its instructions, and its places within them."""
    folder = ROOT / "syncache" / "bpf"
    document = json.loads((folder / "shield.json").read_text())
    known = {"map", "kfunc", "field", "optional", "type"}
    for name, program in document["programs"].items():
        assert 8 * program["count"] == (folder / f"{name}.bin").stat().st_size
        for kind, instruction, what in program["places"]:
            assert kind in known
            assert 0 <= instruction < program["count"]
            assert kind != "map" or what in document["maps"]


def test_comparison_of_an_ack_at_a_limit_is_by_one_clock(rig, monkeypatch):
    """A machine that is held up between the program and the core is no difference."""
    segment = linux_syn(rig, 4)
    packet = answer(segment, minted(rig, segment)).packet()
    skew = int(Sysctl({})[SKEW]) / 1000
    until = 2 * rig.lifetime - 1 + skew  # the cookie is good, from its mint on

    def slow(given, tc=rig.tc):
        verdict = tc(given)
        time.sleep(0.04)
        return verdict

    monkeypatch.setattr(rig, "tc", slow)
    for at, good in ((until - 0.02, 1), (until + 0.02, 0)):
        found = []
        while good not in found and len(found) < 20:  # it may be held up before, too
            rig.retune(WALL + at)
            rig.counters()
            assert not difference_of_ack(rig, packet)
            found.append(rig.counters().get("cookie_good", 0))
        assert good in found
