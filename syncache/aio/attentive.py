"""An event loop that answers SYNs as it wakes up, before Python runs.

A processor that has slept, or worked for others, has forgotten Python's code: the
first turn of a loop then takes a millisecond.  Whoever asks for a connection need not
wait for that: what a host's link has is received, judged and answered in C, right
behind the wait; connections get theirs in the turn that follows.  Behind a wait of
less than a millisecond, as in a flood, the turn itself receives.
"""

from __future__ import annotations

import asyncio
import math
import select
import selectors
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .._core.attend import Attend
    from ..links import Link
    from ..observer import Observer
    from ..ring import Ring
    from ..stack import Stack
    from .beat import Beat
    from .host import Host

    # Waits on a descriptor for so many seconds; None: as usual.
    Wait = Callable[[int, float], list[tuple[int, int]] | None]


QUIET_SECONDS = 0.001

# Other systems have neither epoll nor a `wait` of ours.
Selector = getattr(selectors, "EpollSelector", selectors.DefaultSelector)


class Attentive(Selector):  # type: ignore[misc, valid-type]
    """A selector; `wait` is that of the host which is attended to."""

    wait: Wait | None = None

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready, as any selector does."""
        wait = self.wait
        if wait is None:
            return self._as_usual(timeout)
        found = wait(self.fileno(), math.inf if timeout is None else timeout)
        if found is None:
            return self._as_usual(timeout)
        keys = self.get_map()
        ready = []
        for fd, events in found:
            key = keys.get(fd)
            if key is not None:
                mask = selectors.EVENT_READ if events & ~select.EPOLLOUT else 0
                mask |= selectors.EVENT_WRITE if events & ~select.EPOLLIN else 0
                ready.append((key, mask & key.events))
        return ready

    def _as_usual(
        self, timeout: float | None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        found: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
        return found


class AttentiveLoop(asyncio.SelectorEventLoop):
    """An event loop for one host."""

    def __init__(self) -> None:
        self.attentive = Attentive()
        super().__init__(self.attentive)


class Attended:
    """The part of a host that such a loop attends to."""

    _attend: Attend | None
    _beat: Beat
    _flush: Callable[[], None]
    _rx: Ring
    _tell_events: Callable[[], None]
    _tx: Ring
    link: Link
    loop: asyncio.AbstractEventLoop
    observer: Observer | None
    stack: Stack

    def wait(self, epoll: int, timeout: float) -> list[tuple[int, int]] | None:
        """Wait for events, and answer what comes meanwhile; None: not at rest."""
        rx, attended = self._rx, self._attend
        if (
            attended is None
            or attended.received
            or rx.next < len(rx)
            or len(self._tx)
            or self.observer is not None
            or self._beat.rests
        ):
            return None
        return self.stack.syncache.wait(attended.address, epoll, timeout)

    def _take_attended(self, attended: Attend) -> None:
        """Give connections what was received, and is judged, while we waited."""
        self.stack.syncache.attended(self._rx)
        self.link.done(attended.take())  # type: ignore[attr-defined]
        self._flush()
        self.stack.take(self._rx, self.loop.time())
        self._tell_events()


def run_attentive(main: Coroutine[Any, Any, None]) -> None:
    """Run a program with such a loop, as `asyncio.run` does; Python 3.10 has none."""
    if sys.version_info >= (3, 11):
        with asyncio.Runner(loop_factory=AttentiveLoop) as runner:
            runner.run(main)
    else:
        asyncio.run(main)


def attend(host: Host, rx: Ring, tx: Ring) -> Attend | None:
    """Have the loop of a host attend to it; None: it or its link cannot.

    Args:
        host: Its loop runs.
        rx: Packets that came, and are judged, while the loop waits.
        tx: The replies.
    """
    attentive = getattr(host.loop, "attentive", None)
    core = getattr(host.link, "core", None)
    if attentive is None or core is None:
        return None
    from .._core.attend import Attend  # needs csrc/link, as the link does

    attempts = None if host.lookout is None else host.lookout.attempts.core
    attentive.wait = host.wait
    return Attend(core, host.link.fileno(), rx, tx, attempts, QUIET_SECONDS)
