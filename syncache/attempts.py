"""`Attempts`: who is asked for connections, and by whom, of the packets in rings.

    attempts.look(rx)           # behind a link's receive, before the engine's burst
    counted = attempts.take()   # once a second

A packet costs a few nanoseconds, whatever a flood brings: destinations and prefixes
are added up in C, in a bounded sketch, and become Python objects in `take` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._core.attempts import Asked, Asking, AttemptsCore, Counted, added
from .entropy import entropy
from .keyring import checked_seed, derive

if TYPE_CHECKING:
    from .ring import Ring

__all__ = ["Asked", "Asking", "Attempts", "Counted", "added"]


class Attempts:
    """Counts the SYNs of rings by destination, port and source prefix.

    Args:
        seed: Makes the sketch repeatable; None: 16 bytes of the system's entropy.

    `core` is for what counts in C.
    """

    def __init__(self, seed: bytes | None = None) -> None:
        secret = entropy(16)
        if seed is not None:
            secret = derive(checked_seed(seed), "syncache attempts")
        self.core = AttemptsCore(secret)

    def look(self, rx: Ring, first: int = 0) -> None:
        """Count the SYNs of a ring, from packet `first` on, before they are judged."""
        self.core.look(rx, first)

    @property
    def total(self) -> int:
        """How many were counted since the last `take`."""
        return self.core.total

    def take(self) -> Counted:
        """Return the counts since the last time, and begin anew."""
        return self.core.take()
