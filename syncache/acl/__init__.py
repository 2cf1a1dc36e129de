"""Access lists: which connections a middlebox mode is for.

An `AccessList` is a sequence of rules of which the first that matches decides; what no
rule matches is denied.  Rules come from Cisco's extended syntax, or from `permit()` and
`deny()`:

    access-list 100 permit tcp any host 198.51.100.5 eq www
    ip access-list extended web          ipv6 access-list web
     deny tcp host 192.0.2.10 any         permit tcp any 2001:db8::/64 range 80 90
     permit tcp any any neq 22

Elsewhere: the commands around the rules (`ios_config` reads them) and matching
of packets, which csrc/flow does with what `AccessList.compiled()` returns; `permits()`
is the same in plain words, for people and for tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import address as addresses
from .._core.mirror import layout
from ..abbreviation import keyword
from ..ports import ANY_PORT, OPERATORS, TCP, UDP, Ports, take_ports
from .parse import parse_rule, parse_standard
from .rule import (
    ANY_FAMILY,
    BITS,
    ICMP,
    ICMPV6,
    PROTOCOLS,
    End,
    Rule,
    masked,
    prefix,
    protocol_number,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ICMP",
    "ICMPV6",
    "TCP",
    "UDP",
    "AccessList",
    "End",
    "Port",
    "Ports",
    "Rule",
    "deny",
    "parse_rule",
    "parse_standard",
    "permit",
]


_RULE = layout(
    "flow_rule",
    "protocol family permit source_op destination_op source source_wildcard"
    " destination destination_wildcard source_lo source_hi destination_lo"
    " destination_hi",
)


@dataclass(frozen=True, slots=True)
class AccessList:
    """Rules under a name; the first that matches decides, and none means deny.

    The name is what `show tcp intercept statistics` and `net.inet.tcp.intercept.list`
    call it.
    """

    name: str
    rules: tuple[Rule, ...] = field(default=())
    _compiled: list[bytes] = field(default_factory=list, repr=False, compare=False)

    def __init__(self, name: str | int, rules: Sequence[Rule] = ()) -> None:
        object.__setattr__(self, "name", str(name))
        object.__setattr__(self, "rules", tuple(rules))
        object.__setattr__(self, "_compiled", [])

    @classmethod
    def parse(cls, lines: str | Sequence[str], name: str | int = "acl") -> AccessList:
        """Make a list of rules alone, one a line: `permit tcp any any eq www`.

        A rule with an IPv6 address, or for `ipv6`, is one of IPv6; others are of IPv4.

        Raises:
            ValueError: a line is not a rule; its number is in the message.
        """
        rules = []
        for number, line in enumerate(
            lines.splitlines() if isinstance(lines, str) else lines, 1
        ):
            words = line.partition("!")[0].split()
            if not words or keyword(words[0], ("remark",)):
                continue
            family = addresses.IPV6 if _speaks_ipv6(words) else addresses.IPV4
            try:
                rules += parse_rule(words, family, [])
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
        return cls(name, rules)

    def permits(
        self,
        source: tuple[str, int],
        destination: tuple[str, int],
        protocol: int = TCP,
    ) -> bool:
        """Return the action on a packet between two (address, port)."""
        for rule in self.rules:
            if rule.matches(protocol, source, destination):
                return rule.permit
        return False

    def compiled(self) -> bytes:
        """Return the rules as an array of struct flow_rule.

        The first time takes some 10 us a rule.
        """
        if not self._compiled:
            self._compiled.append(b"".join(map(_compiled, self.rules)))
        return self._compiled[0]

    def __str__(self) -> str:
        lines = []
        heads = {addresses.IPV4: "ip access-list extended", 6: "ipv6 access-list"}
        for family, head in heads.items():
            rules = [rule for rule in self.rules if rule.family in {0, family}]
            if not rules and (family == addresses.IPV6 or self.rules):
                continue
            lines.append(f"{head} {self.name}")
            lines += [f" {_in_family(rule, family)}" for rule in rules]
        return "\n".join(lines)


def _compiled(rule: Rule) -> bytes:
    source, destination = rule.source, rule.destination
    return _RULE.pack(
        rule.protocol,
        rule.family,
        rule.permit,
        OPERATORS.index(source.ports.operator),
        OPERATORS.index(destination.ports.operator),
        source.address,
        source.wildcard,
        destination.address,
        destination.wildcard,
        source.ports.low,
        source.ports.high,
        destination.ports.low,
        destination.ports.high,
    )


def _in_family(rule: Rule, family: int) -> str:
    """Spell a rule of either family as one of this family."""
    text = str(rule)
    if family == addresses.IPV6 and rule.family == ANY_FAMILY:
        text = text.replace(" ip ", " ipv6 ", 1)
    return text


# Rules from arguments.

Port = int | str | tuple[int, int] | None


def permit(
    protocol: str | int = "tcp",
    source: str = "any",
    destination: str = "any",
    *,
    sport: Port = None,
    dport: Port = None,
) -> Rule:
    """Return a rule that permits.

    Args:
        protocol: "tcp", "udp", "icmp", "ip" (all of them), or a number.
        source: "any", an address, a prefix "10.0.0.0/8", or an address and a wildcard
            mask "10.0.0.1 0.255.0.255".
        destination: as source.  If both are "any" the rule is for both families.
        sport: a number, a name ("www"), a pair (first, last), an operator with its
            operand ("gt 1023"), or None: any.
        dport: as sport.

    Raises:
        ValueError: an argument is not legal, or the ends are of different families.
    """
    return _rule(True, protocol, (source, sport), (destination, dport))


def deny(
    protocol: str | int = "tcp",
    source: str = "any",
    destination: str = "any",
    *,
    sport: Port = None,
    dport: Port = None,
) -> Rule:
    """Return a rule that denies; see `permit`."""
    return _rule(False, protocol, (source, sport), (destination, dport))


def _rule(
    allow: bool,
    protocol: str | int,
    source: tuple[str, Port],
    destination: tuple[str, Port],
) -> Rule:
    places = [_place(source[0]), _place(destination[0])]
    families = {family for family, _, _ in places} - {ANY_FAMILY}
    if len(families) > 1:
        raise ValueError(f"{source[0]!r} and {destination[0]!r} are of two families")
    family = families.pop() if families else ANY_FAMILY
    names = PROTOCOLS[family or addresses.IPV4]
    if family == addresses.IPV6:
        names = {**names, "ip": 0}
    number = protocol_number(str(protocol), names)
    ends = [
        End(family, packed, wildcard, _ports(port, number))
        for (_, packed, wildcard), (_, port) in zip(
            places, (source, destination), strict=True
        )
    ]
    return Rule(allow, number, *ends)


def _place(text: str) -> tuple[int, bytes, bytes]:
    """Read one end of a `permit` line."""
    words = text.split()
    if words == ["any"]:
        return ANY_FAMILY, addresses.ANY, b"\xff" * 16
    if len(words) == 2:
        return (addresses.IPV4, *masked(*words))
    return prefix(text if "/" in text else f"{text}/{BITS[addresses.pack(text)[0]]}")


def _ports(port: Port, protocol: int) -> Ports:
    if port is None:
        return ANY_PORT
    if isinstance(port, tuple):
        words = ["range", *map(str, port)]
    else:
        words = str(port).split()
        if len(words) == 1:
            words = ["eq", *words]
    ports = take_ports(words, protocol)
    if words or len(ports) != 1:
        raise ValueError(f"{port!r} is not a port")
    return ports[0]


def _speaks_ipv6(words: Sequence[str]) -> bool:
    return any(word == "ipv6" or ":" in word for word in words)
