"""Who sends the SYNs that a shield answers, and whose are dropped.

The programs note one answered SYN of 64, and drop those of blocked networks; here their
maps are read and written.  Both are for a fleet's members.
"""

from __future__ import annotations

import collections
import ipaddress
import os
from typing import TYPE_CHECKING

from .._core import bpf as _core_bpf
from .._core import shield as core
from ..attempts import Asked, Asking, Counted
from .link import LinkError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ZERO = bytes(4)
ONE = (1).to_bytes(4, "little")
MAPPED_BITS = 96
PREFIX = {4: 24, 6: 48}


class ShieldSources:
    """The sources of one shield's SYNs.

    Args:
        maps: Of the programs.
        processors: For how many of them the kernel keeps samples.
    """

    def __init__(self, maps: Mapping[str, int], processors: int) -> None:
        self._samples, self._blocked = maps["samples_map"], maps["blocked"]
        self._processors = processors
        self._seen = [0] * processors
        self._keys = set(_core_bpf.keys(self._blocked, core.NETWORK_BYTES))
        self.block(())
        self.counted()

    @property
    def blocks(self) -> bool:
        """Whether SYNs of some networks are dropped."""
        return bool(self._keys)

    def block(self, networks: Sequence[str]) -> None:
        """Have the programs drop SYNs of these networks, and of no others.

        Raises:
            LinkError: there is no room for so many.
        """
        wanted = {key_of(network) for network in networks}
        for key in self._keys - wanted:
            _core_bpf.delete(self._blocked, key)
        self._keys &= wanted
        for key in wanted - self._keys:
            try:
                _core_bpf.update(self._blocked, key, ONE)
            except OSError as error:
                why = os.strerror(error.errno or 0)
                message = f"no room for {len(wanted)} networks: {why}"
                raise LinkError(message, error.errno) from None
            self._keys.add(key)

    def counted(self) -> Counted:
        """Return the SYNs that were answered since the last call, from the sample."""
        size = core.SAMPLES_BYTES
        raw = _core_bpf.lookup(self._samples, ZERO, size * self._processors) or b""
        asked: collections.Counter[tuple[str, int]] = collections.Counter()
        asking: collections.Counter[str] = collections.Counter()
        for index in range(len(raw) // size):
            part = raw[index * size : (index + 1) * size]
            self._seen[index], fresh = core.samples(part, self._seen[index])
            for source, target, port in fresh:
                asking[network_of(source)] += core.SAMPLED
                asked[str(address_of(target)), swapped(port)] += core.SAMPLED
        return Counted(
            asking.total(),
            len(asking),
            [Asked(*place, syns, 0) for place, syns in asked.most_common()],
            [Asking(network, syns) for network, syns in asking.most_common()],
        )


def address_of(raw: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address of the programs'."""
    found = ipaddress.IPv6Address(raw)
    return found.ipv4_mapped or found


def swapped(port: int) -> int:
    """Return a port as people write it."""
    return int.from_bytes(port.to_bytes(2, "little"), "big")


def network_of(raw: bytes) -> str:
    """Return the network that an address is counted in."""
    found = address_of(raw)
    bits = PREFIX[found.version]
    return str(ipaddress.ip_network((found, bits), strict=False))


def key_of(network: str) -> bytes:
    """Return a network as the programs have it."""
    found = ipaddress.ip_network(network)
    packed, bits = found.network_address.packed, found.prefixlen
    if found.version == 4:
        packed, bits = bytes(10) + b"\xff\xff" + packed, bits + MAPPED_BITS
    return core.network(bits, packed)
