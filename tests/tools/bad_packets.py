"""Bad packets without end: what clients say, mutated; and bytes that nobody says.

`Source.clients()` gives good packets of every kind that the half-open side tells apart,
`Source.answers()` what clients would say to its replies, `Source.mutate()` spoils one.
Most spoiled packets get checksums that fit again, or nothing behind the checksum would
ever see them.
"""

from __future__ import annotations

import hashlib
import socket
import struct
from typing import TYPE_CHECKING, TypeVar

from syncache.options import (
    FastOpen,
    Md5,
    Mss,
    Option,
    SackPermitted,
    Timestamps,
    Unknown,
    WindowScale,
    encode,
)
from syncache.segment import ACK, CWR, ECE, FIN, PSH, RST, SYN, Segment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

OURS = ("192.0.2.1", "2001:db8::1")
PEERS = (
    ("198.51.100.7", "198.51.100.8", "203.0.113.5"),
    ("2001:db8:1::7", "2001:db8:1::8", "2001:db8:2::5"),
)
WEB, SIGNED, FAST, CLOSED = 80, 179, 443, 81
MD5_KEY = b"a shared secret"
MD5_KEYS = {PEERS[0][0]: MD5_KEY, PEERS[1][0]: MD5_KEY}

# Option lists of common clients, and of uncommon ones.
LISTS: tuple[tuple[Option, ...], ...] = (
    (),
    (Mss(1460),),
    (Mss(1460), SackPermitted(), Timestamps(1, 0), WindowScale(7)),
    (Mss(1440), WindowScale(14), SackPermitted(), Timestamps(2**32 - 1, 0)),
    (Mss(0), WindowScale(15)),
    (Mss(65535), Unknown(253, b"\xf9\x89ab"), SackPermitted()),
    (Timestamps(5, 9), Timestamps(6, 9), Mss(536), Mss(9000)),
    (Mss(1460), FastOpen(b"")),
    (Mss(1460), FastOpen(b"8 bytes!")),
)
EXTENSIONS = (0, 43, 44, 51, 60, 135)
UINT32 = 2**32
T = TypeVar("T")


def _sum(data: bytes) -> int:
    """Return the Internet checksum; words add up modulo 65535 in any grouping."""
    return 0xFFFF - int.from_bytes(data + bytes(len(data) % 2), "big") % 0xFFFF


def repaired(packet: bytes) -> bytes:
    """Return a packet whose checksums fit, as far as it has headers at all."""
    data = bytearray(packet)
    if len(data) >= 40 and data[0] >> 4 == 4:
        start = min((data[0] & 15) * 4, len(data))
        data[10:12] = b"\0\0"
        data[10:12] = _sum(data[:start]).to_bytes(2, "big")
        addresses, protocol = data[12:20], data[9]
    elif len(data) >= 60 and data[0] >> 4 == 6:
        start, addresses, protocol = 40, data[8:40], data[6]
    else:
        return packet
    place = {6: 16, 1: 2, 58: 2}.get(protocol)
    if place is None or len(data) < start + place + 2:
        return bytes(data)
    data[start + place : start + place + 2] = b"\0\0"
    body = bytes(data[start:])
    pseudo = (
        b"" if protocol == 1 else addresses + struct.pack("!II", len(body), protocol)
    )
    data[start + place : start + place + 2] = _sum(pseudo + body).to_bytes(2, "big")
    return bytes(data)


def signed(segment: Segment) -> Segment:
    """Return the segment with the signature of RFC 2385, if it has room for one."""
    options = (*segment.options[:2], Md5(bytes(16)))
    size = len(encode(options)) + 20
    family = socket.AF_INET6 if ":" in segment.src else socket.AF_INET
    ends = b"".join(socket.inet_pton(family, a) for a in (segment.src, segment.dst))
    length = size + len(segment.payload)
    pseudo = struct.pack("!BBH", 0, 6, length) if len(ends) == 8 else None
    header = struct.pack(
        "!HHIIHHHH",
        segment.sport,
        segment.dport,
        segment.seq,
        segment.ack,
        size // 4 << 12 | segment.flags,
        segment.window,
        0,
        0,
    )
    whole = ends + (pseudo or struct.pack("!II", length, 6)) + header
    digest = hashlib.md5(whole + segment.payload + MD5_KEY, usedforsecurity=False)
    options = (*segment.options[:2], Md5(digest.digest()))
    return _with(segment, options_bytes=encode(options))


def _with(segment: Segment, **changed: object) -> Segment:
    """Return a segment with some fields changed."""
    names = ("src", "dst", "sport", "dport", "seq", "ack", "flags", "window")
    fields = {name: getattr(segment, name) for name in (*names, "payload")}
    fields["options_bytes"] = segment.options_bytes
    return Segment(**(fields | changed))


def with_ip_options(packet: bytes) -> bytes:
    """Put options into an IPv4 header, or an extension behind an IPv6 one."""
    if packet[0] >> 4 == 6:
        return with_extension(packet, 60)
    options = b"\x07\x07\x04\0\0\0\0\0"
    size = len(packet) + len(options)
    head = bytes((0x47, packet[1])) + size.to_bytes(2, "big") + packet[4:20]
    return repaired(head + options + packet[20:])


def with_extension(packet: bytes, kind: int, body: bytes = b"\1\4" + bytes(4)) -> bytes:
    """Put an extension header behind an IPv6 header."""
    if packet[0] >> 4 == 4:
        return packet
    size = int.from_bytes(packet[4:6], "big") + 8
    head = packet[:4] + size.to_bytes(2, "big") + bytes((kind,)) + packet[7:40]
    return head + bytes((packet[6], 0)) + body + packet[40:]


def fragment(packet: bytes, word: int) -> bytes:
    """Make it a fragment: offset and flags are `word`."""
    if packet[0] >> 4 == 6:
        return with_extension(packet, 44, word.to_bytes(2, "big") + b"\0\0\0\1")
    return repaired(packet[:6] + word.to_bytes(2, "big") + packet[8:])


def icmp_error(quoted: bytes, kind: int, code: int, word: int) -> bytes:
    """Return the ICMP error that a router sends for a packet of ours."""
    body = bytes((kind, code, 0, 0)) + word.to_bytes(4, "big") + quoted[:68]
    if quoted[0] >> 4 == 4:
        size = (20 + len(body)).to_bytes(2, "big")
        head = b"\x45\0" + size + bytes(4) + b"\x40\1\0\0" + b"\xc6\x33\x64\1"
        return repaired(head + quoted[12:16] + body)
    size = len(body).to_bytes(2, "big")
    router = socket.inet_pton(socket.AF_INET6, "2001:db8:9::1")
    return repaired(b"\x60\0\0\0" + size + b"\x3a\x40" + router + quoted[8:24] + body)


class Source:
    """Packets by a generator of random numbers; the same seed, the same packets."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def pick(self, sequence: Sequence[T]) -> T:
        """Choose one; a third of the time that `random.choice` takes."""
        return sequence[int(self.random.random() * len(sequence))]

    def clients(self, count: int) -> list[Segment]:
        """Return SYNs, and now and then something without one."""
        return [self._client() for _ in range(count)]

    def _client(self) -> Segment:
        pick = self.pick
        family = self.random.getrandbits(1)
        port = pick((WEB, WEB, WEB, WEB, FAST, FAST, SIGNED, CLOSED))
        segment = Segment(
            src=pick(PEERS[family]),
            dst=OURS[family],
            sport=pick((1, 80, 4000, 65535, self.random.randrange(65536))),
            dport=port,
            seq=pick((0, 1000, UINT32 - 1, self.random.randrange(UINT32))),
            flags=pick((SYN, SYN, SYN, SYN | ECE | CWR, SYN | FIN, RST, ACK)),
            window=pick((0, 1, 65535)),
            options_bytes=encode(pick(LISTS)),
            payload=b"early" if port == FAST else b"",
        )
        return signed(segment) if port == SIGNED else segment

    def answers(self, reply: Segment) -> list[bytes]:
        """Return what a client, a stranger and a router say to a reply of ours."""
        stamps = reply.timestamps
        options = (Timestamps(7, stamps.tsval),) if stamps else ()
        near = self.pick((0, 1, -1, 2**31, 4096))
        ack = reply.reply(ACK, window=512, options=options)
        said = [
            ack,
            reply.reply(ACK | PSH, window=512, options=options, payload=b"GET /"),
            reply.reply(ACK, ack=(reply.seq_end + near) % UINT32, options=options),
            reply.reply(ACK, seq=(reply.ack + near) % UINT32, options=options),
            reply.reply(RST, seq=(reply.ack + near) % UINT32),
            reply.reply(ACK | FIN, window=1),
        ]
        if reply.sport == SIGNED:
            said += [signed(segment) for segment in said[:2]]
        for option in reply.options:
            if isinstance(option, FastOpen):
                # The cookie of our address, with data, in a SYN of its own.
                said.append(self._fast_open(reply, option))
        quoted = reply.packet()
        kind, codes = self.pick(((3, 16), (1, 7), (2, 1), (11, 2), (4, 3)))
        error = icmp_error(
            quoted, kind, self.random.randrange(codes), self.pick((0, 1280))
        )
        return [*(segment.packet() for segment in said), error]

    def _fast_open(self, reply: Segment, cookie: FastOpen) -> Segment:
        syn = reply.reply(SYN, seq=self.pick((5, reply.ack)), payload=b"early")
        options = encode((Mss(1460), cookie))
        port = self.pick((syn.sport, syn.sport ^ 1))
        return _with(syn, sport=port, ack=0, options_bytes=options)

    def mutate(self, packet: bytes) -> bytes:
        """Spoil a packet, or leave it; one in two has good checksums afterwards."""
        random = self.random
        how = random.random()
        if how < 0.25:
            return packet
        if how < 0.60:
            return repaired(self._words(packet))
        if how < 0.75:
            return self._words(packet)
        if how < 0.80:
            return packet[: random.randrange(len(packet) + 1)]
        if how < 0.84:
            return packet + random.randbytes(random.randrange(1, 64))
        if how < 0.88:
            return random.randbytes(random.randrange(200))
        if how < 0.90:
            return fragment(packet, self.pick((0x2000, 1, 0x4000, 0xFFFF, 0)))
        if how < 0.92:
            return with_ip_options(packet)
        if how < 0.96:
            return with_extension(packet, self.pick(EXTENSIONS))
        return self._truth(packet)

    def _words(self, packet: bytes) -> bytes:
        """Overwrite one to three bytes, most of them behind the IP header."""
        random = self.random
        data = bytearray(packet)
        for _ in range(self.pick((1, 2, 3)) if data else 0):
            start = self.pick((0, 20, 32, 52))
            start = start if start < len(data) else 0
            place = start + int(random.random() * (len(data) - start))
            data[place] = self.pick((0, 1, 127, 128, 255, random.getrandbits(8)))
        return bytes(data)

    def _truth(self, packet: bytes) -> bytes:
        """Cut the end off, with lengths and checksums that say so."""
        size = self.random.randrange(len(packet) + 1)
        cut = bytearray(packet[:size])
        if size >= 40 and cut[0] >> 4 == 4:
            cut[2:4] = size.to_bytes(2, "big")
        elif size >= 40:
            cut[4:6] = (size - 40).to_bytes(2, "big")
        return repaired(bytes(cut))
