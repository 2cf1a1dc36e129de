"""`Alarms`: the faults that a member knows of, and bounded lines about them.

A fault that comes and goes, as a liar can have it do, is told ten times a minute and
no more; what stays is told then.
"""

from __future__ import annotations

import collections
import time
from typing import TYPE_CHECKING

from ..plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable

TOLD_MAX = 10  # lines of one name
TOLD_SECONDS = 60.0


class Alarms:
    """Faults by name.

    Args:
        tell: Takes a line for the log.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self.active: dict[str, str] = {}
        self._tell = tell
        self._told: dict[str, str] = {}  # the texts whose lines were written
        self._times: dict[str, collections.deque[float]] = {}
        self._folded: collections.Counter[str] = collections.Counter()

    def set(self, name: str, text: str) -> None:
        """Raise an alarm; another text is another line."""
        self.active[name] = text
        if self._told.get(name) == text:
            return
        now = time.monotonic()
        times = self._times.setdefault(name, collections.deque(maxlen=TOLD_MAX))
        if len(times) == TOLD_MAX and now < times[0] + TOLD_SECONDS:
            self._folded[name] += 1
            return
        times.append(now)
        self._told[name] = text
        folded = self._folded.pop(name, 0)
        more = f" (and {folded} {plural(folded, 'time')} before)" if folded else ""
        self._tell(f"ALARM {name}: {text}{more}")

    def clear(self, name: str) -> None:
        """End an alarm, if there is one."""
        self.active.pop(name, None)
        if self._told.pop(name, None) is not None:
            self._tell(f"alarm {name} is over")

    def again(self) -> None:
        """Tell what is still so and could not be told."""
        for name, text in [*self.active.items()]:
            if name not in self._told:
                self.set(name, text)
