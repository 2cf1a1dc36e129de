"""Comparisons on the wire: SYN-ACK/s and legitimate clients, beside the kernel's ways.

SYN-ACKs are counted at the flooding end while the flood offers all that it can; the
excess is lost in the receive ring, which costs the victim next to nothing.  Clients
come while the flood runs at a share of what the same listener answers at most, which is
measured first, in the same run.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .figure import Family, Figure, Goal
from .rivals import OURS, SERVING, serving
from .wire import Crowd, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .figure import Arms

# Whoever is compared stands side by side, to be measured one after the other.
SYNACKS = (
    "packet_echo",
    "packet",
    "cookies2",
    "xdp",
    "xdp_echo",
    "synproxy",
    "cookies1",
)
CLIENTS, INTERVAL_MS, TIMEOUT_MS = 200, 10, 3000
CROWD_RIVALS = ("cookies2", "synproxy", *SERVING)
CAPACITY_WINDOWS = 3
WARM = 0.3
CROWD_REPEATS = 5
# load -> rival -> what the clients saw, run by run; for pictures and the report.
CROWDS: dict[float, dict[str, list[Crowd]]] = {}


@contextmanager
def wire() -> Iterator[Wire]:
    """Make the pair and the programs."""
    with tempfile.TemporaryDirectory() as folder, Wire(Path(folder)) as made:
        yield made


def answered(made: Wire, rival: str) -> float:
    """Return SYN-ACK/s of a rival under all the flood there is."""
    with serving(made, rival):
        return made.window(0).answered


@contextmanager
def synacks() -> Iterator[Arms]:
    """Make an arm of every rival."""
    with wire() as made:
        yield {rival: partial(answered, made, rival) for rival in SYNACKS}


def served(made: Wire, rival: str, load: float, rate: float) -> float:
    """Return how many clients were served during a flood of `rate` SYN/s."""
    lasts = CLIENTS * INTERVAL_MS / 1e3 + TIMEOUT_MS / 1e3
    with serving(made, rival), made.flood(rate, WARM, lasts + 1):
        time.sleep(WARM)
        crowd = made.crowd(CLIENTS, INTERVAL_MS, TIMEOUT_MS)
    CROWDS[load][rival].append(crowd)
    return float(len(crowd.served_ms))


@contextmanager
def crowds(load: float) -> Iterator[Arms]:
    """Measure each rival's capacity, then make arms that take clients."""
    CROWDS[load] = {rival: [] for rival in CROWD_RIVALS}
    with wire() as made:
        arms: Arms = {}
        for rival in CROWD_RIVALS:
            windows = [answered(made, rival) for _ in range(CAPACITY_WINDOWS)]
            rate = load * statistics.median(windows)
            print(
                f"  {rival}: flooded with {rate:,.0f} SYN/s, {load:g} of its capacity"
            )
            arms[rival] = partial(served, made, rival, load, rate)
        yield arms
        print(connect_times(load))


def connect_times(load: float) -> str:
    """Lay out how long the clients had to wait."""
    lines = [f"  {'connected within, ms':32}{'median':>11}{'p99':>11}{'max':>11}"]
    for rival, seen in CROWDS[load].items():
        times = sorted(ms for crowd in seen for ms in crowd.connect_ms)
        if times:
            row = (percentile(times, 50), percentile(times, 99), times[-1])
            lines.append(f"  {rival:32}" + "".join(f"{ms:11.3f}" for ms in row))
    return "\n".join(lines)


def percentile(times: list[float], share: float) -> float:
    """Return the value that a share of the sorted times does not exceed."""
    return times[min(len(times) - 1, int(len(times) * share / 100))]


def summary() -> dict[str, dict[str, dict[str, float]]]:
    """Return the clients' connect times for `--json`."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for load, rivals in CROWDS.items():
        for rival, seen in rivals.items():
            times = sorted(ms for crowd in seen for ms in crowd.connect_ms)
            if times:
                found.setdefault(f"{load:g}x", {})[rival] = {
                    "clients": CLIENTS * len(seen),
                    "connected": len(times),
                    "served": sum(len(crowd.served_ms) for crowd in seen),
                    "p50_ms": percentile(times, 50),
                    "p99_ms": percentile(times, 99),
                    "max_ms": times[-1],
                }
    return found


def against(ours: str, theirs: str, goal: float | None, name: str = "") -> Figure:
    """Make a figure of SYN-ACK/s."""
    return Figure(
        name or f"{ours}_vs_{theirs}",
        f"SYN-ACK/s over veth on one core: {ours} against {theirs}",
        ours,
        theirs,
        goal=Goal(goal) if goal else None,
    )


def all_served(link: str) -> Figure:
    """Make the figure of clients below capacity."""
    return Figure(
        f"{link}_clients_at_0.7x",
        f"clients served of {CLIENTS} in a flood at 0.7 of capacity: {link}",
        f"{link}_stack",
        "cookies2",
        goal=Goal(CLIENTS, of_ours=True),
    )


def not_fewer(link: str) -> Figure:
    """Make the figure of clients beyond capacity."""
    return Figure(
        f"{link}_clients_at_2x",
        f"clients served of {CLIENTS} in a flood at twice the capacity: {link}",
        f"{link}_stack",
        "cookies2",
        goal=Goal(1),
    )


FAMILIES = (
    Family(
        "synacks",
        "SYN-ACK/s",
        "wire",
        synacks,
        (
            against("packet", "cookies2", 1.0),
            against("xdp", "cookies2", 1.4),
            against("packet", "packet_echo", 0.85, "packet_share_of_echo"),
            against("xdp", "xdp_echo", 0.85, "xdp_share_of_echo"),
            against("packet", "synproxy", None),
            against("xdp", "synproxy", None),
            against("cookies1", "cookies2", None),
            against("packet_echo", "cookies2", None),
            against("xdp_echo", "cookies2", None),
        ),
    ),
    Family(
        "clients_0.7x",
        "clients served",
        "wire",
        partial(crowds, 0.7),
        tuple(all_served(link) for link in OURS),
        CROWD_REPEATS,
    ),
    Family(
        "clients_2x",
        "clients served",
        "wire",
        partial(crowds, 2.0),
        tuple(not_fewer(link) for link in OURS),
        CROWD_REPEATS,
    ),
)
