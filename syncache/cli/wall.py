"""`Wall`: how far the wall clock is ahead of the monotonic one, as engines have it.

Epochs and timestamps follow the monotonic clock and an offset.  A wall clock that is
set by no more than the allowed skew is followed at once.  One that is set by more is in
doubt: nothing moves, and cookies are made with keys of this machine alone, until it is
back, or others say that it is right, or nobody has said anything for a while.
"""

from __future__ import annotations

STEP_SECONDS = 0.1  # of the wall clock; less does not matter
DOUBT_SECONDS = 30.0  # a clock that nobody can judge is believed after so long


class Wall:
    """The offset in force.

    Args:
        offset: Of the wall clock, in seconds, when the keys were read.
    """

    def __init__(self, offset: float) -> None:
        self.offset = offset
        self.doubt: float | None = (
            None  # by how much the clock was set, if that is much
        )
        self._seen = offset
        self._since = 0.0

    def look(
        self, offset: float, now: float, skew: float, right: bool | None = None
    ) -> bool:
        """Compare with the clocks; return whether there is another offset in force.

        Args:
            offset: Of the wall clock now.
            now: Of the monotonic clock.
            skew: By how much it may be set without a doubt.
            right: Whether others say that it is right; None: they do not say.
        """
        step = offset - self.offset
        if abs(step) <= STEP_SECONDS:
            self.doubt = None
            return False
        if abs(step) > skew:
            if self.doubt is None or abs(offset - self._seen) > STEP_SECONDS:
                self._seen, self._since, right = offset, now, None
                self.doubt = step
            if right is False:
                self._since = now
            if not right and now < self._since + DOUBT_SECONDS:
                return False
        self.doubt = None
        self.offset = offset
        return True
