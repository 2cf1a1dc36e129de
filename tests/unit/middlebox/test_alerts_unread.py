"""syncache/alerts/unread.py: whose lines are passed over."""

from __future__ import annotations

import pytest

from syncache.alerts.log import LogBook
from syncache.alerts.log_line import HeaderReader
from syncache.alerts.unread import Unread, whose

LINES = {
    "%ASA-6-302013: Built inbound TCP connection 1": ("ASA", "302013"),
    "%FTD-session-6-302014: Teardown TCP connection 1": ("FTD", "302014"),
    "%LINK-3-UPDOWN: Interface Gi0/1, changed state to up": ("IOS", "LINK-UPDOWN"),
    "%TCP-6-BADAUTH: No MD5 digest": ("IOS", "TCP-BADAUTH"),
    "%SYS-SP-5-RESTART: System restarted": ("IOS", "SYS-SP-RESTART"),
    "%%01SEC/4/ATCKDF(l)[1]: attack": ("Huawei", "SEC/4/ATCKDF"),
    "RT_FLOW: RT_FLOW_SESSION_DENY: denied": ("Junos", "RT_FLOW_SESSION_DENY"),
    "TMNX: 12 Base SYSTEM-WARNING-tmnxChange-2009 [C]:": ("SR OS", "SYSTEM-WARNING"),
    'devname=fg logid="0000000013" type="traffic"': ("FortiGate", "0000000013"),
    "kernel: IN=eth0 OUT= SRC=192.0.2.1 PROTO=TCP SPT=1": ("netfilter", "TCP"),
    "1,2026/11/29 08:57:00,0011,TRAFFIC,end,2305": ("PAN-OS", "TRAFFIC"),
    "filterlog[1]: 5,,,1000000103,igb0,match,block": ("pf", "filterlog"),
    "100 % of it": ("other", ""),
    "": ("other", ""),
}


@pytest.mark.parametrize(("line", "found"), LINES.items())
def test_line_has_a_system_and_a_kind(line, found):
    """By what only such lines have."""
    assert found == whose(f"Nov 29 08:57:00 r1 {line}")


def test_report_has_the_commonest_first():
    """Systems by their lines, of each three kinds, and the rest at the end."""
    unread = Unread()
    for kind in "AABBCCD":
        unread.add(f"%SYS-5-{kind}{kind}: text")
    for line in ("%ASA-6-302013: text", "nothing", "nothing"):
        unread.add(line)
    assert [
        (
            "not read: 7 lines of IOS (SYS-AA 2, SYS-BB 2, SYS-CC 2, ...); "
            "1 line of ASA (302013 1); 2 other lines"
        )
    ] == list(unread.text())
    assert [] == list(Unread().text())


def test_lines_that_are_read_are_not_counted():
    """Alerts, sessions, what inspection says and we do not know: each is elsewhere."""
    book = LogBook(HeaderReader(1_796_000_000.0))
    for line in (
        "%FW-4-ALERT_ON: getting aggressive, count (83/500) current 1-min rate: 501",
        (
            "%FW-6-SESS_AUDIT_TRAIL_START: Start tcp session: initiator (192.0.2.1:4) "
            "-- responder (192.0.2.2:80)"
        ),
        "%FW-4-UNHEARD_OF: text",
        "INTERCEPT: new connection (192.0.2.1:4 SYN -> 192.0.2.2:80)",
        "TCP: Possible SYN flooding on port 80. Sending cookies.",
        "%TCP-6-BADAUTH: No MD5 digest",
    ):
        book.add(f"{line}\n")
    assert {"IOS": 1} == book.unread.numbers
