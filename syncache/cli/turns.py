"""The turns of a service whose packets have an asyncio loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .service import Service


class Turns:
    """Calls a function whenever the service's turn is due, until that has enough.

    An idle loop wakes up for nothing else, and between two wake-ups a processor forgets
    the code: so a turn is a callback, without a task that would be woken for it.

    Args:
        service: Its descriptor is a reason for a turn: a signal, or a thread that has
            done.
        turn: Returns whether to go on.
        beat: Returns when the loop is woken anyhow, of its own clock, so that one
            wake-up does for both.
        lack: Called if there is no memory for a turn, which is then tried again; None:
            it is raised.
    """

    def __init__(
        self,
        service: Service,
        turn: Callable[[], bool],
        beat: Callable[[], float | None] = lambda: None,
        lack: Callable[[], object] | None = None,
    ) -> None:
        self._service = service
        self._turn = turn
        self._beat = beat
        self._lack = lack
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Future[None]

    async def run(self, end: asyncio.Future[Any] | None = None) -> None:
        """Take turns until there is enough, or `end` is done."""
        self._loop = loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        loop.add_reader(self._service.fileno(), self._woken)
        if end is not None:
            end.add_done_callback(self._end)
        try:
            self._take()
            await self._over
        finally:
            loop.remove_reader(self._service.fileno())
            if self._timer is not None:
                self._timer.cancel()
            if end is not None:
                end.remove_done_callback(self._end)

    def _end(self, _: object = None) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _woken(self) -> None:
        self._service.rest()
        self._take()

    def _take(self) -> None:
        if self._over.done():
            return
        try:
            if not self._turn():
                self._end()
                return
            self._set_timer()
        except MemoryError as error:
            if self._lack is None:
                self._over.set_exception(error)
                return
            self._lack()
            self._service.wake()
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._over.set_exception(error)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        now = self._loop.time()
        due = now + self._service.wait(now)
        beat = self._beat()
        if beat is not None and now < beat < due:
            due = beat
        self._timer = self._loop.call_at(due, self._take)
