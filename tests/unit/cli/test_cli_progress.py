"""How far a run has come."""

from __future__ import annotations

import io
import sys

from syncache.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def terminal(monkeypatch):
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    return made


def test_a_terminal_has_a_bar_that_goes_away(monkeypatch):
    """One line, written over."""
    screen = terminal(monkeypatch)
    progress = Progress("reading", 1000)
    progress.show(500, 1234)
    progress.close()
    err = screen.getvalue()
    assert "\rreading [###############...............]  50% 1,234 packets" in err
    assert err.endswith("\r\x1b[K")
    assert "\n" not in err


def test_elsewhere_each_tenth_is_a_line(capsys):
    """A log of a job stays short."""
    progress = Progress("reading", 1000)
    for done in range(0, 1001, 50):
        progress.show(done, done)
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert 11 == len(lines)
    assert lines[-1].endswith("100% 1,000 packets")


def test_without_a_size_packets_are_counted(monkeypatch):
    """As of a pipe."""
    screen = terminal(monkeypatch)
    Progress("reading", 0).show(0, 7)
    assert "\rreading 7 packets\x1b[K\r" == screen.getvalue()


def test_bar_leaves_the_line_to_others(monkeypatch):
    """An alert that is printed meanwhile begins in the first column, over the bar."""
    screen = terminal(monkeypatch)
    Progress("reading", 100).show(50, 7)
    assert screen.getvalue().endswith("7 packets\x1b[K\r")
