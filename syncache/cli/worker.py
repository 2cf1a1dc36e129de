"""A thread for work beside the packet loop, made before anything is scarce.

A thread that is made later may be refused (`ulimit -u`), or its maker may wait for it
for ever (no memory); neither is a reason for packets to wait.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Worker:
    """Does one job at a time.

    Make it before the links are opened: its thread keeps the processor and the priority
    of the shell.

    Args:
        done: Called by the thread behind each job.
    """

    def __init__(self, done: Callable[[], object] = lambda: None) -> None:
        self._done = done
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._idle = threading.Event()
        self._idle.set()
        threading.Thread(target=self._work, daemon=True).start()

    @property
    def busy(self) -> bool:
        """True while a job waits or is done."""
        return not self._idle.is_set()

    def begin(self, job: Callable[[], object]) -> None:
        """Have a job done; only while there is no other."""
        self._idle.clear()
        self._jobs.put(job)

    def wait(self, seconds: float) -> bool:
        """Wait until the job is done; False: it takes longer."""
        return self._idle.wait(seconds)

    def close(self) -> None:
        """End the thread behind its job."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:  # noqa: BLE001 - the next job is done all the same
                with contextlib.suppress(OSError, ValueError, MemoryError):
                    traceback.print_exc(file=sys.stderr)
            finally:
                self._idle.set()
                self._done()
