"""Capture files, written: classic pcap whose times have nanoseconds.

Reading is C's (csrc/link/capture.c), through `replay`.  See draft-ietf-opsawg-pcap.
"""

from __future__ import annotations

import struct

FILE_HEADER = "HHiIII"  # behind the magic: version, zone, accuracy, snaplen, linktype
RECORD_HEADER = "IIII"  # seconds, their fraction, bytes captured, bytes on the wire


def header(linktype: int, snaplen: int) -> bytes:
    """Return the head of a classic file whose times have nanoseconds."""
    fields = struct.pack("<" + FILE_HEADER, 2, 4, 0, 0, snaplen, linktype)
    return b"\x4d\x3c\xb2\xa1" + fields


def record(time: float, frame: bytes) -> bytes:
    """Return one record of a file that began with `header`."""
    nanoseconds = int(time % 1 * 10**9)
    size = len(frame)
    return struct.pack("<" + RECORD_HEADER, int(time), nanoseconds, size, size) + frame
