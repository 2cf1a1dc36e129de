"""Lines of routers, old and new, and ours: to messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncache.alerts.message import (
    AlertOff,
    AlertOn,
    BlockHost,
    DropPacket,
    HostAlert,
    InterceptOn,
    SessionStart,
    SessionStop,
    UnblockHost,
)
from syncache.alerts.parser import LINE_MAX, parse, scan

HOST = "198.51.100.5"
MANY = "9" * 5000
STOP = SessionStop(
    protocol="tcp",
    initiator="192.0.2.10:40000",
    initiator_bytes=22,
    responder="198.51.100.5:80",
    responder_bytes=208,
)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            (
                "Jan 1 00:00:01.000: %FW-4-HOST_TCP_ALERT_ON:Max tcp half open "
                "connections (50) exceeded for host 198.51.100.5"
            ),
            HostAlert(limit=50, host=HOST),
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
            BlockHost(host=HOST, seconds=120, limit=50),
        ),
        (
            (
                "%FW-6-SESS_AUDIT_TRAIL: tcp session initiator (192.0.2.10:40000) sent "
                "22 bytes -- responder (198.51.100.5:80) sent 208 bytes"
            ),
            STOP,
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
        "%TCP-6-BADAUTH: No MD5 digest from 10.0.0.2(179) to 10.0.0.1(11000)",
        "%TCP-6-ALERT_ON: getting aggressive, count (1/2) current 1-min rate: 3",
        "%FW-6-INTERCEPT: getting aggressive, count (1/2) 1 min 3",
        "%FW-6-LOG_SUMMARY: 3 udp packets were passed from 10.0.0.2:1 => 10.0.0.3:2",
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


WRAPPERS = [
    "%IOSXE-6-PLATFORM: SIP0: cpp_cp: QFP:0.0 Thread:001 TS:00000012345678901234 ",
    "000123: *Mar  1 00:00:05.123: ",
    ".Mar  1 2024 00:00:05.123 UTC: ",
    "<188>1 2026-11-29T08:57:00Z r1 - - - - ",
    "Nov 29 08:57:00 r1 syncache[17]: ",
    "Nov 29 08:57:00 192.0.2.1 123: ",
]


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_what_stands_in_front_is_passed_over(wrapper):
    """Headers of any kind, and the prefix of IOS-XE's forwarding engine."""
    line = "%FW-4-ALERT_OFF: calming down, count (0/400) current 1-min rate: 271"
    assert AlertOff(half_open=0, low=400, rate=271) == parse(wrapper + line + "\r\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            (
                "%FW-6-DROP_PKT: Dropping udp session 0.0.0.0:68 255.255.255.255:67 "
                "on zone-pair ZP class class-default due to  DROP action found in "
                "policy-map with ip ident 38949"
            ),
            DropPacket(
                protocol="udp",
                source="0.0.0.0:68",
                destination="255.255.255.255:67",
                reason="DROP action found in policy-map",
            ),
        ),
        (
            (
                "%FW-6-DROP_PKT: Dropping tcp pkt from GigabitEthernet0/0/1 "
                "10.0.0.2:1025 => 192.0.2.1:80(target:class)-(ZP:class-default) due to "
                "Policy drop:classify result with ip ident 44 tcp flag:0x2, seq 1"
            ),
            DropPacket(
                protocol="tcp",
                source="10.0.0.2:1025",
                destination="192.0.2.1:80",
                interface="GigabitEthernet0/0/1",
                reason="Policy drop:classify result",
            ),
        ),
        (
            "%FW-6-DROP_PKT: Dropping Unknown-l4 session 10.0.0.2:0 224.0.0.13:0 ",
            DropPacket(
                protocol="Unknown-l4", source="10.0.0.2:0", destination="224.0.0.13:0"
            ),
        ),
        (
            (
                "%FW-6-DROP_PKT: Dropping tcp session [2001:db8::2]:1025 "
                "[2001:db8::1]:80  due to  RST inside current window with ip ident 0"
            ),
            DropPacket(
                protocol="tcp",
                source="[2001:db8::2]:1025",
                destination="[2001:db8::1]:80",
                reason="RST inside current window",
            ),
        ),
        (
            (
                "%FW-6-LOG_SUMMARY: 12 udp packets were dropped from Gi0/0 "
                "10.0.0.2:5 => 192.0.2.1:53 (target:class)-(ZP:CM)"
            ),
            DropPacket(
                protocol="udp",
                source="10.0.0.2:5",
                destination="192.0.2.1:53",
                interface="Gi0/0",
                folded=12,
            ),
        ),
        (
            "%TCP-6-INTERCEPT: getting aggressive, count (1101/1100) 1 min 1150",
            InterceptOn(half_open=1101, high=1100, rate=1150),
        ),
        (
            "%FW-SP-4-ALERT_OFF: calming down, count (0/400) current 1-min rate: 271",
            AlertOff(half_open=0, low=400, rate=271),
        ),
    ],
)
def test_drops_and_intercept_are_read(line, message):
    """Of IOS and IOS-XE, one packet or a digest of many, and TCP Intercept's alert."""
    assert message == parse(line)


def test_zone_of_a_drop_is_read_in_both_forms():
    """In words, and behind the destination."""
    words = "%FW-6-DROP_PKT: Dropping tcp session a:1 b:2 on zone-pair ZP class CM"
    short = "%FW-6-DROP_PKT: Dropping tcp pkt from Gi1 a:1 => b:2(target:class)-(ZP:CM)"
    for line in (words, short):
        message = parse(line)
        assert message is not None
        assert "ZP:CM" == message.zone


@pytest.mark.parametrize("front", ["VRF-red:", "(VRF red) ", "VRF: red "])
def test_vrf_is_read(front):
    """Whichever way it is set apart."""
    message = parse(
        f"%FW-4-UNBLOCK_HOST: {front}New TCP connections to host a no longer blocked"
    )
    assert message is not None
    assert "red" == message.vrf


def test_unknown_mnemonic_is_found_without_a_body():
    """A program can count what it does not understand."""
    found = scan("x %FW-4-TCP_OoO_SEG: Dropping TCP Segment: seq:1 1500 bytes")
    assert found is not None
    assert ("TCP_OOO_SEG", None) == (found.mnemonic, found.body)


def test_long_lines_are_cut():
    """A megabyte of blanks costs no more than a line."""
    line = "%FW-6-DROP_PKT: Dropping tcp session a:1 b:2 due to " + " x" * 10**6
    message = parse(line)
    assert isinstance(message, DropPacket)
    assert LINE_MAX > len(message.reason)
