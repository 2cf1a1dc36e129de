"""Messages of inspection: to text, from text, and folded."""

from __future__ import annotations

import itertools
import logging
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncache.alerts import (
    AlertOff,
    AlertOn,
    BlockHost,
    Cause,
    Folder,
    HostAlert,
    Message,
    SessionStart,
    SessionStop,
    Share,
    UnblockHost,
    parse,
)

HOST = "198.51.100.5"
MANY = "9" * 5000
CAUSE = Cause(
    "rate", 500, 501, Share("10.0.0.5:80", 212), Share("198.51.100.0/24", 190)
)
FORMS = [
    (
        AlertOn(half_open=83, high=500, rate=501),
        "%FW-4-ALERT_ON: getting aggressive, count (83/500) current 1-min rate: 501",
    ),
    (
        AlertOff(half_open=0, low=400, rate=271),
        "%FW-4-ALERT_OFF: calming down, count (0/400) current 1-min rate: 271",
    ),
    (
        HostAlert(limit=50, host=HOST),
        (
            "%FW-4-HOST_TCP_ALERT_ON: Max tcp half-open connections (50) exceeded for "
            "host 198.51.100.5."
        ),
    ),
    (
        BlockHost(host=HOST, seconds=120, limit=50),
        (
            "%FW-4-BLOCK_HOST: Blocking new TCP connections to host 198.51.100.5 for "
            "2 minutes (half-open count 50 exceeded)"
        ),
    ),
    (
        BlockHost(host="2001:db8::5", seconds=90, limit=50, severity=2),
        (
            "%FW-2-BLOCK_HOST: Blocking new TCP connections to host 2001:db8::5 for "
            "90 seconds (half-open count 50 exceeded)"
        ),
    ),
    (
        UnblockHost(host=HOST),
        (
            "%FW-4-UNBLOCK_HOST: New TCP connections to host 198.51.100.5 no longer "
            "blocked"
        ),
    ),
    (
        SessionStart(protocol="udp", initiator="10.0.0.2:53", responder="[::1]:53"),
        (
            "%FW-6-SESS_AUDIT_TRAIL_START: Start udp session: initiator (10.0.0.2:53) "
            "-- responder ([::1]:53)"
        ),
    ),
    (
        SessionStop(
            protocol="tcp",
            initiator="192.0.2.10:40000",
            initiator_bytes=22,
            responder="198.51.100.5:80",
            responder_bytes=208,
        ),
        (
            "%FW-6-SESS_AUDIT_TRAIL: Stop tcp session: initiator (192.0.2.10:40000) "
            "sent 22 bytes -- responder (198.51.100.5:80) sent 208 bytes"
        ),
    ),
]


@pytest.mark.parametrize(("message", "line"), FORMS, ids=[m.mnemonic for m, _ in FORMS])
def test_each_message_has_its_line_and_comes_back_from_it(message, line):
    """Byte for byte, both ways."""
    assert line == str(message)
    assert message == parse(line)


def test_reason_fields_follow_the_original_text():
    """A parser of the original line finds all of it, in its place."""
    plain = AlertOn(half_open=3, high=500, rate=501)
    told = replace(plain, cause=CAUSE, folded=7)
    assert str(told) == (
        f"{plain} reason=rate limit=500 value=501 top=10.0.0.5:80(212) "
        "srcs=198.51.100.0/24(190) folded=7"
    )
    assert told == parse(str(told))


def test_reason_without_top_or_sources_comes_back():
    """Both are left out when nothing is known."""
    message = HostAlert(limit=50, host=HOST, cause=Cause("host", 50, 51, udp=0))
    assert "reason=host limit=50 value=51 udp=0" in str(message)
    assert message == parse(str(message))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            (
                "Jan 1 00:00:01.000: %FW-4-HOST_TCP_ALERT_ON:Max tcp half open "
                "connections (50) exceeded for host 198.51.100.5"
            ),
            FORMS[2][0],
        ),
        (
            (
                "%FW-4-HOST_TCP_ALERT_ON: Max tcp half-open connections (50) exceeded "
                "for host 2001:db8::5."
            ),
            HostAlert(limit=50, host="2001:db8::5"),
        ),
        (
            (
                "%FW-4-BLOCK_HOST: Blocking new TCP connections to host 198.51.100.5 "
                "for 2 minutes (half open count 50 exceeded)."
            ),
            FORMS[3][0],
        ),
        (
            (
                "%FW-6-SESS_AUDIT_TRAIL: tcp session initiator (192.0.2.10:40000) sent "
                "22 bytes -- responder (198.51.100.5:80) sent 208 bytes"
            ),
            FORMS[7][0],
        ),
        ("%FW-4-UNBLOCK_HOST:New TCP connections to host ::1 no longer blocked.", None),
    ],
)
def test_older_spellings_are_read(line, message):
    """Half open, no space after the colon, the final dot, the line of IOS 12.0."""
    assert (message or UnblockHost(host="::1")) == parse(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "%FW-4-ALERT_ON",
        "%FW-4-ALERT_ON: calming down, count (0/400) current 1-min rate: 271",
        "%FW-9-ALERT_ON: getting aggressive, count (1/2) current 1-min rate: 3",
        "%FW-4-TCP_OOO_SEG: Dropping TCP Segment",
        "%TCP-6-INTERCEPT: getting aggressive, count (1/2) 1 min 3",
        f"%FW-4-ALERT_OFF: calming down, count ({MANY}/2) current 1-min rate: 3",
        f"%FW-4-ALERT_ON: getting aggressive, count (1/2) current 1-min rate: {MANY}",
    ],
)
def test_other_lines_are_no_message(line):
    """What is not ours is None, never an exception."""
    assert parse(line) is None


@pytest.mark.parametrize("fields", ["reason=x limit={0} value=1", "folded={0}"])
def test_fields_of_too_many_digits_are_passed_over(fields):
    """Python refuses to read such a number; the message in front of it stands."""
    line = "%FW-4-ALERT_ON: getting aggressive, count (1/2) current 1-min rate: 3 "
    message = parse(line + fields.format(MANY))
    assert AlertOn(half_open=1, high=2, rate=3) == message


@given(st.text())
def test_no_text_raises(text):
    """A log may hold anything."""
    assert parse(text) is None or "%FW-" in text


def test_a_message_may_be_logged_as_it_is(caplog):
    """Python's logging keeps the object and prints its line."""
    message, line = FORMS[0]
    with caplog.at_level(logging.INFO):
        logging.getLogger("inspect").log(message.level, message)
    (record,) = caplog.records
    assert (message, line) == (record.msg, record.getMessage())
    assert logging.WARNING == record.levelno
    assert logging.INFO == FORMS[6][0].level


def test_a_bare_message_has_no_text():
    """Only its kinds have."""
    with pytest.raises(NotImplementedError):
        str(Message())


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


@pytest.mark.parametrize(
    "line",
    [
        "%FW-4-ALERT_ON: getting aggressive, count 2/500 current 1-min rate: 501",
        (
            "%FW-4-ALERT_ON: (target:class)-(ZP-OUT:CM-WEB):getting aggressive, "
            "count (2/500) current 1-min rate: 501"
        ),
    ],
)
def test_alert_of_a_zone_based_firewall_is_read(line):
    """With zone pair and class in front, and with its count bare."""
    assert AlertOn(half_open=2, high=500, rate=501) == parse(line)


def test_audit_trail_of_a_zone_based_firewall_is_read():
    """Zone pair and class stand in front of Start."""
    message = parse(
        "Oct 1 12:00:00 r1 41: %FW-6-SESS_AUDIT_TRAIL_START: (target:class)-(ZP:CM):"
        "Start http session: initiator (10.0.0.2:1025) -- responder (192.0.2.1:80)"
    )
    assert isinstance(message, SessionStart)
    assert ("http", "10.0.0.2:1025") == (message.protocol, message.initiator)
