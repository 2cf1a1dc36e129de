"""Probes of a silent peer."""

from __future__ import annotations

from syncache.tcp.keepalive import Keepalive


def test_probes_are_due_after_silence_and_are_counted():
    """keepidle, then keepintvl, keepcnt times."""
    keepalive = Keepalive(1000, 100, 2)
    keepalive.enabled = True
    keepalive.heard(50)
    assert 1050 == keepalive.deadline
    assert keepalive.probe(1050)
    assert 1150 == keepalive.deadline
    assert keepalive.probe(1150)
    assert not keepalive.probe(1250)
    keepalive.heard(2000)
    assert 3000 == keepalive.deadline


def test_late_probe_leaves_the_peer_an_interval_to_answer():
    """After a sleep of a day the probes do not come all at once."""
    keepalive = Keepalive(1000, 100, 2)
    keepalive.enabled = True
    keepalive.heard(0)
    assert keepalive.probe(86_400_000)
    assert 86_400_100 == keepalive.deadline


def test_disabled_it_is_never_due():
    """The default."""
    keepalive = Keepalive(1000, 100, 2)
    assert keepalive.deadline is None


def test_peer_that_was_never_heard_is_asked_after_the_idle_time():
    """Not after an interval, as if a probe were out."""
    keepalive = Keepalive(1000, 100, 2)
    keepalive.enabled = True
    assert 1000 == keepalive.deadline
