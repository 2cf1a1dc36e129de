"""Sums of a log: an attack from its begin to its end, and all sessions.

Elsewhere: making them of lines (`log`), printing them (`cli.log_text`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial

INSPECT, INTERCEPT, HOST, KERNEL = "inspect", "intercept", "host", "kernel"
FIREWALL = "firewall"
SIGNS = {KERNEL, FIREWALL}
SOURCES_MAX = 1000  # of one attack, of which they may be forged


@dataclass(slots=True, kw_only=True)
class Attack:
    """From one alert on to its end; times as `Header.time`.

    `begin` is None if it was on before the log began, `end` if it was still on at its
    end.  `kind` is inspect, intercept, host for one destination's limit, kernel for
    what a host's own kernel says of one port, or firewall for what a firewall of
    another kind says of one; `reason` is rate, incomplete or host, or of `kernel.Sign`;
    `half_open` and `rate` are the highest that a line states.
    """

    kind: str
    router: str
    zone: str
    begin: float | None
    end: float | None = None
    reason: str = ""
    limit: int = 0
    half_open: int = 0
    rate: int = 0
    lines: int = 0
    blocked_s: int = 0
    targets: Counter[str] = field(default_factory=partial(Counter.__new__, Counter))
    sources: Counter[str] = field(default_factory=partial(Counter.__new__, Counter))

    @property
    def duration(self) -> float | None:
        """How many seconds it took; None if an end of it is not in the log."""
        if self.begin is None or self.end is None:
            return None
        return max(self.end - self.begin, 0.0)


@dataclass(slots=True)
class Sessions:
    """Totals of the audit trail."""

    started: int = 0
    stopped: int = 0
    unanswered: int = 0  # stopped, and the responder had sent nothing
    initiator_bytes: int = 0
    responder_bytes: int = 0
    timed: int = 0  # both ends are in the log
    seconds: float = 0.0
    longest: float = 0.0
    # Of those begun and ended: without a line of their own, since another one stands
    # for them.  Their bytes and ends are not known.
    folded_started: int = 0
    folded_stopped: int = 0
    protocols: Counter[str] = field(default_factory=Counter)
