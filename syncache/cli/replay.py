"""The common part of `inspect` and `advise`: a capture through an engine, in seconds.

The cost is that of the packets: seconds in which nothing changes come as one number.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from ..links.passed import lines
from ..links.replay import captured_at
from ..plural import plural
from . import one_line
from .sink import say
from .sources import Captures, Merged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..inspection import Inspection
    from ..links.passed import Passed
    from ..ring import Ring
    from .sources import Source, Summary

# Seconds of a longer gap are not measured: a damaged time would make years of them.
GAP_S = 86_400.0
IDLE_S = 10.0  # shorter pauses are taken second by second
DAMAGED = 3  # the exit status of results from a capture that is damaged or cut short


class Tick(NamedTuple):
    """A time of the engine's clock, and how many equal seconds have ended by it."""

    time: float
    seconds: int


def behind(time: float) -> float:
    """Return the millisecond behind a time."""
    return time if math.isinf(time) else (round(time * 1000) + 1) / 1000


class Replay:
    """One run of captures.

    After the run `packets`, `skipped` (of them not put through the engine), `passed`
    (all that was not looked at), `first` and `last` (times of the engine's clock) say
    what was in them, and `span` how many seconds they cover.  A capture that is damaged
    or cut short gives the packets up to there; `damages` has the reasons then.

    Raises:
        LinkError: A file cannot be read, or is of another kind.
    """

    def __init__(self, engine: Inspection, source: Captures | str | Path) -> None:
        captures = source if isinstance(source, Captures) else Captures((str(source),))
        self._engine: Inspection | None = engine
        self._merged = Merged(captures)
        self.first: float | None = None
        self.last = 0.0
        self.shift = 0.0  # the engine's clock minus captured times, now
        self.unmeasured = 0.0  # seconds of long gaps
        # Sessions that began with the SYN of an earlier one, SYNs that began none.
        self.again = self.others = self.odd = 0
        self._due = 0.0
        self._gaps = 0.0  # seconds put between joined captures

    @property
    def _summary(self) -> Summary:
        return self._merged.summary

    @property
    def packets(self) -> int:
        """Records read."""
        return self._summary.counts.get("packets", 0)

    @property
    def skipped(self) -> int:
        """Of them, those that were not put through the engine."""
        return self._summary.counts.get("skipped", 0)

    @property
    def passed(self) -> list[Passed]:
        """Records not looked at, by kind and number."""
        return self._summary.passed

    @property
    def damages(self) -> list[str]:
        """The faults of the files."""
        return self._summary.damages

    @property
    def span(self) -> float:
        """Seconds from the first packet on; 0 without one."""
        if self.first is None:
            return 0.0
        return max(0.0, self.last - self.first - self._gaps)

    def seconds(self) -> Iterator[Tick]:
        """Yield often: the time, and how many seconds have just ended at it.

        In between some packets were taken, so that events can be fetched before there
        are too many of them.
        """
        engine, self._engine = self._engine, None
        assert engine is not None
        try:
            for source, limit in self._merged.turns():
                if self.first is None:
                    self.first = self.last = self._begin(engine, source.rx)
                    self._due = self.first + 1
                if source.shift != self.shift:
                    yield from self._shift(engine, source)
                yield from self._take(engine, source.rx, limit)
        finally:
            self._merged.close()
            found = engine.statistics()
            self.again, self.others = found.sessions_again, found.syns_other
            self.odd = found.syns_odd

    def _shift(self, engine: Inspection, source: Source) -> Iterator[Tick]:
        """Begin anew behind a step of time; what is due before has the old shift."""
        then = max(self.last, engine.clock())
        if source.has_stepped:
            source.has_stepped = False
            then = max(then, source.next)
            engine.replay(source.rx, until=then)
            self._gaps += then - self.last
            self._due = max(self._due, then)
        yield Tick(then, 0)
        self.shift = source.shift

    def _take(self, engine: Inspection, rx: Ring, limit: float) -> Iterator[Tick]:
        """Take the packets up to a time, second by second."""
        end, first = behind(max(limit, self.last)), rx.next
        while rx.next < len(rx):
            until = max(min(self._due, end), engine.clock())
            engine.replay(rx, until=until)
            if rx.next == len(rx) or until >= end:
                break
            then = min(captured_at(rx, rx.next), end)  # another file's may be next
            seconds = self._equal(engine, then)
            if seconds > 1:
                self._due += seconds - 1
                engine.replay(rx, until=max(self._due, engine.clock()))
            yield Tick(self._due, seconds)
            self._due += 1
            if then - self._due > GAP_S:
                self.unmeasured += then - self._due
                self._due = then
        # Times that go back do not act: the engine stays at the latest.
        first = rx.next - 1 if math.isinf(limit) else first
        times = (captured_at(rx, i) for i in range(first, rx.next))
        self.last = max(self.last, *times) if first < rx.next else self.last
        yield Tick(self.last, 0)

    def _begin(self, engine: Inspection, rx: Ring) -> float:
        """Return the time of the first packet that has one, if others are far off."""
        first = captured_at(rx, 0)
        if first == 0:
            times = (captured_at(rx, i) for i in range(len(rx)))
            first = next((time for time in times if time > GAP_S), first)
            if first:
                engine.handle_timer(first)
        return first

    def _equal(self, engine: Inspection, then: float) -> int:
        """Return how many seconds from this one on are equal, up to the next packet."""
        horizon = then
        if not IDLE_S <= then - self._due <= GAP_S:
            return 1
        change = engine.next_change(self._due)
        if change is not None:
            horizon = min(then, change)
        return max(1, math.ceil(horizon - self._due))

    # The report afterwards.

    def status(self, command: str) -> int:
        """Return the exit status; report damage on the standard error."""
        for damage in self.damages:
            why = one_line(damage)
            say(f"syncache {command}: {why}; whole packets before that were used")
        return DAMAGED if self.damages else 0

    def notes(self) -> list[str]:
        """Return remarks about the captures."""
        notes = self._summary.notes()
        if self.again:
            notes.append(
                f"{self.again} {plural(self.again, 'session')} began with the SYN of "
                "one that had ended, refused or unanswered for too long; programs that "
                "tell connections apart by their numbers count both as one"
            )
        if self.others:
            notes.append(
                f"{self.others} {plural(self.others, 'SYN')} had another number than "
                "the one before from the same port, and one attempt counts; programs "
                "that tell connections apart by their numbers count each"
            )
        if self.odd:
            noun = plural(
                self.odd, "SYN with FIN or RST is", "SYNs with FIN or RST are"
            )
            more = plural(self.odd, "a request", "requests")
            notes.append(f"{self.odd} {noun} not {more}")
        if self.unmeasured > 1:
            notes.append(
                f"{self.unmeasured:.0f} s of gaps longer than a day were not measured"
            )
        return notes

    def text(self) -> list[str]:
        """Return the notes and the records not looked at, for a reader."""
        return [*self.notes(), *lines(self.passed)]

    def record(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return {
            "packets": self.packets,
            "seconds": round(self.span, 3),
            "notes": self.notes(),
            "damaged": self.damages,
            "not_looked_at": [each.record() for each in self.passed],
        }
