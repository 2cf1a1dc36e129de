"""Python's garbage collection, in the time that the packets leave.

A full collection walks every object: some 20 us for each connection of `serve`, so a
crowd of them costs tens of milliseconds without packets, and Python starts one whenever
the objects are a quarter more.  Here: objects of the start are exempt, and full
collections have a share of the time.  The small ones, of young objects, stay Python's.
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_SECONDS = 60.0
SHARE = 1000  # a full collection takes at most one part of so many of the time
NEVER = 1_000_000_000  # collections of the middle generation before a full one


class Collector:
    """Collects between two turns of a loop, from `begin` to `end`.

    Args:
        clock: Measures what a collection takes.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._before: tuple[int, int, int] | None = None
        self._due = 0.0

    def begin(self, now: float) -> None:
        """Everything is open: the objects so far stay."""
        if self._before is None:
            self._before = gc.get_threshold()
            gc.set_threshold(*self._before[:2], NEVER)
            gc.freeze()
        self._due = now + EVERY_SECONDS

    def turn(self, now: float) -> None:
        """Collect if it is due."""
        if self._before is None or now < self._due:
            return
        began = self._clock()
        gc.collect()
        took = self._clock() - began
        self._due = now + max(EVERY_SECONDS, took * SHARE)

    def end(self) -> None:
        """Leave everything to Python again."""
        if self._before is not None:
            gc.unfreeze()
            gc.set_threshold(*self._before)
            self._before = None
