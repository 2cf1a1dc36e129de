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
        return status, self._capture.consumed

    @property
    def linktype(self) -> int:
        """The link type of the last packet."""
        return self._capture.linktype  # type: ignore[no-any-return]

    @property
    def packets(self) -> int:
        """Records read."""
        return self._capture.packets  # type: ignore[no-any-return]

    @property
    def skipped(self) -> int:
        """Records that held no IP packet that fits into a slot."""
        return self._capture.skipped  # type: ignore[no-any-return]


def time_of(ring: RingCore, index: int) -> float:
    """Return the time in the slot of a captured packet, in seconds."""
    return ring.cdata.slot[index].handle / 1000  # type: ignore[no-any-return]
