"""Headers of the same shape: those that differ in digits alone.

Nearly all lines of a log have a header like one before.  Contents: `Shapes`, which
keeps where in such a header the time and the host stand, so that a line costs a look
there and no search.  Elsewhere: the search (`log_line`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER_MAX = 300  # characters before the message that are looked at
SHAPES_MAX = 10_000
SECONDS = {f"{number:02}": float(number) for number in range(100)}
# Digits of which not every value fits: the first two of a year without dashes or
# behind the time, the version of RFC 5424, the first of TAI64N.
_PARTICULAR = re.compile(
    r"00(?=0{6}[Tt _-]00:?00)|(?<=[\d,.]\d )00(?=00[ \]])|^0 |(?<=>)0 |(?<=@)0"
)
_SAME = bytes.maketrans(b"123456789", b"000000000")
_DIGITS = str.maketrans("123456789", "000000000")
Span = tuple[int, int]
NOWHERE = (0, 0)


class Header(NamedTuple):
    """When and by whom a line was written; time is None if the line does not say."""

    time: float | None
    host: str
    uptime: bool = False


class Place(NamedTuple):
    """Where a header has its parts.

    `seconds` are within `time`; what else is in that is the `minute`, of which the
    same text is the same time.  `reader` makes a time of another form.
    """

    host: Span = NOWHERE
    time: Span = NOWHERE
    seconds: Span = NOWHERE
    summer: float = 0.0
    reader: Callable[[str], float] | None = None
    uptime: bool = False
    dated: bool = True
    particular: tuple[tuple[int, int, str], ...] = ()


class Shapes:
    """Headers that were searched, by their shapes."""

    def __init__(self) -> None:
        self._places: dict[bytes, Place] = {}
        self._minutes: dict[str, float] = {}

    def read(self, head: str) -> Header | None:
        """Read a header like one that is known; None if it is not."""
        shape = head.encode(errors="replace").translate(_SAME)
        place = self._places.get(shape)
        if place is None:
            return None
        host, time, seconds, summer, reader, uptime, dated, particular = place
        for begin, end, text in particular:
            if head[begin:end] != text:
                return None
        name = head[host[0] : host[1]]
        if not dated:
            return Header(None, name)
        if reader is not None:
            return Header(reader(head[time[0] : time[1]]), name, uptime)
        begin, end = seconds
        base = self._minutes.get(head[time[0] : begin] + head[end : time[1]])
        if base is None:
            return None
        text = head[begin:end]
        second = SECONDS.get(text)
        if second is None:
            second = float(text.replace(",", "."))
        return Header(base + summer + second, name)

    def keep(self, head: str, place: Place, time: float | None = None) -> None:
        """Keep where a header has its parts, and the time without `Place.summer`."""
        if len(head) > HEADER_MAX:
            return
        if time is not None and place.reader is None:
            begin, end = place.seconds
            minute = head[place.time[0] : begin] + head[end : place.time[1]]
            if len(self._minutes) >= SHAPES_MAX:
                self._minutes.clear()
            # Minutes and zones are whole numbers of seconds.
            self._minutes[minute] = float(
                round(time - float(head[begin:end].replace(",", ".")))
            )
        same = head.translate(_DIGITS)
        found = _PARTICULAR.finditer(same)
        particular = tuple((*each.span(), head[slice(*each.span())]) for each in found)
        if len(self._places) >= SHAPES_MAX:
            self._places.clear()
        shape = head.encode(errors="replace").translate(_SAME)
        self._places[shape] = place._replace(particular=particular)

    def forget_minutes(self) -> None:
        """Dates have to be read anew, since those before changed what they mean."""
        self._minutes.clear()
