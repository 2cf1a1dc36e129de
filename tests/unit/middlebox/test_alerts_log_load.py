"""syncache/alerts/log_load.py: sessions over time, from an audit trail."""

from __future__ import annotations

from syncache.alerts import log_load
from syncache.alerts.log_load import Load


def test_unanswered_session_is_half_open_until_its_stop():
    """An answered one for its first second only."""
    load = Load()
    load.started(100.0)
    load.started(101.0)
    load.unanswered(100.0, 103.5, "a")
    load.started(105.0)
    found = [(s.time, s.incomplete, s.host_count) for s in load.samples()]
    assert [
        (100.0, 1, 1),
        (101.0, 2, 1),
        (102.0, 1, 1),
        (103.0, 1, 1),
        (104.0, 0, 0),
        (105.0, 1, 0),
    ] == found


def test_worst_host_is_the_one_with_most():
    """Two hosts, three and one half-open sessions at the same time."""
    load = Load()
    for at in range(3):
        load.started(10.0 + at)
        load.unanswered(10.0 + at, 20.0, "a")
    load.started(12.0)
    load.unanswered(12.0, 20.0, "b")
    load.started(21.0)
    assert [1, 2, 3] + [3] * 8 + [0] == [s.host_count for s in load.samples()]


def test_rate_is_that_of_a_minute():
    """Sixty sessions, one a second, and then none."""
    load = Load()
    for second in range(60):
        load.started(1000.0 + second)
    load.started(1100.0)
    rates = [s.one_minute for s in load.samples()]
    assert [1, 2, 3] == rates[:3]
    assert 60 == rates[59] == max(rates)
    assert 20 == rates[99]
    assert 20 == rates[100]


def test_load_of_no_line_has_no_sample():
    """And is false."""
    assert not Load()
    assert [] == Load().samples()


def test_buckets_grow_wider_with_the_log(monkeypatch):
    """Their number is bounded, and no session is lost."""
    monkeypatch.setattr(log_load, "BUCKETS_MAX", 16)
    load = Load()
    for second in range(0, 640, 4):
        load.started(float(second))
    samples = load.samples()
    assert 16 >= len(samples)
    assert 64 == load.width
    assert all(s.one_minute >= 15 for s in samples)


def test_unanswered_sessions_beyond_the_bound_are_counted(monkeypatch):
    """Memory is bounded, and what is left out is reported."""
    monkeypatch.setattr(log_load, "UNANSWERED_MAX", 2)
    load = Load()
    for at in range(5):
        load.started(float(at))
        load.unanswered(float(at), at + 1.0, "a")
    assert 3 == load.left_out


def test_sessions_without_length_leave_nothing_open():
    """Begun and ended at one instant."""
    load = Load()
    load.started(5.0)
    load.unanswered(5.0, 5.0, "a")
    load.unanswered(6.0, 5.0, "a")
    load.started(8.0)
    assert 0 == load.samples()[-1].host_count
