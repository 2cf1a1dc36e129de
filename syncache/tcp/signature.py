"""The MD5 signature of every segment between two peers that share a key (RFC 2385).

The engine checks and signs the handshake; here is the same for the connection.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any

from .. import address as addresses
from .._core.segment import SegmentWriter
from ..options import KIND_MD5, NOP
from ..segment import FIN, PSH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..conn import Conn
    from ..fourtuple import FourTuple
    from ..ring import Ring
    from .arrival import Arrival
    from .departure import Departure, Writer

# Two NOPs keep what follows aligned.
_PREFIX = bytes((NOP, NOP, KIND_MD5, 18))
OPTION_BYTES = 20
_PSEUDO_V4 = Struct("!4s4sxBH")
_PSEUDO_V6 = Struct("!16s16sI3xB")
_HEADER = Struct("!HHIIHHHH")
_PROTOCOL_TCP = 6


def writer_of(conn: Conn, options: Mapping[str, Any], dont_fragment: int) -> Writer:
    """Return the writer of a connection's packets, as its listener's options say."""
    opening = conn.opening
    family = opening.family
    writer = SegmentWriter(
        family,
        (opening.laddr, opening.lport, opening.faddr, opening.fport),
        options.get("hop_limit", 64),
        options.get("tos", 0) & 0xFC,
        dont_fragment,
        opening.iss & 0xFFFFF if family == addresses.IPV6 else 0,
    )
    if not opening.md5:
        return writer
    peers = options["md5_keys"].items()
    peer = opening.faddr
    key = next(key for name, key in peers if addresses.pack(name)[1] == peer)
    return SigningWriter(writer, conn.four_tuple, key)


class SigningWriter:
    """Writes the segments of a connection with their signature, and checks the peer's.

    In place of a `SegmentWriter`, which it uses.
    """

    def __init__(self, writer: SegmentWriter, ends: FourTuple, key: bytes) -> None:
        self._writer = writer
        self._key = key
        self._ports = ends.lport, ends.fport
        family, laddr, faddr = addresses.pair(ends.local, ends.foreign)
        self._is_v4 = family == addresses.IPV4
        size = 4 if self._is_v4 else 16
        self._pair = laddr[:size], faddr[:size]

    def write(self, ring: Ring, departure: Departure) -> None:
        """Append one packet, signed."""
        seq, ack, flags, window, options, payload, _ = departure
        offset = (20 + len(options) + OPTION_BYTES) // 4
        header = _HEADER.pack(
            *self._ports, seq, ack, offset << 12 | flags, window, 0, 0
        )
        digest = self._digest(self._pair, header, offset * 4, bytes(payload))
        signed = options + _PREFIX + digest
        self._writer.write(ring, departure._replace(options=signed))

    def cut(self, ring: Ring, departure: Departure) -> int:
        """Append a super-segment as ordinary ones, each signed; return how many."""
        seq, _, flags, _, _, payload, size = departure
        starts = range(0, len(payload), size)
        for at in starts:
            ends = at == starts[-1]
            piece = departure._replace(
                seq=seq + at & 0xFFFFFFFF,
                flags=flags if ends else flags & ~(PSH | FIN),
                payload=payload[at : at + size],
                gso_size=0,
            )
            self.write(ring, piece)
        return len(starts)

    def verifies(self, arrival: Arrival) -> bool:
        """Tell whether the peer signed this segment."""
        if arrival.md5 is None or arrival.header is None:
            return False
        header = bytes(arrival.header[:16]) + bytes(2) + bytes(arrival.header[18:20])
        laddr, faddr = self._pair
        size, payload = len(arrival.header), bytes(arrival.payload)
        expected = self._digest((faddr, laddr), header, size, payload)
        from hmac import compare_digest  # its library is megabytes: who signs needs it

        return compare_digest(expected, arrival.md5)

    def _digest(
        self, pair: tuple[bytes, bytes], header: bytes, size: int, payload: bytes
    ) -> bytes:
        """Digest pseudo header, header with neither checksum nor options, data, key."""
        total = size + len(payload)
        if self._is_v4:
            pseudo = _PSEUDO_V4.pack(*pair, _PROTOCOL_TCP, total)
        else:
            pseudo = _PSEUDO_V6.pack(*pair, total, _PROTOCOL_TCP)
        data = pseudo + header + payload + self._key
        from hashlib import md5

        return md5(data, usedforsecurity=False).digest()
