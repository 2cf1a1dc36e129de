"""Segments survive the way to bytes and back, and scapy reads the same in them.

Invariant: Segment.parse(segment.packet()) == segment, and an independent dissector
agrees on every field and finds both checksums right.
"""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import syncache
from tests.model import option
from tests.model.packet import Packet, flag_bits

scapy_inet = pytest.importorskip("scapy.layers.inet")
scapy_inet6 = pytest.importorskip("scapy.layers.inet6")

u32 = st.integers(0, 2**32 - 1)
u16 = st.integers(0, 2**16 - 1)
addresses = st.sampled_from(
    (
        ("192.0.2.1", "198.51.100.7"),
        ("10.0.0.1", "10.255.255.254"),
        ("2001:db8::1", "2001:db8::ffff:1"),
        ("fd00::1", "fd00:0:0:1::2"),
    )
)
options = st.lists(
    st.sampled_from(
        (
            ("mss", 1460),
            ("ws", 7),
            ("sack_ok",),
            ("ts", 0xFFFFFFFF, 1),
            ("nop",),
            ("raw", "fe04abcd"),
        )
    ),
    max_size=4,
)


@st.composite
def packets(draw):
    src, dst = draw(addresses)
    v6 = ":" in src
    return Packet(
        src,
        dst,
        draw(st.integers(1, 65535)),
        draw(st.integers(1, 65535)),
        flags="".join(draw(st.sets(st.sampled_from("FSRPAUEWN")))),
        seq=draw(u32),
        ack=draw(u32),
        window=draw(u16),
        urgent=draw(u16),
        options=option.encode(draw(options))[:40],
        payload=draw(st.binary(max_size=100)),
        ttl=draw(st.integers(1, 255)),
        tos=draw(st.integers(0, 255)),
        flow_label=draw(st.integers(0, 0xFFFFF)) if v6 else 0,
        ip_id=0 if v6 else draw(u16),
        df=False if v6 else draw(st.booleans()),
    )


@given(packet=packets())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_segment_survives_bytes_and_scapy_agrees(packet):
    """The model's bytes are parsed, built again, and dissected by scapy."""
    segment = syncache.Segment.parse(packet.encode())
    got = (
        segment.src,
        segment.dst,
        segment.sport,
        segment.dport,
        segment.flags,
        segment.seq,
        segment.ack,
        segment.window,
        segment.urgent,
        bytes(segment.options_bytes),
        bytes(segment.payload),
        segment.hop_limit,
        segment.tos,
        segment.flow_label,
    )
    wanted = (
        packet.src,
        packet.dst,
        packet.sport,
        packet.dport,
        flag_bits(packet.flags),
        packet.seq,
        packet.ack,
        packet.window,
        packet.urgent,
        packet.options,
        packet.payload,
        packet.ttl,
        packet.tos,
        packet.flow_label,
    )
    assert wanted == got
    rebuilt = syncache.Segment(
        **{name: getattr(segment, name) for name in syncache.Segment.__slots__[:16]}
    ).packet()
    assert packet.encode() == rebuilt
    check_with_scapy(packet, rebuilt)


def check_with_scapy(packet, data):
    """Another dissector's opinion of the bytes, checksums recomputed by it."""
    layer = scapy_inet6.IPv6 if packet.v6 else scapy_inet.IP
    seen = layer(data)
    tcp = seen[scapy_inet.TCP]
    got = (seen.src, seen.dst, tcp.sport, tcp.dport, tcp.seq, tcp.ack, tcp.window)
    assert (
        packet.src,
        packet.dst,
        packet.sport,
        packet.dport,
        packet.seq,
        packet.ack,
        packet.window,
    ) == got
    assert flag_bits(packet.flags) == int(tcp.flags)
    assert packet.payload == bytes(tcp.payload)
    checksums = tcp.chksum, getattr(seen, "chksum", None)
    del tcp.chksum
    if not packet.v6:
        del seen.chksum
    again = layer(bytes(seen))
    assert checksums == (again[scapy_inet.TCP].chksum, getattr(again, "chksum", None))
