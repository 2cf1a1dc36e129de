"""Memory that is held back until there is no other, so that want of it ends nothing.

The first to find no memory is as likely the loop's own work as that of the
connection that took the most.  So new connections are made while there is memory beside
the reserve; once that is given back, those that ask for more are given up one by one.
"""

from __future__ import annotations

import logging
import time
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

log = logging.getLogger(__name__)

RESERVE_BYTES = 8 * 1024 * 1024  # never written to, so it costs addresses alone
ASK_SECONDS = 0.01  # between two looks
NO_MEMORY = "no memory: connections that need more are given up, and no new ones made"


class Reserve:
    """Held memory.  A line is logged whenever a shortage begins.

    Args:
        size: In bytes.
    """

    def __init__(self, size: int = RESERVE_BYTES) -> None:
        self._size = size
        self._held: mmap | None = None
        self._due = 0.0
        self._has_room = True
        self.has_room()

    def spend(self) -> None:
        """Give the memory back: there is no other."""
        held, self._held = self._held, None
        if held is not None:
            held.close()
        self._say(has_room=False)

    def has_room(self) -> bool:
        """Hold the memory again; return whether it is held and there is more."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + ASK_SECONDS
            self._say(has_room=self._look())
        return self._has_room

    def _look(self) -> bool:
        try:
            with self._map():
                if self._held is None:
                    self._held = self._map()
        except (OSError, MemoryError):
            return False
        return True

    def _map(self) -> mmap:
        return mmap(-1, self._size, MAP_PRIVATE | MAP_ANONYMOUS)

    def _say(self, *, has_room: bool) -> None:
        had, self._has_room = self._has_room, has_room
        if had and not has_room:
            log.error(NO_MEMORY)
