"""The lines of `debug ip tcp intercept`, summed up: one for each step of a connection.

    INTERCEPT: new connection (192.0.2.1:1049 SYN -> 198.51.100.5:80)
    INTERCEPT(*): (192.0.2.1:1049 <- ACK+SYN 198.51.100.5:80)

A router's and ours.  They bear no mnemonic, so a line is one if it has the word, and
the text behind it says which step.  Elsewhere: lines with a mnemonic (`parse`).
"""

from __future__ import annotations

import re
from collections import Counter

from ..plural import plural

WORD = "INTERCEPT"
# What the text has: the step.  The first that fits counts.
_STEPS = {
    "new connection": "new",
    "1st half of connection": "client_proved",
    "2nd half of connection": "server_answered",
    "retransmitting too long": "given_up",
    "synrcvd retransmit": "synack_again",
    "synsent retransmit": "syn_again",
    "timing out": "timed_out",
    "packet passed": "passed",
    "packet dropped": "early_dropped",
    "connection dropped": "dropped",
    "rst": "reset",
    "ack+syn": "synack",
    "syn ->": "syn",
    "ack ->": "ack",
    "window": "window",
}
_SPOKEN = {
    "new": "new connections",
    "client_proved": "clients answered",
    "server_answered": "servers answered",
    "timed_out": "timed out",
    "given_up": "given up after retransmissions",
    "dropped": "dropped",
    "reset": "resets sent",
    "synack_again": "SYN-ACKs sent again",
    "syn_again": "SYNs sent again",
    "early_dropped": "packets dropped before their time",
}
_LINE = re.compile(r"(?<![\w-])INTERCEPT(?:\(\*\))?:\s+(?P<text>\S.{0,500})")
_END = re.compile(r"\[?[0-9A-Fa-f.:]+\]?:\d{1,5}(?!\d)")


class Steps:
    """How often each step was taken."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, line: str) -> tuple[int, str, list[str]] | None:
        """Count a line; return where it begins, its step and its ends; None: none."""
        found = _LINE.search(line)
        if found is None:
            return None
        text = found["text"]
        low = text.lower()
        step = "other"
        for words, each in _STEPS.items():
            if words in low:
                step = each
                break
        self.counts[step] += 1
        return found.start(), step, _END.findall(text)

    def text(self) -> list[str]:
        """Return the sums for a reader."""
        if not self.counts:
            return []
        named = [
            f"{self.counts[step]:,} {words}"
            for step, words in _SPOKEN.items()
            if self.counts[step]
        ]
        total = sum(self.counts.values())
        steps = f"{total:,} {plural(total, 'step')} of intercept: "
        return [steps + ", ".join(named or ["no attempt"])]
