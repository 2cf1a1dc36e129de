"""Probes of a silent peer (RFC 9293 3.8.4): off unless somebody turns them on."""

from __future__ import annotations


class Keepalive:
    """When to probe, and when to give up.  `enabled` may change at any time."""

    __slots__ = (
        "_count",
        "_idle_ms",
        "_interval_ms",
        "_probed_ms",
        "_sent",
        "enabled",
        "heard_ms",
    )

    def __init__(self, idle_ms: int, interval_ms: int, count: int) -> None:
        self.enabled = False
        self._idle_ms = idle_ms
        self._interval_ms = interval_ms
        self._count = count
        self._sent = 0
        self._probed_ms = 0
        self.heard_ms = 0

    def heard(self, now_ms: int) -> None:
        """Note that the peer lives."""
        self.heard_ms = now_ms
        self._sent = 0

    @property
    def deadline(self) -> int | None:
        """When the next probe is due."""
        if not self.enabled:
            return None
        if self._sent == 0:
            return self.heard_ms + self._idle_ms
        return self._probed_ms + self._interval_ms

    def probe(self, now_ms: int) -> bool:
        """Count a probe; False if the peer left too many unanswered.

        The next is due an interval after this one was, not after it should have been:
        who slept for a day owes the peer the time to answer each.
        """
        self._probed_ms = now_ms
        self._sent += 1
        return self._sent <= self._count
