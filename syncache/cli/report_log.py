"""The report of `syncache log --report`: the totals of a log, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..alerts.totals import HOST
from ..plural import plural
from ..report_page import Chart, Page
from .log_text import (
    advice_of,
    folded_drops_text,
    folded_text,
    lasting,
    proposal,
    size,
    stated,
    when,
    where,
)
from .report_traffic import proposal_of

if TYPE_CHECKING:
    from ..alerts.log import LogBook
    from ..alerts.top import Top

ROWS = 500


def page_of(book: LogBook, top: int) -> Page:
    """Return the page of a log."""
    page = Page(
        "Alerts and sessions of a log",
        f"{book.lines:,} {plural(book.lines, 'line')}, "
        f"{book.messages:,} {plural(book.messages, 'message')}; "
        f"{when(book, book.first)} to {when(book, book.last)}",
    )
    attacks(page, book, top)
    series(page, book)
    sessions(page, book, top)
    drops(page, book, top)
    page.heading("What was not looked at")
    ranking(page, "lines of the firewall that are not understood", book.unknown, top)
    for part in book.unread.parts():
        page.paragraph(f"Not read: {part}.")
    if not len(book.unknown):
        page.paragraph("Every line of the firewall was understood.")
    if book.undated:
        have = plural(book.undated, "message has", "messages have")
        page.paragraph(f"{book.undated:,} {have} no time.")
    advice, notes = advice_of(book)
    page.heading("Thresholds")
    for note in notes:
        page.paragraph(note, dim=True)
    if advice is not None:
        lines, ios = proposal(advice, with_host=bool(book.load))
        proposal_of(page, lines, ios)
    return page


def attacks(page: Page, book: LogBook, top: int) -> None:
    """Add a row for each attack."""
    page.heading("Attacks")
    if not book.attacks:
        page.paragraph("The log holds no alert.")
    page.table(
        ("on", "off", "lasted", "reason", "half-open", "a minute", "where"),
        [
            (
                "before" if attack.begin is None else when(book, attack.begin),
                "still on" if attack.end is None else when(book, attack.end),
                lasting(attack.duration),
                f"{attack.kind}, {attack.reason or '?'}",
                stated(attack, "half_open"),
                stated(attack, "rate"),
                where(attack, top),
            )
            for attack in book.attacks[:ROWS]
        ],
    )
    more = len(book.attacks) - ROWS + book.attacks_lost
    if more > 0:
        page.paragraph(f"and {more:,} more")


def series(page: Page, book: LogBook) -> None:
    """Add sessions over time, and the values of the alerts."""
    if book.first is None or book.last is None:
        return
    spans = [
        (
            book.first if attack.begin is None else attack.begin,
            book.last if attack.end is None else attack.end,
        )
        for attack in book.attacks
        if attack.kind != HOST
    ]
    samples = book.load.samples()
    for title, name in (
        ("Sessions of a minute", "one_minute"),
        ("Half-open sessions", "incomplete"),
        ("Half-open to one host", "host_count"),
    ):
        page.chart(
            Chart(
                title,
                [(sample.time, getattr(sample, name)) for sample in samples],
                spans=spans,
                clock=lambda seconds: when(book, seconds),
                caption="Shaded: attacks that the log reports.",
            )
        )


def sessions(page: Page, book: LogBook, top: int) -> None:
    """Add the totals of the audit trail."""
    total = book.sessions
    if not total.started and not total.stopped:
        return
    page.heading("Sessions")
    page.table(
        ("what", "number"),
        [
            ("begun", total.started),
            ("ended", total.stopped),
            ("ended unanswered", total.unanswered),
            ("from initiators", size(total.initiator_bytes)),
            ("from responders", size(total.responder_bytes)),
            ("longest", lasting(total.longest)),
            *total.protocols.most_common(top),
        ],
    )
    for each in folded_text(book):
        page.paragraph(f"{each}.")
    ranking(page, "top targets (responders)", book.responders, top)
    ranking(page, "top sources (initiators)", book.initiators, top)


def drops(page: Page, book: LogBook, top: int) -> None:
    """Add the drops."""
    if not book.drops:
        return
    page.heading(f"{book.drops:,} {plural(book.drops, 'packet')} dropped")
    for each in folded_drops_text(book):
        page.paragraph(f"{each}.")
    ranking(page, "reason", book.drop_reasons, top)
    ranking(page, "top sources", book.drop_sources, top)
    ranking(page, "top targets", book.drop_targets, top)


def ranking(page: Page, title: str, counts: Top[str], top: int) -> None:
    """Add the most frequent names."""
    page.table((title, "number"), counts.most(top))
