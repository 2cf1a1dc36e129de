"""Log lines of the long-running commands, written beside the packet loop.

Contents: a bounded queue and the thread that writes it, and the budget of events
that become lines.  A reader that stalls, a reader that has left and a full disk cost
lines, which are counted and reported; they never stop, slow or end the packet loop.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import select
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..links.syslog import FACILITIES, Syslog, names
from ..links.syslog import line as line_of
from ..plural import plural
from . import Failure, sink
from .log_form import (
    INFO,
    NOTICE,
    WARNING,
    Entry,
    form_of,
    moment_of,
    with_level,
)
from .patience import patiently
from .privileges import account

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ..alarms import Alarm

STDOUT, STDERR = 1, sink.STDERR
APP = "syncache"
QUEUE_BYTES = 1024 * 1024  # about 10,000 lines
BATCH_BYTES = 16 * 1024
CLOSE_SECONDS = 0.5  # how long a stalled reader may delay the end
RETRY_SECONDS = 1.0  # after an error that may pass, such as a full disk
GATHER_SECONDS = 0.05  # lines that come meanwhile are written at once
EVENTS_A_SECOND = 2000  # 30 to 60 us each: at most 12 % of a processor
EVENTS_A_TURN = 4  # so a quarter of a millisecond at most before the next packets


class Output:
    """Writes text to a descriptor without ever making the caller wait.

    One thread calls `write` and `close`; another one, made here, does the writing.

    Args:
        descriptor: Where the lines are written.
        name: The prefix of warnings on the standard error.
        limit: Bytes that may wait; lines beyond are lost.
        path: Of a file that is appended to instead; `reopen` opens it again.
        owner: User and group of the file if it is made.
        form: Makes a line of an `Entry`; None: the text as it is.
        syslog: Gets each line too.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(
        self,
        descriptor: int = STDOUT,
        *,
        name: str = "",
        limit: int = QUEUE_BYTES,
        path: Path | None = None,
        owner: tuple[int, int] | None = None,
        form: Callable[[Entry], str] | None = None,
        syslog: Syslog | None = None,
    ) -> None:
        self._form = form or form_of("text", name)
        self.has_facts = False  # whether the form writes them
        self.syslog = syslog
        self._path, self._owner = path, owner
        self._name = name
        self._reopening = False
        self._descriptor = descriptor
        self._limit = limit
        self._queue: collections.deque[bytes] = collections.deque()
        # Each number is written by one thread only.
        self._queued = self._taken = 0
        self._refused = self._failed = self._reported = 0
        self._error = self._writing = 0
        self._syslog_lost = 0  # as many as were reported
        if path is not None:
            self._descriptor = self._opened(path)
        self._wake = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Lines that were not written: no room, or an error."""
        return self._refused + self._failed

    @property
    def has_room(self) -> bool:
        """True while the queue is at most half full."""
        return self._queued - self._taken <= self._limit // 2

    def write(
        self,
        text: str,
        *,
        kind: str = "message",
        severity: int = INFO,
        time: float | None = None,
        facts: Mapping[str, Any] | None = None,
        has_time: bool = False,
    ) -> None:
        """Queue whole lines, or count them as lost if there is no room.

        Args:
            text: The lines, each with its end.
            kind: A word for programs that read the log.
            severity: As syslog has it.
            time: When it happened, of the monotonic clock; None: now.
            facts: The numbers of the text, for programs.
            has_time: Whether the plain form has the time in front.
        """
        moment = moment_of(time)
        parts = []
        for line in text.splitlines():
            entry = Entry(
                text=line,
                moment=moment,
                kind=kind,
                severity=severity,
                facts=facts or {},
                has_time=has_time,
            )
            parts.append(self._form(entry))
            self._send(entry)
        self._put("".join(parts).encode(errors="replace"))

    def alarm(self, alarm: Alarm) -> None:
        """Queue an alarm."""
        is_over = alarm.kind.endswith("_over")
        self.write(
            f"{alarm}\n",
            kind=alarm.kind,
            severity=NOTICE if is_over else WARNING,
            time=alarm.time,
            facts=alarm.facts,
        )

    def _send(self, entry: Entry) -> None:
        """Send a line to syslog, and once it is there again, how many were lost."""
        syslog = self.syslog
        if syslog is None or not syslog.send(entry, entry.moment):
            return
        missing = syslog.lost - self._syslog_lost
        if missing:
            text = lines_lost(missing)
            syslog.send(replace(entry, text=text, kind="lost", severity=WARNING))
            self._syslog_lost = syslog.lost

    def _put(self, data: bytes) -> None:
        if self._queued - self._taken + len(data) > self._limit:
            self._refused += data.count(b"\n")
            return
        self._queued += len(data)
        self._queue.append(data)
        self._wake.set()

    def reopen(self) -> None:
        """Have the file opened again: it may have been renamed."""
        self._reopening = self._path is not None
        self._wake.set()

    def close(self, seconds: float = CLOSE_SECONDS) -> int:
        """Wait a moment for the queue to be written; return the lines lost in all."""
        self._end.set()
        self._wake.set()
        self._thread.join(seconds)
        left = self._writing + sum(data.count(b"\n") for data in list(self._queue))
        if self.lost + left > self._reported:
            self._warn(lines_lost(self.lost + left))
        if self.syslog is not None and self.syslog.lost > self._syslog_lost:
            missing = self.syslog.lost - self._syslog_lost
            noun = plural(missing, "line to syslog is", "lines to syslog are")
            self._warn(f"{missing} {noun} lost")
        return self.lost + left

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._reopening:
                self._reopening = False
                self._open_again()
            while self._queue:
                batch = self._batch()
                self._writing = batch.count(b"\n")
                self._write(batch)
                self._writing = 0
            # Each time that this thread runs, the packets wait for Python's lock.
            if self._end.wait(GATHER_SECONDS) and not self._queue:
                return
            if self._queue:
                self._wake.set()

    def _opened(self, path: Path) -> int:
        """Open the file; -1 if that fails for a reason that passes."""
        try:
            return patiently(lambda: sink.open_append(path, self._owner), os.close)
        except OSError as error:
            if error.errno not in sink.PASSING:
                raise
            self._error = error.errno or 0
            self._warn(f"{path}: {error.strerror}; going on without a log until then")
            return -1

    def _open_again(self) -> None:
        assert self._path is not None
        try:
            fresh = sink.open_append(self._path, self._owner)
        except OSError as error:
            self._warn(f"{self._path}: {error.strerror}; the log goes on where it was")
            return
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = fresh

    def _batch(self) -> bytes:
        parts = []
        size = 0
        while self._queue and size < BATCH_BYTES:
            parts.append(self._queue.popleft())
            size += len(parts[-1])
        self._taken += size
        return b"".join(parts)

    def _write(self, data: bytes) -> None:
        """Write a batch, after a line about the ones that were lost before it."""
        lost = self.lost
        note = b""
        if lost > self._reported:
            text = lines_lost(lost - self._reported)
            entry = Entry(
                text=text, moment=moment_of(None), kind="lost", severity=WARNING
            )
            note = self._form(entry).encode()
        rest, error = memoryview(note + data), None
        if self._descriptor < 0 and self._path is not None:
            try:
                self._descriptor = sink.open_append(self._path, self._owner)
            except OSError as failure:
                error = failure
        if error is None:
            rest, error = sink.write_all(self._descriptor, rest)
        if error is not None:
            self._failed += bytes(rest).count(b"\n") - bool(note) or 1
            self._fail(error)
            return
        self._reported = lost
        self._error = 0

    def _fail(self, error: OSError) -> None:
        """Warn once, and do not ask a full disk again at once."""
        if error.errno != self._error:
            self._error = error.errno or 0
            self._warn(f"cannot write the log: {error.strerror}; going on without")
        self._end.wait(RETRY_SECONDS)

    def _warn(self, text: str) -> None:
        """Write a line to the standard error unless that would wait."""
        if self._descriptor == STDERR:
            return
        with contextlib.suppress(OSError, ValueError):
            poller = select.poll()
            poller.register(STDERR, select.POLLOUT)
            if poller.poll(0):
                line = sink.warning(f"{self._name}: {text}\n")
                os.write(STDERR, line.encode())


class Handler(logging.Handler):
    """Sends records of `logging` to an `Output`."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Queue one record as a line."""
        self._output.write(
            self.format(record) + "\n",
            kind="library",
            severity=WARNING if record.levelno >= logging.WARNING else INFO,
        )


@contextlib.contextmanager
def opened(name: str, options: argparse.Namespace) -> Iterator[Output]:
    """Open the log of a run, and that of the libraries, by the options of `add_log`.

    Call it before the links are opened: the threads then keep the processor and the
    priority of the shell, not those of the packet loop.
    """
    path = options.log
    command = name.removeprefix("syncache ")
    form = options.log_format or ("text" if path is None else "time")
    if options.facility not in FACILITIES:
        known = ", ".join(FACILITIES)
        raise Failure(f"syslog has no facility {options.facility!r}; there are {known}")
    with contextlib.ExitStack() as stack:
        syslog = None
        if options.syslog is not None:
            try:
                is_local = "/" in options.syslog and form != "rfc5424"
                facility = options.facility
                syslog = Syslog(
                    options.syslog,
                    facility=facility,
                    app=APP,
                    local=is_local,
                    patient=True,
                )
            except OSError as error:
                raise Failure(f"--syslog: {error}") from None
            stack.callback(syslog.close)
            if syslog.trouble:
                sink.say(f"{name}: --syslog: {syslog.trouble}; going on without it")
        number, who = FACILITIES[options.facility], names(APP)

        def datagram(entry: Entry) -> bytes:
            text = line_of(entry, entry.moment, number, who)
            return text.encode(errors="backslashreplace")

        owner = account(options.user, options.group)[1:] if options.user else None
        made = form_of(form, command, datagram)
        if path is None and form != "rfc5424" and sink.is_journal(STDOUT):
            made = with_level(made)
        try:
            output = Output(
                STDOUT, name=name, path=path, owner=owner, form=made, syslog=syslog
            )
            output.has_facts = form == "json"
        except OSError as error:
            raise Failure(f"--log {path}: {error.strerror}") from None
        plain = form_of("text", command)
        is_journal = sink.is_journal(STDERR)
        errors = Output(STDERR, form=with_level(plain) if is_journal else plain)
        handler = Handler(errors if form == "text" and syslog is None else output)
        root = logging.getLogger()
        root.addHandler(handler)
        try:
            yield output
        finally:
            root.removeHandler(handler)
            errors.close()
            output.close()


class Budget:
    """How many events may become lines: a rate, and a bound for one turn.

    A quarter of a second's worth may come at once.  While there are more events than
    that, as in a flood, the rate is a quarter too: then the processor is the packets',
    and a sample of the lines says as much.
    """

    def __init__(self, a_second: int = EVENTS_A_SECOND) -> None:
        self._a_second = a_second
        self._rate = float(a_second)
        self._left = a_second / 4
        self._last: float | None = None
        self._more = False

    @property
    def has_more(self) -> bool:
        """True if there were more events than could be taken."""
        return self._more

    @property
    def is_waiting(self) -> bool:
        """True if there were more events, and some of them may be taken now."""
        return self._more and self._left >= 1

    def refill(self, now: float) -> int:
        """Return how many may be taken now."""
        if self._last is not None:
            earned = max(now - self._last, 0.0) * self._rate
            self._left = min(self._left + earned, self._a_second / 4)
        self._last = now
        return min(int(self._left), EVENTS_A_TURN)

    def spend(self, count: int, *, more: bool = False) -> None:
        """Take so many; `more`: there were perhaps others."""
        self._left -= count
        self._more = more
        if not more:
            self._rate = float(self._a_second)
        elif self._left < 1:
            self._rate = self._a_second / 4


def lines_lost(number: int) -> str:
    """Return a sentence about lines that nobody will read."""
    are = plural(number, "line of the log is", "lines of the log are")
    return f"{number} {are} lost"
