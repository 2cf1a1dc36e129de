"""`syncache inspect --report` on interfaces: a page of what the run has seen so far.

Contents: samples once a second, sessions and alerts as they come, all in bounded
memory; the page, written at the end and on SIGUSR1.  Elsewhere: the page itself
(`report_traffic`).

In a flood more sessions begin than are counted, by the bounds of the engine's journal
and of the log; the page states how many events are missing.  The file is written by a
thread, so that a slow disk delays no packet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..ios import inspect as ios_inspect
from ..plural import plural
from . import Failure
from .report_traffic import Traffic, inspect_page, save, spelled
from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ..inspection import Inspection
    from ..report_page import Page

DROPPED = "kernel_dropped"
TITLE = "Inspection of live traffic"
PATIENCE_S = 5.0  # for a page that is being written, at the end


class LiveReport:
    """The page of a run on interfaces.

    Args:
        engine: whose sessions are all reported from now on.
        path: of the page.
        where: the interfaces, for the page.
        write: takes a line if the page cannot be written.
        zero: the wall clock when the engine's time was 0, in seconds since 1970.
    """

    def __init__(
        self,
        engine: Inspection,
        path: Path,
        where: str,
        write: Callable[[str], object],
        zero: float,
    ) -> None:
        self.traffic = Traffic.beside(engine)
        self._frames = 0  # lost by the links
        self._engine, self._path, self._where = engine, path, where
        self._write, self._zero = write, zero
        self._due: float | None = None
        self._worker = Worker()
        self._trouble = ""

    def turn(self, now: float, counts: Callable[[], Mapping[str, int]]) -> None:
        """Take a sample, and the counters of the links, if a second has passed."""
        if self._trouble:
            self._write(f"{self._trouble}\n")
            self._trouble = ""
        if self._due is None:
            self._due = now + 1
        if now >= self._due:
            seconds = int(now - self._due) + 1
            self._due += seconds
            sample = self._engine.sample(now)._replace(seconds=seconds)
            self.traffic.samples.add(sample)
            lost = [n for name, n in counts().items() if name.endswith(DROPPED)]
            self._frames = sum(lost)

    def adopted(self) -> None:
        """The engine has other tunables and rules: it reports all sessions again."""
        fresh = Traffic.beside(self._engine)
        self.traffic.rules, self.traffic.audit = fresh.rules, fresh.audit

    def write(self, now: float) -> None:
        """Write the page as it stands, unless the last one is still being written."""
        if not self._worker.busy:
            page = self._page(now)
            self._worker.begin(lambda: self._save(page))

    def close(self, now: float) -> None:
        """Write the last page.

        Raises:
            Failure: it cannot be written.
        """
        if not self._worker.wait(PATIENCE_S):
            raise Failure(f"cannot write {self._path}: it takes too long")
        self._worker.close()
        save(self._page(now), self._path)

    def _save(self, page: Page) -> None:
        try:
            save(page, self._path)
        except Failure as failure:
            self._trouble = str(failure)

    def _page(self, now: float) -> Page:
        engine = self._engine
        facts = self.traffic.facts(self._where, engine.sysctl, None)
        shown = ios_inspect.show_statistics(engine.statistics(now), now)
        return inspect_page(
            replace(
                facts,
                notes=self._notes(),
                clock=lambda seconds: spelled(seconds + self._zero),
            ),
            shown,
            TITLE,
        )

    def _notes(self) -> list[str]:
        lost = self._engine.stats()["journal_lost"]
        notes = []
        if lost:
            notes.append(
                f"{lost:,} {plural(lost, 'event was', 'events were')} too many to be "
                "counted: more sessions began "
                "than the tables show"
            )
        if self._frames:
            were = plural(self._frames, "frame was", "frames were")
            notes.append(f"{self._frames:,} {were} lost before they were read")
        return notes
