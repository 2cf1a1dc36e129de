"""syncache/cli/report_live.py: the page of a run on interfaces."""

from __future__ import annotations

import pytest

from syncache import Inspection, Ring, Segment, Sysctl
from syncache.cli import Failure, report_live
from syncache.cli.inspect_log import Log
from syncache.flow import Side

AUDIT = "net.inet.inspect.audit_trail"
HIGH = "net.inet.inspect.max_incomplete.high"
LOW = "net.inet.inspect.max_incomplete.low"


def syn(number):
    """Return a SYN of one of many clients."""
    return Segment(
        src=f"192.0.{number // 250}.{number % 250 + 1}",
        dst="198.51.100.5",
        sport=1000,
        dport=80,
        flags=2,
    ).packet()


@pytest.fixture
def run(tmp_path):
    """An engine that is watched beside a link, its log and its page."""
    engine = Inspection(Sysctl({HIGH: 50, LOW: 40}), seed=bytes(16))
    lines = []
    log = Log(engine, write=lines.append)
    log.report_to(tmp_path / "page.html", "eth0")
    return engine, log, lines


def second(engine, log, now, numbers, counts=dict):
    """Let SYNs come within a second."""
    rx = Ring(slots=256)
    for number in numbers:
        rx.push(syn(number))
    engine.burst(rx, Side.TAP, None, None, now)
    log.tell(now)
    log.report.turn(now, counts)


def test_page_has_what_was_seen(run, tmp_path):
    """Series, alerts, targets, sources; the audit trail stays as it was asked for."""
    engine, log, lines = run
    for now in range(100):
        second(engine, log, float(now), range(now, now + (90 if now == 50 else 1)))
    log.close()
    log.report.close(100.0)
    page = (tmp_path / "page.html").read_text()
    assert "Inspection of live traffic" in page
    assert "eth0" in page
    assert "198.51.100.5" in page
    assert "192.0.0.0/24" in page
    assert "half-open connections (50) exceeded" in page
    assert any("HOST_TCP_ALERT_ON" in line for line in lines)
    assert not any("SESS_AUDIT" in line for line in lines)


def test_seconds_without_packets_are_samples_too(run):
    """A sample stands for the seconds since the one before."""
    engine, log, _ = run
    for now in (10.0, 10.5, 11.0, 18.25, 19.0):
        second(engine, log, now, [])
    samples = log.traffic.samples.all()
    assert 9 == sum(sample.seconds for sample in samples)


def test_memory_is_bounded(run, monkeypatch):
    """Months of seconds, alerts and addresses leave as much as hours."""
    engine, log, _ = run
    traffic = log.traffic
    traffic.samples._most = 100
    for now in range(2000):
        second(engine, log, float(now), [now % 7])
    assert len(traffic.samples.all()) <= 100
    assert 1990 <= sum(s.seconds for s in traffic.samples.all()) <= 2000
    assert len(traffic.alerts) <= 500


def test_page_says_what_is_missing(run, tmp_path):
    """Frames that were lost, and events that were too many."""
    engine, log, _ = run
    second(engine, log, 1.0, [])
    second(engine, log, 2.5, [1], lambda: {"tap_kernel_dropped": 7, "tap_received": 9})
    rx = Ring(slots=256)
    for round_ in range(400):
        rx.clear()
        for number in range(64):
            rx.push(syn(round_ * 64 + number))
        engine.burst(rx, Side.TAP, None, None, 3.0)
    log.report.close(3.0)
    page = (tmp_path / "page.html").read_text()
    assert "7 frames were lost before they were read" in page
    assert "events were too many to be counted" in page


def test_page_may_be_asked_for_at_any_time(run, tmp_path):
    """It is written beside; the one at the end replaces it."""
    engine, log, _ = run
    second(engine, log, 1.0, [1])
    log.report.write(1.0)
    assert log.report._worker.wait(60)
    first = (tmp_path / "page.html").read_text()
    second(engine, log, 2.0, [2])
    log.report.close(2.0)
    assert "198.51.100.5" in first
    assert (tmp_path / "page.html").read_text() != first


def test_page_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    """Amid the run in the log, at the end as a failure."""
    engine, lines = Inspection(seed=bytes(16)), []
    log = Log(engine, write=lines.append)
    log.report_to(tmp_path / "none" / "page.html", "eth0")
    log.report.write(1.0)
    assert log.report._worker.wait(60)
    log.report.turn(2.0, dict)
    assert 1 == len(lines)
    assert "cannot write" in lines[0]
    monkeypatch.setattr(report_live, "PATIENCE_S", 0.1)
    with pytest.raises(Failure, match="cannot write"):
        log.report.close(3.0)


def test_reload_keeps_the_count_of_sessions(run):
    """The engine reports them all, whatever the fresh tunables say."""
    engine, log, _ = run
    engine.adopt(Sysctl({HIGH: 50, LOW: 40}), None)
    assert not engine.sysctl[AUDIT]
    log.report.adopted()
    assert engine.sysctl[AUDIT]
    assert not log.traffic.audit
    engine.adopt(Sysctl({AUDIT: 1}), None)
    log.report.adopted()
    assert log.traffic.audit


def test_without_the_option_there_is_no_page():
    """And nothing is counted."""
    log = Log(Inspection(seed=bytes(16)))
    log.report_to(None, "eth0")
    assert log.report is None
    assert log.traffic is None
