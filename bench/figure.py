"""Figures: two arms of one run compared, and what was hoped of the ratio.

Arms of a family are measured by turns, so the n-th values of two arms were taken
within a moment of one another; a ratio is the median of the ratios of such pairs, and
its spread is the smallest and the largest of them.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

Runs = dict[str, list[float]]
Arms = dict[str, "Callable[[], float]"]


@dataclass(frozen=True)
class Goal:
    """A bound on the ratio, or on our own value."""

    bound: float
    at_most: bool = False
    of_ours: bool = False

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        return f"{sign} {self.bound:g}"

    def reached(self, value: float) -> bool:
        """Tell whether a value is good enough."""
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass(frozen=True)
class Figure:
    """One comparison of two arms.

    Args:
        name: By which it is chosen, printed and documented.
        what: One line for people.
        ours: An arm.
        theirs: Another arm, or a constant.
        inverse: The ratio is theirs to ours: how many times less ours costs.
        goal: None: it is only reported.
        mpps: Values are nanoseconds a packet; the figure is in million packets/s.
    """

    name: str
    what: str
    ours: str
    theirs: str | float
    inverse: bool = False
    goal: Goal | None = None
    mpps: bool = False


@dataclass(frozen=True)
class Family:
    """Arms that are measured by turns in one world, and the figures drawn from them.

    Args:
        name: By which it is chosen.
        unit: Of every arm's values.
        group: "memory" or "wire".
        enter: Makes the world; its value is the arms, calls that measure once more.
        figures: What is compared.
        repeats: At most so many; None: as many as asked for.
        times: So many times as many, where all turns would else fall into one mood of
            the machine.
    """

    name: str
    unit: str
    group: str
    enter: Callable[[], AbstractContextManager[Arms]]
    figures: tuple[Figure, ...]
    repeats: int | None = None
    times: int = 1

    def turns(self, asked: int) -> int:
        """Return how often its arms are measured."""
        return self.times * min(asked, self.repeats or asked)


class Result(NamedTuple):
    """A figure as it was measured."""

    figure: Figure
    unit: str
    ours: list[float]
    theirs: list[float]
    ratios: list[float]

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return statistics.median(self.ratios)

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None: there is none."""
        goal = self.figure.goal
        if goal is None:
            return None
        return goal.reached(
            statistics.median(self.ours) if goal.of_ours else self.ratio
        )

    def to_json(self) -> dict[str, Any]:
        """Return what `--json` writes of it."""
        goal = self.figure.goal
        return {
            "name": self.figure.name,
            "what": self.figure.what,
            "ratio": rounded(self.ratio),
            "ratio_min": rounded(min(self.ratios)),
            "ratio_max": rounded(max(self.ratios)),
            "ours": rounded(statistics.median(self.ours)),
            "theirs": rounded(statistics.median(self.theirs)),
            "unit": self.unit,
            "goal": goal.bound if goal else None,
            "goal_is": ("at most" if goal.at_most else "at least") if goal else None,
            "goal_of": ("ours" if goal.of_ours else "ratio") if goal else None,
            "reached": self.reached,
            "repeats": len(self.ratios),
        }


def measure(
    arms: Mapping[str, Callable[[], float]], repeats: int, *, warm: bool
) -> Runs:
    """Measure every arm `repeats` times, by turns.

    `warm`: after a turn that does not count, for caches and branch predictors.
    """
    if warm:
        for arm in arms.values():
            arm()
    runs: Runs = {name: [] for name in arms}
    for _ in range(repeats):
        for name, arm in arms.items():
            runs[name].append(arm())
    return runs


def compare(figure: Figure, unit: str, runs: Runs) -> Result | None:
    """Draw a figure from the runs; None if an arm could not be measured here."""
    if figure.ours not in runs:
        return None
    ours = runs[figure.ours]
    if isinstance(figure.theirs, str):
        if figure.theirs not in runs:
            return None
        theirs = runs[figure.theirs]
    else:
        theirs = [float(figure.theirs)] * len(ours)
    if figure.mpps:
        unit = "Mpps"
        ours, theirs = ([1e3 / ns for ns in side] for side in (ours, theirs))
    ratios = [
        (b / a if figure.inverse else a / b) if a and b else 0.0
        for a, b in zip(ours, theirs, strict=True)
    ]
    return Result(figure, unit, ours, theirs, ratios)


def rounded(value: float) -> float:
    """Keep four digits: more would be noise."""
    return float(f"{value:.4g}")


def table_of_arms(unit: str, runs: Runs) -> str:
    """Lay out what every arm took."""
    lines = [f"  {unit:32}{'median':>11}{'min':>11}{'max':>11}"]
    for name, values in runs.items():
        row = (statistics.median(values), min(values), max(values))
        lines.append(f"  {name:32}" + "".join(f"{rounded(v):>11g}" for v in row))
    return "\n".join(lines)


def table_of_results(results: Sequence[Result]) -> str:
    """Lay out the ratios beside their goals."""
    lines = [f"  {'figure':32}{'ratio':>8} {'(min - max)':17}{'goal':>9}"]
    for result in results:
        goal = result.figure.goal
        spread = f"({rounded(min(result.ratios)):g} - {rounded(max(result.ratios)):g})"
        columns = f"{rounded(result.ratio):>8g} {spread:17}{goal or ''!s:>9}"
        lines.append(f"  {result.figure.name:32}{columns}  {word(result)}".rstrip())
    return "\n".join(lines)


def word(result: Result) -> str:
    """Say whether a figure is what was hoped for."""
    goal = result.figure.goal
    if goal is None:
        return ""
    ours = f"{rounded(statistics.median(result.ours)):g} {result.unit}, "
    return (ours if goal.of_ours else "") + ("reached" if result.reached else "SHORT")
