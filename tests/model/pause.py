"""When the cache stops inserting: FreeBSD's bucket policy, or by age (departure 2)."""

from __future__ import annotations

from dataclasses import dataclass, field

BASE_MS = 15_000
BACKOFF_MAX = 6
WINDOW_MS = 1000
RATE_WINDOWS = 5


@dataclass
class Window:
    """What one second brought."""

    syns: int = 0
    victims: int = 0
    young: int = 0
    unplaced: int = 0


@dataclass
class Pause:
    """Whether insertion is paused, for how long, and how often before."""

    policy: str
    paused: bool = False
    backoff: int = 0
    until: int | None = None
    started: int = 0
    pauses: int = 0
    window_start: int | None = None
    window: Window = field(default_factory=Window)
    rates: list[int] = field(default_factory=list)  # SYNs of closed windows

    def begin(self, now: int) -> bool:
        """Begin a pause, twice as long as the last one if that was recent."""
        if self.paused:
            return False
        length = BASE_MS << self.backoff
        # In whole seconds of uptime, as FreeBSD counts.
        if self.until is not None and (self.until + length) // 1000 > now // 1000:
            if self.backoff < BACKOFF_MAX:
                self.backoff += 1
                length *= 2
        else:
            self.backoff, length = 0, BASE_MS
        self.paused, self.started, self.until = True, now, now + length
        self.pauses += 1
        return True

    def advance(self, now: int, age_ms: int, capacity: int) -> None:
        """Close the windows that ended; begin or end a pause by the policy."""
        if self.until is not None and now >= self.until:
            self.paused = False
        if self.window_start is None:
            self.window_start = now
        ended = (now - self.window_start) // WINDOW_MS
        self.window_start += ended * WINDOW_MS
        closed = self.window
        for _ in range(min(ended, RATE_WINDOWS + 1)):  # beyond that all are empty
            closed, self.window = self.window, Window()
            self.rates = [*self.rates, closed.syns][-RATE_WINDOWS:]
        # A window that nobody closed within a second of its end is not judged.
        if ended and self.policy == "age":
            self._judge(closed, self.window_start, age_ms, capacity)

    def _judge(self, closed: Window, at: int, age_ms: int, capacity: int) -> None:
        if not self.paused:
            young = closed.victims > 0 and closed.young * 2 > closed.victims
            fast = closed.syns * age_ms > capacity * 1000
            if (young or closed.unplaced) and fast:
                self.begin(at)
            return
        calm = sum(self.rates) * age_ms <= capacity * 1000 * RATE_WINDOWS
        if at >= self.started + RATE_WINDOWS * WINDOW_MS and calm:
            self.paused, self.until = False, at
