"""syncache/cli/log_text.py: a log's sums in words, and thresholds from them."""

from __future__ import annotations

import json

import pytest

from syncache import Sysctl
from syncache.alerts.log import LogBook
from syncache.alerts.log_line import HeaderReader
from syncache.cli.log_text import (
    advice_of,
    as_json,
    as_text,
    lasting,
    samples_of,
    size,
    spans_of,
    when,
)
from syncache.cli.report_log import page_of

START = (
    "%FW-6-SESS_AUDIT_TRAIL_START: Start tcp session: initiator ({}) -- responder ({})"
)
STOP = (
    "%FW-6-SESS_AUDIT_TRAIL: Stop tcp session: initiator ({}) sent 9 bytes "
    "-- responder ({}) sent {} bytes"
)
ON = "%FW-4-ALERT_ON: getting aggressive, count (3/500) current 1-min rate: {}"
OFF = "%FW-4-ALERT_OFF: calming down, count (3/400) current 1-min rate: 390"


def clock(seconds):
    minutes, second = divmod(seconds, 60)
    return f"Nov 29 {minutes // 60:02}:{minutes % 60:02}:{second:02} r1 1: "


def book_of(lines):
    """Feed lines, each (second of the day, text)."""
    book = LogBook(HeaderReader(1796000000.0))
    for second, text in lines:
        book.add(clock(second) + text)
    return book


def trail(seconds, answered=True):
    """A session a second, each of ten seconds."""
    lines = []
    for at in range(seconds):
        ends = f"10.0.0.2:{1024 + at}", "192.0.2.1:80"
        lines.append((at, START.format(*ends)))
        lines.append((at + 10, STOP.format(*ends, 500 if answered else 0)))
    return sorted(lines)


def test_thresholds_come_from_the_audit_trail():
    """Sixty a minute and ten half-open ones, with room above; ready to be loaded."""
    book = book_of(trail(900, answered=False))
    advice, notes = advice_of(book)
    assert advice is not None
    assert "audit trail" in notes[0]
    low, high = advice.one_minute
    assert 60 <= low < high <= 120
    assert 11 <= advice.max_incomplete[0] <= 20
    text = list(as_text(book, 5))
    conf = [line for line in text if line.startswith("net.inet.inspect.")]
    Sysctl().load(conf)
    assert f"ip inspect one-minute low {low} high {high}" in text
    assert not any("synwait" in line for line in text)


def test_attacks_of_the_log_are_left_out_of_the_thresholds():
    """The seconds between ON and OFF are not everyday traffic."""
    lines = trail(1200)
    for at in range(300, 400):
        lines += [(at, START.format(f"10.9.9.9:{n}", "192.0.2.1:80")) for n in range(9)]
    lines += [(300, ON.format(501)), (400, OFF)]
    advice, _ = advice_of(book_of(sorted(lines)))
    assert advice is not None
    assert advice.one_minute[1] < 150


def test_short_alerts_are_everyday_traffic():
    """Without an audit trail, alerts of less than a minute raise the thresholds."""
    lines = []
    for at in range(5):
        lines += [(at * 600, ON.format(510 + at)), (at * 600 + 20, OFF)]
    book = book_of(lines)
    advice, notes = advice_of(book)
    assert advice is not None
    assert "everyday traffic" in notes[0]
    assert advice.one_minute[0] > 514
    text = "\n".join(as_text(book, 5))
    assert "ip inspect one-minute" in text
    assert "max-incomplete host" not in text


def test_long_alerts_propose_nothing():
    """They look like attacks; what is missing is named."""
    advice, notes = advice_of(book_of([(0, ON.format(501)), (900, OFF)]))
    assert advice is None
    assert "audit-trail" in notes[0]


def test_trail_within_one_attack_proposes_nothing():
    """There is no second without an attack."""
    lines = [(0, ON.format(501)), *((at + 1, text) for at, text in trail(30))]
    advice, notes = advice_of(book_of(lines))
    assert advice is None
    assert "attack" in notes[0]


def test_json_has_every_number():
    """Its objects are an attack, the totals and the advice."""
    lines = [(0, ON.format(501)), (20, OFF), *((s + 300, t) for s, t in trail(120))]
    attack, totals, advice = (
        json.loads(line) for line in as_json(book_of(sorted(lines)), 5)
    )
    assert (20.0, 501) == (attack["duration"], attack["rate"])
    assert (120, 120) == (totals["sessions"]["started"], totals["sessions"]["stopped"])
    assert advice["sysctl"]
    assert advice["ios"]


def test_folded_lines_are_said_to_be_a_sample():
    """In the text, in JSON and on the page: bytes and ends are of the others."""
    start, stop = START.format("10.0.0.2:1", "192.0.2.1:80"), "10.0.0.2:1 => 192.0.2.1"
    drop = f"%FW-6-DROP_PKT: Dropping tcp pkt {stop}:80 folded=7"
    book = book_of([(1, start), (2, f"{start} folded=99"), (3, drop)])
    text = "\n".join(as_text(book, 3))
    assert "98 of those begun and 0 of those ended have no line of their own" in text
    assert "6 of them have no line of their own (folded): reasons and ends" in text
    totals = json.loads(next(iter(as_json(book, 3))))
    assert 98 == totals["sessions"]["folded_started"]
    assert 6 == totals["drops_folded"]
    page = page_of(book, 3).html()
    assert 2 == page.count("no line of their own (folded)")
    whole = book_of([(1, start), (3, drop.removesuffix(" folded=7"))])
    assert "folded)" not in "\n".join(as_text(whole, 3))


def test_empty_log_is_reported_as_such():
    """Nothing raises where there is nothing."""
    text = list(as_text(book_of([]), 5))
    assert "no alerts" in text
    assert [3 - 1] == [len(list(as_json(book_of([]), 5)))]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, "?"), (0, "0:00:00"), (3725.9, "1:02:05"), (90_000, "1 d 1:00:00")],
)
def test_durations(seconds, expected):
    """Days, hours, minutes, seconds."""
    assert expected == lasting(seconds)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (10**16, "10000.0 TB")],
)
def test_sizes(number, expected):
    """In thousands."""
    assert expected == size(number)


def test_times_of_a_router_without_a_clock_are_uptimes():
    """A date far beyond the calendar stays a number."""
    book = LogBook(HeaderReader(1796000000.0))
    book.add(f"1d02h: {ON.format(501)}")
    assert "up 1 d 2:00:00" == when(book, book.first)
    assert when(book_of([]), 1e15).startswith("1000000")


def test_off_without_its_on_hides_only_the_time_since_the_one_before():
    """A lost line of the log does not take everything before it away."""
    lines = trail(1200)
    lines += [(100, ON.format(501)), (130, OFF), (400, OFF)]
    kept = {sample.time % 86_400 for sample in samples_of(book_of(sorted(lines)))}
    assert {0.0, 98.0, 461.0, 1199.0} <= kept
    assert not kept & {99.0, 130.0, 300.0, 460.0}


def test_attacks_in_a_row_are_one_span():
    """However many, a sample is compared with one of them."""
    book = book_of(
        [(at * 60, text) for at in range(60) for text in (ON.format(501), OFF)]
    )
    assert 60 == len(book.attacks)
    assert 1 == len(spans_of(book))
