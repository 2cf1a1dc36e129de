"""One rule of an access list: two ends, a protocol, and the action on a match.

Contents: the values and how their parts are spelled.  Elsewhere: lists (`acl`)
and reading whole lines (`acl_parse`).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from .. import address as addresses
from ..abbreviation import keyword
from ..ports import ANY_PORT, TCP, UDP, Ports

ICMP, ICMPV6, SCTP = 1, 58, 132
ANY_FAMILY = 0
BITS = {addresses.IPV4: 32, addresses.IPV6: 128}
# By family: `ip` and `ipv6` mean every protocol of theirs.
_OTHERS = {"ahp": 51, "esp": 50, "pcp": 108, "sctp": SCTP}
PROTOCOLS = {
    addresses.IPV4: {"ip": 0, "icmp": ICMP, "tcp": TCP, "udp": UDP}
    | _OTHERS
    | {"eigrp": 88, "gre": 47, "igmp": 2, "igrp": 9, "ipinip": 4}
    | {"nos": 94, "ospf": 89, "pim": 103},
    addresses.IPV6: {"ipv6": 0, "icmp": ICMPV6, "tcp": TCP, "udp": UDP} | _OTHERS,
}
NUMBER_MAX = 255


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
        size = BITS[self.family] // 8
        wildcard = self.wildcard[:size]
        if wildcard == bytes(size):
            return f"host {text}"
        if self.family == addresses.IPV4:
            return f"{text} {addresses.text(addresses.IPV4, self.wildcard)}"
        bits = BITS[self.family] - int.from_bytes(wildcard, "big").bit_length()
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
        names = {number: name for name, number in PROTOCOLS[family].items()}
        protocol = names.get(self.protocol, str(self.protocol))
        return f"{action} {protocol} {self.source} {self.destination}"


def protocol_number(word: str, names: dict[str, int]) -> int:
    """Return the number that a word means; ValueError names the legal values."""
    name = keyword(word, names, 1)
    if name is not None:
        return names[name]
    if word.isascii() and word.isdecimal() and int(word) <= NUMBER_MAX:
        return int(word)
    raise ValueError(f"a protocol is one of {', '.join(names)}, not {word!r}")


def packed_address(text: str) -> tuple[int, bytes]:
    """Return the family and the 16 bytes of an address."""
    try:
        return addresses.pack(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an address") from None


def masked(text: str, mask: str) -> tuple[bytes, bytes]:
    """Read an IPv4 address and its wildcard mask; bits that do not count are 0."""
    (family, packed), (other, wildcard) = packed_address(text), packed_address(mask)
    if family != addresses.IPV4 or other != addresses.IPV4:
        raise ValueError(f"{text} {mask}: a wildcard mask is one of IPv4")
    whole = wildcard[:4] + b"\xff" * 12
    kept = bytes(a & ~w & 0xFF for a, w in zip(packed, whole, strict=True))
    return kept, whole


def prefix(text: str, *, strict: bool = True) -> tuple[int, bytes, bytes]:
    """Return family, address and wildcard mask of `10.0.0.0/8`."""
    try:
        network = ipaddress.ip_network(text, strict=strict)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a prefix: {error}") from None
    packed = network.network_address.packed.ljust(16, b"\0")
    width = BITS[network.version]
    return (
        network.version,
        packed,
        wildcard_of(network.version, width - network.prefixlen),
    )


def wildcard_of(family: int, bits: int) -> bytes:
    """Return the mask without the last `bits` and the bits that C leaves unused."""
    mask = (1 << bits) - 1
    return mask.to_bytes(BITS[family] // 8, "big").ljust(16, b"\xff")
