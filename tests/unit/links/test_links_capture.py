"""Capture files as they are written, read by an independent hand."""

from __future__ import annotations

import io

from scapy.utils import RawPcapReader

from syncache.links import capture

FRAME = b"\x45frame"


def test_written_file_reads_back():
    """Nanoseconds and all."""
    data = capture.header(101, 65535) + capture.record(7.25, FRAME)
    reader = RawPcapReader(io.BytesIO(data))
    ((frame, meta),) = list(reader)
    assert (101, FRAME) == (reader.linktype, frame)
    assert (7, 250_000_000, len(FRAME)) == (meta.sec, meta.usec, meta.wirelen)
