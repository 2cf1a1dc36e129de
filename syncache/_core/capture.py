"""Captures' part of the door to C: see `_core`, whose rules hold here too.

The calls are described in csrc/link/capture.h, the reasons in csrc/link/encap.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ffi, lib
from .mirror import limit, numbers, words

if TYPE_CHECKING:
    from .._ffi import RingStruct
    from . import RingCore

if not hasattr(lib, "link_copy"):  # pragma: no cover - test_first_change.py has it
    raise ImportError("this build has no csrc/link: links and captures need Linux")

MORE, FULL, STEP, FILTER, NO_CAPTURE, TOO_LONG, CONTRADICTION = numbers(
    "link_capture_status", "more full step filter no-capture too-long contradiction"
)
TUNNELS = words("link_tunnel")
_FILTERS_MAX = limit("LINK_CAPTURE_FILTERS_MAX")
_REASONS = {
    number: name.removeprefix("ENCAP_").lower()
    for number, name in ffi.typeof("enum encap_reason").elements.items()
}
_COUNTS = (
    "packets",
    "skipped",
    "first_ms",
    "last_ms",
    "shift_ms",
    "steps",
    "step_ms",
    "gap_ms",
    "untimed",
    "notes",
    "zeros",
    "odd_versions",
    "odd_options",
    "passed_rest",
    "doubles",
    "filtered",
)


class Doubles:
    """The packets among which several captures look for doubles."""

    __slots__ = ("_members", "shared")

    def __init__(self) -> None:
        self.shared = ffi.new("struct link_capture_shared *")
        self._members = 0

    def join(self) -> int:
        """Return the number of one more capture."""
        self._members += 1
        return self._members


class Capture:
    """The state of a capture that is being read."""

    __slots__ = ("_among", "_capture", "_programs")

    def __init__(
        self,
        *,
        tunnels: bool = False,
        dedup: bool = False,
        filtering: bool = False,
        among: Doubles | None = None,
    ) -> None:
        self._among = among  # C keeps a pointer to it
        self._capture = ffi.new("struct link_capture *")
        self._capture.tunnels = tunnels
        self._capture.dedup = dedup
        self._capture.filtering = filtering
        if among is not None:
            self._capture.shared = among.shared
            self._capture.number = among.join()
        self._programs: list[object] = []  # C keeps pointers to them

    @property
    def filter_linktype(self) -> int:
        """The link type that a filter is needed for, after FILTER."""
        return int(self._capture.filter_linktype)

    def add_filter(self, linktype: int, program: bytes) -> None:
        """Give a program, in the layout of struct filter_instruction.

        Raises:
            ValueError: it cannot be run, or there are too many.
        """
        count = len(program) // ffi.sizeof("struct filter_instruction")
        made = ffi.new("struct filter_instruction[]", count)
        ffi.memmove(made, program, len(program))
        place = self._capture.filter_count
        if place == _FILTERS_MAX or not lib.filter_valid(made, count):
            raise ValueError("it cannot be run here")
        self._programs.append(made)
        self._capture.filter[place].linktype = linktype
        self._capture.filter[place].program = made
        self._capture.filter_count = place + 1

    def begin(self, data: memoryview) -> tuple[int, int]:
        """Read the head of the file alone; as `parse`."""
        return self._parse(data, ffi.new("struct syncache_ring *"))

    def parse(self, data: memoryview, rx: RingCore) -> tuple[int, int]:
        """Append packets: enum link_capture_status, and the bytes consumed."""
        return self._parse(data, rx.cdata)

    def _parse(self, data: memoryview, rx: RingStruct) -> tuple[int, int]:
        place = ffi.from_buffer("uint8_t[]", data)
        status = lib.link_capture_parse(self._capture, place, len(data), rx)
        return int(status), int(self._capture.consumed)

    @property
    def packets(self) -> int:
        """Records read."""
        return int(self._capture.packets)

    def counts(self) -> dict[str, int]:
        """Return the numbers of struct link_capture."""
        return {name: int(getattr(self._capture, name)) for name in _COUNTS}

    def entered(self) -> dict[str, int]:
        """Return how many tunnels of each kind were looked into."""
        counts = ffi.unpack(self._capture.entered, len(TUNNELS))
        return {
            name: count for name, count in zip(TUNNELS, counts, strict=False) if count
        }

    def passed(self) -> list[tuple[str, int, int]]:
        """Return the records not looked at: reason, its number, and packets."""
        return [
            (_REASONS[row.reason], row.number, row.count)
            for row in self._capture.passed[0 : self._capture.passed_count]
        ]


def time_of(ring: RingCore, index: int) -> float:
    """Return the time in the slot of a captured packet, in seconds."""
    return float(ring.cdata.slot[index].handle / 1000)
