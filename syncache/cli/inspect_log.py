"""The messages of `syncache inspect`: from events to lines of a stream and syslog."""

from __future__ import annotations

import math
import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from .. import flow_event
from ..alerts import Folder
from ..flow_event import EVENT_BYTES, Kind
from .log_form import WARNING, facts_of
from .report_live import LiveReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..alerts import Message
    from ..flow_event import FlowEvent
    from ..inspection import Inspection
    from ..links.syslog import Syslog
    from ..lookout import Lookout
    from .output import Budget, Output
    from .report_traffic import Traffic

SLICE = 256  # events at a time
SESSIONS = frozenset({Kind.START, Kind.STOP})


class Log:
    """Where messages go: folded, to a stream and perhaps to syslog.

    `zero` is the wall-clock time of the engine's time 0, in seconds since 1970.
    """

    def __init__(
        self,
        engine: Inspection,
        syslog: Syslog | None = None,
        *,
        zero: float = 0.0,
        write: Callable[[str], object] = sys.stdout.write,
    ) -> None:
        self._engine = engine
        self._syslog = syslog
        self._folder = Folder()
        self.write: Callable[[str], object] = write
        self.zero = zero
        self.budget: Budget | None = None  # of a live run
        self.output: Output | None = None  # of a live run
        self.lookout: Lookout | None = None  # which keeps the last alerts
        self.traffic: Traffic | None = None  # what a report counts
        self.report: LiveReport | None = None

    def report_to(self, path: Path | None, where: str) -> None:
        """Keep a live run's page."""
        if path is not None:
            self.zero = datetime.now(timezone.utc).timestamp() - time.monotonic()
            self.report = LiveReport(self._engine, path, where, self.write, self.zero)
            self.traffic = self.report.traffic

    def tell(self, now: float) -> int:
        """Report events up to a time of the engine's clock; count the events."""
        allowed = math.inf if self.budget is None else self.budget.refill(now)
        taken = 0
        while taken < allowed:
            events = self._engine.event_slice(int(min(allowed - taken, SLICE)))
            if not events:
                break
            taken += len(events) // EVENT_BYTES
            for event in self._told(events):
                message = self._engine.message(event)
                if message is not None and self._is_wanted(message):
                    for spoken in self._folder.add(message):
                        self._say(spoken)
        if self.budget is not None:
            self.budget.spend(taken, more=taken == allowed)
        for spoken in self._folder.flush(now):
            self._say(spoken)
        return taken

    def next_deadline(self) -> float | None:
        """Return when `tell` has a folded line to write; None: it has none."""
        return self._folder.next_deadline()

    def _told(self, events: bytes) -> Iterator[FlowEvent]:
        """Return the events that may be messages; those of a report are counted."""
        if self.traffic is None:
            return flow_event.read(events)
        self.traffic.count(events)
        return flow_event.read(events, but=SESSIONS if self.traffic.is_quiet else ())

    def _is_wanted(self, message: Message) -> bool:
        return self.traffic is None or self.traffic.message(message)

    def close(self) -> None:
        """Report the lines that were held back."""
        for spoken in self._folder.close():
            self._say(spoken)

    def _say(self, message: Message) -> None:
        if self.lookout is not None and message.severity <= WARNING:
            kind = message.mnemonic.lower()
            self.lookout.note(message.time, kind, str(message))
        if self.output is not None:
            self.output.write(
                f"{message}\n",
                kind=message.mnemonic.lower(),
                severity=message.severity,
                time=message.time,
                facts=facts_of(message) if self.output.has_facts else None,
                has_time=True,
            )
            return
        self.write(f"{stamp(message.time + self.zero)} {message}\n")
        if self._syslog is not None:
            self._syslog.send(message)


def stamp(seconds: float) -> str:
    """Spell a time since 1970; a damaged capture may be beyond the calendar."""
    whole, ms = divmod(round(seconds * 1000), 1000)
    try:
        moment = datetime.fromtimestamp(whole, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return f"{whole}.{ms:03}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms:03}Z"
