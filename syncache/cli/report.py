"""The results of a demonstration: figures, a table and a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = {
    "name": "run",
    "served": "served",
    "connect_ms_p50": "connect p50 ms",
    "connect_ms_p99": "p99 ms",
    "syns_received": "SYNs received",
    "syns_per_second": "a second",
    "syn_acks_sent": "SYN-ACKs sent",
    "half_open_peak": "half-open peak",
    "cache_bytes": "cache bytes",
    "rss_growth_bytes": "RSS growth",
    "evicted": "evicted",
    "pauses": "pauses",
}

# The share of a flood for which the server may want a processor and have none: the
# flood and the clients have them too.  Beyond it, figures say more of the machine.
WAITED_MAX = 0.2


@dataclass(frozen=True)
class Run:
    """The raw facts of one run; times are of one monotonic clock."""

    name: str
    clients: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    cache_bytes: int
    flood: tuple[float, float]
    sent: int
    warm_up: float

    def figures(self) -> dict[str, Any]:
        """Condense them."""
        begin, end = self.flood
        first, last = self.samples[0], self.samples[-1]
        times = sorted(c["connect_ms"] for c in self.clients if c["served"])
        during = [s for s in self.samples if begin <= s["t"] <= end]
        warm = [s["rss"] for s in self.samples if s["t"] >= begin + self.warm_up]
        seen = during[-1]["syns"] - during[0]["syns"]
        seconds = during[-1]["t"] - during[0]["t"]
        return {
            "name": self.name,
            "clients": len(self.clients),
            "served": len(times),
            "connect_ms_p50": quantile(times, 0.5),
            "connect_ms_p99": quantile(times, 0.99),
            "syns_sent": self.sent,
            "syns_received": last["syns"] - first["syns"],
            "syns_per_second": round(seen / seconds),
            "syn_acks_sent": last["syn_acks"] - first["syn_acks"],
            "half_open_peak": max(s["half_open"] for s in self.samples),
            "cache_bytes": self.cache_bytes,
            "rss_growth_bytes": max(warm) - warm[0] if warm else 0,
            "evicted": last["evicted"] - first["evicted"],
            "pauses": last["pauses"] - first["pauses"],
            "waited": round((during[-1]["waited"] - during[0]["waited"]) / seconds, 2),
        }


def quantile(ordered: list[float], share: float) -> float | None:
    """Return the value below which a share of an ordered list lies."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)


def cell(run: dict[str, Any], key: str) -> str:
    """Print one figure."""
    value = run[key]
    if key == "served":
        return f"{value} of {run['clients']}"
    if isinstance(value, int):
        return f"{value:,}"
    return "-" if value is None else str(value)


def show_table(runs: list[Run]) -> None:
    """Print a row for each figure and a column for each run."""
    figures = [run.figures() for run in runs]
    rows = [[title, *(cell(f, key) for f in figures)] for key, title in COLUMNS.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *rest = (
            (text.ljust if not i else text.rjust)(widths[i])
            for i, text in enumerate(row)
        )
        print("  ".join([first, *rest]).rstrip())
    if (waited := max(each["waited"] for each in figures)) > WAITED_MAX:
        print(
            f"this machine is busy: up to {waited:.0%} of a flood the server waited "
            "for a processor, and SYNs that came meanwhile were lost"
        )


def save_picture(runs: list[Run], place: Path) -> None:
    """Draw each client's connect time, one panel a run, the attack shaded."""
    try:
        import matplotlib as mpl
    except ImportError:
        print("no picture: pip install 'tcp-syncache[plot]'")
        return
    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(
        len(runs), sharex=True, sharey=True, squeeze=False, figsize=(9, 2.2 * len(runs))
    )
    for panel, run in zip(panels[:, 0], runs, strict=True):
        zero = run.flood[0]
        good = [c for c in run.clients if c["served"]]
        bad = [c for c in run.clients if not c["served"]]
        panel.axvspan(0, run.flood[1] - zero, color="0.9", label="flood")
        # Virtual time may say zero, which a logarithmic axis cannot show.
        panel.semilogy(
            [c["start"] - zero for c in good],
            [max(c["connect_ms"], 0.01) for c in good],
            "C0.",
        )
        panel.plot([c["start"] - zero for c in bad], [3000] * len(bad), "C3x")
        rate = run.figures()["syns_per_second"]
        panel.set_title(
            f"{run.name}: {len(good)} of {len(run.clients)} served, "
            f"{rate:,} SYN/s received",
            fontsize=10,
        )
        panel.set_ylabel("connect, ms")
    panels[-1, 0].set_xlabel("seconds since the flood began; x: not served in 3 s")
    figure.tight_layout()
    figure.savefig(place, dpi=100)
    plt.close(figure)
    print(f"picture: {place.resolve()}")
