"""How far a long run has come: a bar on a terminal, a line for each tenth elsewhere."""

from __future__ import annotations

import sys
import time

from ..plural import plural

WIDTH = 30
EVERY_S = 0.1


class Progress:
    """The progress of one pass over some bytes, on the standard error."""

    def __init__(self, name: str, total: int) -> None:
        self._name = name
        self._total = total
        self._is_terminal = sys.stderr.isatty()
        self._shown = -1
        self._due = 0.0

    def show(self, done: int, packets: int) -> None:
        """Show how many bytes are done, at most some times a second."""
        if self._is_terminal:
            now = time.monotonic()
            if now >= self._due:
                self._due = now + EVERY_S
                # What others print begins where the bar does.
                sys.stderr.write(f"\r{self._line(done, packets)}\x1b[K\r")
                sys.stderr.flush()
            return
        tenth = done * 10 // self._total if self._total else -1
        if tenth > self._shown:
            self._shown = tenth
            print(self._line(done, packets), file=sys.stderr)

    def close(self) -> None:
        """Remove the bar."""
        if self._is_terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _line(self, done: int, packets: int) -> str:
        counted = f"{packets:,} {plural(packets, 'packet')}"
        if not self._total:
            return f"{self._name} {counted}"
        share = min(1.0, done / self._total)
        bar = ("#" * round(share * WIDTH)).ljust(WIDTH, ".")
        return f"{self._name} [{bar}] {share:4.0%} {counted}"
