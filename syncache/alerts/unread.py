"""Lines of a log that are not read, by the system that wrote them and their kind.

    %ASA-6-302013: ...     %LINK-3-UPDOWN: ...     RT_FLOW: RT_FLOW_SESSION_DENY: ...

Contents: names for the reader of a report, so that nothing is passed over in silence.
Elsewhere: the lines that are read (`log`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..plural import plural
from .top import Top

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOKED_AT = 400  # characters of a line
KINDS_MAX = 3  # that the report names
OTHER = "other"
_PERCENT = re.compile(
    r"%(?:(?P<maker>ASA|FTD|PIX|FWSM|ACE)-(?:[A-Za-z]\w{0,20}-)?[0-7]-(?P<number>\d{6})"
    r"|%\d\d(?P<huawei>[A-Z]\w{1,30}/\d/\w{1,60})"
    r"|(?P<cisco>[A-Z][A-Z0-9_]{1,31}(?:-[A-Z0-9_]{1,31})?)-[0-7]-"
    r"(?P<mnemonic>[A-Z][A-Z0-9_]{1,60}))"
)
# What a line has, without a percent sign: whose it is, and what its kind is.
_WORDS = (
    ("RT_", "Junos", re.compile(r"\b(RT_[A-Z]{2,9}_[A-Z_]{2,40})\b")),
    ("TMNX: ", "SR OS", re.compile(r"TMNX: \d+ \S+ ([A-Z][A-Z0-9_]*-[A-Z]+)-")),
    ("logid=", "FortiGate", re.compile(r"\blogid=\"?(\d{1,12})")),
    (" PROTO=", "netfilter", re.compile(r"\bPROTO=([A-Z0-9]{1,10})\b")),
    (",TRAFFIC,", "PAN-OS", re.compile(r",(TRAFFIC),")),
    (",THREAT,", "PAN-OS", re.compile(r",(THREAT),")),
    ("filterlog", "pf", re.compile(r"\b(filterlog)\b")),
)


class Unread:
    """Counts lines that are not read."""

    def __init__(self) -> None:
        self.systems: dict[str, Top[str]] = {}
        self.numbers: dict[str, int] = {}

    def add(self, line: str) -> None:
        """Count a line."""
        system, kind = whose(line)
        self.numbers[system] = self.numbers.get(system, 0) + 1
        if kind:
            kinds = self.systems.get(system)
            if kinds is None:
                kinds = self.systems[system] = Top()
            kinds.add(kind)

    def text(self) -> Iterator[str]:
        """Yield one line for the report, if there is something to say."""
        if self.numbers:
            yield "not read: " + "; ".join(self.parts())

    def parts(self) -> Iterator[str]:
        """Yield the number of each system's lines, the commonest kinds named."""
        known = sorted(
            ((n, name) for name, n in self.numbers.items() if name != OTHER),
            reverse=True,
        )
        for number, name in known:
            kinds = self.systems[name]
            named = ", ".join(f"{kind} {n:,}" for kind, n in kinds.most(KINDS_MAX))
            more = "" if len(kinds) <= KINDS_MAX else ", ..."
            yield f"{number:,} {plural(number, 'line')} of {name} ({named}{more})"
        number = self.numbers.get(OTHER, 0)
        if number:
            yield f"{number:,} other {plural(number, 'line')}"


def whose(line: str) -> tuple[str, str]:
    """Return the system that wrote a line, and the line's kind."""
    if "%" in line:
        found = _PERCENT.search(line, 0, LOOKED_AT)
        if found is not None:
            maker, number, huawei, cisco, mnemonic = found.groups()
            if cisco:
                return "IOS", f"{cisco}-{mnemonic}"
            return (maker, number) if maker else ("Huawei", huawei)
    for word, system, pattern in _WORDS:
        if word in line:
            found = pattern.search(line, 0, LOOKED_AT)
            if found is not None:
                return system, found[1]
    return OTHER, ""
