"""ICMP for a host: echo replies, and errors about our connections.

See RFC 792, RFC 4443, RFC 1191, RFC 8201, RFC 5927; RFC 9293 3.9.2.2.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from ..fourtuple import FourTuple

_SHORT = Struct("!H")
_PORTS = Struct("!HH")
_LONG = Struct("!I")
_ECHO_REQUEST = {4: 8, 6: 128}
_ECHO_REPLY = {4: 0, 6: 129}
_HOP_LIMIT = 64
_PROTOCOL_ICMP = 1
_PROTOCOL_TCP = 6
_PROTOCOL_ICMPV6 = 58
_DONT_FRAGMENT_ONLY = 0xBFFF

# RFC 1191 7: a router that does not say what fits; the next plateau is tried.
_PLATEAUS = (32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296)

_WORDS_V4 = {
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    13: "administratively prohibited",
}
_WORDS_V6 = {
    0: "no route",
    1: "administratively prohibited",
    3: "address unreachable",
    4: "port unreachable",
}
_HARD_V4 = frozenset((2, 3))
_HARD_V6 = frozenset((4,))


class IcmpError(NamedTuple):
    """An error about a segment of ours; `mtu` is 0 unless that was too big.

    `key` is the connection's (`Conn.key`).
    """

    key: bytes
    seq: int
    text: str
    hard: bool
    mtu: int


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071); 0 over data that contains a good one."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(word for (word,) in _SHORT.iter_unpack(data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def echo_reply(packet: bytes) -> bytes | None:
    """Return the reply to an echo request; None if it is none, or broken."""
    if len(packet) >= 28 and packet[0] >> 4 == 4 and packet[9] == _PROTOCOL_ICMP:
        return _echo_reply_v4(packet)
    if len(packet) >= 48 and packet[0] >> 4 == 6 and packet[6] == _PROTOCOL_ICMPV6:
        return _echo_reply_v6(packet)
    return None


def _echo_reply_v4(packet: bytes) -> bytes | None:
    header = (packet[0] & 15) * 4
    total = _SHORT.unpack_from(packet, 2)[0]
    message = packet[header:total]
    fragment = _SHORT.unpack_from(packet, 6)[0] & _DONT_FRAGMENT_ONLY
    if fragment or len(message) < 8 or checksum(message) != 0:
        return None
    if message[0] != _ECHO_REQUEST[4] or message[1] != 0:
        return None
    body = bytes((_ECHO_REPLY[4], 0)) + bytes(2) + message[4:]
    body = body[:2] + _SHORT.pack(checksum(body)) + body[4:]
    # The request's options are not taken over.
    ip = bytearray(packet[:20])
    ip[0] = 0x45
    _SHORT.pack_into(ip, 2, 20 + len(body))
    ip[8] = _HOP_LIMIT
    ip[10:12] = bytes(2)
    ip[12:16], ip[16:20] = packet[16:20], packet[12:16]
    _SHORT.pack_into(ip, 10, checksum(bytes(ip)))
    return bytes(ip) + body


def _echo_reply_v6(packet: bytes) -> bytes | None:
    size = _SHORT.unpack_from(packet, 4)[0]
    message = packet[40 : 40 + size]
    pseudo = packet[8:40] + _LONG.pack(size) + _LONG.pack(_PROTOCOL_ICMPV6)
    if len(message) < size or size < 8 or checksum(pseudo + message) != 0:
        return None
    if message[0] != _ECHO_REQUEST[6] or message[1] != 0:
        return None
    body = bytes((_ECHO_REPLY[6], 0)) + bytes(2) + message[4:]
    body = body[:2] + _SHORT.pack(checksum(pseudo + body)) + body[4:]
    header = packet[:7] + bytes((_HOP_LIMIT,))
    return header + packet[24:40] + packet[8:24] + body


def read_error(packet: bytes) -> IcmpError | None:
    """Return the contents of an ICMP error about one of our segments, or None."""
    if len(packet) >= 28 and packet[0] >> 4 == 4:
        return _read_error_v4(packet[(packet[0] & 15) * 4 :])
    if len(packet) >= 48 and packet[0] >> 4 == 6 and packet[6] == _PROTOCOL_ICMPV6:
        return _read_error_v6(packet[40:])
    return None


def _read_error_v4(message: bytes) -> IcmpError | None:
    quoted = message[8:]
    if len(quoted) < 28 or quoted[0] >> 4 != 4 or quoted[9] != _PROTOCOL_TCP:
        return None
    ports = (quoted[0] & 15) * 4
    if ports < 20 or len(quoted) < ports + 8:
        return None
    key = _key(quoted[16:20], quoted[12:16], quoted, ports)
    seq = _LONG.unpack_from(quoted, ports + 4)[0]
    kind, code = message[0], message[1]
    if (kind, code) == (3, 4):
        mtu = _SHORT.unpack_from(message, 6)[0]
        size = _SHORT.unpack_from(quoted, 2)[0]
        mtu = mtu or next((p for p in _PLATEAUS if p < size), _PLATEAUS[-1])
        return IcmpError(key, seq, "packet too big", hard=False, mtu=mtu)
    if kind == 3:
        text = _WORDS_V4.get(code, "destination unreachable")
        return IcmpError(key, seq, text, hard=code in _HARD_V4, mtu=0)
    if kind == 11:
        return IcmpError(key, seq, "time exceeded", hard=False, mtu=0)
    if kind == 12:
        return IcmpError(key, seq, "parameter problem", hard=False, mtu=0)
    return None


def _read_error_v6(message: bytes) -> IcmpError | None:
    quoted = message[8:]
    if len(quoted) < 48 or quoted[0] >> 4 != 6 or quoted[6] != _PROTOCOL_TCP:
        return None
    key = _key(quoted[24:40], quoted[8:24], quoted, 40)
    seq = _LONG.unpack_from(quoted, 44)[0]
    kind, code = message[0], message[1]
    if kind == 2:
        mtu = _LONG.unpack_from(message, 4)[0]
        return IcmpError(key, seq, "packet too big", hard=False, mtu=mtu)
    if kind == 1:
        text = _WORDS_V6.get(code, "destination unreachable")
        return IcmpError(key, seq, text, hard=code in _HARD_V6, mtu=0)
    if kind == 3:
        return IcmpError(key, seq, "time exceeded", hard=False, mtu=0)
    if kind == 4:
        return IcmpError(key, seq, "parameter problem", hard=False, mtu=0)
    return None


def _key(foreign: bytes, local: bytes, quoted: bytes, ports: int) -> bytes:
    """Return the connection's key, of a packet that we are said to have sent."""
    lport, fport = _PORTS.unpack_from(quoted, ports)
    return FourTuple(foreign, fport, local, lport).to_c()
