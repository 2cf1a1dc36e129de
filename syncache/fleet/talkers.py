"""`Talkers`: who sends the SYNs, and to whom, as shares that are published.

The engine's owner counts SYNs anyway, for `syncache top` (`lookout`); here what it
counted is read once a second, and what was before counts for less.
"""

from __future__ import annotations

import collections
import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..attempts import Counted

PREFIX = {4: 24, 6: 48}  # bits of a network of sources
RESERVED_BITS = 128 - PREFIX[6]
TOP = 4  # of each that are published
SHARE_MIN = 0.02
BLOCKS_MAX = 16
BLOCK_SHARE = 0.2  # of a member's SYNs, from one network
KEPT = 256  # of each that are counted
DECAY = 0.9  # a second

Shares = tuple[tuple[str, float], ...]


class Talkers:
    """Adds up SYNs by network of sources, and by destination."""

    def __init__(self) -> None:
        self._sources: dict[str, float] = {}
        self._targets: dict[str, float] = {}
        self._count = 0.0

    def see(self, counted: Counted | None) -> None:
        """Add the counts of a second; None: there are none."""
        self._count *= DECAY
        for counts in (self._sources, self._targets):
            for key in counts:
                counts[key] *= DECAY
        if counted is not None:
            self._count += counted.total
            for asked in counted.asked:
                _add(self._targets, asked.address, asked.syns)
            for asking in counted.asking:
                _add(self._sources, asking.prefix, asking.syns)
        self._sources, self._targets = _kept(self._sources), _kept(self._targets)

    @property
    def sources(self) -> Shares:
        """The networks that most SYNs came from, and their shares of all SYNs."""
        return self._top(self._sources)

    @property
    def targets(self) -> Shares:
        """The addresses that most SYNs went to, and their shares of all SYNs."""
        return self._top(self._targets)

    def _top(self, counts: dict[str, float]) -> Shares:
        if self._count < 1:
            return ()
        best = sorted(counts.items(), key=lambda item: -item[1])[:TOP]
        shares = ((key, min(count / self._count, 1.0)) for key, count in best)
        return tuple((key, share) for key, share in shares if share >= SHARE_MIN)


def to_block(members: Iterable[Shares], enough: int) -> tuple[str, ...]:
    """Return the networks that so many members name; no larger part of the world.

    Args:
        members: The networks that each has its SYNs from, and their shares.
        enough: Members that have to name one.
    """
    named: collections.Counter[str] = collections.Counter()
    for shares in members:  # who names one often has one voice all the same
        named.update({network for network, share in shares if share >= BLOCK_SHARE})
    for network in [*named]:
        if not may_block(network):
            del named[network]
    best = named.most_common(BLOCKS_MAX)
    return tuple(sorted(name for name, count in best if count >= enough))


def may_block(network: str) -> bool:
    """Whether it is a network of sources or a part of one.

    Not ::/48, nor a part of it, where programs of the kernel have the whole of IPv4.
    """
    found = ipaddress.ip_network(network)
    if found.version == 6 and int(found.network_address) >> RESERVED_BITS == 0:
        return False
    return found.prefixlen >= PREFIX[found.version]


def _add(counts: dict[str, float], key: str, count: int) -> None:
    counts[key] = counts.get(key, 0.0) + count


def _kept(counts: dict[str, float]) -> dict[str, float]:
    if len(counts) <= KEPT:
        return counts
    best = sorted(counts.items(), key=lambda item: -item[1])[: KEPT // 2]
    return dict(best)
