"""RFC 7323 timestamps of a connection: PAWS, round trips, the option itself."""

from __future__ import annotations

from struct import Struct

_OPTION = Struct("!III")
_NOP_NOP_TIMESTAMPS = 0x0101080A
OPTION_BYTES = 12
# RFC 7323 5.5: after 24 days without a segment ts_recent says nothing any more.
_OUTDATED_MS = 24 * 86_400_000
_HANDSHAKE_MS = 75_000  # a SYN-ACK may be so much older than its connection


class Timestamps:
    """The peer's clock, and the form in which it sees ours."""

    __slots__ = (
        "_made",
        "_made_of",
        "_offset",
        "_recent_ms",
        "begun_ms",
        "enabled",
        "ts_recent",
    )

    def __init__(self, ts_recent: int, offset: int) -> None:
        self.enabled = True
        self.begun_ms = 0  # when there was a connection
        self.ts_recent = ts_recent
        self._offset = offset
        self._recent_ms: int | None = None
        self._made_of: tuple[int, int] | None = None
        self._made = b""

    def is_old(self, tsval: int, now_ms: int) -> bool:
        """Tell whether PAWS refuses a segment (RFC 7323 5.3, R1)."""
        if (tsval - self.ts_recent) & 0x80000000 == 0:
            return False
        recent_ms = self._recent_ms
        return recent_ms is None or now_ms - recent_ms <= _OUTDATED_MS

    def note(self, tsval: int, seq: int, last_ack_sent: int, now_ms: int) -> None:
        """Keep an acceptable segment's TSval (RFC 7323 4.3, step 2)."""
        if seq <= last_ack_sent:
            self.ts_recent = tsval
            self._recent_ms = now_ms

    def is_newer(self, tsval: int) -> bool:
        """Tell whether a TSval is beyond the last one (RFC 6191 2)."""
        return 0 < (tsval - self.ts_recent) & 0xFFFFFFFF < 0x80000000

    def round_trip(self, tsecr: int, now_ms: int) -> int | None:
        """Return the age of an echoed TSval; None if it cannot be one of ours.

        Some peers, and boxes that change the option one way only, echo what we never
        sent; their round trip would be days.
        """
        age = (now_ms + self._offset - tsecr) & 0xFFFFFFFF
        oldest = now_ms - self.begun_ms + _HANDSHAKE_MS
        return age if tsecr and age <= oldest else None

    def option(self, now_ms: int) -> bytes:
        """Return the option, in the layout that everyone expects."""
        of = now_ms, self.ts_recent
        if of != self._made_of:
            tsval = (now_ms + self._offset) & 0xFFFFFFFF
            self._made = _OPTION.pack(_NOP_NOP_TIMESTAMPS, tsval, self.ts_recent)
            self._made_of = of
        return self._made
