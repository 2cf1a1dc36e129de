"""syncache/cli/log_picture.py: a log over time, drawn."""

from __future__ import annotations

import pytest

from syncache.cli import main

ON = "%FW-4-ALERT_ON: getting aggressive, count (83/500) current 1-min rate: 501"
START = (
    "%FW-6-SESS_AUDIT_TRAIL_START: Start tcp session: initiator (a:1) "
    "-- responder (b:2)"
)


def test_picture_is_written(tmp_path, capsys):
    """A PNG of both series and the attack."""
    pytest.importorskip("matplotlib", reason="extra plot is not installed")
    log, picture = tmp_path / "messages", tmp_path / "log.png"
    log.write_text(f"Nov 29 01:00:00 r1: {START}\nNov 29 01:00:09 r1: {ON}\n")
    assert 0 == main(["log", str(log), "--picture", str(picture)])
    assert picture.read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert 1 == main(["log", str(log), "--picture", str(tmp_path / "no" / "x.png")])
    assert "there is no folder" in capsys.readouterr().err


def test_log_without_times_cannot_be_drawn(tmp_path, capsys):
    """One line says why."""
    pytest.importorskip("matplotlib", reason="extra plot is not installed")
    log = tmp_path / "messages"
    log.write_text(ON + "\n")
    assert 1 == main(["log", str(log), "--picture", str(tmp_path / "log.png")])
    assert "no message of the log has a time" in capsys.readouterr().err
