"""From a line of a log to a message: routers' forms, old and new, and ours.

Contents: one table of patterns by mnemonic.  `parse` makes an object of a line;
`scan` is the cheap half of it, for files of millions of lines.  Elsewhere: dates,
names of hosts and the rest of syslog's header (`log_line`).

Wrappers are passed over because the search begins at the mnemonic: the prefix that
IOS-XE puts in front of what its forwarding engine reports, sequence numbers, headers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .message import (
    MINUTE,
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

if TYPE_CHECKING:
    from collections.abc import Callable

LINE_MAX = 4096  # characters of a line that are looked at; patterns cost by the square
# No router counts further, and Python refuses to read thousands of digits.
_NUMBER = r"\d{1,20}"
_HEAD = re.compile(
    r"%(?P<facility>FW|TCP)-(?:[A-Z0-9]+-)?(?P<severity>[0-7])-"
    r"(?P<mnemonic>[A-Za-z][A-Za-z0-9_]*)\s*:\s*"
    # A router with several routing tables names the one concerned.
    r"(?:\(?VRF[-: ]\s*(?P<vrf>[^\s:()]+)\)?:?\s*)?"
    # A zone-based firewall names its zone pair and class in front of the text.
    r"(?:\([^()]*:[^()]*\)-\((?P<zone>[^()]*:[^()]*)\):?\s*)?"
)
_COUNTS = rf"count\s*\(?(?P<n>{_NUMBER})/(?P<limit>{_NUMBER})\)?\s*"
_RATE = rf"current (?:1-min )?rate:\s*(?P<rate>{_NUMBER})"
_HALF_OPEN = r"half[- ]open"
_END = r"\((?P<{0}>[^()\s]+)\)"
_BYTES = r"sent (?P<{0}_bytes>\d{{1,20}}) bytes"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text + r"\.?(?:\s+(?P<fields>\S.*))?$", re.IGNORECASE)


_INITIATOR, _RESPONDER = _END.format("initiator"), _END.format("responder")
# Where a packet goes: `A B`, `A => B`; the zone may stand right behind, or in words.
_ENDS = (
    r"(?:from (?P<interface>[^\s:]+) )?(?P<source>\S+)(?: =>)? (?P<destination>[^\s(]+)"
    r"\s*(?:\([^()]*:[^()]*\)-\((?P<zone>[^()]*:[^()]*)\)"
    r"|on zone-pair (?P<pair>\S+) class (?P<class>\S+))?"
)
_PATTERNS = {
    "ALERT_ON": _pattern(rf"getting aggressive,\s*{_COUNTS}{_RATE}"),
    "ALERT_OFF": _pattern(rf"calming down,\s*{_COUNTS}{_RATE}"),
    "INTERCEPT": _pattern(
        rf"(?P<what>getting aggressive|calming down),\s*{_COUNTS}"
        rf"1 min (?P<rate>{_NUMBER})"
    ),
    "HOST_TCP_ALERT_ON": _pattern(
        rf"Max tcp {_HALF_OPEN} connections \((?P<limit>{_NUMBER})\) exceeded "
        r"for host (?P<host>\S*[^\s.])"
    ),
    "BLOCK_HOST": _pattern(
        rf"Blocking new TCP connections to host (?P<host>\S+) for (?P<long>{_NUMBER}) "
        r"(?P<unit>minute|second)s? "
        rf"\({_HALF_OPEN} count (?P<limit>{_NUMBER}) exceeded\.?\)"
    ),
    "UNBLOCK_HOST": _pattern(
        r"New TCP connections to host (?P<host>\S+) no longer blocked"
    ),
    "SESS_AUDIT_TRAIL_START": _pattern(
        rf"Start (?P<protocol>\S+) session:?\s*initiator {_INITIATOR}"
        rf"\s*--\s*responder {_RESPONDER}"
    ),
    # IOS 12.0 to 12.2 had neither "Stop" nor the colon.
    "SESS_AUDIT_TRAIL": _pattern(
        rf"(?:Stop )?(?P<protocol>\S+) session:?\s*initiator {_INITIATOR} "
        rf"{_BYTES.format('initiator')}\s*--\s*responder {_RESPONDER} "
        rf"{_BYTES.format('responder')}"
    ),
    "DROP_PKT": re.compile(
        rf"Dropping (?P<protocol>\S+) (?:session|pkt|packet) {_ENDS}"
        r"(?:\s*due to\s+"
        r"(?P<reason>\S+(?:[^\S\n]+(?!with ip ident\b|(?:reason|folded)=)\S+)*))?"
        r"(?:\s+with ip ident\b.*?)?(?P<fields>\s+(?:reason|folded)=.*)?\s*$",
        re.IGNORECASE,
    ),
    # A digest of many: `3 udp packets were dropped from Gi1 A => B (...)-(ZP:CM)`.
    "LOG_SUMMARY": re.compile(
        rf"(?P<number>{_NUMBER}) (?:(?P<protocol>\S+) )?packets? were "
        rf"(?P<what>dropped|passed) (?:from (?P<interface>[^\s:]+) )?"
        r"(?:from )?(?P<source>\S+) => (?P<destination>[^\s(]+)"
        r"\s*(?:\([^()]*:[^()]*\)-\((?P<zone>[^()]*:[^()]*)\))?(?P<fields>.*)$",
        re.IGNORECASE,
    ),
}
_FACILITY = {"INTERCEPT": "TCP"}  # FW if it is not here
_CAUSE = re.compile(
    rf"reason=(?P<reason>\w+) limit=(?P<limit>{_NUMBER})\b value=(?P<value>{_NUMBER})\b"
    rf"(?: top=(?P<top>\S+)\((?P<top_count>{_NUMBER})\))?"
    rf"(?: srcs=(?P<srcs>\S+)\((?P<srcs_count>{_NUMBER})\))?"
    rf"(?: udp=(?P<udp>{_NUMBER})\b)?"
)
_FOLDED = re.compile(rf"\bfolded=({_NUMBER})\b")


# Most lines of a large log: the audit trail as routers write it, read at once, up to
# the line's end or what closes a field (`wrapped.end_of`); no such sign is inside.
_WORD = r"""[^()\s"<\x1b\\,;']+"""
_ZONES = rf"(?:\({_WORD}:{_WORD}\)-\({_WORD}:{_WORD}\):?\s*)?"
_SIDE = rf"\(({_WORD})\)"
_TRAIL = re.compile(
    rf"%FW-6-SESS_AUDIT_TRAIL(?:_START: {_ZONES}Start ({_WORD}) session: initiator "
    rf"{_SIDE}\s*--\s*responder {_SIDE}|: {_ZONES}(?:Stop )?({_WORD}) session:? "
    rf"initiator {_SIDE} sent (\d{{1,20}}) bytes\s*--\s*responder "
    rf"{_SIDE} sent (\d{{1,20}}) bytes)\.?(?=\s*(?:$|[\"<\x1b]|\\[nrt]|[,;]\S))",
    re.ASCII,
)
trail = _TRAIL.match


# Likewise a destination's alerts, of which a router with many writes as many.
_HOST = r"([0-9A-Fa-f.:]{0,45}[0-9A-Fa-f:])"
_HOST_ALERT = re.compile(
    rf"%FW-[0-7]-(?:HOST_TCP_ALERT_ON: Max tcp half-open connections \((\d{{1,20}})\) "
    rf"exceeded for host {_HOST}|BLOCK_HOST: Blocking new TCP connections to host "
    rf"{_HOST} for (\d{{1,20}}) (minute|second)s? "
    r"\(half-open count (\d{1,20}) exceeded\.?\))\.?\s*$",
    re.ASCII,
)


class HostSaid(NamedTuple):
    """What an alert says of one destination; `seconds` that it is blocked for."""

    host: str
    limit: int
    seconds: int = 0
    folded: int = 1
    zone: str = ""
    cause: Cause | None = None


def host_alert(line: str, at: int) -> HostSaid | None:
    """Read the alert of one destination that begins there; None: read it by `scan`."""
    found = _HOST_ALERT.match(line, at)
    if found is None:
        return None
    limit, host, blocked, long, unit, count = found.groups()
    if host is not None:
        return HostSaid(host, int(limit))
    return HostSaid(blocked, int(count), int(long) * (MINUTE if unit[0] == "m" else 1))


class Scan(NamedTuple):
    """A line that bears a mnemonic of ours.

    `body` is None if the mnemonic or the text behind it is not one that we know.
    """

    mnemonic: str
    head: re.Match[str]
    body: re.Match[str] | None


def scan(line: str) -> Scan | None:
    """Find the message of a line, without making an object of it."""
    if len(line) > LINE_MAX:
        line = line[:LINE_MAX]
    head = _HEAD.search(line)
    if head is None:
        return None
    facility, mnemonic = head.group("facility", "mnemonic")
    if not mnemonic.isupper():
        mnemonic = mnemonic.upper()
    pattern = _PATTERNS.get(mnemonic)
    if pattern is None or facility != _FACILITY.get(mnemonic, "FW"):
        return Scan(mnemonic, head, None)
    return Scan(mnemonic, head, pattern.match(line, head.end(), len(line.rstrip())))


def until(found: Scan, end: int) -> Scan:
    """Read the body of a message that ends there."""
    pattern = _PATTERNS.get(found.mnemonic)
    if pattern is None:
        return found
    head = found.head
    return Scan(found.mnemonic, head, pattern.match(head.string, head.end(), end))


def parse(line: str) -> Message | None:
    """Read one line of a log; None if it holds no message of ours.

    The text before the message, a date or a syslog header, is passed over.
    """
    found = scan(line)
    return None if found is None else message_of(found)


def message_of(found: Scan) -> Message | None:
    """Make the object of a match of `scan`."""
    body, head = found.body, found.head
    if body is None:
        return None
    severity, zone, vrf = head.group("severity", "zone", "vrf")
    common: dict[str, Any] = {"severity": int(severity)}
    if zone:
        common["zone"] = zone
    if vrf:
        common["vrf"] = vrf
    fields = body["fields"]
    if fields:
        common["cause"] = _cause(fields)
        if (number := folded(fields)) > 1:
            common["folded"] = number
    return _READERS[found.mnemonic](body, common)


def folded(fields: str | None) -> int:
    """Return how many events a line stands for, by the fields behind its text."""
    found = _FOLDED.search(fields) if fields else None
    return int(found[1]) if found else 1


def _cause(fields: str) -> Cause | None:
    found = _CAUSE.search(fields)
    if not found:
        return None

    def share(name: str) -> Share | None:
        return Share(found[name], int(found[name + "_count"])) if found[name] else None

    return Cause(
        found["reason"],
        int(found["limit"]),
        int(found["value"]),
        share("top"),
        share("srcs"),
        int(found["udp"]) if found["udp"] else None,
    )


def _alert_on(found: re.Match[str], common: dict[str, Any]) -> Message:
    number, high, rate = int(found["n"]), int(found["limit"]), int(found["rate"])
    return AlertOn(half_open=number, high=high, rate=rate, **common)


def _alert_off(found: re.Match[str], common: dict[str, Any]) -> Message:
    number, low, rate = int(found["n"]), int(found["limit"]), int(found["rate"])
    return AlertOff(half_open=number, low=low, rate=rate, **common)


def _intercept(found: re.Match[str], common: dict[str, Any]) -> Message:
    number, limit, rate = int(found["n"]), int(found["limit"]), int(found["rate"])
    if found["what"].lower().startswith("getting"):
        return InterceptOn(half_open=number, high=limit, rate=rate, **common)
    return InterceptOff(half_open=number, low=limit, rate=rate, **common)


def _host_alert(found: re.Match[str], common: dict[str, Any]) -> Message:
    return HostAlert(limit=int(found["limit"]), host=found["host"], **common)


def _block_host(found: re.Match[str], common: dict[str, Any]) -> Message:
    host, long, unit, limit = found.group("host", "long", "unit", "limit")
    seconds = int(long) * (MINUTE if unit.lower() == "minute" else 1)
    return BlockHost(host=host, seconds=seconds, limit=int(limit), **common)


def _unblock_host(found: re.Match[str], common: dict[str, Any]) -> Message:
    return UnblockHost(host=found["host"], **common)


def _session_start(found: re.Match[str], common: dict[str, Any]) -> Message:
    return SessionStart(
        protocol=found["protocol"],
        initiator=found["initiator"],
        responder=found["responder"],
        **common,
    )


def _session_stop(found: re.Match[str], common: dict[str, Any]) -> Message:
    return SessionStop(
        protocol=found["protocol"],
        initiator=found["initiator"],
        initiator_bytes=int(found["initiator_bytes"]),
        responder=found["responder"],
        responder_bytes=int(found["responder_bytes"]),
        **common,
    )


def _drop(found: re.Match[str], common: dict[str, Any]) -> Message:
    zone = found["zone"]
    if found["pair"]:
        zone = f"{found['pair']}:{found['class']}"
    if zone:
        common.setdefault("zone", zone)
    return DropPacket(
        protocol=found["protocol"],
        source=found["source"],
        destination=found["destination"],
        interface=found["interface"] or "",
        reason=" ".join((found["reason"] or "").split()),
        **common,
    )


def _summary(found: re.Match[str], common: dict[str, Any]) -> Message | None:
    if found["what"].lower() != "dropped":
        return None
    if found["zone"]:
        common.setdefault("zone", found["zone"])
    common.setdefault("folded", int(found["number"]))
    return DropPacket(
        protocol=found["protocol"] or "ip",
        source=found["source"],
        destination=found["destination"],
        interface=found["interface"] or "",
        **common,
    )


_READERS: dict[str, Callable[[re.Match[str], dict[str, Any]], Message | None]] = {
    "ALERT_ON": _alert_on,
    "ALERT_OFF": _alert_off,
    "INTERCEPT": _intercept,
    "HOST_TCP_ALERT_ON": _host_alert,
    "BLOCK_HOST": _block_host,
    "UNBLOCK_HOST": _unblock_host,
    "SESS_AUDIT_TRAIL_START": _session_start,
    "SESS_AUDIT_TRAIL": _session_stop,
    "DROP_PKT": _drop,
    "LOG_SUMMARY": _summary,
}
