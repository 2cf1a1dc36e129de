"""The common part of `inspect` and `advise`: a capture through an engine, in seconds.

The cost is that of the packets: seconds in which nothing changes come as one number.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, NamedTuple

from ..links.passed import lines
from ..links.replay import CaptureReader, DamagedError, captured_at
from ..ring import Ring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..inspection import Inspection
    from ..links.passed import Passed

SLOTS, SLOT_BYTES = 256, 524_416  # the largest super-segment; memory as it is used
# Seconds of a longer gap are not measured: a damaged time would make years of them.
GAP_S = 86_400.0
IDLE_S = 10.0  # shorter pauses are taken second by second
DAMAGED = 3  # the exit status of results from a capture that is damaged or cut short


class Tick(NamedTuple):
    """A time of the engine's clock, and how many equal seconds have ended by it."""

    time: float
    seconds: int


class Replay:
    """One run of a capture.

    After the run `packets`, `skipped` (of them not put through the engine), `passed`
    (all that was not looked at), `first` and `last` (times of the engine's clock) say
    what was in it, and `span` how many seconds it covers.  A capture that is damaged
    or cut short gives the packets up to there; `damage` is the reason then.

    Raises:
        LinkError: The file cannot be read, or is of another kind.
    """

    def __init__(self, engine: Inspection, path: str | Path) -> None:
        self._engine = engine
        self._reader = CaptureReader(path)
        self.packets = self.skipped = 0
        self.passed: list[Passed] = []
        self.damage: str | None = None
        self.first: float | None = None
        self.last = 0.0
        self.shift = 0.0  # the engine's clock minus captured times, now
        self.unmeasured = 0.0  # seconds of long gaps
        self._gaps = 0.0  # of them, put between joined captures

    @property
    def span(self) -> float:
        """Seconds from the first packet on; 0 without one."""
        return 0.0 if self.first is None else self.last - self.first - self._gaps

    def seconds(self) -> Iterator[Tick]:
        """Yield often: the time, and how many seconds have just ended at it.

        In between some packets were taken, so that events can be fetched before there
        are too many of them.
        """
        rx = Ring(SLOTS, SLOT_BYTES)
        try:
            while self._receive(rx):
                yield from self._ring(rx)
                rx.clear()
        finally:
            reader = self._reader
            self.packets, self.skipped = reader.packets, reader.skipped
            self.passed = reader.passed
            self._counts = reader.counts()
            self._gaps = self._counts["gap_ms"] / 1000
            reader.close()

    def _receive(self, rx: Ring) -> int:
        try:
            return self._reader.receive(rx)
        except DamagedError as error:
            self.damage = str(error)
            return 0

    def _ring(self, rx: Ring) -> Iterator[Tick]:
        engine = self._engine
        if self.first is None:
            self.first = self._begin(rx)
            self._due = self.first + 1
        shift = self._reader.shift
        if shift != self.shift:  # what is due before still has the old one
            then = max(self.last, captured_at(rx, 0))
            engine.replay(rx, until=then)
            yield Tick(then, 0)
            self.shift = shift
            if then > self._due:
                self.unmeasured += then - self._due
                self._due = then
        while rx.next < len(rx):
            engine.replay(rx, until=self._due)
            if rx.next < len(rx):
                then = captured_at(rx, rx.next)
                seconds = self._equal(then)
                if seconds > 1:
                    self._due += seconds - 1
                    engine.replay(rx, until=self._due)
                yield Tick(self._due, seconds)
                self._due += 1
                if then - self._due > GAP_S:
                    self.unmeasured += then - self._due
                    self._due = then
        # Times that go back do not act: the engine stays at the latest.
        self.last = max(self.last, self.first, captured_at(rx, len(rx) - 1))
        yield Tick(self.last, 0)

    def _begin(self, rx: Ring) -> float:
        """Return the time of the first packet that has one, if others are far off."""
        first = captured_at(rx, 0)
        if first == 0:
            times = (captured_at(rx, i) for i in range(len(rx)))
            first = next((time for time in times if time > GAP_S), first)
            if first:
                self._engine.handle_timer(first)
        return first

    def _equal(self, then: float) -> int:
        """Return how many seconds from this one on are equal, up to the next packet."""
        horizon = then
        if not IDLE_S <= then - self._due <= GAP_S:
            return 1
        change = self._engine.next_change(self._due)
        if change is not None:
            horizon = min(then, change)
        return max(1, math.ceil(horizon - self._due))

    # The report afterwards.

    def status(self, command: str) -> int:
        """Return the exit status; report damage on the standard error."""
        if self.damage is None:
            return 0
        print(
            f"syncache {command}: {self.damage}; the {self.packets} packets before "
            "that were used",
            file=sys.stderr,
        )
        return DAMAGED

    def notes(self) -> list[str]:
        """Return what an operator has to know about the times of the capture."""
        counts = self._counts
        notes = []
        if counts["steps"]:
            times = "once" if counts["steps"] == 1 else f"{counts['steps']} times"
            most = counts["step_ms"] / 1000
            notes.append(
                f"time steps back {times}, by {most:.0f} s at most; "
                "packets behind a step count as later than those before it"
            )
        if counts["untimed"]:
            notes.append(
                f"{counts['untimed']} packets have no time, and count as of the time "
                "of the one before"
            )
        elif self.packets > 1 and not counts["last_ms"]:
            notes.append("no packet has a time: all count as of one instant")
        quiet = self.unmeasured - self._gaps
        if quiet > 1:
            notes.append(f"{quiet:.0f} s of gaps longer than a day were not measured")
        return notes

    def text(self) -> list[str]:
        """Return the notes and what was not looked at, for a reader."""
        return [*self.notes(), *lines(self.passed)]
