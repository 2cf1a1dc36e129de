"""syncache/cli/report_log.py: the page of a log, in a real browser too."""

from __future__ import annotations

import browser
import pytest
from needs import wanted

from syncache.cli import main

ROUTER = "r1.example.com"
EVIL = "<img/src=x/onerror=document.title='owned'>"
START = (
    "%FW-6-SESS_AUDIT_TRAIL_START: Start {} session: initiator ({}) -- responder ({})"
)
STOP = (
    "%FW-6-SESS_AUDIT_TRAIL: Stop {} session: initiator ({}) sent 9 bytes "
    "-- responder ({}) sent {} bytes"
)
TEXTS = (
    "%FW-4-ALERT_ON: getting aggressive, count (83/500) current 1-min rate: 501",
    "%FW-4-HOST_TCP_ALERT_ON: Max tcp half-open connections (50) exceeded for host x.",
    "%FW-4-ALERT_OFF: calming down, count (3/400) current 1-min rate: 390",
    f"%FW-6-DROP_PKT: Dropping tcp session {EVIL}:1 198.51.100.9:80 due to  {EVIL}",
    "%FW-4-TCP_OoO_SEG: Dropping TCP Segment",
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a log of ten minutes."""
    folder = tmp_path_factory.mktemp("log")
    log, place = folder / "messages", folder / "log.html"
    lines = []
    for at in range(600):
        ends = f"10.0.{at % 9}.2:{1024 + at}", "198.51.100.7:443"
        minute, second = divmod(at, 60)
        clock = f"Nov 29 01:{minute:02}:{second:02} {ROUTER} 1: "
        lines.append(clock + START.format("tcp", *ends))
        lines.append(clock + STOP.format("tcp", *ends, 500 * (at % 3)))
        if at % 120 == 60:
            lines.append(clock + TEXTS[at // 120])
    log.write_text("\n".join(lines) + "\n")
    assert 0 == main(["log", str(log), "--report", str(place)])
    return place


def test_page_has_every_part(page):
    """Alerts, series, targets, sources, what was not looked at, the proposal."""
    document = page.read_text()
    assert 3 == document.count("<svg")
    for text in (
        "198.51.100.7:443",
        "10.0.1.2",
        "TCP_OOO_SEG",
        "net.inet.inspect.one_minute.high=",
        "ip inspect one-minute low",
        "packet dropped",
    ):
        assert text in document, text
    assert "<img" not in document


def test_page_that_cannot_be_written_is_one_line(page, tmp_path, capsys):
    """It says where."""
    log = page.with_name("messages")
    assert 1 == main(["log", str(log), "--report", str(tmp_path / "no" / "x.html")])
    err = capsys.readouterr().err
    assert f"there is no folder {tmp_path / 'no'}" in err
    assert 1 == err.count("\n")


@wanted(found=browser.find(), what="a browser: apt-get install chromium")
def test_browser_shows_the_page_without_scrolling_sideways(page, tmp_path):
    """On a phone and on a desk; no text of the log has become a part of the page."""
    with browser.Browser(tmp_path) as chromium:
        for width in (375, 1280):
            seen = chromium.look(page, width=width)
            assert "Alerts and sessions of a log" == seen["title"]
            assert 0 == seen["wider"]
            assert width >= seen["wide"]
            assert (3, 2) == (seen["charts"], seen["buttons"])
            for text in ("198.51.100.7:443", EVIL, "ip inspect one-minute low"):
                assert text in seen["text"], text
