"""A log over time, as a picture: sessions a minute, half-open ones, attacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..alerts.totals import HOST
from . import Failure, needs

if TYPE_CHECKING:
    from pathlib import Path

    from ..alerts.log import LogBook

PANELS = (
    ("sessions of a minute", "one_minute", "rate"),
    ("half-open sessions", "incomplete", "half_open"),
)


def plotter() -> Any:
    """Return matplotlib's pyplot without a display."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise needs("plot", "matplotlib") from None
    mpl.use("agg")
    from matplotlib import pyplot as plt

    return plt


def draw(place: Path, book: LogBook) -> None:
    """Draw both series, with the attacks shaded, and the values of the alerts."""
    if book.first is None or book.last is None:
        raise Failure("no message of the log has a time: there is nothing to draw")
    plt = plotter()
    zero = book.first
    samples = book.load.samples()
    at = [max(sample.time - zero, 0.0) for sample in samples]
    figure, panels = plt.subplots(len(PANELS), sharex=True, figsize=(9, 5))
    for panel, (title, field, of) in zip(panels, PANELS, strict=True):
        panel.plot(at, [getattr(s, field) for s in samples], "C0", linewidth=0.8)
        panel.set_title(title, fontsize=10)
        panel.set_yscale("symlog", linthresh=10)
        for attack in book.attacks:
            begin = 0.0 if attack.begin is None else attack.begin - zero
            end = (book.last if attack.end is None else attack.end) - zero
            colour = "C1" if attack.kind == HOST else "C3"
            panel.axvspan(begin, max(end, begin), color=colour, alpha=0.15)
            panel.plot(begin, getattr(attack, of), "^" + colour, clip_on=False)
        panel.set_ylim(bottom=0)
    panels[-1].set_xlabel("seconds; red: alerts, orange: single hosts")
    figure.tight_layout()
    try:
        figure.savefig(place, dpi=100)
    except (OSError, ValueError) as error:
        raise Failure(f"cannot write {place}: {error}") from None
    finally:
        plt.close(figure)
