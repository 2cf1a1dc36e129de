"""ICMP for a host: echo replies, and errors about our connections.

See RFC 792, RFC 4443, RFC 1191, RFC 8201, RFC 5927; RFC 9293 3.9.2.2.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from .. import address, fourtuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from .arrival import Arrival

_SHORT = Struct("!H")
_LONG = Struct("!I")
_ECHO_REQUEST = {address.IPV4: (8, 0), address.IPV6: (128, 0)}
_ECHO_REPLY = {address.IPV4: b"\0\0", address.IPV6: b"\x81\0"}
_HOP_LIMIT = 64
_PROTOCOL_ICMPV6 = 58

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


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071); 0 over data that contains a good one."""
    number = int.from_bytes(data, "big") << len(data) % 2 * 8
    # The sum of its 16-bit digits, with carries; what is divisible has all ones.
    total = number % 0xFFFF
    return 0 if number and not total else 0xFFFF - total


def echo_reply(arrival: Arrival, ours: Collection[tuple[int, bytes]]) -> bytes | None:
    """Return the reply to an echo request to one of our addresses, or None."""
    family, faddr, laddr = fourtuple.ends(arrival.key)
    if arrival.icmp != _ECHO_REQUEST.get(family) or (family, laddr) not in ours:
        return None
    packet = arrival.packet
    body = _ECHO_REPLY[family] + bytes(2) + arrival.payload[4:]
    if family == address.IPV6:
        ends = laddr + faddr
        size = _LONG.pack(len(body))
        total = checksum(ends + size + _LONG.pack(_PROTOCOL_ICMPV6) + body)
        head = bytes((*packet[:4], *size[2:], _PROTOCOL_ICMPV6, _HOP_LIMIT))
        return head + ends + body[:2] + _SHORT.pack(total) + body[4:]
    # The request's options are not taken over; its TOS is (RFC 1349 5.1).
    ip = bytearray(packet[:20])
    ip[0] = 0x45
    _SHORT.pack_into(ip, 2, 20 + len(body))
    ip[8] = _HOP_LIMIT
    ip[10:12] = bytes(2)
    ip[12:20] = laddr[:4] + faddr[:4]
    _SHORT.pack_into(ip, 10, checksum(bytes(ip)))
    return bytes(ip) + body[:2] + _SHORT.pack(checksum(body)) + body[4:]


def words(arrival: Arrival) -> tuple[str, bool]:
    """Return the text of an error about a segment, and whether it is a hard one."""
    family, _, _ = fourtuple.ends(arrival.key)
    kind, code = arrival.icmp or (0, 0)
    if family == address.IPV4 and kind == 3:
        return _WORDS_V4.get(code, "destination unreachable"), code in _HARD_V4
    if family == address.IPV6 and kind == 1:
        return _WORDS_V6.get(code, "destination unreachable"), code in _HARD_V6
    if kind == (11 if family == address.IPV4 else 3):
        return "time exceeded", False
    if family == address.IPV6 and kind == 2:
        return "packet too big", False
    return "parameter problem", False
