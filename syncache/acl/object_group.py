"""Object groups of IOS: names for sets of addresses and of services.

    object-group network SERVERS            object-group service WEB
     host 198.51.100.5                       tcp eq www
     198.51.100.64 255.255.255.192           tcp source gt 1023 eq 8080
     range 198.51.100.130 198.51.100.140     udp range 5000 5010
     group-object OTHERS                     tcp-udp eq domain

Firewalls (PIX, ASA) have the same with `network-object`, `service-object` and
`port-object` in front of members, and objects that are groups of one.

Contents: reading the lines of a group, and what a rule becomes of it.  What is not:
rules (`acl_parse`), and the command that begins a group (`ios_access`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import address as addresses
from ..abbreviation import keyword
from ..ports import (
    ANY_PORT,
    OPERATORS,
    PORT_NAMES,
    TCP,
    UDP,
    Ports,
    numbered,
    take_ports,
)
from .parse import LeftOut, Service, prefixes
from .rule import BITS, PROTOCOLS, masked, packed_address, prefix, protocol_number
from .rule import wildcard_of as wildcard

if TYPE_CHECKING:
    from collections.abc import Mapping

NETWORK, SERVICE = "network", "service"
PROTOCOL, PORTS = "protocol", "ports"
DEPTH_MAX = 16  # groups in groups
MEMBERS_MAX = 4096
_BOTH = "tcp-udp"
_FIREWALL = ("network-object", "service-object", "port-object", "protocol-object")
_MEMBERS = (*_FIREWALL, "description", "group-object")
_MEANINGS = {"object-group": "group-object"}  # in IOS XR
_WITHOUT_PORTS = {"icmp", "icmpv6", "igmp"}  # a type may follow
Place = tuple[int, bytes, bytes]


@dataclass(slots=True)
class Group:
    """One object group: its own members, and the groups that it contains.

    `unclear` names a member that cannot be expressed here, such as a host name, `fault`
    the first that was not understood.
    """

    name: str
    kind: str
    own_places: list[Place] = field(default_factory=list)
    own_services: list[Service] = field(default_factory=list)
    own_ports: list[Ports] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)
    unclear: str = ""
    fault: str = ""

    @property
    def has_ports(self) -> bool:
        """Whether its name may stand for the ports of one end."""
        return self.kind in {SERVICE, PORTS}

    def take(self, words: list[str]) -> None:
        """Read one line of the group; ValueError describes the fault."""
        if self.kind in {NETWORK, PORTS} and _is_numbered(words):
            words = words[1:]
        name = _MEANINGS.get(words[0].lower()) or keyword(words[0], _MEMBERS) or ""
        if name == "description":
            return
        if name in _FIREWALL:
            words = numbered(words[1:])
        if name in _FIREWALL and words[:1] == ["object"]:
            name, words = "group-object", words[:2]
        if not words:
            raise ValueError(f"{name} wants a member behind it")
        if name == "group-object":
            if len(words) != 2:
                raise ValueError("group-object wants one name")
            self.inner.append(words[1])
        else:
            self._member(name, words)

    def _member(self, name: str, words: list[str]) -> None:
        """Take a member that is not a group."""
        if name == "port-object" or self.kind == PORTS:
            left = list(words)
            self.own_ports += take_ports(left, TCP)
            if left:
                raise ValueError(f"{left[0]!r} is not understood in a group of ports")
        elif name == "service-object":
            self.own_services += _services([w for w in words if w != "destination"])
        elif self.kind == NETWORK:
            self.own_places += self._places(words)
        elif self.kind in {SERVICE, PROTOCOL}:
            self.own_services += _services(words)
        else:
            self.unclear = self.kind

    def places(
        self, groups: Mapping[str, Group], family: int
    ) -> list[tuple[bytes, bytes]]:
        """Return the addresses of a family, those of inner groups included."""
        found: list[tuple[bytes, bytes]] = []
        for group in self._members(groups, NETWORK):
            found += [(a, w) for of, a, w in group.own_places if of in {0, family}]
        if not found:
            raise LeftOut(
                f"rules with object-group {self.name}, an empty one, left out"
            )
        return found

    def services(self, groups: Mapping[str, Group]) -> list[Service]:
        """Return the services, those of inner groups included."""
        found = [
            service
            for group in self._members(
                groups, PROTOCOL if self.kind == PROTOCOL else SERVICE
            )
            for service in group.own_services
        ]
        if not found:
            raise LeftOut(
                f"rules with object-group {self.name}, an empty one, left out"
            )
        return found

    def ports(self, groups: Mapping[str, Group]) -> list[Ports]:
        """Return the ports of a group that has nothing else."""
        kind = PORTS if self.kind == PORTS else SERVICE
        found = [p for group in self._members(groups, kind) for p in group.own_ports]
        if not found:
            raise LeftOut(f"rules with ports of object-group {self.name} left out")
        return found

    def _members(self, groups: Mapping[str, Group], kind: str) -> list[Group]:
        """Return this group and all groups in it, each once."""
        found: dict[str, Group] = {}
        waiting = [(self, 0)]
        while waiting:
            group, depth = waiting.pop()
            if group.fault:
                raise ValueError(f"object-group {group.name}: {group.fault}")
            if group.kind != kind or group.unclear or depth > DEPTH_MAX:
                why = group.unclear or f"a group of kind {group.kind}"
                raise LeftOut(f"rules with object-group {self.name} left out: {why}")
            if group.name in found:
                continue
            found[group.name] = group
            for name in group.inner:
                if name not in groups:
                    raise LeftOut(f"rules with {name}, an unknown group, left out")
                waiting.append((groups[name], depth + 1))
        return list(found.values())

    def _places(self, words: list[str]) -> list[Place]:
        """Read one member of a network group."""
        word = words[0]
        if len(self.own_places) >= MEMBERS_MAX:
            raise ValueError(f"a group has {MEMBERS_MAX} members at most")
        if len(words) == 1 and keyword(word, ("any",)):
            return [(0, addresses.ANY, b"\xff" * 16)]
        if len(words) == 2 and keyword(word, ("host",)):
            return self._host(words[1])
        if len(words) == 3 and keyword(word, ("range",)):
            return _range(words[1], words[2])
        if len(words) == 2 and words[1].startswith("/"):
            return [prefix(word + words[1], strict=False)]
        if len(words) == 1:
            return [prefix(word, strict=False)] if "/" in word else self._host(word)
        if len(words) == 2:
            # A mask of a subnet here, not a wildcard.
            family, packed = packed_address(words[1])
            mask = packed[:4]
            if packed[0] or not any(mask):  # else a wildcard, as switches have it
                mask = bytes(byte ^ 0xFF for byte in mask)
            text = addresses.text(addresses.IPV4, mask.ljust(16, b"\0"))
            if family == addresses.IPV4:
                return [(family, *masked(word, text))]
        raise ValueError(f"{' '.join(words)!r} is not a member of a network group")

    def _host(self, text: str) -> list[Place]:
        try:
            family, packed = packed_address(text)
        except ValueError:
            if not text[:1].isalpha():
                raise
            self.unclear = f"{text} is a name, not an address"
            return []
        return [(family, packed, wildcard(family, 0))]


def _is_numbered(words: list[str]) -> bool:
    """Tell whether a sequence number is in front, as switches have it."""
    return len(words) > 1 and words[0].isdecimal() and not words[1].startswith("/")


def _range(first: str, last: str) -> list[Place]:
    (family, low), (other, high) = packed_address(first), packed_address(last)
    size = BITS[family] // 8
    ends = int.from_bytes(low[:size], "big"), int.from_bytes(high[:size], "big")
    if family != other or ends[0] > ends[1]:
        raise ValueError(f"range {first} {last} is the wrong way round")
    return [(family, *place) for place in prefixes(family, *ends)]


def _services(words: list[str]) -> list[Service]:
    """Read one member of a service group."""
    rest = list(words)
    word = rest.pop(0)
    if keyword(word, (_BOTH,)) and len(word) > len("tcp"):
        numbers = [TCP, UDP]
    else:
        names = {**PROTOCOLS[addresses.IPV6], **PROTOCOLS[addresses.IPV4]}
        numbers = [protocol_number(word, names)]
        if word.lower() in _WITHOUT_PORTS and rest:
            return [Service(numbers[0])]
    found = []
    for number in numbers:
        left = list(rest)
        source = [ANY_PORT]
        if left and keyword(left[0], ("source",)):
            left.pop(0)
            source = _take(left, number)
        target = _take(left, number)
        if left:
            raise ValueError(f"{left[0]!r} is not understood in a service group")
        found += [Service(number, one, other) for one in source for other in target]
    return found


def _take(words: list[str], number: int) -> list[Ports]:
    """Take ports from the front; a bare number or name means eq."""
    bare = words and not keyword(words[0], OPERATORS[1:])
    named = words and (
        words[0].isdecimal() or words[0].lower() in PORT_NAMES.get(number, {})
    )
    if bare and named:
        words.insert(0, "eq")
    return take_ports(words, number)
