"""Folder: one line of each kind a second, and the rest as one."""

from __future__ import annotations

import itertools

import pytest

from syncache.alerts.folder import Folder
from syncache.alerts.message import (
    AlertOff,
    AlertOn,
    HostAlert,
    SessionStart,
    UnblockHost,
)

HOST = "198.51.100.5"


def run(folder, messages):
    """Feed a folder; what came out, as (time of the input, text, folded)."""
    out = [
        (message.time, spoken.mnemonic, spoken.folded)
        for message in messages
        for spoken in folder.add(message)
    ]
    return out + [(None, m.mnemonic, m.folded) for m in folder.close()]


def host(time, name=HOST):
    return HostAlert(limit=50, host=name, time=time)


def on(time):
    return AlertOn(half_open=1, high=1, rate=1, time=time)


def off(time):
    return AlertOff(half_open=1, low=1, rate=1, time=time)


def test_the_first_of_a_kind_comes_at_once_and_the_rest_as_one():
    """A hundred host alerts in a second are two lines, the second counting 99."""
    folder = Folder()
    messages = [host(10 + i / 1000) for i in range(100)]
    expected = [(10, "HOST_TCP_ALERT_ON", 1), (None, "HOST_TCP_ALERT_ON", 99)]
    assert expected == run(folder, messages)


def test_a_kind_speaks_at_most_once_a_second():
    """For ten seconds of 50 a second, eleven lines that speak for all of them."""
    out = run(Folder(), [host(i / 50) for i in range(500)])
    assert 11 == len(out)
    assert 500 == sum(folded for _, _, folded in out)


def test_slow_messages_are_not_touched():
    """One a second and slower comes through as it is."""
    out = run(Folder(), [host(float(i)) for i in range(5)])
    assert [(float(i), "HOST_TCP_ALERT_ON", 1) for i in range(5)] == out


def test_kinds_do_not_hide_one_another():
    """Each kind has its own second."""
    out = run(Folder(), [host(1.0), UnblockHost(host=HOST, time=1.1), on(1.2)])
    assert ["HOST_TCP_ALERT_ON", "UNBLOCK_HOST", "ALERT_ON"] == [m for _, m, _ in out]


def test_a_pair_of_on_and_off_in_one_second_leaves_them_alternating():
    """ON, then OFF and ON within its second: the next OFF counts all three."""
    folder = Folder()
    assert ["ALERT_ON"] == [m.mnemonic for m in folder.add(on(1.0))]
    assert [] == [*folder.add(off(1.2)), *folder.add(on(1.4)), *folder.flush(9.0)]
    assert folder.next_deadline() is None
    (last,) = folder.add(off(9.5))
    assert ("ALERT_OFF", 3) == (last.mnemonic, last.folded)


def test_on_and_off_always_alternate_in_what_comes_out():
    """Whatever their times."""
    times = [0, 0.1, 0.2, 1.15, 1.2, 2.9, 3.0, 3.05, 3.1, 3.2, 9, 9.1]
    messages = [(off if i % 2 else on)(time) for i, time in enumerate(times)]
    out = [name for _, name, _ in run(Folder(), messages)]
    assert all(a != b for a, b in itertools.pairwise(out))


def test_what_is_held_is_due_when_its_second_is_over():
    """The caller can sleep until then."""
    folder = Folder()
    assert folder.next_deadline() is None
    list(folder.add(host(5.0)))
    assert folder.next_deadline() is None
    list(folder.add(host(5.5)))
    assert 6.0 == folder.next_deadline()
    assert [] == list(folder.flush(5.999))
    assert [1] == [m.folded for m in folder.flush(6.0)]


def test_the_audit_trail_has_a_larger_allowance():
    """It is a record; a hundred lines of each kind a second by default."""
    start = SessionStart(protocol="tcp", initiator="a:1", responder="b:2", time=1.0)
    out = run(Folder(), [start] * 150)
    assert [1] * 100 + [50] == [folded for _, _, folded in out]


def test_no_line_at_all_is_not_a_choice():
    """A folder loses no kind of message."""
    with pytest.raises(ValueError, match="at least one line"):
        Folder(alerts_per_second=0)
