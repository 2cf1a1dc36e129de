"""IPv4 and IPv6 packets with one TCP segment: built, checked and read back.

A Packet may be made wrong on purpose (checksum, data offset).  decode() raises
ValueError on anything that is not a sound TCP packet, so that a test which reads our
own output through it also checks that output.  See RFC 791, 8200, 9293 3.1, 4443.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import md5
from ipaddress import IPv4Address, IPv6Address, ip_address

from . import option

LETTERS = "FSRPAUEWN"
TCP, ICMP, ICMPV6 = 6, 1, 58
MASK32 = 0xFFFFFFFF


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of data."""
    if len(data) % 2:
        data += b"\0"
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def flag_bits(letters: str) -> int:
    """Return the nine flag bits of their letters; N is AE, W is CWR."""
    return sum(1 << LETTERS.index(letter) for letter in set(letters))


def flag_letters(bits: int) -> str:
    """Return the letters of nine flag bits in ascending order of bits."""
    return "".join(letter for i, letter in enumerate(LETTERS) if bits >> i & 1)


def address_bytes(address: str) -> bytes:
    """Return an address in network order, 4 or 16 bytes."""
    return ip_address(address).packed


@dataclass(frozen=True)
class Packet:
    """One TCP segment with the fields of its IP header that matter here."""

    src: str
    dst: str
    sport: int
    dport: int
    flags: str = ""
    seq: int = 0
    ack: int = 0
    window: int = 0
    options: bytes = b""
    payload: bytes = b""
    urgent: int = 0
    ttl: int = 64
    tos: int = 0
    flow_label: int = 0
    ip_id: int = 0
    df: bool = False
    doff: int | None = None

    @property
    def v6(self) -> bool:
        """Is this an IPv6 packet."""
        return ":" in self.src

    @property
    def length(self) -> int:
        """SEG.LEN: payload, plus one each for SYN and FIN."""
        return len(self.payload) + ("S" in self.flags) + ("F" in self.flags)

    def segment(self) -> bytes:
        """Return the TCP header with options, checksum zero, and the payload."""
        doff = 5 + len(self.options) // 4 if self.doff is None else self.doff
        bits = flag_bits(self.flags)
        return (
            self.sport.to_bytes(2, "big")
            + self.dport.to_bytes(2, "big")
            + (self.seq & MASK32).to_bytes(4, "big")
            + (self.ack & MASK32).to_bytes(4, "big")
            + (doff << 12 | bits).to_bytes(2, "big")
            + self.window.to_bytes(2, "big")
            + bytes(2)
            + self.urgent.to_bytes(2, "big")
            + self.options
            + self.payload
        )

    def pseudo(self, size: int) -> bytes:
        """Return the pseudo header for a segment of this size."""
        ends = address_bytes(self.src) + address_bytes(self.dst)
        if self.v6:
            return ends + size.to_bytes(4, "big") + bytes([0, 0, 0, TCP])
        return ends + bytes([0, TCP]) + size.to_bytes(2, "big")

    def signature(self, key: bytes) -> str:
        """Return the digest of RFC 2385 2.0, which leaves the options out."""
        segment = self.segment()
        header = segment[:16] + bytes(2) + segment[18:20]
        text = self.pseudo(len(segment)) + header + self.payload + key
        return md5(text, usedforsecurity=False).hexdigest()

    def encode(self, *, bad_checksum: bool = False) -> bytes:
        """Return the packet's bytes."""
        segment = bytearray(self.segment())
        value = checksum(self.pseudo(len(segment)) + bytes(segment))
        if bad_checksum:
            value ^= 0x5555
        segment[16:18] = value.to_bytes(2, "big")
        return ip_packet(self, TCP, bytes(segment))

    @classmethod
    def decode(cls, data: bytes) -> Packet:
        """Read a packet; ValueError if a length or a checksum is wrong."""
        bare, segment = read_ip(data)
        if len(segment) < 20:
            raise ValueError("short TCP header")
        size = (segment[12] >> 4) * 4
        if size < 20 or size > len(segment):
            raise ValueError("data offset")
        packet = replace(
            bare,
            sport=int.from_bytes(segment[0:2], "big"),
            dport=int.from_bytes(segment[2:4], "big"),
            seq=int.from_bytes(segment[4:8], "big"),
            ack=int.from_bytes(segment[8:12], "big"),
            flags=flag_letters(int.from_bytes(segment[12:14], "big") & 0x1FF),
            window=int.from_bytes(segment[14:16], "big"),
            urgent=int.from_bytes(segment[18:20], "big"),
            options=segment[20:size],
            payload=segment[size:],
        )
        if checksum(packet.pseudo(len(segment)) + segment):
            raise ValueError("TCP checksum")
        return packet

    def __str__(self) -> str:
        """Describe the segment the way the case files do."""
        size = len(self.payload)
        shown = [o for o in option.decode(self.options) if o[0] not in ("nop", "eol")]
        return (
            f"{self.flags or '-'} seq {self.seq} ack {self.ack} win {self.window} "
            f"len {size} opts {shown}"
        )


def ip_packet(like: Packet, protocol: int, body: bytes) -> bytes:
    """Put an IP header with this packet's fields in front of a body."""
    ends = address_bytes(like.src) + address_bytes(like.dst)
    if like.v6:
        first = 6 << 28 | like.tos << 20 | like.flow_label
        fixed = first.to_bytes(4, "big") + len(body).to_bytes(2, "big")
        return fixed + bytes([protocol, like.ttl]) + ends + body
    header = bytearray(
        bytes([0x45, like.tos])
        + (20 + len(body)).to_bytes(2, "big")
        + like.ip_id.to_bytes(2, "big")
        + (0x4000 if like.df else 0).to_bytes(2, "big")
        + bytes([like.ttl, protocol, 0, 0])
        + ends
    )
    header[10:12] = checksum(bytes(header)).to_bytes(2, "big")
    return bytes(header) + body


def read_ip(data: bytes) -> tuple[Packet, bytes]:
    """Split a packet into a Packet with the IP fields set, and its body."""
    if data[0] >> 4 == 6:
        if int.from_bytes(data[4:6], "big") != len(data) - 40 or data[6] != TCP:
            raise ValueError("IPv6 header")
        first = int.from_bytes(data[:4], "big")
        bare = Packet(
            str(IPv6Address(data[8:24])),
            str(IPv6Address(data[24:40])),
            0,
            0,
            ttl=data[7],
            tos=first >> 20 & 0xFF,
            flow_label=first & 0xFFFFF,
        )
        return bare, data[40:]
    if data[0] != 0x45 or int.from_bytes(data[2:4], "big") != len(data):
        raise ValueError("IPv4 header")
    if checksum(data[:20]) or data[9] != TCP:
        raise ValueError("IPv4 checksum or protocol")
    bare = Packet(
        str(IPv4Address(data[12:16])),
        str(IPv4Address(data[16:20])),
        0,
        0,
        ttl=data[8],
        tos=data[1],
        ip_id=int.from_bytes(data[4:6], "big"),
        df=bool(data[6] & 0x40),
    )
    return bare, data[20:]


def icmp_error(
    quoted: bytes, router: str, *, kind: tuple[int, int], word: int = 0
) -> bytes:
    """Return an ICMP error of (type, code) about a packet, sent to its source."""
    first, _ = read_ip(quoted)
    like = Packet(router, first.src, 0, 0)
    quote = quoted[: 40 + 20] if first.v6 else quoted[: 20 + 8]
    body = bytearray(bytes([*kind, 0, 0]) + word.to_bytes(4, "big") + quote)
    if first.v6:
        ends = address_bytes(router) + address_bytes(first.src)
        pseudo = ends + len(body).to_bytes(4, "big") + bytes([0, 0, 0, ICMPV6])
        body[2:4] = checksum(pseudo + bytes(body)).to_bytes(2, "big")
        return ip_packet(like, ICMPV6, bytes(body))
    body[2:4] = checksum(bytes(body)).to_bytes(2, "big")
    return ip_packet(like, ICMP, bytes(body))
