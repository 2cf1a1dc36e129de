"""The reports of `syncache inspect` and `syncache advise`: traffic, as a page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from ipaddress import ip_network
from typing import TYPE_CHECKING

from .. import address as addresses
from .. import flow_event
from ..advise import Samples
from ..alerts.message import SessionStart, SessionStop
from ..alerts.top import Top
from ..flow_event import Kind, Place
from ..report_page import Chart, Page
from . import Failure
from .files import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .._core.inspect import Sample
    from ..advise import Advice, WhatIf
    from ..alerts.message import Message
    from ..inspect_rule import RuleSet
    from ..inspection import Inspection
    from .replay import Replay

_I = "net.inet.inspect."
TOP = 15
PAGE_MODE = 0o644
ALERTS_MAX = 500
PREFIX_BYTES = {addresses.IPV4: 3, addresses.IPV6: 8}
YEARS_S = 315_360_000  # clocks below ten years are not the calendar's
CHARTS = (
    ("Half-open sessions", "incomplete", "max_incomplete"),
    ("Requests of a minute", "one_minute", "one_minute"),
    ("Half-open to one host", "host_count", ""),
)


def save(page: Page, place: Path) -> None:
    """Write a page to a file, whole or not at all."""
    try:
        replace(place, [page.html().encode(errors="replace")], PAGE_MODE)
    except OSError as error:
        raise Failure(f"cannot write {place}: {error.strerror}") from None


@dataclass(slots=True)
class Traffic:
    """Counts beside a run: who began sessions with whom, and the alerts."""

    samples: Samples = field(default_factory=Samples)
    # By packed address, port and family; by the packed prefix; by number.
    targets: Top[tuple[bytes, int, int]] = field(default_factory=Top)
    sources: Top[bytes] = field(default_factory=Top)
    protocols: Top[int] = field(default_factory=Top)
    alerts: list[Message] = field(default_factory=list)
    more_alerts: int = 0
    rules: RuleSet | None = None  # of which those with an audit trail say so
    audit: bool = True

    @classmethod
    def beside(cls, engine: Inspection) -> Traffic:
        """Count the sessions of an engine, which reports them all from now on."""
        name = _I + "audit_trail"
        traffic = cls(rules=engine.rules, audit=bool(engine.sysctl[name]))
        engine.sysctl[name] = 1
        return traffic

    def facts(
        self, source: str, values: Mapping[str, int | str], run: Replay | None
    ) -> Facts:
        """Return the common part of the pages."""
        notes = [] if run is None else run.text()
        shift = 0.0 if run is None else run.shift
        return Facts(
            source=source,
            traffic=self,
            samples=self.samples.all(),
            values=values,
            notes=notes,
            clock=lambda seconds: spelled(seconds - shift),
        )

    def count(self, events: bytes) -> None:
        """Count the sessions that began, among events as C keeps them."""
        for kind, protocol, client, server, port, family in flow_event.ends(events):
            if kind == Kind.START:
                self.targets.add((server, port, family))
                self.sources.add(client[: PREFIX_BYTES[family]])
                self.protocols.add(protocol)

    def most_targets(self) -> list[tuple[str, int]]:
        """Return the servers of most sessions, with their numbers."""
        return [
            (str(Place(addresses.text(family, server), port)), number)
            for (server, port, family), number in self.targets.most(TOP)
        ]

    def most_sources(self) -> list[tuple[str, int]]:
        """Return the networks of most clients, with their numbers."""
        return [(_network(prefix), number) for prefix, number in self.sources.most(TOP)]

    def most_protocols(self) -> list[tuple[str, int]]:
        """Return the protocols of most sessions, with their numbers."""
        names = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}
        return [
            (names.get(protocol, str(protocol)), number)
            for protocol, number in self.protocols.most(TOP)
        ]

    @property
    def is_quiet(self) -> bool:
        """True if no session is to be told: they are counted alone."""
        rules = self.rules or ()
        return not self.audit and not any(rule.audit_trail for rule in rules)

    def message(self, message: Message) -> bool:
        """Keep an alert; False if the message is not one that was asked for."""
        if isinstance(message, (SessionStart, SessionStop)):
            rule = self.rules.find(message.protocol) if self.rules else None
            return self.audit or (rule is not None and bool(rule.audit_trail))
        if len(self.alerts) < ALERTS_MAX:
            self.alerts.append(message)
        else:
            self.more_alerts += 1
        return True


def _network(prefix: bytes) -> str:
    """Spell a packed prefix."""
    address = prefix.ljust(4 if len(prefix) == PREFIX_BYTES[4] else 16, b"\0")
    return str(ip_network((address, len(prefix) * 8)))


def spelled(seconds: float) -> str:
    """Spell a time of a capture: a date if it can be one, else seconds."""
    if seconds < YEARS_S:
        return f"{seconds:.0f} s"
    try:
        moment = datetime.fromtimestamp(int(seconds), timezone.utc)
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.0f} s"
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def proposal_of(page: Page, conf: Sequence[str], ios: Sequence[str]) -> None:
    """Add a proposal, ready to copy."""
    page.copy("As lines of a sysctl.conf:", conf)
    page.copy("As lines of an IOS configuration:", ios)


def charts(page: Page, facts: Facts, spans: Sequence[tuple[float, float]]) -> None:
    """Add the three series with their thresholds and the attacks."""
    for title, name, threshold in CHARTS:
        pair = [(_I + "tcp.max_incomplete_host", "high")]
        if threshold:
            pair = [(f"{_I}{threshold}.{end}", end) for end in ("high", "low")]
        levels = [
            (float(facts.values[of]), f"{end} {facts.values[of]}", end == "high")
            for of, end in pair
            if facts.values[of]
        ]
        points = points_of(facts.samples, name)
        caption = "Dashed: thresholds; shaded: aggressive."
        page.chart(Chart(title, points, levels, spans, facts.clock, caption))


def points_of(samples: Sequence[Sample], name: str) -> list[tuple[float, float]]:
    """Return a series; what stands for several seconds has both of its ends."""
    points: list[tuple[float, float]] = []
    for sample in samples:
        value = getattr(sample, name)
        if sample.seconds > 1:
            points.append((sample.time - sample.seconds + 1, value))
        points.append((sample.time, value))
    return points


def rankings(page: Page, traffic: Traffic) -> None:
    """Add who talked to whom."""
    page.heading("Top targets and sources")
    if not len(traffic.targets):
        page.paragraph("No session began.")
    page.table(("target", "sessions"), traffic.most_targets())
    page.table(("source network", "sessions"), traffic.most_sources())
    page.table(("protocol", "sessions"), traffic.most_protocols())


def passed_over(page: Page, notes: Sequence[str]) -> None:
    """Add the records that were not looked at."""
    page.heading("What was not looked at")
    for note in notes:
        page.paragraph(note)
    if not notes:
        page.paragraph("Every packet was looked at.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The common part of both pages: the source, the counts, the form of times."""

    source: str
    traffic: Traffic
    samples: Sequence[Sample]
    values: Mapping[str, int | str]
    notes: Sequence[str]
    clock: Callable[[float], str]


def inspect_page(
    facts: Facts, statistics: str, title: str = "Inspection of a capture"
) -> Page:
    """Return the page of `inspect`."""
    page = Page(title, facts.source)
    traffic = facts.traffic
    page.heading("Alerts")
    if not traffic.alerts:
        page.paragraph("No threshold was exceeded.")
    rows = [(facts.clock(m.time), str(m)) for m in traffic.alerts]
    page.table(("time", "alert"), rows)
    if traffic.more_alerts:
        page.paragraph(f"and {traffic.more_alerts:,} more")
    page.heading("Over time")
    charts(
        page,
        facts,
        [(s.time - s.seconds, s.time) for s in facts.samples if s.aggressive],
    )
    rankings(page, traffic)
    page.heading("Statistics")
    page.copy("As show ip inspect statistics prints them:", statistics.splitlines())
    passed_over(page, facts.notes)
    return page


def advise_page(facts: Facts, advice: Advice, what_if: WhatIf | None) -> Page:
    """Return the page of `advise`."""
    page = Page("Thresholds from measured traffic", facts.source)
    page.heading("Proposal")
    proposal_of(page, advice.sysctl_conf(), advice.ios())
    page.heading("What it rests on")
    page.copy("Percentiles of the samples:", advice.text())
    page.heading("Over time")
    spans = [(span.begin, span.end) for span in what_if.aggressive] if what_if else []
    charts(page, facts, spans)
    if what_if is not None:
        page.heading("What the thresholds drawn would have done")
        for line in what_if.text():
            page.paragraph(line)
    if len(facts.traffic.targets):
        rankings(page, facts.traffic)
    passed_over(page, facts.notes)
    return page
