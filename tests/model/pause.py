"""When the cache stops inserting: spec 3.8, and the age policy of DESIGN 5.2."""

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
    paused_ms: int = 0
    window_start: int | None = None
    window: Window = field(default_factory=Window)
    rates: list[int] = field(default_factory=list)  # SYNs of closed windows

    def begin(self, now: int) -> bool:
        """Begin a pause, twice as long as the last one if that was recent."""
        if self.paused:
            return False
        length = BASE_MS << self.backoff
        if self.until is not None and self.until + length > now:
            if self.backoff < BACKOFF_MAX:
                self.backoff += 1
                length *= 2
        else:
            self.backoff, length = 0, BASE_MS
        self.paused, self.started, self.until = True, now, now + length
        self.pauses += 1
        return True

    def end(self, now: int) -> None:
        """End the pause that runs."""
        if self.paused:
            self.paused = False
            self.paused_ms += now - self.started

    def advance(self, now: int, age_ms: int, capacity: int) -> None:
        """Close the windows that ended; begin or end a pause by the policy."""
        if self.policy == "bucket":
            if self.paused and self.until is not None and now >= self.until:
                self.end(now)
            return
        if self.window_start is None:
            self.window_start = now
        while now >= self.window_start + WINDOW_MS:
            self.window_start += WINDOW_MS
            self._close_window(self.window_start, age_ms, capacity)

    def _close_window(self, at: int, age_ms: int, capacity: int) -> None:
        closed, self.window = self.window, Window()
        self.rates = [*self.rates, closed.syns][-RATE_WINDOWS:]
        if self.policy != "age":
            return
        if not self.paused:
            young = closed.victims > 0 and closed.young * 2 > closed.victims
            fast = closed.syns * age_ms > capacity * 1000
            if (young or closed.unplaced) and fast:
                self.begin(at)
            return
        assert self.until is not None
        calm = sum(self.rates) * age_ms <= capacity * 1000 * RATE_WINDOWS
        if at >= self.until or (at >= self.started + 5 * WINDOW_MS and calm):
            self.end(at)
