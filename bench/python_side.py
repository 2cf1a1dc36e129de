"""A Python loop over bursts of 64, and the same loop in C on the same engine.

Every packet is a SYN of a new peer, every ring is reused.  Time is the thread's own
processor time; filling the rings is a link's work and is not counted.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from syncache import Ring, Syncache, Sysctl

from .beside import Loop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .figure import Arms

BURST = 64
RINGS = 64
SLOT = 128
PASSES = 8
LOCAL = "198.18.0.2"
STATELESS = {"net.inet.tcp.syncookies_only": 1}
BUCKETS_1M = 32_768
MILLION = {
    "net.inet.tcp.syncache.hashsize": BUCKETS_1M,
    "net.inet.tcp.syncache.cachelimit": BUCKETS_1M * 30,
    # A pause would make it stateless; what is measured is insertion with eviction.
    "net.inet.tcp.syncache.x.pause_age_ms": 1,
}


class Side:
    """An engine, rings full of SYNs, and both loops."""

    def __init__(self, settings: dict[str, int | str], entries: int) -> None:
        self.cache = Syncache(Sysctl(settings), seed=bytes(16))
        self.cache.listen(80, LOCAL)
        self.rings = [Ring(BURST, SLOT) for _ in range(RINGS)]
        self.tx = Ring(BURST, SLOT)
        self.beside = Loop(self.rings, self.tx)
        self.now = 1000.0
        for _ in range(entries * 3 // 2 // (RINGS * BURST)):
            self.c(1)

    def python(self, passes: int = PASSES) -> float:
        """Return ns a SYN of the loop in Python."""
        spent = 0
        cache, tx, now = self.cache, self.tx, self.now
        for _ in range(passes):
            self.beside.fill()
            start = time.thread_time_ns()
            for rx in self.rings:
                cache.burst(rx, tx, now)
                rx.clear()
                tx.clear()
            spent += time.thread_time_ns() - start
        self._age()
        return spent / (passes * RINGS * BURST)

    def c(self, passes: int = PASSES) -> float:
        """Return ns a SYN of the loop in C."""
        spent = 0
        for _ in range(passes):
            self.beside.fill()
            start = time.thread_time_ns()
            self.beside.run(self.cache, int(self.now * 1000))
            spent += time.thread_time_ns() - start
        self._age()
        return spent / (passes * RINGS * BURST)

    def _age(self) -> None:
        """Let a little time pass, so that no victim looks young."""
        self.now += 0.01
        if self.cache.paused:
            raise RuntimeError("the engine paused: this is not what is measured")


@contextmanager
def enter() -> Iterator[Arms]:
    """Make an engine that stores nothing, and one of a million entries that is full."""
    stateless, storing = Side(STATELESS, 0), Side(MILLION, BUCKETS_1M * 30)
    try:
        yield {
            "python_stateless": stateless.python,
            "c_stateless": stateless.c,
            "python_insert_1m": storing.python,
            "c_insert_1m": storing.c,
        }
    finally:
        stateless.cache.close()
        storing.cache.close()
