"""Capture file formats, block by block; pcap tests have whole files."""

from __future__ import annotations

import io
import struct

import pytest

from syncache.links import capture

FRAME = b"\x45frame"


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = len(body) + 12
    return struct.pack(f"{order}II", kind, size) + body + struct.pack(f"{order}I", size)


def section(order: str) -> bytes:
    body = struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1)
    return block(order, capture.SECTION, body)


def interface(order: str, linktype: int, snaplen: int = 0, options: bytes = b""):
    body = struct.pack(f"{order}HHI", linktype, 0, snaplen) + options
    return block(order, capture.INTERFACE, body)


def enhanced(order: str, number: int, ticks: int, frame: bytes = FRAME) -> bytes:
    head = struct.pack(
        f"{order}IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame)
    )
    return block(order, capture.ENHANCED_PACKET, head + frame)


def records(*parts: bytes) -> list[capture.Record]:
    return list(capture.read(io.BytesIO(b"".join(parts))))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "per_second"), [(0xA1B2C3D4, 6), (0xA1B23C4D, 9)])
def test_classic_file_of_each_byte_order_and_resolution(order, magic, per_second):
    """The magic says how to read the rest; the high half of the linktype is flags."""
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, 0xF0000065)
    fraction = 25 * 10 ** (per_second - 2)
    record = struct.pack(f"{order}IIII", 7, fraction, len(FRAME), 99) + FRAME
    assert [capture.Record(7.25, 101, FRAME, 99)] == records(head, record)


@pytest.mark.parametrize("order", ["<", ">"])
def test_ng_packet_blocks_of_each_kind(order):
    """Enhanced, old and simple packets; a block of unknown kind is passed over."""
    ticks = 7_250_000
    old = struct.pack(f"{order}HHIIII", 0, 0, 0, ticks, len(FRAME), 99) + FRAME
    simple = struct.pack(f"{order}I", 99) + FRAME
    assert records(
        section(order),
        interface(order, 101, snaplen=len(FRAME)),
        block(order, 0x0BAD, b"1234"),
        enhanced(order, 0, ticks),
        block(order, capture.OLD_PACKET, old),
        block(order, capture.SIMPLE_PACKET, simple),
    ) == [
        capture.Record(7.25, 101, FRAME, len(FRAME)),
        capture.Record(7.25, 101, FRAME, 99),
        capture.Record(0.0, 101, FRAME, 99),
    ]


@pytest.mark.parametrize(
    ("resolution", "ticks"), [(b"\x03", 7_250), (b"\x09", 7_250_000_000), (b"\x82", 29)]
)
def test_ng_interface_options_set_the_clock(resolution, ticks):
    """Resolution in powers of 10 or 2, and an offset in seconds."""
    options = struct.pack("<HH", 9, 1) + resolution + bytes(3)
    options += struct.pack("<HHq", 14, 8, 1000) + struct.pack("<HH", 0, 0)
    (record,) = records(
        section("<"), interface("<", 1, options=options), enhanced("<", 0, ticks)
    )
    assert record.time == 1007.25


def test_ng_section_begins_anew_with_its_own_byte_order_and_interfaces():
    """Files may be joined end to end."""
    linktypes = [
        record.linktype
        for record in records(
            section("<"),
            interface("<", 1),
            enhanced("<", 0, 0),
            section(">"),
            interface(">", 101),
            interface(">", 113),
            enhanced(">", 1, 0),
        )
    ]
    assert linktypes == [1, 113]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (enhanced("<", 1, 0), "contradicts itself"),
        (block("<", capture.ENHANCED_PACKET, b"1234"), "contradicts itself"),
        (struct.pack("<II", 6, 8), "says that it has 8 bytes"),
        (struct.pack("<II", 6, 2**31), "says that it has"),
        (struct.pack("<III", capture.SECTION, 28, 7), "no known byte order"),
        (
            block("<", capture.ENHANCED_PACKET, struct.pack("<IIIII", 0, 0, 0, 9, 9)),
            "longer than its block",
        ),
    ],
)
def test_damaged_block_says_what_is_wrong(bad, says):
    """What came before it has been given."""
    good = section("<") + interface("<", 101) + enhanced("<", 0, 0)
    reader = capture.read(io.BytesIO(good + bad))
    assert next(reader).frame == FRAME
    with pytest.raises(capture.DamagedError, match=says):
        next(reader)


@pytest.mark.parametrize("content", [b"", b"GIF8", section("<")[:8] + bytes(9)])
def test_other_files_are_not_captures(content):
    """That is known before the first record is asked for."""
    with pytest.raises(capture.NotACaptureError):
        capture.read(io.BytesIO(content))


def test_written_file_reads_back():
    """Nanoseconds and all."""
    data = capture.header(101, 65535) + capture.record(7.25, FRAME)
    assert [capture.Record(7.25, 101, FRAME, len(FRAME))] == records(data)
