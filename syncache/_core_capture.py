"""Captures' part of the door to C: see `_core`, whose rules hold here too.

What the call does is told by csrc/link/capture.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._core import ffi, lib

if TYPE_CHECKING:
    from ._core import RingCore


class Capture:
    """What is known of a capture that is being read."""

    __slots__ = ("_capture",)

    def __init__(self) -> None:
        self._capture = ffi.new("struct link_capture *")

    def parse(self, data: memoryview, rx: RingCore) -> tuple[int, int]:
        """Append packets: enum link_capture_status, and the bytes consumed."""
        place = ffi.from_buffer("uint8_t[]", data)
        status = lib.link_capture_parse(self._capture, place, len(data), rx.cdata)
        return int(status), int(self._capture.consumed)

    @property
    def linktype(self) -> int:
        """The link type of the last packet."""
        return int(self._capture.linktype)

    @property
    def packets(self) -> int:
        """Records read."""
        return int(self._capture.packets)

    @property
    def skipped(self) -> int:
        """Records that held no IP packet that fits into a slot."""
        return int(self._capture.skipped)


def time_of(ring: RingCore, index: int) -> float:
    """Return the time in the slot of a captured packet, in seconds."""
    return float(ring.cdata.slot[index].handle / 1000)
