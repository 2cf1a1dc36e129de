"""The shield beside the kernel's own ways: SYN-ACK/s, and clients of the same listener.

The listener is the kernel's in all arms.  The shield and the mere echo transmit in XDP,
which is counted by XDP at the flood's end.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from .figure import Family, Figure, Goal
from .rivals import serving
from .wired import (
    CLIENTS,
    INTERVAL_MS,
    TIMEOUT_MS,
    WARM,
    against,
    answered,
    percentile,
    wire,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .figure import Arms
    from .wire import Crowd, Wire

SYNACKS = ("shield", "cookies2", "xdp_tx", "synproxy")
CROWD = ("shield", "cookies2")
CALM = ("shield_auto", "cookies1")
RATE = 1e6  # SYN/s
CALM_CLIENTS, CALM_INTERVAL_MS = 1000, 1
REPEATS = 10


@contextmanager
def synacks() -> Iterator[Arms]:
    """Make an arm of every rival."""
    with wire() as made:
        yield {rival: partial(answered, made, rival) for rival in SYNACKS}


def served(made: Wire, rival: str, seen: dict[str, list[Crowd]]) -> float:
    """Return how many clients were served during the flood."""
    lasts = CLIENTS * INTERVAL_MS / 1e3 + TIMEOUT_MS / 1e3
    with serving(made, rival), made.flood(RATE, WARM, lasts + 1):
        time.sleep(WARM)
        crowd = made.crowd(CLIENTS, INTERVAL_MS, TIMEOUT_MS, again=True)
    seen[rival].append(crowd)
    return float(len(crowd.served_ms))


@contextmanager
def crowds() -> Iterator[Arms]:
    """Make arms that take clients, and lay out how long they had to wait."""
    seen: dict[str, list[Crowd]] = {rival: [] for rival in CROWD}
    with wire() as made:
        yield {rival: partial(served, made, rival, seen) for rival in CROWD}
    print(f"  {'connected within, ms':32}{'median':>11}{'p99':>11}{'max':>11}")
    for rival, runs in seen.items():
        times = sorted(ms for crowd in runs for ms in crowd.connect_ms)
        if times:
            row = (percentile(times, 50), percentile(times, 99), times[-1])
            print(f"  {rival:32}" + "".join(f"{ms:11.3f}" for ms in row))
        reused = [crowd.reused for crowd in runs] or [0]
        print(f"  {rival:32}{min(reused)} to {max(reused)} ports in TIME-WAIT reused")


def rate(made: Wire, rival: str) -> float:
    """Return connections a second of clients that come one after the other."""
    with serving(made, rival):
        crowd = made.crowd(CALM_CLIENTS, CALM_INTERVAL_MS, TIMEOUT_MS)
    return 1e3 / percentile(sorted(crowd.served_ms), 50)


@contextmanager
def calm() -> Iterator[Arms]:
    """Make arms without a flood; the kernel serves in both."""
    with wire() as made:
        yield {rival: partial(rate, made, rival) for rival in CALM}


FAMILIES = (
    Family(
        "shield",
        "SYN-ACK/s",
        "wire",
        synacks,
        (
            against("shield", "cookies2", 3.5),
            against("shield", "xdp_tx", 0.9, "shield_share_of_xdp_tx"),
            against("shield", "synproxy", None),
        ),
    ),
    Family(
        "shield_clients",
        "clients served",
        "wire",
        crowds,
        (
            Figure(
                "shield_clients_at_1M",
                f"clients served of {CLIENTS}, half by old ports, in 1,000,000 SYN/s",
                "shield",
                "cookies2",
                goal=Goal(CLIENTS, of_ours=True),
            ),
        ),
        REPEATS,
    ),
    Family(
        "shield_calm",
        "connections/s",
        "wire",
        calm,
        (
            Figure(
                "shield_calm_rate",
                "connections/s in peace: a shield in mode auto against none",
                *CALM,
                goal=Goal(0.95),
            ),
        ),
    ),
)
