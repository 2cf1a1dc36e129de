"""How many challenge ACKs a connection sends.

Per connection, so that no peer can measure what another one does (RFC 5961 7 warns of
the shared counter that became CVE-2016-5696).
"""

from __future__ import annotations


class Limiter:
    """At most `count` in each `period_ms`; either 0: without limit."""

    __slots__ = ("_count", "_left", "_period_ms", "_until_ms")

    def __init__(self, count: int, period_ms: int) -> None:
        self._count = count
        self._period_ms = period_ms
        self._until_ms = 0
        self._left = 0

    def allows(self, now_ms: int) -> bool:
        """Take one of those that are left; False if there is none."""
        if not self._count or not self._period_ms:
            return True
        if now_ms >= self._until_ms:
            self._until_ms = now_ms + self._period_ms
            self._left = self._count
        if self._left == 0:
            return False
        self._left -= 1
        return True
