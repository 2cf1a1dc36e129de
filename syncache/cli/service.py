"""The life of a long-running command: signals, reload, the service manager.

Contents: SIGHUP reads the configuration again in a thread and puts it into the
engine between two turns of the loop, all or nothing; readiness, status and signs of
life go to the service manager; the privileges are dropped.  Elsewhere: packets.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import sys
import time
from typing import TYPE_CHECKING

from ..bridge import WAIT_SECONDS
from ..socket_path import stays
from . import NO_MEMORY, Failure, one_line, unreadable
from .addresses import is_local
from .collector import Collector
from .log_form import WARNING
from .notify import Notify
from .options import exists
from .patience import awaited
from .privileges import account, drop
from .worker import Worker

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from .signals import Signals

STATUS_EVERY = 5.0  # seconds
TURN_SECONDS = 10.0  # between two turns when nothing happens
RELOAD_SECONDS = 10.0  # longer than the writer of a pipe may take
# How long a thread that reads files may keep Python's lock while packets wait for it.
# They wait for each ring, so with Python's own 5 ms a flood fills the kernel's.
SWITCH_SECONDS = 0.0001
LATE = "configuration still being read: {} does not answer; nothing has changed"
# What the kernel says of an interface that was deleted.
LOST = frozenset({errno.ENODEV, errno.ENXIO, errno.EBADFD})


class Service:
    """The duties of a command besides its packets.

    Args:
        options: With those of `options.add_service`.
        signals: Entered.
        write: Takes a line of the log, as `Output.write`.
        prepare: Reads the configuration again, in a thread; returns what puts it in
            force, which the loop calls.  Either raises Failure and changes nothing.
        reopen: Opens the logs again.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        signals: Signals,
        write: Callable[..., object],
        prepare: Callable[[], Callable[[], object]],
        reopen: Callable[[], object] = lambda: None,
    ) -> None:
        self._options = options
        self._signals = signals
        self._write = write
        self._prepare = prepare
        self._reopen = reopen
        self._notify = Notify()
        self._collector = Collector()
        self._interval: float | None = None  # of Python, as it was before
        self._worker = Worker(signals.wake)
        self._reading = False
        self._late_due: float | None = None  # when it has taken too long
        self._apply: Callable[[], object] | None = None
        self._failure: str | None = None
        self._status: Callable[[], str] = lambda: ""
        self._status_due = 0.0

    @property
    def stopping(self) -> bool:
        """True once a signal said stop."""
        return self._signals.stopping

    def tables_wanted(self) -> bool:
        """Return whether SIGUSR1 came since the last time."""
        return self._signals.take("tables")

    def fileno(self) -> int:
        """Return a descriptor that is readable when `turn` is due at once."""
        return self._signals.fileno()

    def rest(self) -> None:
        """The descriptor was found readable: let it be so no more."""
        self._signals.rest()

    def wake(self) -> None:
        """Let `turn` be due at once; from any thread."""
        self._signals.wake()

    def wait(self, now: float) -> float:
        """Return in how many seconds `turn` is due at the latest."""
        wait = TURN_SECONDS
        if self._notify.is_heard:
            wait = max(self._status_due - now, 0.0)
        if self._reading and self._late_due is not None:
            wait = min(wait, max(self._late_due - now, 0.0))
        return min(wait, self._notify.wait(now))

    def begin(self, status: Callable[[], str]) -> None:
        """Everything is open: drop the privileges, and say that we are ready."""
        self._signals.begin()
        if self._options.user:
            drop(account(self._options.user, self._options.group))
            self._tell_of_socket()
        self._status = status
        self._collector.begin(time.monotonic())
        if self._interval is None:
            self._interval = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_SECONDS)
        self._notify.ready(status())

    def _tell_of_socket(self) -> None:
        """Say that the control socket will stay, if its folder is another user's."""
        path = getattr(self._options, "control", None)
        if path is not None and stays(path):
            self._write(
                f"{one_line(path)} will be left behind: user {self._options.user} may "
                "not remove it; the next start does\n"
            )

    def turn(self, now: float) -> None:
        """Run the work that is due; a bounded part of a millisecond.

        A full garbage collection takes longer, and no more than a thousandth of the
        time.
        """
        self._notify.alive(now)
        self._collector.turn(time.monotonic())
        if now >= self._status_due and self._notify.is_heard:
            self._status_due = now + STATUS_EVERY
            self._notify.status(self._status())
        if not self._reading:
            if self._signals.take("reload"):
                self._begin_reload(now)
        elif not self._worker.busy:
            self._reading = False
            self._end_reload()
        elif self._late_due is not None and now >= self._late_due:
            self._late_due = None
            late = LATE.format(awaited() or "a disk")
            self._write(f"{late}\n", severity=WARNING)
            self._notify.ready(self._status())

    def close(self) -> None:
        """Say that the end has begun, unless a lost link is waited for."""
        self._collector.end()
        if self._interval is not None:
            sys.setswitchinterval(self._interval)
            self._interval = None
        self._worker.close()
        if self.stopping:
            self._notify.stopping()
        self._notify.close()

    def _begin_reload(self, now: float) -> None:
        self._notify.reloading()
        self._reopen()
        self._apply, self._failure = None, "the files could not be read"
        self._reading = True
        self._late_due = now + RELOAD_SECONDS
        self._worker.begin(self._read)

    def _read(self) -> None:
        try:
            self._apply = self._prepare()
            self._failure = None
        except Failure as failure:
            self._failure = str(failure)
        except OSError as error:
            self._failure = str(unreadable(error))
        except MemoryError:
            self._failure = NO_MEMORY

    def _end_reload(self) -> None:
        began = time.perf_counter()
        try:
            if self._apply is not None:
                self._apply()
        except (KeyError, ValueError, PermissionError) as error:
            self._failure = str(error.args[0])
        except Failure as failure:
            self._failure = str(failure)
        except OSError as error:
            self._failure = str(unreadable(error))
        except MemoryError:
            self._failure = NO_MEMORY
        self._apply = None
        if self._failure is None:
            took = (time.perf_counter() - began) * 1000
            self._write(f"configuration read again, in force within {took:.1f} ms\n")
        else:
            text = f"configuration not taken: {one_line(self._failure)}\n"
            self._write(text, severity=WARNING)
        self._notify.ready(self._status())


def keep_open(
    work: Callable[[contextlib.ExitStack], None],
    awaited: Sequence[str],
    signals: Signals,
    write: Callable[..., object],
) -> None:
    """Open the links and work; if something awaited is missing, wait and repeat.

    That is interfaces, and addresses that they are to have.

    Raises:
        Failure: the links cannot be opened, or are lost.
    """
    notify = Notify()
    while not signals.stopping:
        try:
            with contextlib.ExitStack() as links:
                work(links)
        except BrokenPipeError:
            raise
        except OSError as error:  # LinkError says what to do in its text
            missing = [name for name in awaited if not is_there(name)]
            if missing:
                text = f"{error}; waiting for {' and '.join(missing)}\n"
                write(text, severity=WARNING)
            elif awaited and error.errno in LOST:  # another stands in its place
                text = f"{error}; opening {' and '.join(awaited)} again\n"
                write(text, severity=WARNING)
                time.sleep(WAIT_SECONDS)
            else:
                raise Failure(str(error)) from None
        else:
            return
        wait_for(awaited, signals, notify)


def wait_for(names: Sequence[str], signals: Signals, notify: Notify) -> None:
    """Wait until all of some interfaces and addresses exist, or a signal says stop.

    The service manager hears of it, or it would take us for dead.
    """
    while not signals.stopping:
        missing = [name for name in names if not is_there(name)]
        if not missing:
            return
        notify.waiting(f"waiting for {' and '.join(missing)}", time.monotonic())
        time.sleep(WAIT_SECONDS)


def is_there(name: str) -> bool:
    """Return whether there is an interface of this name, or the address is ours."""
    if exists(name):
        return True
    with contextlib.suppress(ValueError):
        return is_local(ipaddress.ip_address(name))
    return False
