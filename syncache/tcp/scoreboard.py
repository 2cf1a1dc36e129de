"""The data that the peer holds beyond the cumulative ACK, by its SACK blocks.

Sorted, disjoint ranges of sequence numbers, at most RANGES_MAX of them: a peer that
acknowledges every second byte gains nothing but slow recovery.

See RFC 2018; RFC 6675 3 and 4.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

RANGES_MAX = 512
DUP_THRESH = 3


class Scoreboard:
    """The selectively acknowledged ranges above SND.UNA."""

    __slots__ = ("_ends", "_starts", "total")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.total = 0

    def __bool__(self) -> bool:
        """Is anything marked."""
        return bool(self._starts)

    def add(self, start: int, end: int) -> bool:
        """Mark start .. end; tell whether that was news."""
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            if self._starts[first] <= start and end <= self._ends[first]:
                return False
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        elif len(self._starts) >= RANGES_MAX:
            return False
        merged = zip(self._starts[first:last], self._ends[first:last], strict=True)
        self.total += end - start - sum(right - left for left, right in merged)
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]
        return True

    def advance(self, una: int) -> None:
        """Forget the ranges below the cumulative ACK."""
        while self._starts and self._starts[0] < una:
            self.total -= min(self._ends[0], una) - self._starts[0]
            if self._ends[0] <= una:
                del self._starts[0], self._ends[0]
            else:
                self._starts[0] = una

    def clear(self) -> None:
        """Forget everything: the peer reneged."""
        self._starts.clear()
        self._ends.clear()
        self.total = 0

    def begins_at(self, seq: int) -> bool:
        """Is `seq` marked although the peer's ACK says that it lacks it (reneging)."""
        return bool(self._starts) and self._starts[0] <= seq

    @property
    def last_start(self) -> int:
        """Where the last range begins; 0 if nothing is marked."""
        return self._starts[-1] if self._starts else 0

    def marked(self, low: int, high: int) -> int:
        """Return how many bytes of low .. high are marked."""
        if high <= low or not self._starts:
            return 0
        if low <= self._starts[0] and self._ends[-1] <= high:
            return self.total
        return sum(
            max(0, min(right, high) - max(left, low))
            for left, right in zip(self._starts, self._ends, strict=True)
        )

    def lost_below(self, mss: int) -> int:
        """Return the edge below which unmarked data is lost; 0 if none is.

        RFC 6675 4, IsLost(): DupThresh ranges, or more than (DupThresh - 1) * SMSS
        bytes, are marked above it.
        """
        above = 0
        ranges = zip(reversed(self._starts), reversed(self._ends), strict=True)
        for count, (start, end) in enumerate(ranges, 1):
            above += end - start
            if count >= DUP_THRESH or above > (DUP_THRESH - 1) * mss:
                return start
        return 0

    def hole(self, seq: int, limit: int) -> tuple[int, int] | None:
        """Return the first range of seq .. limit that is not marked."""
        index = bisect_right(self._starts, seq) - 1
        if index >= 0 and seq < self._ends[index]:
            seq = self._ends[index]
        index += 1
        if index < len(self._starts):
            limit = min(limit, self._starts[index])
        return (seq, limit) if seq < limit else None


# Every connection's until something is marked: `add` is for boards of one's own.
NOTHING_MARKED = Scoreboard()
