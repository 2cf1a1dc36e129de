"""TCP Intercept in the words of the original: its `show` commands and its log lines.

Contents: text, byte for byte as a router prints it, made of values; our reason
fields stand behind the original text.  Elsewhere: the values (`intercept`), the
configuration (`ios_config`), and inspection's words (`ios_inspect`, `alerts`).

Between parentheses the client is always left and the server right; `(*)` marks what we
send ourselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..alerts.message import InterceptOff, InterceptOn
from ..flow_event import End, FlowEvent, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..flow_session import Session
    from ..intercept import Statistics

HEADER = "Client                Server                State    Create   Timeout  Mode"
SECONDS_A_MINUTE = 60

# What stands behind `INTERCEPT: ` or `INTERCEPT(*): `; c and s are address:port.
_DEBUG = {
    Kind.NEW: "new connection ({c} SYN -> {s})",
    Kind.SYN_ACK: "({c} <- ACK+SYN {s})",
    Kind.FIRST_HALF: "1st half of connection is established ({c} ACK -> {s})",
    Kind.SYN: "({c} SYN -> {s})",
    Kind.SECOND_HALF: "2nd half of connection established ({c} <- ACK+SYN {s})",
    Kind.ACK: "({c} ACK -> {s})",
    Kind.WINDOW: "({c} <- WINDOW {s})",
    Kind.EARLY: "client packet dropped in SYNSENT ({c} -> {s})",
    Kind.REXMT_SYN_ACK: "SYNRCVD retransmit {n} ({c} <- ACK+SYN {s})",
    Kind.REXMT_SYN: "SYNSENT retransmit {n} ({c} SYN -> {s})",
    Kind.TOO_LONG_SYNRCVD: "SYNRCVD retransmitting too long ({c} <-> {s})",
    Kind.TOO_LONG_SYNSENT: "SYNSENT retransmitting too long ({c} <-> {s})",
    Kind.RST_CLIENT: "({c} <- RST {s})",
    Kind.RST_SERVER: "({c} RST -> {s})",
    Kind.PASSED_SYNRCVD: "server packet passed in SYNRCVD ({c} <- {s})",
    Kind.TIMING_OUT: "SYNRCVD timing out ({c} <-> {s})",
    # The original does not say it; ours, in its manner.
    Kind.EVICTED: "connection dropped ({c} <-> {s}) reason={r}",
}
# Events of what only we can do.
_ALWAYS_OURS = {
    Kind.WINDOW,
    Kind.REXMT_SYN_ACK,
    Kind.REXMT_SYN,
    Kind.RST_CLIENT,
    Kind.RST_SERVER,
}


def log_line(event: FlowEvent) -> str | None:
    """Return the line for an event of TCP Intercept; None: it has none."""
    if event.kind is Kind.AGGRESSIVE:
        return str(
            InterceptOn(
                half_open=event.incomplete,
                high=event.limit,
                rate=event.rate,
                cause=event.cause,
            )
        )
    if event.kind is Kind.CALM:
        return str(
            InterceptOff(half_open=event.incomplete, low=event.limit, rate=event.rate)
        )
    form = _DEBUG.get(event.kind)
    if form is None:
        return None
    star = "(*)" if event.ours or event.kind in _ALWAYS_OURS else ""
    text = form.format(
        c=event.client,
        s=event.server,
        n=event.number,
        r=End(event.reason).name.lower() if event.kind is Kind.EVICTED else "",
    )
    return f"INTERCEPT{star}: {text}"


def show_connections(sessions: Iterable[Session], now: float) -> str:
    """Return the output of `show tcp intercept connections`."""
    rows = sorted(sessions, key=lambda session: session.created)
    incomplete = [_row(session, now) for session in rows if session.half_open]
    established = [_row(session, now) for session in rows if not session.half_open]
    lines = [
        "Incomplete:",
        HEADER,
        *incomplete,
        "",
        "Established:",
        HEADER,
        *established,
    ]
    return "\n".join(lines) + "\n"


def _row(session: Session, now: float) -> str:
    deadline = session.deadline
    timeout = clock(0 if deadline is None else deadline - now)
    ends = f"{str(session.client) + ' ':<22}{str(session.server) + ' ':<22}"
    create = clock(now - session.created)
    return f"{ends}{session.state.name:<9}{create} {timeout} {session.mode}"


def clock(seconds: float) -> str:
    """Spell a time as hh:mm:ss, whole seconds that have passed."""
    # A time in ms, so that 5 s less 4.4 s is not a hair below what it is.
    whole = max(round(seconds * 1000), 0) // 1000
    minutes, rest = divmod(whole, SECONDS_A_MINUTE)
    hours, minutes = divmod(minutes, SECONDS_A_MINUTE)
    return f"{hours:02}:{minutes:02}:{rest:02}"


def show_statistics(statistics: Statistics) -> str:
    """Return the output of `show tcp intercept statistics`."""
    doing = "watching" if statistics.mode == "watch" else "intercepting"
    name = statistics.list or "none"
    incomplete, established = statistics.incomplete, statistics.established
    return (
        f"{doing} new connections using access-list {name}\n"
        f"{incomplete} incomplete, {established} established connections "
        f"(total {incomplete + established})\n"
        "1 minute connection request rate "
        f"{statistics.one_minute // SECONDS_A_MINUTE} requests/sec\n"
    )
