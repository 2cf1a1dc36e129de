"""Access lists: which connections a middlebox mode is for.

An `AccessList` is a sequence of rules of which the first that matches decides; what no
rule matches is denied.  Rules come from Cisco's extended syntax, or from `permit()` and
`deny()`:

    access-list 100 permit tcp any host 198.51.100.5 eq www
    ip access-list extended web          ipv6 access-list web
     deny tcp host 192.0.2.10 any         permit tcp any 2001:db8::/64 range 80 90
     permit tcp any any neq 22

What is not here: the commands around the rules (`ios_config` reads them) and matching
of packets, which csrc/flow does with what `AccessList.compiled()` returns; `permits()`
is the same in plain words, for people and for tests.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import address as addresses
from .abbreviation import keyword
from .ports import ANY_PORT, OPERATORS, TCP, UDP, Ports, take_ports

if TYPE_CHECKING:
    from collections.abc import Sequence

ICMP, ICMPV6 = 1, 58
ANY_FAMILY = 0
_BITS = {addresses.IPV4: 32, addresses.IPV6: 128}
# By family: `ip` and `ipv6` mean every protocol of theirs.
_OTHERS = {"ahp": 51, "esp": 50, "pcp": 108, "sctp": 132}
_PROTOCOLS = {
    addresses.IPV4: {"ip": 0, "icmp": ICMP, "tcp": TCP, "udp": UDP}
    | _OTHERS
    | {"eigrp": 88, "gre": 47, "igmp": 2, "igrp": 9, "ipinip": 4}
    | {"nos": 94, "ospf": 89, "pim": 103},
    addresses.IPV6: {"ipv6": 0, "icmp": ICMPV6, "tcp": TCP, "udp": UDP} | _OTHERS,
}
# Words behind a rule: how many operands follow, and what becomes of the rule.
_LOGS = {"log": 0, "log-input": 0}
_CONDITIONS = {
    "time-range": 1,
    "dscp": 1,
    "precedence": 1,
    "tos": 1,
    "flow-label": 1,
    "reflect": 1,
    "timeout": 1,
    "option": 1,
}
_FLAGS = ("ack", "fin", "psh", "rst", "syn", "urg")
_NO_SYN = {
    "established": "established matches no SYN",
    "fragments": "a SYN is in the first",
}
_TYPED = {ICMP, 2, ICMPV6}  # ICMP and IGMP have types in the place of ports
_NUMBER_MAX = 255


@dataclass(frozen=True, slots=True)
class End:
    """One end of a rule: addresses of a family, less the wildcard bits, and ports."""

    family: int = ANY_FAMILY
    address: bytes = addresses.ANY
    wildcard: bytes = b"\xff" * 16
    ports: Ports = ANY_PORT

    def admits(self, family: int, packed: bytes, port: int) -> bool:
        """Tell whether an address, as 16 bytes of C, and a port are of this end."""
        if self.family not in {ANY_FAMILY, family}:
            return False
        same = all(
            (one ^ other) & ~wild & 0xFF == 0
            for one, other, wild in zip(
                self.address, packed, self.wildcard, strict=True
            )
        )
        return same and self.ports.admit(port)

    @property
    def any_address(self) -> bool:
        """Whether every address is of this end."""
        return self.wildcard == b"\xff" * 16

    def __str__(self) -> str:
        return f"{self._place()}{self.ports}"

    def _place(self) -> str:
        if self.any_address:
            return "any"
        text = addresses.text(self.family, self.address)
        size = _BITS[self.family] // 8
        wildcard = self.wildcard[:size]
        if wildcard == bytes(size):
            return f"host {text}"
        if self.family == addresses.IPV4:
            return f"{text} {addresses.text(addresses.IPV4, self.wildcard)}"
        bits = _BITS[self.family] - int.from_bytes(wildcard, "big").bit_length()
        return f"{text}/{bits}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of an access list."""

    permit: bool
    protocol: int
    source: End
    destination: End

    @property
    def family(self) -> int:
        """4 or 6; 0: either."""
        return self.source.family or self.destination.family

    def matches(
        self, protocol: int, source: tuple[str, int], destination: tuple[str, int]
    ) -> bool:
        """Tell whether the rule speaks of a packet between two (address, port)."""
        family, source_packed, packed = addresses.pair(source[0], destination[0])
        return (
            self.protocol in {0, protocol}
            and self.source.admits(family, source_packed, source[1])
            and self.destination.admits(family, packed, destination[1])
        )

    def __str__(self) -> str:
        action = "permit" if self.permit else "deny"
        family = self.family or addresses.IPV4
        names = {number: name for name, number in _PROTOCOLS[family].items()}
        protocol = names.get(self.protocol, str(self.protocol))
        return f"{action} {protocol} {self.source} {self.destination}"


@dataclass(frozen=True, slots=True)
class AccessList:
    """Rules under a name; the first that matches decides, and none means deny.

    The name is what `show tcp intercept statistics` and `net.inet.tcp.intercept.list`
    call it.
    """

    name: str
    rules: tuple[Rule, ...] = field(default=())

    def __init__(self, name: str | int, rules: Sequence[Rule] = ()) -> None:
        object.__setattr__(self, "name", str(name))
        object.__setattr__(self, "rules", tuple(rules))

    @classmethod
    def parse(cls, lines: str | Sequence[str], name: str | int = "acl") -> AccessList:
        """Make a list of rules alone, one a line: `permit tcp any any eq www`.

        A rule with an IPv6 address, or for `ipv6`, is one of IPv6; others are of IPv4.

        Raises:
            ValueError: a line is no rule, with its number.
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
        """Tell what becomes of a packet between two (address, port)."""
        for rule in self.rules:
            if rule.matches(protocol, source, destination):
                return rule.permit
        return False

    def compiled(self) -> list[dict[str, object]]:
        """Return the rules as initialisers of struct flow_rule."""
        return [
            {
                "permit": int(rule.permit),
                "protocol": rule.protocol,
                "family": rule.family,
            }
            | _end_to_c("source", rule.source)
            | _end_to_c("destination", rule.destination)
            for rule in self.rules
        ]

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


def _end_to_c(name: str, end: End) -> dict[str, object]:
    return {
        name: end.address,
        f"{name}_wildcard": end.wildcard,
        f"{name}_op": OPERATORS.index(end.ports.operator),
        f"{name}_lo": end.ports.low,
        f"{name}_hi": end.ports.high,
    }


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
    names = _PROTOCOLS[family or addresses.IPV4]
    if family == addresses.IPV6:
        names = {**names, "ip": 0}
    number = _protocol(str(protocol), names)
    ends = [
        End(family, packed, wildcard, _ports(port, number))
        for (_, packed, wildcard), (_, port) in zip(
            places, (source, destination), strict=True
        )
    ]
    return Rule(allow, number, *ends)


def _place(text: str) -> tuple[int, bytes, bytes]:
    """Read what `permit` takes for an end."""
    words = text.split()
    if words == ["any"]:
        return ANY_FAMILY, addresses.ANY, b"\xff" * 16
    if len(words) == 2:
        return (addresses.IPV4, *_masked(*words))
    return _prefix(text if "/" in text else f"{text}/{_BITS[addresses.pack(text)[0]]}")


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
        raise ValueError(f"{port!r} is no port")
    return ports[0]


# Rules from words, as the original spells them.


def parse_rule(words: Sequence[str], family: int, notes: list[str]) -> list[Rule]:
    """Read `permit PROTOCOL SOURCE [PORTS] DESTINATION [PORTS] ...` of one family.

    Several ports make several rules.  A rule that no first packet of a connection can
    match, or that cannot be expressed here, makes none; `notes` then says why.

    Raises:
        ValueError: it is not of this form; the message says where.
    """
    rest = _bare(words)
    permit = _action(rest)
    if any(keyword(word, ("object-group",)) for word in rest):
        notes.append("rules with an object-group are left out")
        return []
    number = _protocol(rest.pop(0) if rest else "", _PROTOCOLS[family])
    ends = []
    for _ in range(2):
        packed, wildcard = _take_address(rest, family)
        ports = take_ports(rest, number)
        ends.append([End(family, packed, wildcard, one) for one in ports])
    if not _take_conditions(rest, number, notes):
        return []
    return [Rule(permit, number, one, other) for one in ends[0] for other in ends[1]]


def parse_standard(words: Sequence[str], notes: list[str]) -> list[Rule]:
    """Read a rule of a standard list, `permit SOURCE`: every protocol, IPv4.

    Raises:
        ValueError: it is not of this form; the message says where.
    """
    rest = [word.rstrip(",") for word in _bare(words)]
    permit = _action(rest)
    if rest[1:3] == ["wildcard", "bits"]:  # as `show access-lists` prints it
        del rest[1:3]
    if rest and "." in rest[0] and not (rest[1:] and "." in rest[1]):
        rest.insert(0, "host")
    packed, wildcard = _take_address(rest, addresses.IPV4)
    if not _take_conditions(rest, 0, notes):
        return []
    source = End(addresses.IPV4, packed, wildcard)
    return [Rule(permit, 0, source, End(addresses.IPV4))]


def _bare(words: Sequence[str]) -> list[str]:
    """Return words without what `show access-lists` prints behind a rule."""
    rest = list(words)
    if len(rest) > 1 and keyword(rest[-2], ("sequence",)) and rest[-1].isdecimal():
        del rest[-2:]
    counted = next((i for i, word in enumerate(rest) if word.startswith("(")), None)
    if counted is not None and rest[-1].rstrip(")") in {"match", "matches"}:
        del rest[counted:]
    return rest


def _action(rest: list[str]) -> bool:
    word = rest.pop(0) if rest else ""
    action = keyword(word, ("permit", "deny"))
    if action is None:
        raise ValueError(f"a rule begins with permit or deny, not {word!r}")
    return action == "permit"


def _take_conditions(rest: list[str], number: int, notes: list[str]) -> bool:
    """Take the words behind the ends; False if the rule has to be left out."""
    kept = True
    flags: list[str] = []
    while rest:
        word = rest.pop(0)
        choices = [*_LOGS, *_CONDITIONS, *_NO_SYN]
        if number == TCP:
            choices += [*_FLAGS, "match-any", "match-all"]
        name = keyword(word, choices) or ""
        if name in _CONDITIONS:
            if not rest:
                raise ValueError(f"{word} wants a value behind it")
            rest.pop(0)
            notes.append(f"{name} is ignored: the rule holds without it")
        elif name in _NO_SYN:
            notes.append(f"rules with {name} are left out: {_NO_SYN[name]}")
            kept = False
        elif name in _FLAGS:
            flags.append(name)
        elif name in {"match-any", "match-all"}:
            while rest and rest[0][1:].lower() in _FLAGS and rest[0][0] in "+-":
                rest.pop(0)
            notes.append(f"rules with {name} are left out")
            kept = False
        elif number in _TYPED and word.replace("-", "").isalnum() and not name:
            notes.append("rules for a type of ICMP or IGMP are left out")
            kept = False
        elif name not in _LOGS:
            raise ValueError(f"{word!r} is more than a rule can say here")
    if flags and "syn" not in flags:
        notes.append(f"rules with {flags[0]} are left out: no first SYN has it")
        kept = False
    return kept


def _protocol(word: str, names: dict[str, int]) -> int:
    name = keyword(word, names)
    if name is not None:
        return names[name]
    if word.isascii() and word.isdecimal() and int(word) <= _NUMBER_MAX:
        return int(word)
    raise ValueError(f"a protocol is one of {', '.join(names)}, not {word!r}")


def _take_address(words: list[str], family: int) -> tuple[bytes, bytes]:
    """Take `any`, `host A`, `A WILDCARD` or `PREFIX/LENGTH` from the front."""
    word = words.pop(0) if words else ""
    if keyword(word, ("any",)):
        return addresses.ANY, b"\xff" * 16
    if keyword(word, ("host",)):
        host = words.pop(0) if words else ""
        found, packed = _packed(host)
        if found != family:
            raise ValueError(f"{host} is not an address of IPv{family}")
        return packed, _wildcard(family, 0)
    if family == addresses.IPV6:
        found, packed, wildcard = _prefix(word, strict=False)
        if found != family or "/" not in word:
            raise ValueError(f"{word!r} is not any, host or an IPv6 prefix")
        return packed, wildcard
    if not words:
        raise ValueError(f"{word!r} is not any, host A or an address with its wildcard")
    return _masked(word, words.pop(0))


def _packed(text: str) -> tuple[int, bytes]:
    try:
        return addresses.pack(text)
    except ValueError:
        raise ValueError(f"{text!r} is no address") from None


def _masked(text: str, mask: str) -> tuple[bytes, bytes]:
    """Read an IPv4 address and its wildcard mask; bits that do not count are 0."""
    (family, packed), (other, wildcard) = _packed(text), _packed(mask)
    if family != addresses.IPV4 or other != addresses.IPV4:
        raise ValueError(f"{text} {mask}: a wildcard mask is one of IPv4")
    whole = wildcard[:4] + b"\xff" * 12
    kept = bytes(a & ~w & 0xFF for a, w in zip(packed, whole, strict=True))
    return kept, whole


def _prefix(text: str, *, strict: bool = True) -> tuple[int, bytes, bytes]:
    try:
        network = ipaddress.ip_network(text, strict=strict)
    except ValueError as error:
        raise ValueError(f"{text!r} is no prefix: {error}") from None
    packed = network.network_address.packed.ljust(16, b"\0")
    width = _BITS[network.version]
    return (
        network.version,
        packed,
        _wildcard(network.version, width - network.prefixlen),
    )


def _wildcard(family: int, bits: int) -> bytes:
    """Return the mask whose last `bits` do not count, nor what C leaves unused."""
    mask = (1 << bits) - 1
    return mask.to_bytes(_BITS[family] // 8, "big").ljust(16, b"\xff")


def _speaks_ipv6(words: Sequence[str]) -> bool:
    return any(word == "ipv6" or ":" in word for word in words)
