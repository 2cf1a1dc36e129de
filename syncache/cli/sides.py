"""Whether the two sides of a box are swapped, and connections that it does not protect.

Contents: the evidence of the kernel before the start (its routes and neighbours); that
of the packets afterwards (connections to protected servers, and those of many networks,
begin outside); the family that an access list leaves out.  None of it is certain, so
all of it is warnings.
"""

from __future__ import annotations

import ipaddress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import address as addresses
from ..attempts import Attempts
from ..flow import Side
from . import one_line
from .log_form import WARNING
from .memory import shortage
from .sink import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..acl import AccessList
    from ..acl.rule import End
    from ..attempts import Counted
    from ..flow import Flow
    from ..ring import Ring
    from .output import Output

PROC = Path("/proc/net")
LOOK_SECONDS = 1.0
SYNS_MIN = 3  # from the inside, to a protected server
# Networks (/24 or /48) whose connections begin at the inside within a second: more than
# a large site has, and many more than begin at the outside.
NETWORKS_MIN = 300
NETWORKS_TIMES = 8
OTHER_WAY = "if the sides are swapped, give --inside and --outside the other way round"
NEIGHBOUR_COMPLETE = 2
ROUTE_UP = 1
ROWS_MAX = 100_000  # of a table of routes; a gateway to everywhere has ten times that
ANSWERS_MAX = 1024  # which servers a list protects


class Route(NamedTuple):
    """A network that the kernel reaches through an interface."""

    version: int
    length: int
    address: int
    interface: str


def doubts(
    options: argparse.Namespace, engine: Flow, acl: AccessList | None
) -> list[str]:
    """Return the warnings of a start, a reload, or `--check`, want of memory too.

    The kernel routes into TUN devices, so there its routes to servers lead outside.
    """
    bridged = options.inside is not None and not options.tun
    found = suspicions(options.outside, options.inside, acl) if bridged else []
    return found + left_out(acl) + shortage(engine)


def warned(
    options: argparse.Namespace, engine: Flow, output: Output, acl: AccessList | None
) -> Callable[[], None]:
    """Return the function that writes the warnings; the work for them is done here."""
    found = doubts(options, engine, acl)

    def say() -> None:
        for text in found:
            output.write(f"{text}\n", kind="sides", severity=WARNING)

    return say


def say_each(command: str, found: Sequence[str]) -> None:
    """Write the warnings of a check to the standard error."""
    for text in found:
        say(f"syncache {command}: {one_line(text)}")


def left_out(acl: AccessList | None) -> list[str]:
    """Return the remedy if an access list has rules of one family only."""
    families = {rule.family for rule in acl.rules} if acl is not None else set()
    if acl is None or len(families) != 1 or not families < set(_RULES):
        return []
    (other,) = _RULES.keys() - families
    if not any(rule.permit for rule in acl.rules):
        return []
    some, every = _RULES[other]
    text = (
        f"list {acl.name} has no rule of IPv{other}, so connections of IPv{other} pass "
        f"unprotected: add `permit {some}` for each server, or `deny {every}` if that "
        "is intended"
    )
    return [text]


# An example of a protected server, and every packet of a family.
_RULES = {
    addresses.IPV4: ("tcp any host 192.0.2.1", "tcp any any"),
    addresses.IPV6: ("tcp any host 2001:db8::1", "ipv6 any any"),
}


def suspicions(
    outside: str, inside: str, acl: AccessList | None, proc: Path = PROC
) -> list[str]:
    """Return why the sides look swapped, as the kernel sees gateway and servers."""
    known = [*_routes4(proc), *_routes6(proc), *_neighbours(proc)]
    found = []
    gateways = {route.interface for route in known if route.length == 0}
    if inside in gateways and outside not in gateways:
        found.append(
            f"the kernel's default route is through {inside}, the inside: {OTHER_WAY}"
        )
    ways: dict[tuple[int, int, int], set[str]] = {}
    for version, length, address, interface in known:
        ways.setdefault((version, length, address), set()).add(interface)
    for server in _servers(acl):
        through = _through(server, ways)
        if outside in through and inside not in through:
            assert acl is not None
            found.append(
                f"{server} of list {acl.name} is reached through {outside}, the "
                f"outside: {OTHER_WAY}"
            )
    return found


def _through(
    server: ipaddress.IPv4Network | ipaddress.IPv6Network,
    ways: Mapping[tuple[int, int, int], set[str]],
) -> set[str]:
    """Return the interfaces of the longest prefix that holds a server; none: default.

    The number of routes does not matter.
    """
    size, address = server.max_prefixlen, int(server.network_address)
    for length in range(size, 0, -1):
        found = ways.get((server.version, length, address >> (size - length)))
        if found:
            return found
    return set()


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
    """Return the rows of a table of the kernel's; none if they are too many to read."""
    try:
        with path.open(encoding="ascii") as file:
            rows = [line.split() for line in islice(file, ROWS_MAX + 1)]
    except OSError:
        return []
    return rows if len(rows) <= ROWS_MAX else []


def _routes4(proc: Path) -> Iterator[Route]:
    for row in _rows(proc / "route")[1:]:
        name, destination, _, flags, _, _, _, mask = row[:8]
        if int(flags, 16) & ROUTE_UP:
            packed = int.from_bytes(bytes.fromhex(destination)[::-1], "big")
            length = int(mask, 16).bit_count()
            yield Route(4, length, packed >> (32 - length), name)


def _routes6(proc: Path) -> Iterator[Route]:
    for row in _rows(proc / "ipv6_route"):
        length = int(row[1], 16)
        yield Route(6, length, int(row[0], 16) >> (128 - length), row[-1])


def _neighbours(proc: Path) -> Iterator[Route]:
    for row in _rows(proc / "arp")[1:]:
        if int(row[2], 16) & NEIGHBOUR_COMPLETE:
            yield Route(4, 32, int(ipaddress.IPv4Address(row[0])), row[-1])


class Sides:
    """Watches where connections begin.

    Args:
        acl: Returns the list in force.
        inside: The name of the interface.
    """

    def __init__(self, acl: Callable[[], AccessList | None], inside: str) -> None:
        self._acl = acl
        self._inside = inside
        self._attempts = {side: Attempts() for side in (Side.CLIENT, Side.SERVER)}
        self._due = 0.0
        self._said = False
        # Of one list: whether it protects an address and port.
        self._answers: dict[tuple[str, int], bool] = {}
        self._asked: AccessList | None = None

    def look(self, rx: Ring, side: Side) -> None:
        """Count the connections that packets of a side begin."""
        if not self._said:
            self._attempts[side].look(rx)

    def turn(self, now: float) -> str | None:
        """Return a warning, once, if the sides look swapped."""
        if now < self._due or self._said:
            return None
        self._due = now + LOOK_SECONDS
        outside = self._attempts[Side.CLIENT].take()
        inside = self._attempts[Side.SERVER].take()
        found = self._protected(inside)
        if inside.prefixes >= max(NETWORKS_MIN, NETWORKS_TIMES * outside.prefixes):
            found = found or (
                f"connections of {inside.prefixes} networks begin at {self._inside}, "
                f"the inside, and of {outside.prefixes} outside: {OTHER_WAY}"
            )
        self._said = found is not None
        return found

    def _protected(self, inside: Counted) -> str | None:
        """Return a warning if protected servers are asked from the inside."""
        acl = self._acl()
        if acl is not self._asked or len(self._answers) > ANSWERS_MAX:
            self._asked, self._answers = acl, {}
        known = self._answers
        for asked in inside.asked:
            if asked.syns < SYNS_MIN:
                continue
            server = (asked.address, asked.port)
            if is_new := server not in known:
                known[server] = _is_protected(acl, *server)
            if known[server]:
                assert acl is not None
                return (
                    f"{asked.syns} connections to {asked.address} port {asked.port} of "
                    f"list {acl.name} begin at {self._inside}, the inside: if the "
                    "sides are swapped, nothing is protected"
                )
            if is_new:  # a long list takes a millisecond: one at a time
                break
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
