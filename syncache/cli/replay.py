"""What `inspect` and `advise` share: a capture through an engine, second by second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..links.replay import CaptureReader, captured_at
from ..ring import Ring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..inspection import Inspection

SLOTS, SLOT_BYTES = 256, 65_600  # an IP packet of 65,535 bytes
# Where nothing happens for longer, the seconds between are passed over: a damaged time
# would else cost years of them.
GAP_S = 86_400.0


class Replay:
    """One run of a capture.

    After the run `packets`, `skipped` (of them not IP), `first` and `last` (times) say
    what was in it, and `span` how many seconds it covers.

    Raises:
        LinkError: The file cannot be read, is damaged or of another kind.
    """

    def __init__(self, engine: Inspection, path: str | Path) -> None:
        self._engine = engine
        self._reader = CaptureReader(path)
        self.packets = self.skipped = 0
        self.first: float | None = None
        self.last = 0.0

    @property
    def span(self) -> float:
        """Seconds from the first packet on; 0 without one."""
        return 0.0 if self.first is None else self.last - self.first

    def seconds(self) -> Iterator[tuple[float, bool]]:
        """Yield often: the time, and whether a second has just ended at it.

        In between some packets were taken, so that events can be fetched before there
        are too many of them.
        """
        rx = Ring(SLOTS, SLOT_BYTES)
        try:
            while self._reader.receive(rx):
                yield from self._ring(rx)
                rx.clear()
        finally:
            self.packets, self.skipped = self._reader.packets, self._reader.skipped
            self._reader.close()

    def _ring(self, rx: Ring) -> Iterator[tuple[float, bool]]:
        if self.first is None:
            self.first = captured_at(rx, 0)
            self._due = self.first + 1
        while rx.next < len(rx):
            self._engine.replay(rx, until=self._due)
            if rx.next < len(rx):
                yield self._due, True
                self._due += 1
                then = captured_at(rx, rx.next)
                if then - self._due > GAP_S:
                    self._due = then
        # Times that go back do not act: the engine stays at the latest.
        self.last = max(self.last, self.first, captured_at(rx, len(rx) - 1))
        yield self.last, False
