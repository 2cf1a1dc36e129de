"""Pictures of the runs; those whose families were measured are drawn.

table-size.png   ns a SYN over the size of the table
burst-size.png   Mpps over packets a call, by instruction set level
synacks.png      SYN-ACK/s beside the kernel's modes
connect-*.png    how long legitimate clients waited during a flood
"""

from __future__ import annotations

import re
import statistics
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .figure import Runs
    from .wire import Crowd

CLIENTS = 200
SIZES = {"15k": 15_360, "1m": 983_040, "16m": 15_728_640}
OURS, THEIRS, CEILING = "#1f6fb4", "#9a9a9a", "#c7dcec"
LABELS = {
    "syn_evict_burst64": "bursts of 64",
    "syn_evict_single": "one at a time",
    "syn_evict_list": "list and malloc, straightforward path",
    "syn_pause_list": "the same, pausing as FreeBSD does",
    "cookies2": "kernel,\nsyncookies=2",
    "cookies1": "kernel,\nsyncookies=1",
    "synproxy": "nftables\nsynproxy",
    "packet": "ours,\nAF_PACKET",
    "xdp": "ours,\nAF_XDP",
    "packet_echo": "echo alone,\nAF_PACKET",
    "xdp_echo": "echo alone,\nAF_XDP",
    "packet_stack": "ours, AF_PACKET",
    "xdp_stack": "ours, AF_XDP",
}


def draw(
    folder: Path,
    runs: Mapping[str, Runs],
    crowds: Mapping[float, Mapping[str, list[Crowd]]],
) -> None:
    """Draw what there is into a folder."""
    try:
        import matplotlib as mpl
    except ImportError:
        sys.exit("pictures need matplotlib: pip install 'tcp-syncache[plot]'")
    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "syncache", "font.size": 9})
    folder.mkdir(parents=True, exist_ok=True)
    arms = {name: values for family in runs.values() for name, values in family.items()}
    if "bursts" in runs:
        burst_sizes(folder, runs["bursts"])
    if any(name.startswith("syn_evict_") for name in arms):
        table_sizes(folder, arms)
    if "synacks" in runs:
        synacks(folder, runs["synacks"])
    for load, seen in crowds.items():
        if any(seen.values()):
            connect_times(folder, load, seen)


def axes(title: str, x: str, y: str, width: float = 6.4) -> tuple[Any, Any]:
    """Make an empty picture."""
    from matplotlib import pyplot as plt

    figure, place = plt.subplots(figsize=(width, 3.6), layout="constrained")
    place.set_title(title)
    place.set_xlabel(x)
    place.set_ylabel(y)
    place.grid(alpha=0.3)
    return figure, place


def save(figure: Any, path: Path) -> None:
    """Write it without date or version, so that it changes with its data only."""
    from matplotlib import pyplot as plt

    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def burst_sizes(folder: Path, runs: Runs) -> None:
    """Draw Mpps over burst size."""
    lines: dict[str, list[tuple[int, list[float]]]] = {}
    for name, values in runs.items():
        found = re.fullmatch(r"syn_cookie_burst(\d+)@(\w+)", name)
        if found:
            point = int(found[1]), [1e3 / ns for ns in values]
            lines.setdefault(found[2], []).append(point)
    figure, place = axes("SYN to SYN-ACK, cookies only", "packets a call", "Mpps")
    for level, points in lines.items():
        error_bars(place, points, level)
    place.set_xscale("log", base=2)
    place.set_xticks([size for size, _ in points], [str(size) for size, _ in points])
    place.set_ylim(bottom=0)
    place.legend()
    save(figure, folder / "burst-size.png")


def table_sizes(folder: Path, arms: Runs) -> None:
    """Draw ns a SYN over table size."""
    title = "SYN to SYN-ACK with insert and eviction, table full"
    figure, place = axes(title, "entries", "ns a SYN")
    for kind in (
        "syn_evict_list",
        "syn_pause_list",
        "syn_evict_single",
        "syn_evict_burst64",
    ):
        points = [
            (entries, arms[f"{kind}_{size}"])
            for size, entries in SIZES.items()
            if f"{kind}_{size}" in arms
        ]
        if points:
            error_bars(place, points, LABELS[kind])
    place.set_xscale("log")
    place.set_yscale("log")
    place.set_xticks([*SIZES.values()], [*SIZES])
    place.legend()
    save(figure, folder / "table-size.png")


def error_bars(place: Any, points: list[tuple[int, list[float]]], label: str) -> None:
    """Draw medians with bars from the least to the most."""
    middle = [statistics.median(values) for _, values in points]
    below = [m - min(v) for m, (_, v) in zip(middle, points, strict=True)]
    above = [max(v) - m for m, (_, v) in zip(middle, points, strict=True)]
    x = [at for at, _ in points]
    place.errorbar(x, middle, [below, above], marker="o", capsize=3, label=label)


def synacks(folder: Path, runs: Runs) -> None:
    """Draw SYN-ACK/s of every rival."""
    title = "SYN-ACK/s over veth, all work on one core (bars: least to most)"
    figure, place = axes(title, "", "thousands a second", 8)
    for x, (name, values) in enumerate(runs.items()):
        thousands = [value / 1e3 for value in values]
        middle = statistics.median(thousands)
        spread = [[middle - min(thousands)], [max(thousands) - middle]]
        echo = name.endswith("echo")
        colour = CEILING if echo else OURS if name in {"packet", "xdp"} else THEIRS
        place.bar(x, middle, yerr=spread, color=colour, capsize=4)
    place.set_xticks(range(len(runs)), [LABELS[name] for name in runs], fontsize=8)
    save(figure, folder / "synacks.png")


def connect_times(folder: Path, load: float, seen: Mapping[str, list[Crowd]]) -> None:
    """Draw the share of clients that were connected within a time."""
    title = f"Legitimate clients, flood at {load:g} of each listener's capacity"
    figure, place = axes(title, "connected within, ms", "share of clients")
    for rival, crowds in seen.items():
        times = sorted(ms for crowd in crowds for ms in crowd.connect_ms)
        clients = CLIENTS * len(crowds)
        shares = [(i + 1) / clients for i in range(len(times))]
        label = LABELS[rival].replace("\n", " ")
        place.step(times, shares, where="post", label=label)
    place.set_xscale("log")
    place.set_ylim(0, 1.02)
    place.legend(loc="lower right")
    save(figure, folder / f"connect-{load:g}x.png")
