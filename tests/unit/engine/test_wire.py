"""Packets in and out, with scapy as the independent hand.

The seed is printed with a failure; SYNCACHE_SEED=1234 plays it again.
"""

from __future__ import annotations

import os
import random

import pytest
from scapy.layers.inet import (
    ICMP,
    IP,
    TCP,
    UDP,
    IPerror,
    IPOption_LSRR,
    IPOption_NOP,
    IPOption_RR,
    IPOption_SSRR,
    TCPerror,
)
from scapy.layers.inet6 import (
    ICMPv6PacketTooBig,
    IPerror6,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.packet import Raw

from syncache import Reason, Segment, Syncache
from syncache.options import (
    Mss,
    Sack,
    SackPermitted,
    Timestamps,
    Unknown,
    WindowScale,
    encode,
)
from syncache.segment import ACK, SYN

SEED = int(os.environ.get("SYNCACHE_SEED", random.SystemRandom().getrandbits(32)))
CASES = 300
CLIENT = {4: "192.0.2.1", 6: "2001:db8::1"}
SERVER = {4: "198.51.100.7", 6: "2001:db8::2"}


@pytest.fixture(autouse=True)
def rng(request):
    """A generator of this test's own; its seed is shown if the test fails."""
    print(f"SYNCACHE_SEED={SEED}")
    return random.Random(f"{SEED} {request.node.name}")


def random_address(rng, family):
    if family == 4:
        return f"{rng.randrange(1, 127)}.{rng.randrange(256)}.{rng.randrange(256)}.7"
    return "2001:db8:" + ":".join(f"{rng.randrange(1, 0x10000):x}" for _ in range(6))


def random_options(rng):
    """Some options in scapy's form, and the same in ours."""
    u32 = rng.randrange(1 << 32)
    choices = [
        (("MSS", u32 & 0xFFFF), Mss(u32 & 0xFFFF)),
        (("WScale", u32 % 15), WindowScale(u32 % 15)),
        (("SAckOK", b""), SackPermitted()),
        (("Timestamp", (u32, u32 ^ 0xFF)), Timestamps(u32, u32 ^ 0xFF)),
        (("SAck", (u32, u32 ^ 1)), Sack(((u32, u32 ^ 1),))),
        ((99, b"abc"), Unknown(99, b"abc")),
    ]
    chosen = rng.sample(choices, rng.randrange(5))
    return [one for one, _ in chosen], tuple(other for _, other in chosen)


def random_packet(rng, family):
    """A segment as scapy makes it, and what ours should say of it."""
    theirs, ours = random_options(rng)
    known = {
        "src": random_address(rng, family),
        "dst": random_address(rng, family),
        "sport": rng.randrange(1, 1 << 16),
        "dport": rng.randrange(1, 1 << 16),
        "seq": rng.randrange(1 << 32),
        "ack": rng.randrange(1 << 32),
        "flags": rng.randrange(1 << 9),
        "window": rng.randrange(1 << 16),
        "urgent": rng.randrange(1 << 16),
        "payload": rng.randbytes(rng.choice([0, 1, 2, 3, 536, 1401])),
        "hop_limit": rng.randrange(256),
        "tos": rng.randrange(256),
    }
    both = {"src": known["src"], "dst": known["dst"]}
    if family == 4:
        known |= {
            "ip_id": rng.randrange(1 << 16),
            "dont_fragment": rng.random() < 0.5,
        }
        header = IP(
            **both,
            ttl=known["hop_limit"],
            tos=known["tos"],
            id=known["ip_id"],
            flags="DF" if known["dont_fragment"] else 0,
        )
    else:
        known |= {"flow_label": rng.randrange(1 << 20)}
        header = IPv6(
            **both, hlim=known["hop_limit"], tc=known["tos"], fl=known["flow_label"]
        )
    names = ("sport", "dport", "seq", "ack", "flags", "window")
    tcp = TCP(
        **{name: known[name] for name in names}, urgptr=known["urgent"], options=theirs
    )
    return header / tcp / Raw(known["payload"]), known, ours


def expect_fields(known, segment):
    assert known == {name: getattr(segment, name) for name in known}


def test_segment_reads_what_scapy_wrote(family, rng):
    """Every field, every option, any payload."""
    for _ in range(CASES):
        packet, known, options = random_packet(rng, family)
        segment = Segment.parse(bytes(packet))
        expect_fields(known, segment)
        assert options == segment.options


def test_scapy_reads_what_segment_wrote(family, rng):
    """And computes the same checksums."""
    for _ in range(CASES):
        _, known, options = random_packet(rng, family)
        data = Segment(**known, options_bytes=encode(options)).packet()
        packet = IP(data) if family == 4 else IPv6(data)
        assert data == bytes(remade(packet))
        tcp = packet[TCP]
        assert known["payload"] == bytes(tcp.payload)
        assert known["src"] == packet.src
        assert known["seq"] == tcp.seq
        assert known["flags"] == int(tcp.flags)
        written = {kind: value for kind, value in tcp.options if kind != "NOP"}
        for option in options:
            match option:
                case Mss(mss):
                    assert mss == written["MSS"]
                case WindowScale(shift):
                    assert shift == written["WScale"]
                case SackPermitted():
                    assert b"" == written["SAckOK"]
                case Timestamps(tsval, tsecr):
                    assert (tsval, tsecr) == written["Timestamp"]
                case Sack(blocks):
                    assert blocks[0] == written["SAck"]
                case Unknown(kind, data):
                    assert data == written[kind]


def remade(packet):
    """The same packet with lengths and checksums that scapy computes."""
    packet = packet.copy()
    if IP in packet:
        del packet[IP].chksum, packet[IP].len
    else:
        del packet[IPv6].plen
    del packet[TCP].chksum
    return packet


def random_extensions(rng):
    """A chain that RFC 8200 allows: hop-by-hop first, nothing left to route."""
    chain = []
    if rng.random() < 0.5:
        chain.append(IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]))
    later = [
        IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))]),
        IPv6ExtHdrRouting(addresses=[], segleft=0),
    ]
    chain += rng.choices(later, k=rng.randrange(3))
    return chain


def test_segment_behind_extension_headers_is_read(rng):
    """Checksums are of the segment alone, wherever it begins."""
    for _ in range(CASES):
        packet, known, _ = random_packet(rng, 6)
        header, upper = packet.copy(), packet[TCP].copy()
        header.remove_payload()
        for extension in random_extensions(rng):
            header = header / extension
        expect_fields(known, Segment.parse(bytes(header / upper)))


def test_segment_behind_ip_options_is_read(rng):
    """RFC 791 options that route nothing."""
    for count in range(1, 10):
        packet, known, _ = random_packet(rng, 4)
        packet.options = [IPOption_NOP()] * count + [
            IPOption_RR(routers=["192.0.2.9"] * (count % 3))
        ]
        expect_fields(known, Segment.parse(bytes(packet)))


def reason_of(packet):
    """Why an engine that listens on port 80 passes or drops a packet."""
    syncache = Syncache(seed=bytes(16))
    syncache.listen(80)
    return syncache.packet(bytes(packet), 1.0).reason


def syn(family, **changed):
    header = {4: IP, 6: IPv6}[family]
    fields = {"sport": 4242, "dport": 80, "flags": "S", "seq": 9} | changed
    return header(src=CLIENT[family], dst=SERVER[family]) / TCP(**fields)


ROUTED = {
    "lsrr": IP(options=[IPOption_LSRR(routers=["192.0.2.9"])]),
    "ssrr": IP(options=[IPOption_SSRR(routers=["192.0.2.9"])]),
    "routing header": IPv6() / IPv6ExtHdrRouting(addresses=["2001:db8::9"], segleft=1),
}


@pytest.mark.parametrize("name", ROUTED)
def test_source_routed_syn_is_dropped(name):
    """Wherever the route still leads."""
    header = ROUTED[name].copy()
    family = 4 if IP in header else 6
    header.src, header.dst = CLIENT[family], SERVER[family]
    assert Reason.DROP_SOURCE_ROUTE == reason_of(header / syn(family)[TCP])


@pytest.mark.parametrize(
    "packet",
    [
        IP(src=CLIENT[4], dst=SERVER[4], flags="MF") / TCP(dport=80, flags="S"),
        IP(src=CLIENT[4], dst=SERVER[4], frag=5, proto=6) / Raw(bytes(40)),
        IPv6(src=CLIENT[6], dst=SERVER[6])
        / IPv6ExtHdrFragment(id=7, m=1)
        / TCP(dport=80, flags="S"),
    ],
    ids=["first", "later", "IPv6"],
)
def test_fragment_is_dropped(packet):
    """A SYN fits into one packet."""
    assert Reason.DROP_FRAGMENT == reason_of(packet)


def test_other_protocol_is_the_stacks(family):
    """UDP is not judged here."""
    header = {4: IP, 6: IPv6}[family]
    packet = header(src=CLIENT[family], dst=SERVER[family]) / UDP(dport=80)
    assert Reason.PASS_NOT_TCP == reason_of(packet)


def test_one_bit_wrong_is_a_bad_packet(family):
    """Any single bit of the segment, or of IPv4's header: no sum survives it."""
    good = bytes(syn(family) / Raw(b"data"))
    first = 0 if family == 4 else 40
    bad = {
        Reason.DROP_CHECKSUM,
        Reason.DROP_TCP_HEADER,
        Reason.DROP_IP_CHECKSUM,
        Reason.DROP_IP_HEADER,
        Reason.DROP_TRUNCATED,
        Reason.DROP_FRAGMENT,
    }
    for bit in range(first * 8, len(good) * 8):
        data = bytearray(good)
        data[bit // 8] ^= 0x80 >> bit % 8
        assert reason_of(data) in bad, bit


def test_syn_ack_is_one_that_scapy_would_have_written(family, rng):
    """Its checksums, its lengths, and that it answers the SYN."""
    syncache = Syncache(seed=rng.randbytes(16))
    syncache.listen(80)
    for number in range(CASES):
        options, _ = random_options(rng)
        sent = syn(family, sport=1024 + number, seq=rng.randrange(1 << 32))
        sent[TCP].options = options
        reply = syncache.packet(bytes(sent), 1.0).reply
        data = reply.packet()
        packet = IP(data) if family == 4 else IPv6(data)
        assert data == bytes(remade(packet))
        tcp = packet[TCP]
        assert (SERVER[family], CLIENT[family]) == (packet.src, packet.dst)
        assert (80, 1024 + number) == (tcp.sport, tcp.dport)
        assert SYN | ACK == int(tcp.flags)
        assert (sent[TCP].seq + 1) % (1 << 32) == tcp.ack
        said = dict(options)
        answered = dict(tcp.options)
        assert "MSS" in answered
        for kind in ("WScale", "SAckOK", "Timestamp"):
            assert (kind in said) == (kind in answered)
        if "Timestamp" in said:
            assert said["Timestamp"][0] == answered["Timestamp"][1]


def test_icmp_error_that_scapy_quotes_is_taken_note_of(family):
    """The quotation's own addresses and number lead to the entry."""
    syncache = Syncache(seed=bytes(16))
    syncache.listen(80)
    reply = syncache.packet(bytes(syn(family)), 1.0).reply
    router, mine = CLIENT[family][:-1] + "9", SERVER[family]
    if family == 4:
        quoted = IPerror(reply.packet()[:28])
        error = IP(src=router, dst=mine) / ICMP(type=3, code=1) / quoted
    else:
        quoted = IPerror6(reply.packet())
        error = IPv6(src=router, dst=mine) / ICMPv6PacketTooBig(mtu=1280) / quoted
    assert TCPerror in quoted or Raw in quoted
    assert Reason.DROP_ICMP == syncache.packet(bytes(error), 1.0).reason
