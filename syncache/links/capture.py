"""Capture files as records: classic pcap and pcapng, read; classic pcap, written.

Nothing here knows packets; `pcap` does.  See draft-ietf-opsawg-pcap and
draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD_MAX = 16 * 1024 * 1024  # a longer block or record is damage, not data

CLASSIC_MAGIC = {
    b"\xd4\xc3\xb2\xa1": ("<", 10**6),
    b"\xa1\xb2\xc3\xd4": (">", 10**6),
    b"\x4d\x3c\xb2\xa1": ("<", 10**9),
    b"\xa1\xb2\x3c\x4d": (">", 10**9),
}
FILE_HEADER = "HHiIII"  # behind the magic: version, zone, accuracy, snaplen, linktype
RECORD_HEADER = "IIII"  # seconds, their fraction, bytes captured, bytes on the wire

SECTION = 0x0A0D0D0A  # the same in both byte orders
INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 1, 2, 3, 6
BYTE_ORDER = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
BLOCK_MIN = 12  # type, length, length again
OPTION_END, OPTION_TSRESOL, OPTION_TSOFFSET = 0, 9, 14


class Record(NamedTuple):
    """One captured frame; `wire_size` is what it measured before it was cut off."""

    time: float
    linktype: int
    frame: bytes
    wire_size: int


class NotACaptureError(ValueError):
    """The file is of another kind."""


class DamagedError(ValueError):
    """The file is a capture up to here."""


def read(file: BinaryIO) -> Iterator[Record]:
    """Yield the records of a capture.

    Raises:
        NotACaptureError: At once, before anything is yielded.
        DamagedError: When the damage is reached.
    """
    magic = file.read(4)
    try:
        if magic in CLASSIC_MAGIC:
            return _classic(file, *CLASSIC_MAGIC[magic])
        if magic == SECTION.to_bytes(4, "big"):
            file.seek(0)
            return _ng(file, _block_order(file))
    except DamagedError:
        pass
    raise NotACaptureError


def _classic(file: BinaryIO, order: str, per_second: int) -> Iterator[Record]:
    header = struct.Struct(order + FILE_HEADER)
    linktype = header.unpack(_exactly(file, header.size))[-1] & 0xFFFF
    return _classic_records(file, order, per_second, linktype)


def _classic_records(
    file: BinaryIO, order: str, per_second: int, linktype: int
) -> Iterator[Record]:
    header = struct.Struct(order + RECORD_HEADER)
    while head := file.read(header.size):
        if len(head) < header.size:
            raise DamagedError("it ends within a record")
        seconds, fraction, size, wire_size = header.unpack(head)
        frame = _exactly(file, size)
        yield Record(seconds + fraction / per_second, linktype, frame, wire_size)


class _Interface(NamedTuple):
    linktype: int
    snaplen: int
    per_second: int
    offset: int

    def seconds(self, high: int, low: int) -> float:
        return self.offset + ((high << 32) | low) / self.per_second


def _ng(file: BinaryIO, order: str) -> Iterator[Record]:
    interfaces: list[_Interface] = []
    while head := file.read(8):
        if len(head) < 8:
            raise DamagedError("it ends within a block")
        (kind,) = struct.unpack(order + "I", head[:4])
        if kind == SECTION:
            file.seek(-8, 1)
            order = _block_order(file)
            interfaces = []
            file.seek(8, 1)
        (size,) = struct.unpack(order + "I", head[4:])
        if size < BLOCK_MIN or size % 4:
            raise DamagedError(f"a block says that it has {size} bytes")
        body = _exactly(file, size - 8)[:-4]
        try:
            if kind == INTERFACE:
                interfaces.append(_interface(body, order))
            elif kind in {ENHANCED_PACKET, OLD_PACKET, SIMPLE_PACKET}:
                yield _packet(kind, body, order, interfaces)
        except (struct.error, IndexError):
            raise DamagedError("a block contradicts itself") from None


def _block_order(file: BinaryIO) -> str:
    """Return the byte order of the section that begins here, without moving."""
    start = file.tell()
    mark = _exactly(file, 12)[8:]
    file.seek(start)
    if mark not in BYTE_ORDER:
        raise DamagedError("a section of no known byte order")
    return BYTE_ORDER[mark]


def _interface(body: bytes, order: str) -> _Interface:
    linktype, _, snaplen = struct.unpack_from(order + "HHI", body)
    per_second, offset, at = 10**6, 0, 8
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + size]
        if code == OPTION_END:
            break
        if code == OPTION_TSRESOL:
            base = 2 if value[0] & 0x80 else 10
            per_second = base ** (value[0] & 0x7F)
        elif code == OPTION_TSOFFSET:
            (offset,) = struct.unpack(order + "q", value)
        at += 4 + (size + 3) // 4 * 4
    return _Interface(linktype, snaplen, per_second, offset)


def _packet(kind: int, body: bytes, order: str, interfaces: list[_Interface]) -> Record:
    if kind == SIMPLE_PACKET:
        interface = interfaces[0]
        (wire_size,) = struct.unpack_from(order + "I", body)
        size = min(wire_size, interface.snaplen or wire_size)
        start, seconds = 4, 0.0  # such a block has no time
    else:
        fields = "IIIII" if kind == ENHANCED_PACKET else "HxxIIII"
        number, high, low, size, wire_size = struct.unpack_from(order + fields, body)
        interface = interfaces[number]
        start, seconds = 20, interface.seconds(high, low)
    if start + size > len(body):
        raise DamagedError("a packet is longer than its block")
    return Record(seconds, interface.linktype, body[start : start + size], wire_size)


def _exactly(file: BinaryIO, size: int) -> bytes:
    if size > RECORD_MAX:
        raise DamagedError(f"a record says that it has {size} bytes")
    data = file.read(size)
    if len(data) < size:
        raise DamagedError("it ends within a record")
    return data


def header(linktype: int, snaplen: int) -> bytes:
    """Return the head of a classic file whose times have nanoseconds."""
    fields = struct.pack("<" + FILE_HEADER, 2, 4, 0, 0, snaplen, linktype)
    return b"\x4d\x3c\xb2\xa1" + fields


def record(time: float, frame: bytes) -> bytes:
    """Return one record of a file that began with `header`."""
    nanoseconds = int(time % 1 * 10**9)
    size = len(frame)
    return struct.pack("<" + RECORD_HEADER, int(time), nanoseconds, size, size) + frame
