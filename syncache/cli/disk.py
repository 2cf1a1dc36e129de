"""Calls on files beside a packet loop, by a few threads.

A disk that does not answer (a dead server of NFS or FUSE) holds up those who ask for
its files: no folder has all of the threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import threading
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from .patience import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")
THREADS_MAX = 16
SHARE_MAX = THREADS_MAX // 2  # of one folder
SECONDS = 10.0  # a disk that wakes up takes some


def nothing(_: object) -> None:
    """Undo nothing."""


class Disk:
    """Threads that are made as they are needed; the methods are for one loop.

    The first one is made at once, since later there may be too many processes.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._threads = 0
        # By folder: jobs that wait for its share, and how many the threads have.
        self._waiting: dict[str, deque[Callable[[], object]]] = {}
        self._taken: dict[str, int] = {}
        self._is_closed = False
        self._add_thread()

    async def ask(
        self,
        folder: str,
        work: Callable[[], Result],
        undo: Callable[[Result], object] = nothing,
    ) -> Result:
        """Return the result of some work, or raise its error, in time.

        Args:
            folder: Whose share of the threads it takes.
            work: Done by a thread.
            undo: Gets, in a thread, the result that came too late.

        Raises:
            OSError: ETIMEDOUT; it takes longer.
        """
        future = asyncio.get_running_loop().create_future()
        self._begin(folder, work, undo, future)
        try:
            result: Result = await asyncio.wait_for(future, self._seconds)
        except asyncio.TimeoutError:
            raise OSError(errno.ETIMEDOUT, SILENT) from None
        return result

    def later(self, folder: str, work: Callable[[], object]) -> None:
        """Have some work done without waiting; its errors do not matter."""
        if self._is_closed:
            threading.Thread(target=work, daemon=True).start()
        else:
            self._begin(folder, work, nothing, None)

    def close(self) -> None:
        """End the threads, each behind its job; those that are stuck stay."""
        self._is_closed = True
        for _ in range(self._threads):
            self._jobs.put(None)

    def _begin(
        self,
        folder: str,
        work: Callable[[], Any],
        undo: Callable[[Any], object],
        future: asyncio.Future[Any] | None,
    ) -> None:
        loop = asyncio.get_running_loop()

        def job() -> None:
            found, raised = [], None
            try:
                if future is None or not future.done():
                    found.append(work())
            except BaseException as error:  # noqa: BLE001 - the asker raises it
                raised = error
            try:
                loop.call_soon_threadsafe(end, found, raised)
            except RuntimeError:  # the loop has ended, so nobody takes the result
                with contextlib.suppress(OSError):
                    for result in found:
                        undo(result)

        def end(found: list[Any], raised: BaseException | None) -> None:
            self._give_back(folder)
            if future is None:
                return
            if future.done():
                if found:
                    self.later(folder, lambda: undo(found[0]))
            elif raised is not None:
                future.set_exception(raised)
            else:
                future.set_result(found[0])

        self._waiting.setdefault(folder, deque()).append(job)
        self._share_out(folder)

    def _share_out(self, folder: str) -> None:
        """Give the threads the jobs of a folder that there is room for."""
        waiting = self._waiting[folder]
        while waiting and self._taken.get(folder, 0) < SHARE_MAX:
            self._taken[folder] = self._taken.get(folder, 0) + 1
            if sum(self._taken.values()) > self._threads:
                with contextlib.suppress(RuntimeError, MemoryError):
                    self._add_thread()
            self._jobs.put(waiting.popleft())

    def _give_back(self, folder: str) -> None:
        self._taken[folder] -= 1
        self._share_out(folder)
        if not self._taken[folder]:
            del self._taken[folder], self._waiting[folder]

    def _add_thread(self) -> None:
        if self._threads < THREADS_MAX:
            threading.Thread(target=self._work, daemon=True).start()
            self._threads += 1

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
