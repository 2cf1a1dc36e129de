"""A disk that does not answer costs a moment, and no more.

A call on a file of a dead server (NFS, FUSE) may wait for ever, and no signal ends it.
So it is made by a thread, which is left behind if it takes too long.
"""

from __future__ import annotations

import contextlib
import errno
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")
SECONDS = 3.0
SECONDS_AGAIN = 0.2  # of each call once a disk was silent
SILENT = "the disk does not answer"
_was_silent = threading.Event()


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
    done = threading.Event()
    late = threading.Lock()  # held by whoever comes first: the result, or the end
    found: list[Result] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            raised.append(error)
        if late.acquire(blocking=False):
            done.set()
        elif found and undo is not None:
            with contextlib.suppress(OSError):
                undo(found[0])

    try:
        threading.Thread(target=run, daemon=True).start()
    except (RuntimeError, MemoryError):
        return work()
    if seconds is None:
        seconds = SECONDS_AGAIN if _was_silent.is_set() else SECONDS
    if not done.wait(seconds):
        if late.acquire(blocking=False):
            _was_silent.set()
            raise OSError(errno.ETIMEDOUT, SILENT)
        done.wait()
    if raised:
        raise raised[0]
    return found[0]
