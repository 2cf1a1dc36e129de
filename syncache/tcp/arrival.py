"""The segment that arrived: header, options and payload as values.

The one door at which a connection's bytes become values.  The engine has verified
lengths and checksums of what it passes, but nothing here relies on that: a packet that
is not a whole TCP segment is None.

See RFC 9293 3.1 and 3.2; RFC 7323 3.2; RFC 2018 3; RFC 2385.
"""

from __future__ import annotations

from struct import Struct

from ..fourtuple import FourTuple

_SHORT = Struct("!H")
_PORTS = Struct("!HH")
_TCP = Struct("!HHIIHH")
_TIMESTAMPS = Struct("!III")
_PAIR = Struct("!II")
# NOP NOP TIMESTAMPS 10: how everyone lays the option out (RFC 7323 appendix A).
_ALIGNED_TIMESTAMPS = 0x0101080A
_OPTION_SACK = 5
_OPTION_TIMESTAMPS = 8
_OPTION_MD5 = 19
# Hop-by-hop, routing and destination options are passed over on the way to TCP.
_EXTENSION_HEADERS = frozenset((0, 43, 60))
_PROTOCOL_TCP = 6


def near(value: int, known: int) -> int:
    """Return the integer closest to `known` that is `value` modulo 2^32."""
    return known - 0x80000000 + ((value - known + 0x80000000) & 0xFFFFFFFF)


class Arrival:
    """A TCP segment from the peer.  Sequence numbers are still those of the wire."""

    __slots__ = (
        "ack",
        "ecn",
        "flags",
        "md5",
        "payload",
        "sack",
        "seq",
        "size",
        "tsecr",
        "tsval",
        "window",
    )

    def __init__(
        self,
        seq: int,
        ack: int,
        flags: int,
        window: int,
        payload: memoryview | bytes = b"",
    ) -> None:
        self.seq = seq
        self.ack = ack
        self.flags = flags
        self.window = window
        self.payload = payload
        self.size = len(payload)
        self.ecn = 0
        self.tsval: int | None = None
        self.tsecr = 0
        self.sack: list[tuple[int, int]] | None = None
        self.md5: bytes | None = None


def tcp_offset(packet: memoryview) -> int:
    """Return where the TCP header begins, or 0 if there is none."""
    size = len(packet)
    if size < 40:
        return 0
    version = packet[0] >> 4
    if version == 4:
        return (packet[0] & 15) * 4 if packet[9] == _PROTOCOL_TCP else 0
    if version != 6:
        return 0
    header, offset = packet[6], 40
    while header in _EXTENSION_HEADERS and offset + 8 <= size:
        header, offset = packet[offset], offset + 8 + packet[offset + 1] * 8
    return offset if header == _PROTOCOL_TCP else 0


def packet_end(packet: memoryview) -> int:
    """Return where the IP packet ends: bytes behind it are the link's padding.

    Ethernet pads frames below 60 bytes (RFC 894), and the IP header alone knows the
    length (RFC 791 3.1).  A length of 0 is a super-segment's, which ends where the
    bytes end.
    """
    if packet[0] >> 4 == 4:
        length = _SHORT.unpack_from(packet, 2)[0]
    else:
        length = _SHORT.unpack_from(packet, 4)[0]
        length = length and length + 40
    size = len(packet)
    return min(length, size) if length else size


def tuple_of(packet: memoryview) -> bytes | None:
    """Return the packet's tuple, its source foreign, in the form of `Conn.key`."""
    offset = tcp_offset(packet)
    if offset == 0 or offset + 4 > len(packet):
        return None
    where, size = (12, 4) if packet[0] >> 4 == 4 else (8, 16)
    source = bytes(packet[where : where + size])
    destination = bytes(packet[where + size : where + 2 * size])
    fport, lport = _PORTS.unpack_from(packet, offset)
    return FourTuple(source, fport, destination, lport).to_c()


def read(packet: memoryview) -> Arrival | None:
    """Return the packet's segment, or None if it is not a whole one."""
    offset = tcp_offset(packet)
    if offset == 0:
        return None
    end = packet_end(packet)
    if end < offset + 20:
        return None
    _, _, seq, ack, flags, window = _TCP.unpack_from(packet, offset)
    data = offset + (flags >> 12) * 4
    if data < offset + 20 or data > end:
        return None
    arrival = Arrival(seq, ack, flags & 0x1FF, window, packet[data:end])
    if packet[0] >> 4 == 4:
        arrival.ecn = packet[1] & 3
    else:
        arrival.ecn = packet[1] >> 4 & 3
    options = data - offset - 20
    if options:
        if options == 12:
            kind, tsval, tsecr = _TIMESTAMPS.unpack_from(packet, offset + 20)
            if kind == _ALIGNED_TIMESTAMPS:
                arrival.tsval = tsval
                arrival.tsecr = tsecr
                return arrival
        _read_options(arrival, bytes(packet[offset + 20 : data]))
    return arrival


def _read_options(arrival: Arrival, options: bytes) -> None:
    """Take what a connection uses; skip the rest by length, stop at a broken one."""
    at, end = 0, len(options)
    while at < end:
        kind = options[at]
        if kind == 0:
            return
        if kind == 1:
            at += 1
            continue
        size = options[at + 1] if at + 1 < end else 0
        if size < 2 or at + size > end:
            return
        if kind == _OPTION_TIMESTAMPS and size == 10:
            arrival.tsval, arrival.tsecr = _PAIR.unpack_from(options, at + 2)
        elif kind == _OPTION_SACK and size > 2 and (size - 2) % 8 == 0:
            blocks = _PAIR.iter_unpack(options[at + 2 : at + size])
            arrival.sack = [(left, right) for left, right in blocks]
        elif kind == _OPTION_MD5 and size == 18:
            arrival.md5 = options[at + 2 : at + 18]
        at += size
