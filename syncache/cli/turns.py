"""The wait between two turns of a service whose packets have an asyncio loop."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .service import Service


async def until_turn(
    service: Service, end: asyncio.Future[Any] | None = None, beat: float | None = None
) -> None:
    """Wait until the service's `turn` is due, or something has ended.

    Args:
        service: Its descriptor ends the wait: a signal, or a thread that has done.
        end: Of the host, if there is one.
        beat: When the loop is woken anyhow, so that one wake-up does for both; of its
            own clock, and soon.
    """
    loop = asyncio.get_running_loop()
    woken = loop.create_future()

    def wake(*_: object) -> None:
        if not woken.done():
            woken.set_result(None)

    def take() -> None:
        service.rest()
        wake()

    now = loop.time()
    due = now + service.wait(time.monotonic())
    if beat is not None and now < beat < due:
        due = beat
    timer = loop.call_at(due, wake)
    loop.add_reader(service.fileno(), take)
    if end is not None:
        end.add_done_callback(wake)
    try:
        await woken
    finally:
        loop.remove_reader(service.fileno())
        timer.cancel()
        if end is not None:
            end.remove_done_callback(wake)
