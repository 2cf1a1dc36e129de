"""The door to C's captures: bytes and rings in, numbers out."""

from __future__ import annotations

from syncache import Ring
from syncache._core.capture import Capture, time_of
from syncache.links import capture

IP = bytes([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6]) + bytes(22) + b"\x50" + bytes(7)
FULL, MORE = 1, 0


def test_a_buffer_is_parsed_as_far_as_the_ring_takes_it():
    """What was consumed is the caller's to count."""
    data = capture.header(101, 65535) + b"".join(
        capture.record(1.0 + i, IP) for i in range(3)
    )
    made, rx = Capture(), Ring(2, 128)
    view = memoryview(bytearray(data))
    assert (FULL, 24 + 2 * 56) == made.parse(view, rx)
    assert [1.0, 2.0] == [time_of(rx, 0), time_of(rx, 1)]
    rx.clear()
    assert (MORE, 56) == made.parse(view[24 + 2 * 56 :], rx)
    assert (3, 0, 1000, 3000) == tuple(
        made.counts()[name] for name in ("packets", "skipped", "first_ms", "last_ms")
    )
    assert [] == made.passed()


def test_the_head_alone_can_be_read():
    """Then it is known what kind of file it is."""
    made = Capture()
    assert (MORE, 0) == made.begin(memoryview(bytearray(b"\xd4\xc3")))
    data = memoryview(bytearray(capture.header(101, 65535)))
    assert (FULL, 24) == made.begin(data)
