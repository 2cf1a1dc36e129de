"""Whether the two sides of a box are the wrong way round.

Contents: the evidence of the kernel before the start (its routes and neighbours), and
that of the packets afterwards: connections to protected servers belong outside.
Neither is certain, so both are warnings.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import address as addresses
from ..attempts import Attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..acl import AccessList
    from ..acl.rule import End
    from ..ring import Ring

PROC = Path("/proc/net")
LOOK_SECONDS = 1.0
SYNS_MIN = 3  # from the inside, to a protected server
NEIGHBOUR_COMPLETE = 2
ROUTE_UP = 1


class Route(NamedTuple):
    """A network that the kernel reaches through an interface."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    interface: str


def suspicions(
    outside: str, inside: str, acl: AccessList | None, proc: Path = PROC
) -> list[str]:
    """Return why the sides look swapped, as the kernel sees the protected servers."""
    known = [*_routes4(proc), *_routes6(proc), *_neighbours(proc)]
    found = []
    for server in _servers(acl):
        fits = [route for route in known if _holds(route, server)]
        best = max((route.network.prefixlen for route in fits), default=0)
        through = {route.interface for route in fits if route.network.prefixlen == best}
        if outside in through and inside not in through:
            assert acl is not None
            found.append(
                f"{server} of list {acl.name} is reached through {outside}, the "
                "outside: if the sides are swapped, give --inside and --outside the "
                "other way round"
            )
    return found


def _holds(route: Route, server: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    network = route.network
    if network.version != server.version or network.prefixlen == 0:
        return False
    return server.network_address in network


def _servers(
    acl: AccessList | None,
) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Yield the destinations that a list protects, but for `any`."""
    seen = set()
    for rule in acl.rules if acl is not None else ():
        end = rule.destination
        if not rule.permit or end.any_address or not end.family:
            continue
        network = _network(end)
        if network is not None and network not in seen:
            seen.add(network)
            yield network


def _network(end: End) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return the network of an end; None: its wildcard is none."""
    size = 32 if end.family == addresses.IPV4 else 128
    wildcard = int.from_bytes(end.wildcard[: size // 8], "big")
    if wildcard & (wildcard + 1):
        return None
    length = size - wildcard.bit_length()
    text = f"{addresses.text(end.family, end.address)}/{length}"
    return ipaddress.ip_network(text, strict=False)


def _rows(path: Path) -> list[list[str]]:
    try:
        return [line.split() for line in path.read_text("ascii").splitlines()]
    except OSError:
        return []


def _routes4(proc: Path) -> Iterator[Route]:
    for row in _rows(proc / "route")[1:]:
        name, destination, _, flags, _, _, _, mask = row[:8]
        if int(flags, 16) & ROUTE_UP:
            packed = int.from_bytes(bytes.fromhex(destination)[::-1], "big")
            length = int(mask, 16).bit_count()
            network = ipaddress.IPv4Network((packed, length), strict=False)
            yield Route(network, name)


def _routes6(proc: Path) -> Iterator[Route]:
    for row in _rows(proc / "ipv6_route"):
        network = ipaddress.IPv6Network(
            (bytes.fromhex(row[0]), int(row[1], 16)), strict=False
        )
        yield Route(network, row[-1])


def _neighbours(proc: Path) -> Iterator[Route]:
    for row in _rows(proc / "arp")[1:]:
        if int(row[2], 16) & NEIGHBOUR_COMPLETE:
            yield Route(ipaddress.IPv4Network(row[0]), row[-1])


class Sides:
    """Watches the packets of the inside.

    Args:
        acl: Returns the list in force.
        inside: The name of the interface.
    """

    def __init__(self, acl: Callable[[], AccessList | None], inside: str) -> None:
        self._acl = acl
        self._inside = inside
        self._attempts = Attempts()
        self._due = 0.0
        self._said = False

    def look(self, rx: Ring) -> None:
        """Count the connections that packets of the inside begin."""
        self._attempts.look(rx)

    def turn(self, now: float) -> str | None:
        """Return a warning, once, if protected servers are asked from the inside."""
        if now < self._due or self._said:
            return None
        self._due = now + LOOK_SECONDS
        acl = self._acl()
        for asked in self._attempts.take().asked:
            if asked.syns >= SYNS_MIN and _is_protected(acl, asked.address, asked.port):
                assert acl is not None
                self._said = True
                return (
                    f"{asked.syns} connections to {asked.address} port {asked.port} of "
                    f"list {acl.name} begin at {self._inside}, the inside: if the "
                    "sides are swapped, nothing is protected"
                )
        return None


def _is_protected(acl: AccessList | None, address: str, port: int) -> bool:
    """Return whether a list protects a server by its address, not by `any`."""
    family, packed = addresses.pack(address)
    return any(
        rule.permit
        and not rule.destination.any_address
        and rule.destination.admits(family, packed, port)
        for rule in (acl.rules if acl is not None else ())
    )
