"""Tests of `Segment`: both directions, replies, text, arguments."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from syncache import Segment
from syncache.options import (
    Mss,
    Sack,
    SackPermitted,
    Timestamps,
    Unknown,
    WindowScale,
    encode,
)
from syncache.segment import ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG

OPTIONS = (Mss(1460), SackPermitted(), Timestamps(5, 6), WindowScale(7))


def segment(family=4, **changed):
    addresses = {4: ("192.0.2.1", "198.51.100.7"), 6: ("2001:db8::1", "2001:db8::2")}
    src, dst = addresses[family]
    fields = {"src": src, "dst": dst, "sport": 4242, "dport": 80} | changed
    return Segment(**fields)


def test_parse_reads_what_packet_writes(family):
    """Every field survives the way to bytes and back."""
    written = segment(
        family,
        seq=0xFFFFFFFF,
        ack=0x80000000,
        flags=ACK | PSH | AE,
        window=0xFFFF,
        urgent=7,
        options_bytes=encode(OPTIONS),
        payload=b"hello",
        hop_limit=1,
        tos=0xFF,
        ip_id=0x1234 if family == 4 else 0,
        flow_label=0 if family == 4 else 0xFFFFF,
        dont_fragment=family == 4,
    )
    read = Segment.parse(written.packet())
    for name in Segment.__slots__:
        if name not in {"_packet", "dont_fragment"}:
            assert getattr(written, name) == getattr(read, name), name
    assert written.packet() == read.packet()


@pytest.mark.parametrize("options", [(), OPTIONS])
def test_tcp_is_the_packet_without_its_ip_header(family, options):
    """Header, options and payload, whether made of fields or of bytes."""
    written = segment(
        family, flags=ACK, options_bytes=encode(options), payload=b"hello"
    )
    head = 20 if family == 4 else 40
    padded = Segment.parse(written.packet() + bytes(6))
    assert written.packet()[head:] == written.tcp() == padded.tcp()


def test_tcp_begins_behind_extension_headers():
    """Hop-by-hop options in front of TCP are no part of it."""
    plain = segment(6, flags=ACK, payload=b"hello")
    packet = plain.packet()
    size = len(packet) - 40 + 8
    head = packet[:4] + size.to_bytes(2, "big") + b"\0" + packet[7:40]
    extended = Segment.parse(head + bytes([6, 0, 1, 4, 0, 0, 0, 0]) + packet[40:])
    assert plain.tcp() == extended.tcp()


def test_reply_of_the_engine_is_read_when_asked():
    """A segment made from bytes keeps them, and reads its fields at first use."""
    packet = segment(flags=SYN, seq=9, options_bytes=encode(OPTIONS)).packet()
    lazy = Segment.of_packet(packet)
    assert packet is lazy.packet()
    assert (9, 1460, 7) == (lazy.seq, lazy.mss, lazy.wscale)
    assert lazy == Segment.parse(packet) == copy.copy(Segment.of_packet(packet))
    assert hash(lazy) == hash(Segment.parse(packet))
    with pytest.raises(AttributeError, match="'sequence'"):
        _ = Segment.of_packet(packet).sequence


def test_options_are_typed():
    """The list as values, and shorthands for the usual ones."""
    full = segment(options_bytes=encode(OPTIONS))
    assert OPTIONS == full.options
    assert (1460, 7, True, Timestamps(5, 6), None) == (
        full.mss,
        full.wscale,
        full.sack_permitted,
        full.timestamps,
        full.sack,
    )
    bare = segment()
    assert ((), None, None, False) == (
        bare.options,
        bare.mss,
        bare.wscale,
        bare.sack_permitted,
    )


def test_last_duplicate_option_wins():
    """As in FreeBSD's parser."""
    twice = segment(options_bytes=encode((Mss(1), Mss(2))))
    assert 2 == twice.mss


@pytest.mark.parametrize(
    "packet",
    [b"", bytes(20), b"\x45" + bytes(39), segment().packet()[:-1]],
    ids=["empty", "zeros", "zeros-v4", "short"],
)
def test_parse_refuses_what_is_no_segment(packet):
    """ValueError names the fault."""
    with pytest.raises(ValueError, match=r"no TCP segment: (DROP|PASS)_"):
        Segment.parse(packet)


def test_parse_refuses_a_wrong_checksum():
    """A flipped bit is found."""
    packet = bytearray(segment(payload=b"hello").packet())
    packet[-1] ^= 1
    with pytest.raises(ValueError, match="DROP_CHECKSUM"):
        Segment.parse(packet)


def test_reply_turns_round_and_says_what_comes_next():
    """ACK of a SYN: addresses and ports swapped, numbers continued."""
    syn = segment(flags=SYN, seq=0xFFFFFFFF)
    reply = syn.reply(SYN | ACK, seq=7, window=100, options=(Mss(1460),))
    assert ("198.51.100.7", 80, "192.0.2.1", 4242) == (
        reply.src,
        reply.sport,
        reply.dst,
        reply.dport,
    )
    assert (7, 0, 1460) == (reply.seq, reply.ack, reply.mss)
    assert (0, 8) == (reply.reply(ACK).seq, reply.reply(ACK).ack)
    assert 0 == syn.reply(RST).ack
    assert 5 == syn.reply(ACK, ack=5, payload=b"x").ack


def test_seg_len_counts_syn_and_fin():
    """RFC 9293 3.4: SYN, payload and FIN take numbers."""
    assert 5 == segment(flags=SYN | FIN, payload=b"abc").seg_len
    assert 3 == segment(flags=SYN | FIN, payload=b"abc", seq=0xFFFFFFFE).seq_end


V4 = "IP 192.0.2.1.4242 > 198.51.100.7.80: Flags "
V6 = "IP6 2001:db8::1.4242 > 2001:db8::2.80: Flags "
SYN_LIST = "[mss 1460,sackOK,TS val 5 ecr 6,wscale 7,eol]"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"flags": SYN, "seq": 1, "window": 9, "options_bytes": encode(OPTIONS)},
            f"{V4}[S], seq 1, win 9, options {SYN_LIST}, length 0",
        ),
        (
            {"flags": ACK | PSH, "seq": 1, "ack": 2, "payload": b"abc"},
            f"{V4}[P.], seq 1:4, ack 2, win 0, length 3",
        ),
        (
            {"family": 6, "flags": RST, "seq": 5},
            f"{V6}[R], seq 5, win 0, length 0",
        ),
        (
            {"flags": FIN | ACK | URG | ECE | CWR | AE, "seq": 1, "ack": 1},
            f"{V4}[F.UEWe], seq 1, ack 1, win 0, length 0",
        ),
        (
            {"flags": ACK, "options_bytes": b"\1\1" + Sack(((1, 2),)).encode()},
            f"{V4}[.], ack 0, win 0, options [nop,nop,sack 1 {{1:2}}], length 0",
        ),
        (
            {"options_bytes": Unknown(9, b"xy").encode()},
            f"{V4}[none], win 0, options [Unknown], length 0",
        ),
        (
            {"options_bytes": b"\2\0\0\0"},
            f"{V4}[none], win 0, options [bad opt], length 0",
        ),
        (
            {"options_bytes": b"\1\1\1\2"},
            f"{V4}[none], win 0, options [nop,nop,nop,bad opt], length 0",
        ),
    ],
)
def test_text_is_tcpdumps(fields, text):
    """str() reads as a line of tcpdump -S."""
    assert text == str(segment(**fields))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seq": -1}, "seq is 0"),
        ({"ack": 2**32}, "ack is 0"),
        ({"flags": 0x200}, "flags is 0 to 511"),
        ({"window": 65536}, "window is 0 to 65535"),
        ({"hop_limit": 256}, "hop_limit is 0 to 255"),
        ({"sport": 65536}, "a port is"),
        ({"dport": 1.5}, "a port is"),
        ({"seq": 1.5}, "seq is 0"),
        ({"src": "::1"}, "different families"),
        ({"options_bytes": b"\1"}, "steps of 4, not 1"),
        ({"options_bytes": bytes(44)}, "steps of 4, not 44"),
        ({"payload": bytes(65_500)}, "65500 bytes of payload"),
    ],
)
def test_packet_refuses_illegal_fields(fields, message):
    """What has no wire form is named."""
    with pytest.raises(ValueError, match=message):
        segment(**fields).packet()


@pytest.mark.parametrize("wrong", [5, 10**30, [69, 0], None, "text"])
def test_what_is_no_buffer_is_no_packet(wrong):
    """A number is not so many zeros, and a list of them is not bytes."""
    with pytest.raises(TypeError, match="bytes-like object is required"):
        Segment.parse(wrong)


@pytest.mark.parametrize("flag", [-1, 256, 2.5, "yes", [0]])
def test_flag_of_a_segment_is_whatever_is_true(flag):
    """As an if takes it."""
    made = segment(4, dont_fragment=flag)
    assert Segment.parse(made.packet()).dont_fragment is True


def test_replaced_segment_is_written_anew(family):
    """Bytes of the old one, read or written before, do not stay with the new one."""
    made = segment(family, seq=3)
    for old in (made, Segment.parse(made.packet()), Segment.of_packet(made.packet())):
        old.packet()
        new = replace(old, seq=5)
        assert 5 == Segment.parse(new.packet()).seq
        assert 3 == Segment.parse(old.packet()).seq


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (bytes(4), "eol"),
        (b"\1\1\0\1", "nop,nop,eol"),
        (b"\1\1\4\2", "nop,nop,sackOK"),
        (b"\4\2\2\0", "sackOK,bad opt"),
        (b"\2\4\5\xb4\1\1\1\2", "mss 1460,nop,nop,nop,bad opt"),
        (b"\1\1\1\2", "nop,nop,nop,bad opt"),
        (b"\2\1\1\1", "bad opt"),
    ],
)
def test_list_of_options_ends_at_its_end_or_its_fault(raw, words):
    """What lies behind is not read, and a fault is named once."""
    assert f"options [{words}]" in str(segment(flags=SYN, options_bytes=raw))


@pytest.mark.parametrize("name", ["options_bytes", "payload"])
@pytest.mark.parametrize("value", [None, "text", bytearray(4), [1, 2, 3, 4]])
def test_bytes_of_a_segment_are_bytes(name, value):
    """What is not is refused by its name when the packet is made."""
    made = segment(**{name: value})
    with pytest.raises(TypeError, match=f"^{name} is bytes, not "):
        made.packet()
