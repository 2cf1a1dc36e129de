"""`Talkers`: who sends the SYNs, and to whom: a sample that forgets.

Read beside the packet loop, once a second, from the packets of its last burst, so that
no packet costs an instruction more.  What stays of a sample is a count for each network
of sources and each destination, halved again and again; their shares are published.
"""

from __future__ import annotations

import collections
import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Buffer

PREFIX = {4: 24, 6: 48}  # bits of a network of sources
TOP = 4  # of each that are published
SHARE_MIN = 0.02
BLOCKS_MAX = 16
BLOCK_SHARE = 0.2  # of a member's SYNs, from one network
KEPT = 256  # of each that are counted
DECAY = 0.9  # a second
TCP = 6
SYN, ACK = 0x02, 0x10
IPV4_BYTES, IPV6_BYTES = 20, 40
FLAGS_AT = 13

Shares = tuple[tuple[str, float], ...]


class Talkers:
    """Counts SYNs by network of sources, and by destination."""

    def __init__(self) -> None:
        self._sources: dict[bytes, float] = {}
        self._targets: dict[bytes, float] = {}
        self._count = 0.0

    def see(self, packets: Iterable[Buffer]) -> None:
        """Count the SYNs of a second's sample; what was before counts for less."""
        self._count *= DECAY
        for counts in (self._sources, self._targets):
            for key in counts:
                counts[key] *= DECAY
        for packet in packets:
            found = ends(packet)
            if found is not None:
                source, target = found
                self._count += 1
                self._sources[source] = self._sources.get(source, 0.0) + 1
                self._targets[target] = self._targets.get(target, 0.0) + 1
        self._sources, self._targets = _kept(self._sources), _kept(self._targets)

    @property
    def sources(self) -> Shares:
        """The networks that most SYNs came from, and their shares of all SYNs."""
        found = self._top(self._sources)
        return tuple((_network(packed), share) for packed, share in found)

    @property
    def targets(self) -> Shares:
        """The addresses that most SYNs went to, and their shares of all SYNs."""
        found = self._top(self._targets)
        return tuple((str(ipaddress.ip_address(at)), share) for at, share in found)

    def _top(self, counts: dict[bytes, float]) -> list[tuple[bytes, float]]:
        if self._count < 1:
            return []
        best = sorted(counts.items(), key=lambda item: -item[1])[:TOP]
        shares = [(key, count / self._count) for key, count in best]
        return [(key, share) for key, share in shares if share >= SHARE_MIN]


def to_block(members: Iterable[Shares], enough: int) -> tuple[str, ...]:
    """Return the networks that so many members name; no larger part of the world.

    Args:
        members: The networks that each has its SYNs from, and their shares.
        enough: Members that have to name one.
    """
    named = collections.Counter(
        network
        for shares in members
        for network, share in shares
        if share >= BLOCK_SHARE and may_block(network)
    )
    best = named.most_common(BLOCKS_MAX)
    return tuple(sorted(name for name, count in best if count >= enough))


def may_block(network: str) -> bool:
    """Whether it is a network of sources or a part of one."""
    found = ipaddress.ip_network(network)
    return found.prefixlen >= PREFIX[found.version]


def ends(packet: Buffer) -> tuple[bytes, bytes] | None:
    """Return the network of the source and the destination; None: it is no SYN."""
    data = bytes(memoryview(packet)[: 2 * IPV6_BYTES])
    if len(data) >= IPV4_BYTES and data[0] >> 4 == 4:
        at, protocol = (data[0] & 15) * 4, data[9]
        source, target = data[12:15], data[16:20]
    elif len(data) >= IPV6_BYTES and data[0] >> 4 == 6:
        at, protocol = IPV6_BYTES, data[6]
        source, target = data[8:14], data[24:40]
    else:
        return None
    if protocol != TCP or len(data) <= at + FLAGS_AT:
        return None
    if data[at + FLAGS_AT] & (SYN | ACK) != SYN:
        return None
    return source, target


def _network(packed: bytes) -> str:
    family = 4 if len(packed) == PREFIX[4] // 8 else 6
    size = 4 if family == 4 else 16
    address = ipaddress.ip_address(packed + bytes(size - len(packed)))
    return f"{address}/{PREFIX[family]}"


def _kept(counts: dict[bytes, float]) -> dict[bytes, float]:
    if len(counts) <= KEPT:
        return counts
    best = sorted(counts.items(), key=lambda item: -item[1])[: KEPT // 2]
    return dict(best)
