"""Frames of every encapsulation, put together here and by scapy.

`CASES` has for each its link type, a function that wraps an IP packet, and the IP
versions; `conversation` is the packets to wrap.
"""

from __future__ import annotations

import struct

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import LLC, SNAP, Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

EDGE = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
OUTER = IP(src="203.0.113.1", dst="203.0.113.2")
OUTER6 = IPv6(src="2001:db8:f::1", dst="2001:db8:f::2")
MACS = bytes(range(2, 14))


def conversation(client, version=4):
    """A session of eight segments, and a SYN that nobody answers."""
    make, ends = (
        (IP, ("192.0.2.1", "198.51.100.2"))
        if version == 4
        else (IPv6, ("2001:db8::1", "2001:db8::2"))
    )

    def segment(up, flags, seq, ack, data=b"", port=client):
        src, dst = ends if up else ends[::-1]
        ports = (port, 80) if up else (80, port)
        tcp = TCP(sport=ports[0], dport=ports[1], flags=flags, seq=seq, ack=ack)
        return make(src=src, dst=dst) / tcp / data

    return [
        bytes(packet)
        for packet in (
            segment(True, "S", 100, 0),
            segment(False, "SA", 500, 101),
            segment(True, "A", 101, 501),
            segment(True, "PA", 101, 501, b"GET / HTTP/1.0\r\n\r\n"),
            segment(False, "A", 501, 119),
            segment(False, "PFA", 501, 119, b"HTTP/1.0 200 OK\r\n\r\n"),
            segment(True, "FA", 119, 521),
            segment(False, "A", 521, 120),
            segment(True, "S", 900, 0, port=client + 1),
        )
    ]


def ethertype(packet):
    return b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"


def behind(*layers):
    """Put a packet behind layers of scapy, which fills in types and lengths."""

    def wrap(packet):
        made = (IPv6 if packet[0] >> 4 == 6 else IP)(packet)
        whole = layers[0]
        for layer in layers[1:]:
            whole = whole / layer
        return bytes(whole / made)

    return wrap


def raw(head, between=b""):
    """Put a packet behind bytes; its EtherType goes between."""
    return lambda packet: (
        head
        + (ethertype(packet) if between is not None else b"")
        + (between or b"")
        + packet
    )


def plain(head):
    return lambda packet: head + packet


def ppp(head):
    return lambda packet: (
        head + (b"\x00\x57" if packet[0] >> 4 == 6 else b"\x00\x21") + packet
    )


def gre(flags, more=b""):
    head = struct.pack(">H", flags)
    return lambda p: over_ip(47, head + ethertype(p) + more)(p)


def over_ip(protocol, head=b""):
    """Put a packet into an IP packet of a protocol, behind bytes."""
    return lambda packet: bytes(
        EDGE / IP(src=OUTER.src, dst=OUTER.dst, proto=protocol) / Raw(head + packet)
    )


def over_udp(port, head):
    """Put a packet into a datagram; head is bytes, or makes them of the packet."""
    return lambda packet: bytes(
        EDGE
        / OUTER
        / UDP(sport=40000 + port % 9999, dport=port)
        / Raw((head(packet) if callable(head) else head) + packet)
    )


def inner_ethernet(packet):
    return MACS + ethertype(packet)


SLL = struct.pack(">HHH8s", 0, 1, 6, bytes(8))
# Name: link type, wrapper, versions.
BOTH, V4, V6 = (4, 6), (4,), (6,)
CASES = {
    "Ethernet": (1, behind(EDGE), BOTH),
    "no length": (1, lambda p: MACS + b"\x08\0" + p[:2] + b"\0\0" + p[4:], V4),
    "no checksum": (1, lambda p: MACS + b"\x08\0" + p[:10] + b"\0\0" + p[12:], V4),
    "VLAN": (1, behind(EDGE, Dot1Q(vlan=5)), BOTH),
    "QinQ": (1, behind(EDGE, Dot1AD(vlan=5), Dot1Q(vlan=6)), BOTH),
    "three tags": (1, behind(EDGE, Dot1Q(), Dot1Q(), Dot1Q()), BOTH),
    "0x9100": (1, raw(MACS + b"\x91\x00\x00\x05\x81\x00\x00\x06"), BOTH),
    "0x88a8 alone": (1, raw(MACS + b"\x88\xa8\x00\x05"), BOTH),
    "802.3 SNAP": (1, behind(Dot3(), LLC(), SNAP()), BOTH),
    "VLAN, SNAP": (
        1,
        raw(MACS + b"\x81\x00\x00\x05\x00\x60\xaa\xaa\x03\x00\x00\x00"),
        BOTH,
    ),
    "PPPoE": (1, behind(EDGE, PPPoE(sessionid=9), PPP()), BOTH),
    "VLAN, PPPoE": (1, behind(EDGE, Dot1Q(), PPPoE(sessionid=9), PPP()), BOTH),
    "MPLS": (1, plain(MACS + b"\x88\x47" + b"\x00\x01\x01\x40"), BOTH),
    "MPLS, three labels": (
        1,
        plain(MACS + b"\x88\x47" + b"\x00\x01\x00\x40\x00\x02\x00\x40\x00\x03\x01\x40"),
        BOTH,
    ),
    "VLAN, MPLS": (
        1,
        plain(MACS + b"\x81\x00\x00\x05\x88\x47\x00\x01\x01\x40"),
        BOTH,
    ),
    "802.1ah": (1, raw(MACS + b"\x88\xe7\x00\x00\x00\x05" + MACS), BOTH),
    "TrustSec": (1, raw(MACS + b"\x89\x09\x01\x01\x00\x01\x00\x09"), BOTH),
    "BSD loopback": (0, plain(b"\x02\x00\x00\x00"), V4),
    "BSD loopback, IPv6": (0, plain(b"\x1e\x00\x00\x00"), V6),
    "BSD loopback, big": (0, plain(b"\x00\x00\x00\x02"), V4),
    "OpenBSD loopback": (108, plain(b"\x00\x00\x00\x02"), V4),
    "raw": (101, plain(b""), BOTH),
    "IPv4": (228, plain(b""), V4),
    "IPv6": (229, plain(b""), V6),
    "PPP": (9, ppp(b"\xff\x03"), BOTH),
    "PPP, short": (9, ppp(b""), BOTH),
    "PPP in HDLC": (50, ppp(b"\xff\x03"), BOTH),
    "PPPoE session": (51, ppp(b"\x11\x00\x00\x01\x00\x60"), BOTH),
    "PPP with direction": (204, ppp(b"\x01\xff\x03"), BOTH),
    "Cisco HDLC": (104, raw(b"\x0f\x00"), BOTH),
    "cooked": (113, raw(SLL), BOTH),
    "cooked, VLAN": (113, raw(SLL + b"\x81\x00\x00\x05"), BOTH),
    "cooked, service tag": (113, raw(SLL + b"\x88\xa8\x00\x05"), BOTH),
    "cooked 2": (
        276,
        lambda p: ethertype(p) + bytes(6) + b"\x00\x01\x00\x06" + bytes(8) + p,
        BOTH,
    ),
    "cooked 2, VLAN": (
        276,
        lambda p: (
            b"\x81\x00"
            + bytes(6)
            + b"\x00\x01\x00\x06"
            + bytes(8)
            + b"\x00\x05"
            + ethertype(p)
            + p
        ),
        BOTH,
    ),
    "PFLOG": (
        117,
        plain(bytes([61, 2, 1, 0]) + b"em0".ljust(16, b"\0") + bytes(44)),
        V4,
    ),
    "NFLOG": (
        239,
        lambda p: (
            bytes([2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 0, 0])
            + struct.pack("<HH", len(p) + 4, 9)
            + p
        ),
        V4,
    ),
    "FDDI": (10, raw(b"\x50" + MACS + b"\xaa\xaa\x03\x00\x00\x00"), BOTH),
    "ATM": (100, raw(b"\xaa\xaa\x03\x00\x00\x00"), BOTH),
    "InfiniBand": (242, raw(bytes(40), b"\x00\x00"), BOTH),
    "GRE": (1, gre(0), BOTH),
    "GRE, key and sequence": (1, gre(0x3000, bytes(8)), BOTH),
    "GRE, checksum": (1, gre(0x8000, bytes(4)), BOTH),
    "GRE, Ethernet": (
        1,
        lambda p: over_ip(47, b"\0\0\x65\x58" + inner_ethernet(p))(p),
        BOTH,
    ),
    "ERSPAN II": (
        1,
        lambda p: over_ip(
            47,
            b"\x10\x00\x88\xbe\0\0\0\x01\x10\x01\0\x01\0\0\0\0" + inner_ethernet(p),
        )(p),
        BOTH,
    ),
    "ERSPAN III": (
        1,
        lambda p: over_ip(
            47,
            b"\x10\x00\x22\xeb\0\0\0\x01\x20\x01\0\x01" + bytes(8) + inner_ethernet(p),
        )(p),
        BOTH,
    ),
    "PPTP": (
        1,
        lambda p: over_ip(
            47,
            b"\x30\x01\x88\x0b"
            + struct.pack(">HHI", len(p) + 4, 1, 1)
            + b"\xff\x03"
            + (b"\x00\x57" if p[0] >> 4 == 6 else b"\x00\x21"),
        )(p),
        BOTH,
    ),
    "IP in IP": (1, over_ip(4), V4),
    "IPv6 in IPv4": (1, over_ip(41), V6),
    "IPv4 in IPv6": (1, lambda p: bytes(EDGE / OUTER6 / IP(p)), V4),
    "IPv6 in IPv6": (1, lambda p: bytes(EDGE / OUTER6 / IPv6(p)), V6),
    "VXLAN": (
        1,
        behind(EDGE, OUTER, UDP(sport=50000, dport=4789), VXLAN(vni=9, flags=8), EDGE),
        BOTH,
    ),
    "Geneve": (
        1,
        over_udp(6081, lambda q: b"\0\0\x65\x58\0\0\x09\0" + inner_ethernet(q)),
        BOTH,
    ),
    "Geneve with an option": (
        1,
        over_udp(
            6081,
            lambda q: b"\x01\0\x65\x58\0\0\x09\0\x01\x02\x03\0" + inner_ethernet(q),
        ),
        BOTH,
    ),
    "GTP-U": (
        1,
        over_udp(2152, lambda q: b"\x30\xff" + struct.pack(">HI", len(q), 7)),
        BOTH,
    ),
    "GTP-U with an extension": (
        1,
        over_udp(
            2152,
            lambda q: (
                b"\x34\xff"
                + struct.pack(">HI", len(q) + 8, 7)
                + b"\0\0\0\x85\x01\x10\x09\0"
            ),
        ),
        BOTH,
    ),
    "L2TP": (
        1,
        over_udp(
            1701,
            lambda q: (
                b"\x00\x02\x00\x01\x00\x02\xff\x03"
                + (b"\x00\x57" if q[0] >> 4 == 6 else b"\x00\x21")
            ),
        ),
        BOTH,
    ),
}


def extension(*headers):
    """Put IPv6 extension headers, without their first byte, before TCP."""
    types = [number for number, _ in headers]

    def wrap(packet):
        behind = [*types[1:], packet[6]]
        chain = b"".join(
            bytes([number]) + body
            for number, (_, body) in zip(behind, headers, strict=True)
        )
        size = struct.pack(">H", len(packet) - 40 + len(chain))
        whole = packet[:4] + size + bytes([types[0]]) + packet[7:40]
        return MACS + b"\x86\xdd" + whole + chain + packet[40:]

    return wrap


def routed(kind, *stops):
    """A packet that still has all stops before it; the last is where it goes."""

    def wrap(packet):
        last = packet[24:40]
        between = [bytes(15) + bytes([stop]) for stop in stops[:-1]]
        found = [*between, last]
        listed = b"".join(reversed(found) if kind == 4 else found)
        body = bytes([2 * len(found), kind, len(found), 0, 0, 0, 0]) + listed
        on_its_way = packet[:24] + bytes(15) + bytes([stops[-1]]) + packet[40:]
        return extension((43, body))(on_its_way)

    return wrap


WLAN = b"\x08\x01\x00\x00" + MACS + bytes(8)
WLAN_QOS = b"\x88\x01\x00\x00" + MACS + bytes(10)
SNAPPED = b"\xaa\xaa\x03\x00\x00\x00"
KNOWN = bytes.fromhex("00000c01020300000c040506")  # of a vendor
EOMPLS = MACS + b"\x88\x47\x00\x01\x01\x40"
CASES |= {
    "segment routing": (1, routed(4, 3, 9), V6),
    "source route": (1, routed(0, 3, 9), V6),
    "mobile": (1, routed(2, 9), V6),
    "unknown hop-by-hop option": (1, extension((0, b"\0\xde\4abcd")), V6),
    "unknown destination option": (1, extension((60, b"\0\x4b\4abcd")), V6),
    "802.11": (105, raw(WLAN + SNAPPED), BOTH),
    "802.11, QoS": (105, raw(WLAN_QOS + SNAPPED), BOTH),
    "radiotap": (127, raw(b"\0\0\x08\0\0\0\0\0" + WLAN + SNAPPED), BOTH),
    "radiotap, padded": (
        127,
        raw(b"\0\0\x09\0\x02\0\0\0\x20" + WLAN_QOS + b"\0\0" + SNAPPED),
        BOTH,
    ),
    "PPI": (192, raw(b"\0\0\x08\0\x69\0\0\0" + WLAN + SNAPPED), BOTH),
    "frame relay": (
        107,
        lambda p: b"\x18\x41\x03" + (b"\x8e" if p[0] >> 4 == 6 else b"\xcc") + p,
        BOTH,
    ),
    "frame relay, Cisco": (107, raw(b"\x18\x41"), V4),
    "token ring": (6, raw(b"\x10\x40" + MACS + SNAPPED), BOTH),
    "Ethernet over MPLS": (
        1,
        lambda p: EOMPLS + bytes(4) + KNOWN + ethertype(p) + p,
        BOTH,
    ),
    "HSR": (1, raw(MACS + b"\x89\x2f\x00\x34\x00\x07"), BOTH),
    "TRILL": (
        1,
        lambda p: MACS + b"\x22\xf3\x00\x20\0\x01\0\x02" + KNOWN + ethertype(p) + p,
        BOTH,
    ),
    "NSH": (
        1,
        lambda p: (
            MACS
            + b"\x89\x4f\x0f\xc6\x01"
            + (b"\x02" if p[0] >> 4 == 6 else b"\x01")
            + bytes(20)
            + p
        ),
        BOTH,
    ),
    "FabricPath": (1, raw(MACS + b"\x89\x03\x00\x60" + MACS), BOTH),
    "VN-Tag": (1, raw(MACS + b"\x89\x26\x00\x01\x00\x02"), BOTH),
    "MACsec, clear": (1, raw(MACS + b"\x88\xe5\x01\x00\0\0\0\x07"), BOTH),
    "MACsec, channel": (
        1,
        raw(MACS + b"\x88\xe5\x21\x00\0\0\0\x07" + bytes(range(8))),
        BOTH,
    ),
    "mesh": (1, raw(MACS + b"\x43\x05\x40\x0f\x32\x01" + MACS[:6] + MACS), BOTH),
    "ISL": (
        1,
        lambda p: (
            b"\x01\0\x0c\0\0\0"
            + MACS[6:]
            + struct.pack(">H", len(p) + 30)
            + b"\xaa\xaa\x03\0\0\x0c\0\x0a\0\0\0\0"
            + inner_ethernet(p)
            + p
            + bytes(8)
        ),
        BOTH,
    ),
    "PPP, Cisco HDLC": (9, raw(b"\x0f\x00"), BOTH),
    "Juniper": (178, raw(b"MGC\x01" + MACS), BOTH),
    "Juniper, extension": (178, raw(b"MGC\x81\x00\x03\x02\x01\x04" + MACS), BOTH),
    "Juniper, no frame": (178, plain(b"MGC\x03\x02\0\0\0"), V4),
    "Teredo": (1, over_udp(3544, b""), V6),
    "LISP": (1, over_udp(4341, b"\x80" + bytes(7)), BOTH),
    "TZSP": (
        1,
        over_udp(37008, lambda q: b"\1\0\0\1\x0a\1\x05\1" + inner_ethernet(q)),
        BOTH,
    ),
    "WCCP": (1, over_ip(47, b"\0\0\x88\x3e\x01\0\0\0"), V4),
    "802.1CB": (1, raw(MACS + b"\xf1\xc1\0\0\0\7"), BOTH),
    "Ethernet in IP": (
        1,
        lambda p: bytes(
            EDGE
            / IPv6(src=OUTER6.src, dst=OUTER6.dst, nh=143)
            / Raw(inner_ethernet(p) + p)
        ),
        BOTH,
    ),
    "TZSP, 802.11": (
        1,
        over_udp(37008, lambda q: b"\1\0\0\x12\1" + WLAN + SNAPPED + ethertype(q)),
        BOTH,
    ),
    "GTP of version 0": (
        1,
        over_udp(3386, lambda q: b"\x1e\xff" + struct.pack(">H16x", len(q))),
        V4,
    ),
    "CAPWAP": (
        1,
        over_udp(5247, lambda q: b"\0\x10\2\0\0\0\0\0" + inner_ethernet(q)),
        BOTH,
    ),
    "ERF": (
        197,
        lambda p: (
            bytes(8)
            + b"\x82\4"
            + struct.pack(">HHH", 44 + len(p), 0, 18 + len(p))
            + bytes(10)
            + inner_ethernet(p)
            + p
            + bytes(4)
        ),
        BOTH,
    ),
}


TO_WLAN = WLAN + SNAPPED
CALLS = bytes.fromhex("02040608 0a0c60 02040608 0a0c61")
WHOLE = b"\xc0\0\0\1"  # of multilink, not split
CASES |= {
    "classical IP": (106, plain(b""), V4),
    "HDLC before 104": (112, raw(b"\x0f\0"), BOTH),
    "Symantec": (99, lambda p: bytes(6) + ethertype(p) + bytes(36) + p, BOTH),
    "TZSP alone": (128, raw(b"\1\0\0\1\x0a\1\5\1" + MACS), BOTH),
    "Juniper PPPoE": (167, raw(b"MGC\1" + MACS), BOTH),
    "Juniper PPP": (179, ppp(b"MGC\1\xff\3"), BOTH),
    "Juniper HDLC": (181, raw(b"MGC\1" + b"\x0f\0"), BOTH),
    "Juniper frame relay": (180, plain(b"MGC\1" + b"\x18\x41\x03\xcc"), V4),
    "Juniper ATM1": (137, raw(b"MGC\1" + bytes(4) + SNAPPED), BOTH),
    "Juniper ATM2": (135, raw(b"MGC\1" + bytes(8) + SNAPPED), BOTH),
    "Juniper MLPPP": (130, ppp(b"MGC\1\x54\0\0\0"), BOTH),
    "Juniper MLPPP, short": (130, ppp(b"MGC\1\xff\3"), BOTH),
    "Juniper MLFR": (131, plain(b"MGC\1" + b"\0\0\3\xcc"), V4),
    "Juniper GGSN": (133, plain(b"MGC\1" + b"\2\0\0\0"), V4),
    "Juniper services": (136, plain(b"MGC\3\2\0\0\0"), V4),
    "Juniper voice": (183, plain(b"MGC\1" + bytes(18)), V4),
    "AX.25": (3, plain(CALLS + b"\3\xcc"), V4),
    "AX.25, KISS": (202, plain(b"\0" + CALLS + b"\3\xcc"), V4),
    "ARCNET of old": (7, plain(b"\1\2\xf0"), V4),
    "ARCNET": (7, plain(b"\1\2\xd4\0\0\1"), V4),
    "ARCNET of Linux": (129, plain(b"\1\2\0\0\xd4\0\0\1"), V4),
    "exported": (252, plain(b"\0\x0c\0\4ip\0\0\0\0\0\0"), V4),
    "EPON": (259, raw(b"\x55\x55\xd5\x55\x55\0\0\0" + MACS), BOTH),
    "multilink": (9, ppp(b"\xff\3\0\x3d" + WHOLE), BOTH),
    "bridged PPP": (9, raw(b"\xff\3\0\x31\0\1" + MACS), BOTH),
    "jumbo": (1, raw(MACS + b"\x88\x70" + SNAPPED), BOTH),
    "GFP": (
        171,
        lambda p: (
            (struct.pack(">H", len(p) + 22) + b"\0\0\0\1\0\0" + inner_ethernet(p) + p)
            + bytes(4)
        ),
        BOTH,
    ),
    "EBHSCR": (
        279,
        lambda p: b"\x50\0\0\0\0\0\x01\0" + bytes(24) + inner_ethernet(p) + p,
        BOTH,
    ),
    "AYIYA": (1, over_udp(5072, b"\x44\x52\x11\x29" + bytes(40)), V6),
    "LWAPP": (
        1,
        over_udp(
            12222,
            lambda q: struct.pack(">HHH", 0, len(q) + 32, 0) + TO_WLAN + ethertype(q),
        ),
        BOTH,
    ),
    "PIM register": (1, over_ip(103, b"\x21" + bytes(7)), BOTH),
}
# Last: mergecap makes an interface more of it than of others.
CASES["ERF"] = CASES.pop("ERF")
