"""Inspection's tables in the words of the original: `show ip inspect`.

Contents: text as a router prints it, made of values.  Elsewhere: the values
(`inspection`, `inspect_rule`), `ip inspect` lines (`ios_inspect`), log lines
(`alerts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..flow_session import Session, State
from . import clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..inspect_rule import Rule, RuleSet
    from ..inspection import Statistics
    from .inspect import Interface

_I = "net.inet.inspect."
MINUTES = _I + "tcp.block_time"
SECONDS = _I + "tcp.block_time_s"
HOST = _I + "tcp.max_incomplete_host"
UNLIMITED = "unlimited"
_TIMES = (
    "tcp.synwait_time",
    "tcp.finwait_time",
    "tcp.idle_time",
    "udp.idle_time",
    "dns_timeout",
)
_IDLE = {"tcp": "tcp.idle_time", "udp": "udp.idle_time", "icmp": "icmp.idle_time"}
_STATES = {
    State.SYNRCVD: "SIS_OPENING",
    State.SYNSENT: "SIS_OPENING",
    State.ESTAB: "SIS_OPEN",
    State.CLOSING: "SIS_CLOSING",
}


def show_config(values: Mapping[str, int | str], rules: RuleSet) -> str:
    """Return the output of `show ip inspect config`."""
    of = {name: values[_I + name] for name in _TIMES}
    low, high = _thresholds(values, "one_minute")
    first, last = _thresholds(values, "max_incomplete")
    host = values[HOST] or UNLIMITED
    tcp_times = (
        f"tcp synwait-time is {of['tcp.synwait_time']} sec -- "
        f"tcp finwait-time is {of['tcp.finwait_time']} sec"
    )
    idle_times = (
        f"tcp idle-time is {of['tcp.idle_time']} sec -- "
        f"udp idle-time is {of['udp.idle_time']} sec"
    )
    lines = [
        f"Session audit trail is {_able(values[_I + 'audit_trail'])}",
        f"Session alert is {_able(values[_I + 'alert'])}",
        f"one-minute (sampling period) thresholds are [{low} : {high}] connections",
        f"max-incomplete sessions thresholds are [{first} : {last}]",
        f"max-incomplete tcp connections per host is {host}. {_block_time(values)}",
        tcp_times,
        idle_times,
        f"dns-timeout is {of['dns_timeout']} sec",
        "Inspection Rule Configuration",
    ]
    for one in rules.sides():
        lines += [f" Inspection name {one.name}", *_rule_lines(values, one)]
    return "\n".join(lines) + "\n"


def _rule_lines(values: Mapping[str, int | str], rules: RuleSet) -> list[str]:
    """Return a line for each protocol, with the values that apply."""
    lines = []
    for rule in rules:
        alert = values[_I + "alert"] if rule.alert is None else rule.alert
        audit = values[_I + "audit_trail"]
        audit = audit if rule.audit_trail is None else rule.audit_trail
        lines.append(
            f"    {rule.protocol} alert is {_on(alert)} audit-trail is {_on(audit)} "
            f"timeout {_timeout(values, rule)}"
        )
    return lines


def _timeout(values: Mapping[str, int | str], rule: Rule) -> int | str:
    if rule.protocol == "dns":
        return values[_I + "dns_timeout"]
    if rule.timeout is not None:
        return rule.timeout
    transport = {6: "tcp", 17: "udp"}.get(rule.transport, rule.protocol)
    return values[_I + _IDLE[transport]]


def _block_time(values: Mapping[str, int | str]) -> str:
    if values[SECONDS]:
        return f"Block-time {values[SECONDS]} second."
    return f"Block-time {values[MINUTES]} minute."


def _thresholds(
    values: Mapping[str, int | str], name: str
) -> tuple[int | str, int | str]:
    low, high = values[f"{_I}{name}.low"], values[f"{_I}{name}.high"]
    if high == 0:
        return UNLIMITED, UNLIMITED
    return low, high


def _able(value: object) -> str:
    return "enabled" if value else "disabled"


def _on(value: object) -> str:
    return "on" if value else "off"


def show_sessions(
    sessions: Iterable[Session], rules: RuleSet, now: float, *, detail: bool = False
) -> str:
    """Return the output of `show ip inspect sessions`; `detail` adds more."""
    groups: dict[str, list[Session]] = {
        "Half-open Sessions": [],
        "Established Sessions": [],
        "Terminating Sessions": [],
    }
    for session in sorted(sessions, key=lambda session: session.created):
        title = "Half-open" if session.half_open else "Established"
        if session.state is State.CLOSING:
            title = "Terminating"
        groups[f"{title} Sessions"].append(session)
    lines = []
    for title, members in groups.items():
        if members:
            lines.append(title)
        for session in members:
            lines.append(_session_line(session, rules))
            if detail:
                lines += _session_detail(session, now)
    return "".join(f"{line}\n" for line in lines)


def _session_line(session: Session, rules: RuleSet) -> str:
    name = rules.name_of(session.protocol, session.server.port)
    ends = f"({session.client})=>({session.server})"
    return f" Session {session.id:08X} {ends} {name} {_STATES[session.state]}"


def _session_detail(session: Session, now: float) -> list[str]:
    created, heard = clock(now - session.created), clock(now - session.last)
    lines = [f"  Created {created}, Last heard {heard}"]
    if session.protocol in {1, 58}:
        lines.append("  ECHO request")
    sent = f"[{session.client_bytes}:{session.server_bytes}]"
    return [*lines, f"  Bytes sent (initiator:responder) {sent}"]


def show_statistics(counters: Statistics, now: float, interfaces: int = 1) -> str:
    """Return the output of `show ip inspect statistics`.

    The two numbers of packets are of process and fast switching; there is one path
    here, which stands in the place of the first.
    """
    c = counters
    last = "never" if c.last_created is None else clock(now - c.last_created)
    counts = "session counts (estab/half-open/terminating)"
    lines = [
        "Packet inspection statistics [process switch:fast switch]",
        f"  tcp packets: [{c.tcp_packets}:0]",
        f"  udp packets: [{c.udp_packets}:0]",
        f"Interfaces configured for inspection {interfaces}",
        f"Session creations since subsystem startup or last reset {c.sessions_created}",
        f"Current {counts} [{c.established}:{c.half_open}:{c.terminating}]",
        f"Maxever {counts} [{c.established_max}:{c.half_open_max}:{c.terminating_max}]",
        f"Last session created {last}",
        "Last statistic reset never",
        f"Last session creation rate {c.one_minute}",
        f"Maxever session creation rate {c.one_minute_max}",
        f"Last half-open session total {c.last_half_open}",
    ]
    return "\n".join(lines) + "\n"


def show_interfaces(
    values: Mapping[str, int | str],
    rules: RuleSet,
    interfaces: Iterable[Interface],
) -> str:
    """Return the output of `show ip inspect interfaces`."""
    lines = ["Interface Configuration"]
    for interface in interfaces:
        lines.append(f" Interface {interface.name}")
        for direction, title in (("in", "Inbound"), ("out", "Outgoing")):
            name = interface.rules.get(direction, "not set")
            lines.append(f"  {title} inspection rule is {name}")
            for one in rules.sides():
                if name == one.name:
                    lines += _rule_lines(values, one)
        for direction, title in (("in", "Inbound"), ("out", "Outgoing")):
            name = interface.lists.get(direction, "not set")
            lines.append(f"  {title} access list is {name}")
    return "\n".join(lines) + "\n"
