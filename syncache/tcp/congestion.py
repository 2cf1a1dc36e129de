"""How much may be in flight: NewReno's window.

Slow start and congestion avoidance count bytes (RFC 3465), because offloads make one
ACK out of many.  What is in flight, and what is lost, is the sender's to know.

See RFC 5681 3.1, 3.2, 4.1; RFC 6582 3.2; RFC 6928 2.
"""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=256)
def initial_window(mss: int, segments: int) -> int:
    """Return RFC 6928's initial window for this many segments of 1460 bytes."""
    return min(segments * mss, max(2 * mss, segments * 1460))


class NewReno:
    """The congestion window and the slow start threshold, in bytes."""

    __slots__ = ("_counted", "cwnd", "initial", "ssthresh")

    def __init__(self, initial: int) -> None:
        self.initial = initial
        self.cwnd = initial
        self.ssthresh = 1 << 30
        self._counted = 0

    def acked(self, count: int, mss: int) -> None:
        """Grow after `count` new bytes were acknowledged out of a full window."""
        if self.cwnd < self.ssthresh:
            self.cwnd += count
            return
        self._counted += count
        if self._counted >= self.cwnd:
            self._counted -= self.cwnd
            self.cwnd += mss

    def lost(self, flight: int, mss: int) -> None:
        """Halve on entering fast recovery."""
        self.ssthresh = max(flight // 2, 2 * mss)
        self.cwnd = self.ssthresh
        self._counted = 0

    def timed_out(self, flight: int, mss: int, *, again: bool) -> None:
        """Fall to one segment; ssthresh only with the first time-out in a row."""
        if not again:
            self.ssthresh = max(flight // 2, 2 * mss)
        self.cwnd = mss
        self._counted = 0

    def idle(self) -> None:
        """Nothing was sent for a time-out: start again (RFC 5681 4.1)."""
        self.cwnd = min(self.cwnd, self.initial)
