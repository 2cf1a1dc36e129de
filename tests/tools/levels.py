"""How much of a long random test is run at which instruction set level."""

from __future__ import annotations

import os
from functools import cache

from bench.machine import levels


@cache
def is_best() -> bool:
    """Whether this run is of the machine's best level, which runs everything."""
    best = levels()[0]
    return os.environ.get("SYNCACHE_ISA", best) == best


def share(count: int) -> int:
    """Return how many of so many examples to run: a third at the lower levels."""
    return count if is_best() else count // 3
