"""The segments' part of the door to C: packets to values and back.

See `_core`, whose rules hold here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ffi, lib
from .mirror import layout, numbers

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from .._ffi import CData
    from . import RingCore

    Departure = tuple[int, int, int, int, bytes, Buffer, int]


def parse(packet: bytes) -> tuple[int, bytes]:
    """Read a packet: the verdict, and the bytes of struct syncache_fields."""
    fields = ffi.new("struct syncache_fields *")
    verdict = lib.syncache_parse(packet, len(packet), 0, fields)
    return verdict, ffi.buffer(fields)[:]


def build(fields: bytes, options: bytes, payload: bytes) -> bytes:
    """Write a packet of struct syncache_fields; empty if it would be too long."""
    size_max = 60 + len(options) + len(payload)
    packet = ffi.new("uint8_t[]", size_max)
    pointer = ffi.from_buffer("struct syncache_fields *", fields)
    size = lib.syncache_build(pointer, options, payload, 0, packet, size_max)
    return ffi.buffer(packet, size)[:]


# The segments of `Stack`'s connections.

# struct syncache_fields: what a connection's segments have in common, then the rest.
_COMMON = layout(
    "syncache_fields",
    "saddr daddr sport dport family hop_limit tos dont_fragment flow_label",
    part=True,
)
_VARYING = layout(
    "syncache_fields",
    "ip_id flags seq ack window urgent options_offset options_size payload_offset "
    "payload_size",
    part=True,
)
_CHECKSUM_VALID, _CHECKSUM_PARTIAL = numbers("syncache_checksum", "valid partial")
# Not to be looked up by their names.
_FIELDS, _BYTES = ffi.typeof("struct syncache_fields *"), ffi.typeof("uint8_t[]")
_PSH_FIN = 0x08 | 0x01
_MASK = 0xFFFFFFFF

_SIZE = _COMMON.size + _VARYING.size
assert ffi.sizeof("struct syncache_fields") == _SIZE


class SegmentWriter:
    """Writes one connection's segments straight into the slots of a ring.

    `ends` are our packed address and port, the peer's packed address and port.
    """

    __slots__ = ("_dont_fragment", "_fields", "_ip_id", "_pointer")

    def __init__(
        self,
        family: int,
        ends: tuple[bytes, int, bytes, int],
        hop_limit: int,
        tos: int,
        dont_fragment: int,
        flow_label: int,
    ) -> None:
        laddr, lport, faddr, fport = ends
        self._fields = bytearray(_SIZE)
        _COMMON.pack_into(
            self._fields,
            0,
            laddr,
            faddr,
            lport,
            fport,
            family,
            hop_limit,
            tos,
            dont_fragment,
            flow_label,
        )
        self._pointer = ffi.from_buffer(_FIELDS, self._fields)
        self._dont_fragment = dont_fragment
        self._ip_id = 0

    def write(self, ring: RingCore, departure: Departure) -> None:
        """Append a packet; the caller has seen to it that there is a free slot.

        A super-segment leaves its checksums to the link.
        """
        seq, ack, flags, window, options, payload, gso_size = departure
        data = ffi.from_buffer(_BYTES, payload)
        shape = seq, ack, flags, window, len(data)
        self._build(ring, shape, options, data, gso_size)

    def cut(self, ring: RingCore, departure: Departure) -> int:
        """Append a super-segment as ordinary ones; return how many they were.

        The caller has seen to it that there are as many free slots.
        """
        seq, ack, flags, window, options, payload, size = departure
        data = ffi.from_buffer(_BYTES, payload)
        end = len(data)
        last = (end - 1) // size * size
        for at in range(0, last, size):
            shape = seq + at & _MASK, ack, flags & ~_PSH_FIN, window, size
            self._build(ring, shape, options, data + at)
        shape = seq + last & _MASK, ack, flags, window, end - last
        self._build(ring, shape, options, data + last)
        return last // size + 1

    def _build(
        self,
        ring: RingCore,
        shape: tuple[int, int, int, int, int],
        options: bytes,
        data: CData,
        gso_size: int = 0,
    ) -> None:
        """Write a packet into the next slot; `shape`: seq, ack, flags, window, size."""
        if not self._dont_fragment:
            # RFC 6864: an identification matters only where fragments may arise.
            self._ip_id = (self._ip_id + 1) & 0xFFFF
        seq, ack, flags, window, payload_size = shape
        _VARYING.pack_into(
            self._fields,
            _COMMON.size,
            self._ip_id,
            flags,
            seq,
            ack,
            window,
            0,
            0,
            len(options),
            0,
            payload_size,
        )
        checksum = _CHECKSUM_PARTIAL if gso_size else _CHECKSUM_VALID
        cdata = ring.cdata
        slot_size = cdata.slot_size
        size = lib.syncache_build(
            self._pointer,
            options,
            data,
            checksum,
            cdata.memory + cdata.count * slot_size,
            slot_size,
        )
        assert size > 0
        ring.fill(size, checksum, gso_size)
