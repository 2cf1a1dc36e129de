"""Thresholds from measurements: how calm traffic behaves, and more.

Contents: samples taken once a second made into proposals, with the percentiles that
they rest on; the same proposals as text, as sysctl.conf lines and as IOS lines; what a
set of tunables would have done.  Elsewhere: where samples come from (`inspection`,
`cli.advise`) and the picture.

A threshold has to lie above everything that happens on a good day.  `high` is half
again the 99.9th percentile of the samples, `low` a fifth above it; neither is below the
highest sample, so that the measured traffic raises no alert.  Seconds that look like an
attack are left out, with a margin on both sides, and named, so that an operator can
object.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .plural import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ._core.inspect import Sample

_I = "net.inet.inspect."
PERCENTILES = (50.0, 95.0, 99.0, 99.9)
QUANTILE = 99.9
HIGH, LOW = 1.5, 1.2  # times that percentile
ABOVE_MAX_PERCENT = 110  # of the highest sample, at least
# A site may be all but silent; below these a threshold only makes noise.
LEAST = {"max_incomplete": 20, "one_minute": 60, "host": 10}
# An attack is what exceeds so many medians, and not by a handful of sessions only.
ATTACK_TIMES = 5
ATTACK_LEAST = {"max_incomplete": 50, "one_minute": 300, "host": 30}
MARGIN_S = 60  # a minute, since the rate is that of a minute
SAMPLES_MAX = 2**17  # kept; two become one, with the higher numbers, where more come
SYNWAIT_MIN, SYNWAIT_MAX = 5, 30
SYNWAIT_TIMES = 2
# What a measurement of less than this leaves unsaid is said.
SHORT_S = 600


@dataclass(frozen=True, slots=True)
class Series:
    """One quantity over the samples that count, and where it stands."""

    name: str
    percentiles: tuple[float, ...]
    highest: int

    def at(self, percentile: float) -> float:
        """Return the value of one of `PERCENTILES`."""
        return self.percentiles[PERCENTILES.index(percentile)]


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds of the engine's clock, both included."""

    begin: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A proposal and its reasons.  `left_out` are spans that look like attacks."""

    seconds: int
    left_out: tuple[Span, ...]
    max_incomplete: tuple[int, int]
    one_minute: tuple[int, int]
    host: int
    synwait: int
    series: tuple[Series, ...]
    handshakes: int
    handshake_ms: tuple[float, ...]

    def tunables(self) -> dict[str, int]:
        """Return the proposal by the names of tunables."""
        return {
            _I + "max_incomplete.low": self.max_incomplete[0],
            _I + "max_incomplete.high": self.max_incomplete[1],
            _I + "one_minute.low": self.one_minute[0],
            _I + "one_minute.high": self.one_minute[1],
            _I + "tcp.max_incomplete_host": self.host,
            _I + "tcp.synwait_time": self.synwait,
        }

    def sysctl_conf(self) -> list[str]:
        """Return the proposal as lines of a sysctl.conf."""
        return [f"{name}={value}" for name, value in self.tunables().items()]

    def ios(self) -> list[str]:
        """Return the proposal as lines of an IOS configuration."""
        (count_low, count_high), (low, high) = self.max_incomplete, self.one_minute
        return [
            f"ip inspect max-incomplete low {count_low} high {count_high}",
            f"ip inspect one-minute low {low} high {high}",
            f"ip inspect tcp max-incomplete host {self.host} block-time 0",
            f"ip inspect tcp synwait-time {self.synwait}",
        ]

    def text(self) -> list[str]:
        """Return the measurement and the proposal for a reader."""
        heads = "".join(f"{f'p{p:g}':>8}" for p in PERCENTILES)
        lines = [f"{'':24}{heads}{'highest':>9}"]
        lines += [
            f"{of.name:24}"
            + "".join(f"{value:8.0f}" for value in of.percentiles)
            + f"{of.highest:9d}"
            for of in self.series
        ]
        if self.handshakes:
            lines.append(
                f"{'handshake, ms':24}"
                + "".join(f"{value:8.0f}" for value in self.handshake_ms)
            )
        lines.append("")
        lines.append(f"of {self.seconds} s, once a second")
        lines += [
            f"left out as an attack: {int(s.end - s.begin) + 1} s "
            f"from {s.begin:.0f} to {s.end:.0f}"
            for s in self.left_out
        ]
        if self.seconds < SHORT_S:
            lines.append(
                f"that is short: measure {SHORT_S // 60} minutes at least, "
                "and the busiest hour at best"
            )
        lines += ["", *self._reasons()]
        return lines

    def _reasons(self) -> list[str]:
        rows = []
        for of, name, (low, high) in (
            (self.series[0], "max-incomplete", self.max_incomplete),
            (self.series[1], "one-minute", self.one_minute),
        ):
            measured = f"p{QUANTILE:g} {of.at(QUANTILE):.0f}, highest {of.highest}"
            rows.append(f"{name:16} low {low} high {high}   ({measured})")
        of = self.series[2]
        measured = f"p{QUANTILE:g} {of.at(QUANTILE):.0f}, highest {of.highest}"
        rows.append(f"{'host':16} {self.host}   ({measured})")
        if self.handshakes:
            noun = plural(self.handshakes, "handshake")
            took = f"p{QUANTILE:g} of {self.handshakes} {noun}"
            took += f" {self.handshake_ms[PERCENTILES.index(QUANTILE)]:.0f} ms"
        else:
            took = "no handshake was seen"
        rows.append(f"{'synwait-time':16} {self.synwait} s   ({took})")
        return rows


@dataclass(slots=True)
class WhatIf:
    """The effect that a set of tunables would have had; times of the engine's clock.

    `evicted` are half-open sessions deleted, by reason; `would_complete` of them
    completed when nothing was deleted.
    """

    alerts: int = 0
    aggressive: list[Span] = field(default_factory=list)
    still_aggressive: bool = False
    host_alerts: list[float] = field(default_factory=list)  # when
    blocks: int = 0
    evicted: dict[str, int] = field(default_factory=dict)
    would_complete: int = 0

    @property
    def aggressive_s(self) -> float:
        """How long it was aggressive in all."""
        return sum(span.end - span.begin for span in self.aggressive)

    def text(self) -> list[str]:
        """Return it for a reader."""
        spans = ", ".join(
            f"{span.begin:.0f} to {span.end:.0f}" for span in self.aggressive
        )
        total = sum(self.evicted.values())
        by_reason = ", ".join(f"{n} by {name}" for name, n in self.evicted.items())
        return [
            f"aggressive {self.alerts} {plural(self.alerts, 'time')}, "
            f"{self.aggressive_s:.0f} s in all"
            + (f": {spans}" if spans else "")
            + (", and still at the end" if self.still_aggressive else ""),
            f"host alerts {len(self.host_alerts)}, blocks {self.blocks}",
            f"half-open sessions deleted {total}"
            + (f" ({by_reason})" if by_reason else ""),
            f"of them {self.would_complete} would have completed",
        ]


class Samples:
    """Samples of a measurement in bounded memory: equal ones in a row are one."""

    def __init__(self, most: int = SAMPLES_MAX) -> None:
        self._kept: list[Sample] = []
        self._most = most
        self._at_least = 1  # seconds of each, once there were too many

    def add(self, sample: Sample) -> None:
        """Append the next one."""
        kept = self._kept
        last = kept[-1] if kept else None
        if last is not None and (
            last.seconds < self._at_least or last[1:-1] == sample[1:-1]
        ):
            kept[-1] = merged(last, sample)
            return
        kept.append(sample)
        if len(kept) > self._most:
            pairs = zip(kept[::2], [*kept[1::2], None], strict=False)
            self._kept = [a if b is None else merged(a, b) for a, b in pairs]
            self._at_least *= 2

    def all(self) -> list[Sample]:
        """Return them in order."""
        return self._kept


def merged(first: Sample, second: Sample) -> Sample:
    """Return one sample for two that follow one another, with the higher numbers."""
    more = second if second.host_count >= first.host_count else first
    return second._replace(
        incomplete=max(first.incomplete, second.incomplete),
        incomplete_udp=max(first.incomplete_udp, second.incomplete_udp),
        established=max(first.established, second.established),
        one_minute=max(first.one_minute, second.one_minute),
        aggressive=first.aggressive or second.aggressive,
        host_count=more.host_count,
        host=more.host,
        seconds=first.seconds + second.seconds,
    )


def weighted_percentile(ordered: Sequence[tuple[float, int]], at: float) -> float:
    """Return `percentile` of values that stand for so many seconds each."""
    wanted = max(1, math.ceil(sum(seconds for _, seconds in ordered) * at / 100))
    seen = 0
    for value, seconds in ordered:
        seen += seconds
        if seen >= wanted:
            return value
    return 0.0


def percentile(ordered: Sequence[float], at: float) -> float:
    """Return the value that `at` per cent of an ordered sequence do not exceed."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(len(ordered) * at / 100) - 1)]


def age_ms(counter: int) -> float:
    """Return the age below which all of a handshake-age counter's handshakes lie.

    The counters are those of csrc/flow/flow.h: four to an octave.
    """
    above = counter + 1
    if above < 4:
        return float(above)
    return float((4 + above % 4) << (above // 4 - 1))


def handshake_percentile(ages: Sequence[int], at: float) -> float:
    """Return the time in ms within which so many per cent of handshakes completed."""
    wanted, seen = sum(ages) * at / 100, 0
    for counter, number in enumerate(ages):
        seen += number
        if number and seen >= wanted:
            return age_ms(counter)
    return 0.0


def attacks(samples: Sequence[Sample]) -> list[Span]:
    """Return the spans that look like attacks, a minute's margin on both sides.

    A second does if one of the three quantities is many times its own median.  The
    median stands as long as an attack takes less than half of the time.
    """
    limits = {
        name: max(ATTACK_TIMES * weighted_percentile(values, 50), ATTACK_LEAST[name])
        for name, values in _ordered(samples).items()
    }
    spans: list[Span] = []
    for sample in samples:
        if all(limits[name] >= value for name, value in _values(sample).items()):
            continue
        begin = sample.time - sample.seconds + 1 - MARGIN_S
        end = sample.time + MARGIN_S
        if spans and begin <= spans[-1].end:
            spans[-1] = Span(spans[-1].begin, end)
        else:
            spans.append(Span(begin, end))
    return [_within(span, samples) for span in spans]


def _within(span: Span, samples: Sequence[Sample]) -> Span:
    first, last = samples[0].time - samples[0].seconds + 1, samples[-1].time
    return Span(max(span.begin, first), min(span.end, last))


def hints(samples: Sequence[Sample], ages: Sequence[int]) -> list[str]:
    """Return the doubts about a measurement, in sentences."""
    found = []
    peak = max(samples, key=lambda sample: sample.incomplete)
    if 2 * peak.incomplete_udp > peak.incomplete:
        found.append(
            f"at the peak {peak.incomplete_udp} of {peak.incomplete} half-open "
            "sessions were UDP without an answer"
        )
    if not sum(ages) and any(sample.one_minute for sample in samples):
        found.append(
            "no handshake was completed: is one direction missing in the measurement?"
        )
    return found


def outside(samples: Sequence[Sample], spans: Sequence[Span]) -> list[Sample]:
    """Return the samples without the seconds within spans; both are in order."""
    found: list[Sample] = []
    at = 0
    for sample in samples:
        begin, end = sample.time - sample.seconds + 1, sample.time
        while at < len(spans) and spans[at].end < begin:
            at += 1
        seconds = sample.seconds
        for span in spans[at:]:
            if span.begin > end:
                break
            within = math.floor(min(end, span.end) - begin) - math.ceil(
                max(begin, span.begin) - begin
            )
            seconds -= max(0, within + 1)
        if seconds > 0:
            found.append(sample._replace(seconds=seconds))
    return found


def advise(
    samples: Sequence[Sample], ages: Sequence[int], *, everything: bool = False
) -> Advice:
    """Propose thresholds.

    Args:
        samples: in order, each of one second or of a run of them.
        ages: `Inspection.handshake_ages`.
        everything: leave nothing out, however much it looks like an attack.

    Raises:
        ValueError: there is no sample, or none that does not look like an attack.
    """
    spans = [] if everything or not samples else attacks(samples)
    clean = outside(samples, spans)
    if not samples:
        raise ValueError("there is nothing to measure: it is shorter than a second")
    if not clean:
        raise ValueError("there is nothing to measure: no second without an attack")
    ordered = _ordered(clean)
    titles = {
        "max_incomplete": "half-open sessions",
        "one_minute": "requests a minute",
        "host": "half-open to one host",
    }
    series = tuple(
        Series(
            titles[name],
            tuple(weighted_percentile(values, at) for at in PERCENTILES),
            int(values[-1][0]),
        )
        for name, values in ordered.items()
    )
    count, rate, host = series
    slowest = handshake_percentile(ages, QUANTILE)
    return Advice(
        seconds=sum(sample.seconds for sample in clean),
        left_out=tuple(spans),
        max_incomplete=_pair(count, LEAST["max_incomplete"]),
        one_minute=_pair(rate, LEAST["one_minute"]),
        host=_pair(host, LEAST["host"])[1],
        synwait=_synwait(slowest),
        series=series,
        handshakes=sum(ages),
        handshake_ms=tuple(handshake_percentile(ages, at) for at in PERCENTILES),
    )


def _pair(series: Series, least: int) -> tuple[int, int]:
    """Return low and high."""
    typical = series.at(QUANTILE)
    low = max(math.ceil(LOW * typical), series.highest, least)
    high = max(
        math.ceil(HIGH * typical),
        -(-ABOVE_MAX_PERCENT * series.highest // 100),
        math.ceil(least * HIGH / LOW),
        low,
    )
    return low, high


def _synwait(slowest_ms: float) -> int:
    """Return seconds: twice the time of all but a thousandth of the handshakes."""
    if slowest_ms <= 0:
        return SYNWAIT_MAX
    seconds = math.ceil(SYNWAIT_TIMES * slowest_ms / 1000)
    return min(max(seconds, SYNWAIT_MIN), SYNWAIT_MAX)


def _values(sample: Sample) -> dict[str, int]:
    return {
        "max_incomplete": sample.incomplete,
        "one_minute": sample.one_minute,
        "host": sample.host_count,
    }


def _ordered(samples: Iterable[Sample]) -> dict[str, list[tuple[float, int]]]:
    """Return each quantity's values in order, with the seconds that each stands for."""
    columns: dict[str, dict[float, int]] = {name: {} for name in LEAST}
    for sample in samples:
        for name, value in _values(sample).items():
            column = columns[name]
            column[value] = column.get(value, 0) + sample.seconds
    return {name: sorted(column.items()) for name, column in columns.items()}
