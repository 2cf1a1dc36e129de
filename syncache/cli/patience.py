"""A disk that does not answer costs a moment, and no more; or it is named.

A call on a file of a dead server (NFS, FUSE) may wait for ever, and no signal ends it.
So it is made by a thread.  `patiently` leaves that behind if it takes too long;
`attended`, for files without which nothing can start, says which file it waits for.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from . import one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

Result = TypeVar("Result")
SECONDS = 3.0
SECONDS_AGAIN = 0.2  # of each call once a disk was silent
SILENT = "the disk does not answer"
_was_silent = threading.Event()
_awaited: dict[int, str] = {}  # by the threads that wait


def patiently(
    work: Callable[[], Result],
    undo: Callable[[Result], object] | None = None,
    seconds: float | None = None,
) -> Result:
    """Return the result of some work with files, or raise its error, in time.

    Args:
        work: Done in a thread of its own, or here if there can be none.
        undo: Gets the result that came too late.
        seconds: How long it may take; None: three, or less once a disk was silent.

    Raises:
        OSError: ETIMEDOUT; it takes longer.
    """
    job = _Job(work, undo)
    if not job.begin():
        return work()
    if seconds is None:
        seconds = SECONDS_AGAIN if _was_silent.is_set() else SECONDS
    if not job.wait(seconds) and job.leave_behind():
        _was_silent.set()
        raise OSError(errno.ETIMEDOUT, SILENT)
    return job.result()


def attended(path: object, work: Callable[[], Result]) -> Result:
    """Return the result of some work with a file, or raise its error, at any time.

    At a start a signal to stop is obeyed meanwhile, and after three seconds a line
    names the file.  A thread does the work itself, since it may be denied another one;
    `awaited` names the file.

    Args:
        path: Of the file.
        work: Done in a thread of its own, or here if there can be none.
    """
    if threading.current_thread() is not threading.main_thread():
        me = threading.get_ident()
        _awaited[me] = one_line(path)
        try:
            return work()
        finally:
            del _awaited[me]
    job = _Job(work)
    if not job.begin():
        return work()
    if not job.wait(SECONDS):
        log.warning("waiting for %s, which does not answer", one_line(path))
    return job.result()


def awaited() -> str:
    """Return the files that threads beside the packet loop wait for; empty: none."""
    return " and ".join(sorted(set(_awaited.copy().values())))


def is_folder(path: Path) -> bool:
    """Return whether there is a folder, once the disk answers."""
    return attended(path, path.is_dir)


class _Job(Generic[Result]):
    """Work that a thread does, which may be left behind."""

    def __init__(
        self,
        work: Callable[[], Result],
        undo: Callable[[Result], object] | None = None,
    ) -> None:
        self._work = work
        self._undo = undo
        self._done = threading.Event()
        self._first = threading.Lock()  # of whoever comes first: the result, or the end
        self._found: list[Result] = []
        self._raised: list[BaseException] = []

    def begin(self) -> bool:
        """Start the thread; False: there can be none."""
        try:
            threading.Thread(target=self._run, daemon=True).start()
        except (RuntimeError, MemoryError):
            return False
        return True

    def wait(self, seconds: float) -> bool:
        """Return whether the work ends in time."""
        return self._done.wait(seconds)

    def leave_behind(self) -> bool:
        """Have a result that comes later undone; False: it has come."""
        return self._first.acquire(blocking=False)

    def result(self) -> Result:
        """Return the result, or raise the error, when there is one."""
        self._done.wait()
        if self._raised:
            raise self._raised[0]
        return self._found[0]

    def _run(self) -> None:
        try:
            self._found.append(self._work())
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            self._raised.append(error)
        if self._first.acquire(blocking=False):
            self._done.set()
        elif self._found and self._undo is not None:
            with contextlib.suppress(OSError):
                self._undo(self._found[0])
