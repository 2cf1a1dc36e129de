"""syncache/cli/turns.py: when a service's turn comes, and when it is over."""

from __future__ import annotations

import asyncio

import pytest

from syncache.cli.signals import Signals
from syncache.cli.turns import Turns

FAR = 1e6  # seconds


class Service:
    """Waits for signals, or so long."""

    def __init__(self, signals, seconds=FAR):
        self.fileno, self.rest, self.wake = signals.fileno, signals.rest, signals.wake
        self.wait = lambda _: seconds


def run(turn, seconds=FAR, beat=lambda: None, soon=lambda *_: None, lack=None):
    """Take turns, and do something a moment later; leave nothing of them."""

    async def take():
        loop = asyncio.get_running_loop()
        end = loop.create_future()
        with Signals() as signals:
            loop.call_soon(soon, signals, end)
            turns = Turns(Service(signals, seconds), turn, beat, lack)
            await turns.run(end)
            assert not loop.remove_reader(signals)

    asyncio.run(asyncio.wait_for(take(), 60))


def until(count):
    """Return a turn that has enough after so many, and the list of them."""
    taken = []

    def turn():
        taken.append(None)
        return len(taken) < count

    return turn, taken


@pytest.mark.parametrize(
    "how",
    [
        {"soon": lambda signals, _: signals.wake()},
        {"beat": lambda: asyncio.get_running_loop().time() + 0.001},
        {"seconds": 0.0, "beat": lambda: asyncio.get_running_loop().time() + FAR},
    ],
    ids=["woken", "beat", "due"],
)
def test_turn_comes_when_there_is_something_to_do(how):
    """A signal or a thread, the loop's own wake-up, the service's time."""
    turn, taken = until(2)
    run(turn, **how)
    assert 2 == len(taken)


def test_turns_are_over_with_the_end_of_the_host():
    """Nothing else wakes them here."""
    turn, taken = until(2)
    run(turn, soon=lambda _, end: end.set_result(None))
    assert 1 == len(taken)


def test_beat_that_is_over_is_not_waited_for():
    """Or there would be no wait at all while the host has no memory."""
    turn, taken = until(FAR)

    async def take():
        with Signals() as signals:
            past = asyncio.get_running_loop().time() - 1
            turns = Turns(Service(signals), turn, lambda: past)
            await asyncio.wait_for(turns.run(), 0.01)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(take())
    assert 1 == len(taken)


def test_turn_without_memory_is_tried_again():
    """Whoever has a reserve spends it; for all others it is an error like any."""
    lacks = []

    def turn():
        if not lacks:
            raise MemoryError
        return False

    with pytest.raises(MemoryError):
        run(turn)
    run(turn, lack=lambda: lacks.append(None))
    assert [None] == lacks


def test_error_of_a_turn_ends_them():
    """It is raised where they are awaited."""

    def turn():
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        run(turn)
