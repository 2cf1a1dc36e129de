"""Rules of access lists from words, as the original spells them.

Contents: the grammar of one line, extended and standard, with object groups; what a
rule cannot say here is noted and left out or passed over.  Elsewhere: the commands
around a rule (`ios_access`) and object groups themselves (`object_group`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .. import address as addresses
from ..abbreviation import keyword
from ..ports import ANY_PORT, OPERATORS, TCP, Ports, take_ports
from .rule import (
    BITS,
    ICMP,
    ICMPV6,
    PROTOCOLS,
    SCTP,
    End,
    Rule,
    masked,
    packed_address,
    prefix,
    protocol_number,
    wildcard_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .object_group import Group

RULES_MAX = 4096  # that one line may become
# What a router knows in the place of an action: `p` is permit, `d` could be dynamic.
ACTIONS = ("permit", "deny", "remark", "dynamic", "evaluate", "sequence", "exit")
_GROUP_WORDS = ("object-group", "addrgroup", "net-group")
_PORT_GROUPS = ("object-group", "portgroup", "port-group")
# Words behind a rule: how many operands follow, and what becomes of the rule.
_LOGS = ("log", "log-input")
_CONDITIONS = {
    "time-range": 1,
    "dscp": 1,
    "precedence": 1,
    "tos": 1,
    "flow-label": 1,
    "reflect": 1,
    "timeout": 1,
    "option": 1,
    "ttl": 2,
    "packet-length": 2,
}
_FLAGS = ("ack", "fin", "psh", "rst", "syn", "urg")
_NO_SYN = {
    "established": "established matches no SYN",
    "fragments": "a SYN is in the first",
}
# Of IPv6: headers that no ordinary SYN has, alone or with the number of a type.
_EXTENSIONS = {
    "auth": 0,
    "dest-option": 0,
    "dest-option-type": 1,
    "hbh": 0,
    "mobility": 0,
    "mobility-type": 1,
    "routing": 0,
    "routing-type": 1,
    "undetermined-transport": 0,
}
_TYPED = {ICMP, 2, ICMPV6}  # ICMP and IGMP have types in the place of ports
_TAG = re.compile(r"[\w.-]{1,64}", re.ASCII)  # IOS takes such a word behind log


class Service(NamedTuple):
    """A protocol, and the ports of both ends."""

    protocol: int
    source: Ports = ANY_PORT
    destination: Ports = ANY_PORT


class LeftOut(Exception):  # noqa: N818  nobody erred
    """The rule cannot be expressed here; the text says why."""


def parse_rule(
    words: Sequence[str],
    family: int,
    notes: list[str],
    groups: Mapping[str, Group] | None = None,
) -> list[Rule]:
    """Read `permit PROTOCOL SOURCE [PORTS] DESTINATION [PORTS] ...` of one family.

    Several ports and object groups make several rules.  A rule that no first packet of
    a connection can match, or that cannot be expressed here, makes none; `notes` then
    says why.

    Raises:
        ValueError: it is not of this form; the message says where.
    """
    rest = _bare(words)
    permit = _action(rest)
    try:
        rules = _parse_ends(rest, family, permit, groups or {})
    except LeftOut as why:
        notes.append(str(why))
        return []
    number = next((rule.protocol for rule in rules), 0)
    return rules if _take_conditions(rest, number, notes) else []


def has_group(words: Sequence[str]) -> bool:
    """Tell whether a rule names an object group."""
    choices = {*_GROUP_WORDS, *_PORT_GROUPS}
    return any(keyword(word, choices) for word in words)


def _parse_ends(
    rest: list[str], family: int, permit: bool, groups: Mapping[str, Group]
) -> list[Rule]:
    """Take the protocol and both ends from the front."""
    word = rest.pop(0) if rest else ""
    if keyword(word, _GROUP_WORDS):
        services = _group(rest, groups).services(groups)
    elif family == addresses.IPV6 and word.lower() == "hbh":
        raise LeftOut("rules for hop-by-hop options are left out")
    else:
        services = [Service(protocol_number(word, PROTOCOLS[family]))]
    number = TCP if any(s.protocol == TCP for s in services) else services[0].protocol
    ends = []
    behind = [
        word for word in _conditions(number) if number == TCP or word != "established"
    ]
    for others in ((), behind):
        places = _take_places(rest, family, groups)
        # A group of services may say the ports; none may follow then.
        ends.append((places, _take_ports(rest, number, groups, others)))
    (sources, source_ports), (targets, target_ports) = ends
    count = len(services) * len(sources) * len(targets)
    count *= len(source_ports) * len(target_ports)
    if count > RULES_MAX:
        raise LeftOut(f"rules whose groups make more than {RULES_MAX} are left out")
    rules = []
    for service in services:
        rules += [
            Rule(
                permit,
                service.protocol,
                End(family, *source, _said(service.source, source_port)),
                End(family, *target, _said(service.destination, target_port)),
            )
            for source in sources
            for source_port in source_ports
            for target in targets
            for target_port in target_ports
        ]
    return rules


def _said(grouped: Ports, ports: Ports) -> Ports:
    """Return the ports that a group of services says, else those of the rule."""
    return ports if grouped == ANY_PORT else grouped


def _take_ports(
    rest: list[str],
    number: int,
    groups: Mapping[str, Group],
    others: Sequence[str],
) -> list[Ports]:
    """Take the ports of one end, or the name of a group that has them."""
    if number == SCTP and rest and keyword(rest[0], OPERATORS[1:]):
        raise LeftOut("rules with ports of SCTP are left out")
    word = keyword(rest[0], _PORT_GROUPS) if rest[1:] else None
    if word is None:
        return take_ports(rest, number, others)
    # Behind a source `object-group` may as well name the destination.
    if word == "object-group" and not (rest[1] in groups and groups[rest[1]].has_ports):
        return [ANY_PORT]
    del rest[:1]
    return _group(rest, groups).ports(groups)


def _take_places(
    rest: list[str], family: int, groups: Mapping[str, Group]
) -> list[tuple[bytes, bytes]]:
    """Take the addresses of one end from the front."""
    if rest and keyword(rest[0], _GROUP_WORDS):
        rest.pop(0)
        if rest and keyword(rest[0], ("network",)):
            rest.pop(0)
        return _group(rest, groups).places(groups, family)
    if rest and rest[0].lower() == "fqdn-group":
        raise LeftOut("rules with fqdn-group, of names to be asked for, are left out")
    if rest and rest[0].lower() == "interface":
        raise LeftOut("rules with the address of an interface are left out")
    return [take_address(rest, family)]


def _group(rest: list[str], groups: Mapping[str, Group]) -> Group:
    name = rest.pop(0) if rest else ""
    if not name:
        raise ValueError("object-group wants a name behind it")
    if name not in groups:
        raise LeftOut(f"rules with object-group {name}, which is not known, left out")
    return groups[name]


def parse_standard(words: Sequence[str], notes: list[str]) -> list[Rule]:
    """Read a rule of a standard list, `permit SOURCE`: every protocol, IPv4.

    Raises:
        ValueError: it is not of this form; the message says where.
    """
    rest = [word.rstrip(",") for word in _bare(words)]
    permit = _action(rest)
    if rest[1:3] == ["wildcard", "bits"]:  # as `show access-lists` prints it
        del rest[1:3]
    alone = not (rest[1:] and "." in rest[1])
    if rest and "." in rest[0] and "/" not in rest[0] and alone:
        rest.insert(0, "host")
    packed, wildcard = take_address(rest, addresses.IPV4)
    if not _take_conditions(rest, 0, notes):
        return []
    source = End(addresses.IPV4, packed, wildcard)
    return [Rule(permit, 0, source, End(addresses.IPV4))]


def _bare(words: Sequence[str]) -> list[str]:
    """Return words without the output of `show access-lists` behind a rule."""
    rest = list(words)
    if len(rest) > 1 and keyword(rest[-2], ("sequence",)) and rest[-1].isdecimal():
        del rest[-2:]
    counted = next((i for i, word in enumerate(rest) if word.startswith("(")), None)
    if counted is not None and rest[-1].rstrip(")") in {"match", "matches", "active"}:
        del rest[counted:]
    return rest


def _action(rest: list[str]) -> bool:
    word = rest.pop(0) if rest else ""
    action = keyword(word, ACTIONS, 1)
    if action not in {"permit", "deny"}:
        raise ValueError(f"a rule begins with permit or deny, not {word!r}")
    return action == "permit"


def _take_conditions(rest: list[str], number: int, notes: list[str]) -> bool:
    """Take the words behind the ends; False if the rule has to be left out."""
    kept = True
    flags: list[str] = []
    while rest:
        word = rest.pop(0)
        name = _condition(word, number)
        if name in _CONDITIONS:
            _skip_operands(rest, word, _CONDITIONS[name])
            notes.append(f"{name} is ignored: the rule holds without it")
        elif name in _NO_SYN:
            notes.append(f"rules with {name} are left out: {_NO_SYN[name]}")
            kept = False
        elif name in _EXTENSIONS:
            _skip_operands(rest, word, _EXTENSIONS[name])
            notes.append(f"rules with {name} are left out")
            kept = False
        elif name in _FLAGS:
            flags.append(name)
        elif name in {"match-any", "match-all"}:
            while rest and rest[0][1:].lower() in _FLAGS and rest[0][0] in "+-":
                rest.pop(0)
            notes.append(f"rules with {name} are left out")
            kept = False
        elif name in _LOGS:
            # A word of the operator's own, which the log repeats.
            tag = rest[0] if rest else ""
            if _TAG.fullmatch(tag) and not _condition(tag, number):
                rest.pop(0)
        elif number in _TYPED and word.replace("-", "").isalnum():
            notes.append("rules for a type of ICMP or IGMP are left out")
            kept = False
        else:
            raise ValueError(f"{word!r} is more than a rule can say here")
    if flags and "syn" not in flags:
        notes.append(f"rules with {flags[0]} are left out: no first SYN has it")
        kept = False
    return kept


def _condition(word: str, number: int) -> str:
    """Return the condition that a word names; "": none."""
    return keyword(word, _conditions(number)) or ""


def _conditions(number: int) -> tuple[str, ...]:
    """Return the keywords that may stand behind the ends of a rule."""
    flags = (*_FLAGS, "match-any", "match-all") if number == TCP else ()
    return (*_LOGS, *_CONDITIONS, *_NO_SYN, *_EXTENSIONS, *flags)


def _skip_operands(rest: list[str], word: str, count: int) -> None:
    if rest and keyword(rest[0], ("range",)) and count > 1:
        count += 1
    if len(rest) < count:
        raise ValueError(f"{word} wants a value behind it")
    del rest[:count]


def take_address(words: list[str], family: int) -> tuple[bytes, bytes]:
    """Take `any`, `host A`, `A WILDCARD` or `PREFIX/LENGTH` from the front."""
    word = words.pop(0) if words else ""
    if keyword(word, ("any",), 1):
        return addresses.ANY, b"\xff" * 16
    if keyword(word, ("host",), 1):
        host = words.pop(0) if words else ""
        found, packed = packed_address(host)
        if found != family:
            raise ValueError(f"{host} is not an address of IPv{family}")
        return packed, wildcard_of(family, 0)
    if family == addresses.IPV6:
        found, packed, wildcard = prefix(word, strict=False)
        if found != family or "/" not in word:
            raise ValueError(f"{word!r} is not any, host or an IPv6 prefix")
        return packed, wildcard
    if "/" in word:  # as switches and other systems have it
        found, packed, wildcard = prefix(word, strict=False)
        if found != family:
            raise ValueError(f"{word} is not a prefix of IPv4")
        return packed, wildcard
    if not words:
        raise ValueError(f"{word!r} is not any, host A or an address with its wildcard")
    return masked(word, words.pop(0))


def prefixes(family: int, low: int, high: int) -> list[tuple[bytes, bytes]]:
    """Return the fewest prefixes that make up a range of addresses."""
    width = BITS[family]
    found = []
    while low <= high:
        bits = (low & -low).bit_length() - 1 if low else width
        while low + (1 << bits) - 1 > high:
            bits -= 1
        packed = low.to_bytes(width // 8, "big").ljust(16, b"\0")
        found.append((packed, wildcard_of(family, bits)))
        low += 1 << bits
    return found
