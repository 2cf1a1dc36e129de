"""The retransmission time-out: RFC 6298, with FreeBSD's limits as tunables.

`slop` allows for the peer's delayed ACK, which FreeBSD adds to every time-out.
"""

from __future__ import annotations

# RFC 6298 5.7: if the SYN-ACK was sent again, the first data time-out is 3 s.
AFTER_SYN_ACK_LOSS_MS = 3000
# R2 of RFC 9293 3.8.3 in retransmissions, FreeBSD's TCP_MAXRXTSHIFT.
RETRANSMISSIONS_MAX = 12


class RetransmissionTimeout:
    """Smooths round-trip times and backs off."""

    __slots__ = ("_high", "_low", "_slop", "base_ms", "rttvar_ms", "shift", "srtt_ms")

    def __init__(self, initial_ms: int, limits: tuple[int, int], slop_ms: int) -> None:
        self._low, self._high = limits
        self._slop = slop_ms
        self.base_ms = initial_ms
        self.srtt_ms: float | None = None
        self.rttvar_ms = 0.0
        self.shift = 0

    def sample(self, rtt_ms: int) -> None:
        """Take a round trip of a segment that was sent once (Karn)."""
        if self.srtt_ms is None:
            self.srtt_ms = float(rtt_ms)
            self.rttvar_ms = rtt_ms / 2
        else:
            self.rttvar_ms += (abs(self.srtt_ms - rtt_ms) - self.rttvar_ms) / 4
            self.srtt_ms += (rtt_ms - self.srtt_ms) / 8
        # The clock's granularity is 1 ms.
        smooth = self.srtt_ms + max(1.0, 4 * self.rttvar_ms)
        self.base_ms = int(max(self._low, smooth)) + self._slop

    @property
    def timeout_ms(self) -> int:
        """The time-out in force, back-off included."""
        return min(self.base_ms << self.shift, self._high)

    def back_off(self) -> bool:
        """Double the time-out; False if that has been done too often (R2)."""
        self.shift += 1
        return self.shift <= RETRANSMISSIONS_MAX

    def progress(self) -> None:
        """Something new was acknowledged: the back-off ends."""
        self.shift = 0
