"""Access lists as PIX and ASA firewalls write them: with names, and masks of subnets.

    access-list OUTSIDE extended permit tcp any host 198.51.100.5 eq https
    access-list OUTSIDE permit tcp any 198.51.100.0 255.255.255.0 eq www
    access-list OUTSIDE line 3 extended deny ip any4 any4 (hitcnt=12) 0x8cdb39f8

Contents: such a rule in the words of IOS.  Elsewhere: the rule itself (`parse`),
and lists that have numbers (`ios.access`).
"""

from __future__ import annotations

import re

from .. import address as addresses
from ..abbreviation import keyword
from ..ports import numbered
from .parse import LeftOut

_KINDS = ("extended", "standard", "ethertype", "webtype", "remark", "alert-interval")
_OTHERS = ("ethertype", "webtype", "alert-interval")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
_PREFIX = re.compile(r"(?P<address>\d[\d.]*)/(?P<bits>\d\d?)", re.ASCII)
_BITS = 32
_IPV6_PROTOCOLS = {"ip": "ipv6", "icmp6": "icmp"}
# What only the rest of the configuration can resolve.
_ELSEWHERE = {
    "interface",
    "object-group-user",
    "object-group-security",
    "security-group",
    "user",
    "user-group",
}


def rule(words: list[str]) -> tuple[list[str], bool, int] | None:
    """Return a rule in IOS's words, whether it is of a standard list, and its family.

    None: it is none, a remark or a line of `show access-list`.

    Raises:
        LeftOut: it cannot be expressed here; the text says why.
    """
    rest = list(words)
    if len(rest) > 1 and keyword(rest[0], ("line",)) and rest[1].isdecimal():
        del rest[:2]
    if not rest or rest[0] == ";" or rest[0].isdecimal():
        return None
    kind = keyword(rest[0], (*_KINDS, "permit", "deny")) or ""
    if kind == "remark":
        return None
    if kind in _OTHERS:
        raise LeftOut(f"access-list {kind} is ignored")
    if kind in {"extended", "standard"}:
        rest.pop(0)
    rest = _counted(rest)
    if "inactive" in rest:
        raise LeftOut("rules that are inactive are left out")
    standard = kind == "standard"
    family = _family(rest)
    return _converted(rest, family, standard=standard), standard, family


def _family(rest: list[str]) -> int:
    """Return the family of a rule, by its addresses."""
    low = [word.lower() for word in rest]
    six = "any6" in low or any(":" in word for word in low)
    four = "any4" in low or any(_ADDRESS.fullmatch(word) for word in low)
    if six and four:
        raise LeftOut("rules from one family to the other are left out")
    return addresses.IPV6 if six else addresses.IPV4


def _counted(rest: list[str]) -> list[str]:
    """Leave out the counters of `show access-list` and what `log` is told."""
    ends = [i for i, word in enumerate(rest) if word.startswith(("(hitcnt", "0x"))]
    rest = rest[: min(ends, default=len(rest))]
    if "log" not in rest:
        return rest
    at = rest.index("log")
    kept = [word for word in rest[at + 1 :] if word == "inactive"]
    if "time-range" in rest[at:]:
        kept += rest[rest.index("time-range", at) :][:2]
    return [*rest[:at], "log", *kept]


def _converted(rest: list[str], family: int, *, standard: bool) -> list[str]:
    made: list[str] = []
    waiting = numbered(rest)
    if waiting[1:] and family == addresses.IPV6:
        waiting[1] = _IPV6_PROTOCOLS.get(waiting[1].lower(), waiting[1])
    while waiting:
        word = waiting.pop(0)
        low = word.lower()
        if low in _ELSEWHERE:
            raise LeftOut(f"rules with {low} are left out")
        found = _PREFIX.fullmatch(word)
        if low in {"any4", "any6", "any"}:
            made.append("any")
        elif found and int(found["bits"]) <= _BITS:
            made += [found["address"], _mask_of(int(found["bits"]))]
        elif low == "object":
            made.append("object-group")
        elif low in {"host", "object-group"} and waiting:
            made += [word, waiting.pop(0)]
        elif _ADDRESS.fullmatch(word) and waiting and _ADDRESS.fullmatch(waiting[0]):
            made += [word, _inverted(waiting.pop(0))]
        elif _ADDRESS.fullmatch(word) and not standard:
            made += ["host", word]
        else:
            made.append(word)
    return made


def _inverted(mask: str) -> str:
    """Return the wildcard of a subnet's mask."""
    return ".".join(str(255 - min(int(part), 255)) for part in mask.split("."))


def _mask_of(bits: int) -> str:
    wildcard = (1 << (_BITS - bits)) - 1
    return ".".join(str(wildcard >> shift & 255) for shift in (24, 16, 8, 0))
