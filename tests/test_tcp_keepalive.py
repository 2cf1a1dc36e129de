"""Probes of a silent peer."""

from __future__ import annotations

from syncache.tcp.keepalive import Keepalive


def test_probes_are_due_after_silence_and_are_counted():
    """keepidle, then keepintvl, keepcnt times."""
    keepalive = Keepalive(enabled=True, idle_ms=1000, interval=(100, 2))
    keepalive.heard(50)
    assert 1050 == keepalive.deadline
    assert keepalive.probe()
    assert 1150 == keepalive.deadline
    assert keepalive.probe()
    assert not keepalive.probe()
    keepalive.heard(2000)
    assert 3000 == keepalive.deadline


def test_disabled_it_is_never_due():
    """The default."""
    keepalive = Keepalive(enabled=False, idle_ms=1000, interval=(100, 2))
    assert keepalive.deadline is None
