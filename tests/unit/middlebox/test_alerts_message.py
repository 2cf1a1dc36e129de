"""Messages of inspection and TCP Intercept: to text, and back from it."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from syncache.alerts.message import (
    AlertOff,
    AlertOn,
    BlockHost,
    Cause,
    DropPacket,
    HostAlert,
    InterceptOff,
    InterceptOn,
    Message,
    SessionStart,
    SessionStop,
    Share,
    UnblockHost,
)
from syncache.alerts.parser import parse

HOST = "198.51.100.5"
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
    (
        InterceptOn(half_open=1101, high=1100, rate=1150),
        "%TCP-6-INTERCEPT: getting aggressive, count (1101/1100) 1 min 1150",
    ),
    (
        InterceptOff(half_open=3, low=900, rate=880),
        "%TCP-6-INTERCEPT: calming down, count (3/900) 1 min 880",
    ),
    (
        DropPacket(
            protocol="tcp",
            source="10.0.0.2:1025",
            destination="192.0.2.1:80",
            interface="GigabitEthernet1",
            reason="Policy drop:classify result",
        ),
        (
            "%FW-6-DROP_PKT: Dropping tcp pkt from GigabitEthernet1 10.0.0.2:1025 => "
            "192.0.2.1:80 due to Policy drop:classify result"
        ),
    ),
]


@pytest.mark.parametrize(
    ("message", "line"), FORMS, ids=[type(m).__name__ for m, _ in FORMS]
)
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


def test_zone_and_vrf_stand_in_front_of_the_text():
    """As a router with both writes them, and both come back."""
    message = AlertOn(half_open=3, high=500, rate=501, zone="ZP:CM", vrf="red")
    assert "%FW-4-ALERT_ON: VRF-red:(target:class)-(ZP:CM):getting" in str(message)
    read = parse(str(message))
    assert read is not None
    assert (message, "ZP:CM", "red") == (read, read.zone, read.vrf)
