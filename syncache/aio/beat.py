"""When a host looks about itself: at its link's device, and at its counters.

Once a second while something happens.  Where nothing was counted, and a descriptor
tells of the device, an idle program is not woken for it ten times as often: a processor
that slept a second has forgotten the code, so the wake-up costs more than the look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ..alarms import Alarm
    from ..links import Link
    from ..lookout import Lookout

CHECK_SECONDS = 1.0  # how long the loss of a silent device, or a flood, goes unnoticed
REST_SECONDS = 10.0  # between two looks while nothing happens


class Beat:
    """The looks of a host.

    Args:
        link: Of which `check` and `changes` are used, if it has them.
        lookout: At the counters; None: nobody does.
        on_alarm: Called with each alarm.
        fail: Called with the error of a device that is gone.

    `rests` is True while looks are far between: then `rouse` comes before the next
    packets.  `due` is when the next one comes, of the loop's clock.
    """

    def __init__(
        self,
        link: Link,
        lookout: Lookout | None,
        on_alarm: Callable[[Alarm], object] | None,
        fail: Callable[[OSError], object],
    ) -> None:
        self._check = getattr(link, "check", None)
        self._link = link
        self._changes: Any = None
        self._lookout = lookout
        self._on_alarm = on_alarm
        self._fail = fail
        self._loop: asyncio.AbstractEventLoop
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0
        self._is_over = False
        self.rests = False
        self.due: float | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look from now on."""
        self._loop = loop
        if self._check is None and self._lookout is None:
            return
        changes = getattr(self._link, "changes", None)
        if changes is not None and changes.fileno() >= 0:
            self._changes = changes
            loop.add_reader(changes.fileno(), self._heed)
        self._set(loop.time() + CHECK_SECONDS)

    def end(self) -> None:
        """Look no more; before the link is closed."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._changes is not None:
            self._loop.remove_reader(self._changes.fileno())

    def rouse(self) -> None:
        """Something happens again."""
        now = self._loop.time()
        self.rests = False
        self._set(now + CHECK_SECONDS)
        if self._lookout is not None:
            self._lookout.rouse(now)

    def _set(self, due: float) -> None:
        """Have the next look no later than that."""
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self.due = due
        self._timer = self._loop.call_at(due, self._look)

    def _heed(self) -> None:
        """The device has changed: look at it, but not more often than at any time."""
        self._changes.take()
        self._set(max(self._last + CHECK_SECONDS, self._loop.time()))

    def _may_rest(self) -> bool:
        """Return whether nothing happens, and a descriptor tells if something does."""
        if self._check is not None and self._changes is None:
            return False
        return self._lookout is None or self._lookout.rests

    def _look(self) -> None:
        self._timer = None
        self._last = now = self._loop.time()
        try:
            self._look_about(now)
        finally:
            if not self._is_over:
                self.rests = self._may_rest()
                self._set(now + (REST_SECONDS if self.rests else CHECK_SECONDS))

    def _look_about(self, now: float) -> None:
        try:
            if self._check is not None:
                self._check()
        except OSError as error:
            self._fail(error)
            return
        if self._lookout is not None:
            for alarm in self._lookout.look(now):
                if self._on_alarm is not None:
                    self._on_alarm(alarm)
