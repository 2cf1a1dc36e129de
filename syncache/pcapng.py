"""The blocks of a pcapng file in which each packet may carry a comment.

Contents: bytes of the blocks that we write, little-endian, nanoseconds, raw IP.
Elsewhere: files, and reading (`links.replay`).

    https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html
"""

from __future__ import annotations

import struct

from .ring import PACKET_MAX

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
MAGIC = 0x1A2B3C4D
LINKTYPE_RAW = 101
COMMENT_MAX = 1000  # bytes
END, COMMENT = 0, 1
FLAGS = 2  # of a packet
INBOUND, OUTBOUND = 1, 2  # bits of the flags
USER_APPLICATION = 4  # of a section
NAME, TIME_RESOLUTION = 2, 9  # of an interface
NANOSECONDS = 9


def section(application: str) -> bytes:
    """Begin a file; `application` names who wrote it."""
    options = _option(USER_APPLICATION, application.encode()[:COMMENT_MAX])
    body = struct.pack("<IHHq", MAGIC, 1, 0, -1)
    return _block(SECTION, body + options + _END)


def interface(name: str) -> bytes:
    """Describe the next interface; the first one has number 0."""
    options = _option(NAME, name.encode()[:COMMENT_MAX])
    options += _option(TIME_RESOLUTION, bytes([NANOSECONDS]))
    body = struct.pack("<HHI", LINKTYPE_RAW, 0, PACKET_MAX)
    return _block(INTERFACE, body + options + _END)


def packet(
    number: int,
    time: float,
    data: bytes,
    comment: str,
    size: int | None = None,
    *,
    direction: int = 0,
) -> bytes:
    """Hold one packet.

    Args:
        number: of its interface.
        time: seconds since 1970.
        data: from the IP header on, perhaps cut.
        comment: shown beside it.
        size: bytes of the whole packet; None: `data` is all of it.
        direction: INBOUND, OUTBOUND, or 0: not known.
    """
    stamp = min(max(round(time * 1e9), 0), 2**64 - 1)
    lengths = len(data), len(data) if size is None else size
    body = struct.pack("<IIIII", number, stamp >> 32, stamp & 0xFFFFFFFF, *lengths)
    text = _option(COMMENT, comment.encode(errors="replace")[:COMMENT_MAX])
    if direction:
        text += _option(FLAGS, struct.pack("<I", direction))
    return _block(PACKET, body + _padded(data) + text + _END)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


_END = _option(END, b"")
