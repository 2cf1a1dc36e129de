"""The shield beside the kernel's own ways: SYN-ACK/s, and clients of the same listener.

The listener is the kernel's in all arms.  The shield and the mere echo transmit in XDP,
which is counted by XDP at the flood's end.
"""

from __future__ import annotations

import statistics
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

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
FLOOD_SECONDS = 60  # at most: it is ended when the clients are done, however late
LATE_MS = 900  # the first SYN or its answer was lost: another one comes after a second
CALM_CLIENTS, CALM_INTERVAL_MS = 1000, 1
REPEATS = 10


@contextmanager
def synacks() -> Iterator[Arms]:
    """Make an arm of every rival."""
    with wire() as made:
        yield {rival: partial(answered, made, rival) for rival in SYNACKS}


class Crowded(NamedTuple):
    """What the clients saw, and how much of the flood's SYNs was not answered."""

    crowd: Crowd
    unanswered: float


def served(made: Wire, rival: str, seen: dict[str, list[Crowded]]) -> float:
    """Return how many clients were served during the flood."""
    with serving(made, rival), made.flood(RATE, WARM, FLOOD_SECONDS) as flood:
        time.sleep(WARM)
        crowd = made.crowd(CLIENTS, INTERVAL_MS, TIMEOUT_MS, again=True)
        flood.terminate()
        counted = flood.result(30)
    unanswered = 1 - counted["answered"] / counted["generated"]
    seen[rival].append(Crowded(crowd, unanswered))
    return float(len(crowd.served_ms))


@contextmanager
def crowds() -> Iterator[Arms]:
    """Make arms that take clients, and lay out how long they had to wait."""
    seen: dict[str, list[Crowded]] = {rival: [] for rival in CROWD}
    with wire() as made:
        made.queue()
        yield {rival: partial(served, made, rival, seen) for rival in CROWD}
    print(f"  {'connected within, ms':32}{'median':>11}{'p99':>11}{'max':>11}")
    for rival, runs in seen.items():
        times = sorted(ms for run in runs for ms in run.crowd.connect_ms)
        if times:
            row = (percentile(times, 50), percentile(times, 99), times[-1])
            print(f"  {rival:32}" + "".join(f"{ms:11.3f}" for ms in row))
            prompt = [ms for ms in times if ms <= LATE_MS]
            late = 1 - len(prompt) / len(times)
            lost = statistics.median(run.unanswered for run in runs)
            print(
                f"  {rival:32}{late:.2%} of the clients waited for another SYN; of the "
                f"flood's {lost:.2%} were not answered"
            )
            if prompt:
                others = percentile(prompt, 99)
                print(f"  {rival:32}{others:.3f} ms: p99 of the other clients")
        reused = [run.crowd.reused for run in runs] or [0]
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
