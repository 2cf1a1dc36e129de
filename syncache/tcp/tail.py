"""Loss by time at the tail: when to look for it, and the meaning of the answer.

When for about two round trips nothing comes back, the sender sends its last segment
again, so that the peer's SACK shows the holes before it; or, where SACK blocks show
holes already, it takes them for lost.  Only after that the time-out counts.

See RFC 8985 7.
"""

from __future__ import annotations

# RFC 8985 7.2: two round trips, more for a lone segment, whose ACK may be delayed.
PROBE_MIN_MS = 10
REORDERING_MIN_MS = 3
CLOCK_MS = 2  # of granularity, the peer's and ours
DELAYED_ACK_MS = 50


class Tail:
    """The silence of a connection.

    `is_due`: the sender's deadline is that of silence, and the time-out itself is at
    `timeout_at`.  `owed`: a probe is to be sent.  `end`: where the one ends that
    repeated data and is not answered.  `late`: below it holes are lost.  `armed_ms`:
    when the wait for more than one segment began.
    """

    __slots__ = ("armed_ms", "end", "is_due", "late", "owed", "timeout_at")

    def __init__(self) -> None:
        self.is_due = self.owed = False
        self.timeout_at = self.late = 0
        self.end: int | None = None
        self.armed_ms: int | None = None

    def clear(self) -> None:
        """Forget probe and losses: the time-out repairs everything."""
        self.owed = False
        self.end = None
        self.late = 0

    def wait_until(
        self, now_ms: int, srtt_ms: float, *, holes: bool, lone: bool
    ) -> int:
        """Return when silence from now on is one, at the latest at the time-out."""
        low = REORDERING_MIN_MS if holes else PROBE_MIN_MS
        wait = max(low, round(2 * srtt_ms) + CLOCK_MS)
        if lone and not holes:
            wait += DELAYED_ACK_MS
        return min(now_ms + wait, self.timeout_at)

    def next_timeout(self, now_ms: int) -> int:
        """Return when the time-out is, after silence; the probe has its chance."""
        return max(self.timeout_at, now_ms + PROBE_MIN_MS)

    def repaired(self, ack: int, *, twice: bool) -> bool:
        """Return whether the probe has repaired a loss (RFC 8985 7.4).

        Args:
            ack: It moves SND.UNA.
            twice: It has a D-SACK, so the original had arrived too.
        """
        if self.end is None or ack < self.end:
            return False
        if twice:
            self.end = None
        elif ack > self.end:
            self.end = None
            return True
        return False
