"""syncache/cli/turns.py: what ends the wait of a service between two turns."""

from __future__ import annotations

import asyncio

import pytest

from syncache.cli import turns
from syncache.cli.signals import Signals

FAR = 1e6  # seconds


class Service:
    """Waits for signals, or so long."""

    def __init__(self, signals, seconds):
        self.fileno, self.rest = signals.fileno, signals.rest
        self.wait = lambda _: seconds


def run(seconds, before, **soon):
    """Wait, and do something a moment later."""

    async def wait():
        loop = asyncio.get_running_loop()
        made = {name: make(loop) for name, make in soon.items()}
        with Signals() as signals:
            loop.call_soon(before, signals, made.get("end"))
            await turns.until_turn(Service(signals, seconds), **made)
            assert not loop.remove_reader(signals)  # nothing of it is left

    asyncio.run(asyncio.wait_for(wait(), 60))


@pytest.mark.parametrize(
    ("seconds", "before", "soon"),
    [
        (FAR, lambda signals, _: signals.wake(), {}),
        (
            FAR,
            lambda _, end: end.set_result(None),
            {"end": lambda o: o.create_future()},
        ),
        (FAR, lambda *_: None, {"beat": lambda loop: loop.time() + 0.001}),
        (0.0, lambda *_: None, {"beat": lambda loop: loop.time() + FAR}),
    ],
    ids=["woken", "ended", "beat", "due"],
)
def test_wait_ends_when_there_is_something_to_do(seconds, before, soon):
    """A signal or a thread, the end, the loop's own wake-up, the service's time."""
    run(seconds, before, **soon)


def test_beat_that_is_over_is_not_waited_for():
    """Or the wait would be none, again and again, while the host has no memory."""

    async def wait():
        loop = asyncio.get_running_loop()
        with Signals() as signals:
            waiting = turns.until_turn(Service(signals, FAR), beat=loop.time() - 1)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(waiting, 0.01)

    asyncio.run(wait())
