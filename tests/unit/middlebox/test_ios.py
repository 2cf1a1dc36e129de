"""Tests of TCP Intercept's words: log lines and `show` commands byte for byte."""

from __future__ import annotations

import pytest

from syncache import ios
from syncache.alerts import Share
from syncache.flow_event import End, FlowEvent, Kind, Place, Reason
from syncache.flow_session import Session, State
from syncache.intercept import Statistics

C = Place("172.16.1.1", 33772)
S = Place("10.0.0.30", 80)
TABLE = "Client                Server                State    Create   Timeout  Mode"


def event(kind, **members):
    return FlowEvent(time=0.0, kind=kind, client=C, server=S, **members)


def session(client=C, server=S, **members):
    named = {
        "protocol": 6,
        "state": State.SYNRCVD,
        "mode": "I",
        "counted": True,
        "side": 0,
        "rule": 0,
        "rexmts": 0,
        "client_wscale": None,
        "server_wscale": None,
        "told_wscale": None,
        "delta": 0,
        "id": 0,
        "icmp_id": 0,
        "created": 0.0,
        "last": 0.0,
        "deadline": None,
        "client_bytes": 0,
        "server_bytes": 0,
    }
    return Session(client=client, server=server, **(named | members))


@pytest.mark.parametrize(
    ("kind", "members", "line"),
    [
        (Kind.NEW, {}, "INTERCEPT: new connection ({c} SYN -> {s})"),
        (Kind.SYN_ACK, {"ours": True}, "INTERCEPT(*): ({c} <- ACK+SYN {s})"),
        (
            Kind.FIRST_HALF,
            {},
            "INTERCEPT: 1st half of connection is established ({c} ACK -> {s})",
        ),
        (Kind.SYN, {"ours": True}, "INTERCEPT(*): ({c} SYN -> {s})"),
        (
            Kind.SECOND_HALF,
            {},
            "INTERCEPT: 2nd half of connection established ({c} <- ACK+SYN {s})",
        ),
        (Kind.ACK, {"ours": True}, "INTERCEPT(*): ({c} ACK -> {s})"),
        (Kind.WINDOW, {}, "INTERCEPT(*): ({c} <- WINDOW {s})"),
        (
            Kind.EARLY,
            {},
            "INTERCEPT: client packet dropped in SYNSENT ({c} -> {s})",
        ),
        (
            Kind.REXMT_SYN_ACK,
            {"number": 1},
            "INTERCEPT(*): SYNRCVD retransmit 1 ({c} <- ACK+SYN {s})",
        ),
        (
            Kind.REXMT_SYN,
            {"number": 4},
            "INTERCEPT(*): SYNSENT retransmit 4 ({c} SYN -> {s})",
        ),
        (
            Kind.TOO_LONG_SYNRCVD,
            {},
            "INTERCEPT: SYNRCVD retransmitting too long ({c} <-> {s})",
        ),
        (
            Kind.TOO_LONG_SYNSENT,
            {},
            "INTERCEPT: SYNSENT retransmitting too long ({c} <-> {s})",
        ),
        (Kind.RST_CLIENT, {}, "INTERCEPT(*): ({c} <- RST {s})"),
        (Kind.SYN_ACK, {}, "INTERCEPT: ({c} <- ACK+SYN {s})"),
        (Kind.ACK, {}, "INTERCEPT: ({c} ACK -> {s})"),
        (
            Kind.PASSED_SYNRCVD,
            {},
            "INTERCEPT: server packet passed in SYNRCVD ({c} <- {s})",
        ),
        (Kind.TIMING_OUT, {}, "INTERCEPT: SYNRCVD timing out ({c} <-> {s})"),
        (Kind.RST_SERVER, {}, "INTERCEPT(*): ({c} RST -> {s})"),
        (
            Kind.EVICTED,
            {"reason": End.EVICTED_RATE},
            "INTERCEPT: connection dropped ({c} <-> {s}) reason=evicted_rate",
        ),
    ],
)
def test_debug_line_is_the_originals(kind, members, line):
    """Client left, server right, a star for what we send."""
    expected = line.format(c="172.16.1.1:33772", s="10.0.0.30:80")
    assert expected == ios.log_line(event(kind, **members))


def test_aggressive_line_has_our_reason_behind_the_original():
    """Parsers of the old form still match; ours says which threshold and who."""
    line = ios.log_line(
        event(
            Kind.AGGRESSIVE,
            reason=Reason.RATE,
            incomplete=3,
            limit=1000,
            number=1100,
            rate=1101,
            top=Share("10.0.0.5:80", 212),
            sources=Share("198.51.100.0/24", 190),
        )
    )
    assert (
        "%TCP-6-INTERCEPT: getting aggressive, count (3/1000) 1 min 1101"
        " reason=rate limit=1100 value=1101"
        " top=10.0.0.5:80(212) srcs=198.51.100.0/24(190)"
    ) == line


def test_aggressive_line_by_count():
    """The value is that of the threshold that fired."""
    line = ios.log_line(
        event(
            Kind.AGGRESSIVE,
            reason=Reason.INCOMPLETE,
            incomplete=1101,
            limit=1100,
            number=1100,
            rate=1300,
        )
    )
    assert (
        "%TCP-6-INTERCEPT: getting aggressive, count (1101/1100) 1 min 1300"
        " reason=incomplete limit=1100 value=1101"
    ) == line


def test_calming_line_names_the_low_threshold():
    """The same form, with the other limit."""
    line = ios.log_line(event(Kind.CALM, incomplete=0, limit=900, rate=899))
    assert "%TCP-6-INTERCEPT: calming down, count (0/900) 1 min 899" == line


@pytest.mark.parametrize("kind", [Kind.HOST_ALERT, Kind.BLOCK, Kind.START, Kind.STOP])
def test_events_of_inspection_have_no_line_here(kind):
    """They have words of their own."""
    assert ios.log_line(event(kind)) is None


def test_connections_print_as_on_a_router():
    """Both samples: the next event at 15, and 24 h less the 6 s of silence."""
    rows = [
        session(created=0.0, deadline=15.0),
        session(
            client=Place("172.16.1.2", 33771),
            server=Place("10.0.0.2", 23),
            state=State.ESTAB,
            created=1.4,
            deadline=3.8 + 86_400,
        ),
    ]
    assert (
        f"Incomplete:\n{TABLE}\n"
        "172.16.1.1:33772      10.0.0.30:80          SYNRCVD  00:00:09 00:00:05 I\n"
        f"\nEstablished:\n{TABLE}\n"
        "172.16.1.2:33771      10.0.0.2:23           ESTAB    00:00:08 23:59:54 I\n"
    ) == ios.show_connections(rows, 9.4)


def test_connections_that_are_wide_or_closing_or_watched():
    """IPv6 takes what it needs; a deadline that is past shows zeros."""
    rows = [
        session(
            client=Place("2001:db8:ffff:ffff::10", 40000),
            server=Place("2001:db8::5", 80),
            state=State.CLOSING,
            mode="W",
            deadline=1.0,
        ),
        session(state=State.SYNSENT),
    ]
    text = ios.show_connections(rows, 360_001.0)
    assert (
        "[2001:db8:ffff:ffff::10]:40000 [2001:db8::5]:80      CLOSING  "
        "100:00:01 00:00:00 W\n"
    ) in text
    assert "SYNSENT  100:00:01 00:00:00 I\n" in text


def test_connections_are_listed_oldest_first():
    """As they were created."""
    rows = [
        session(client=Place("10.0.0.9", port), created=float(port))
        for port in (3, 1, 2)
    ]
    lines = ios.show_connections(rows, 9.0).splitlines()
    assert ["10.0.0.9:1", "10.0.0.9:2", "10.0.0.9:3"] == [
        line.split()[0] for line in lines[2:5]
    ]


@pytest.mark.parametrize(
    ("mode", "doing"), [("intercept", "intercepting"), ("watch", "watching")]
)
def test_statistics_print_as_on_a_router(mode, doing):
    """Three lines; the last is the minute's count divided by 60."""
    statistics = Statistics(
        mode=mode,
        list="100",
        incomplete=12,
        established=5,
        one_minute=120,
        aggressive=False,
        aggressive_since=None,
    )
    assert (
        f"{doing} new connections using access-list 100\n"
        "12 incomplete, 5 established connections (total 17)\n"
        "1 minute connection request rate 2 requests/sec\n"
    ) == ios.show_statistics(statistics)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00:00"),
        (-1, "00:00:00"),
        (5.999, "00:00:05"),
        (59.9996, "00:01:00"),
        (3599, "00:59:59"),
        (15 - 9.4, "00:00:05"),
        (86_400 - 6, "23:59:54"),
        (360_000, "100:00:00"),
    ],
)
def test_clock_truncates_to_seconds(seconds, text):
    """Milliseconds are what the engine knows, seconds what is shown."""
    assert text == ios.clock(seconds)
