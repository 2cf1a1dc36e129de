"""Which addresses and ports the programs of a shield answer for: `ServiceMaps`.

Most services of IPv4 have a place in an array that their address and port choose, where
a program finds them without a search; one whose place is taken, and those of IPv6, lie
in a hash map (csrc/bpf/maps.h).
"""

from __future__ import annotations

import ipaddress
import struct
from socket import htons
from typing import TYPE_CHECKING

from .._core import bpf as _core_bpf
from .._core import shield as core

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE4, SERVICE6 = core.SERVICE4, core.SERVICE6
NOBODY = bytes(core.PLACE.size)
WORD = 2**32
BROADCAST = ipaddress.IPv4Address(WORD - 1)


def own_address(text: str) -> str:
    """Return the address that a service may have, as the maps write it.

    Raises:
        ValueError: it is not an address, or not one by which others reach one machine.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        # A listener of IPv4 is meant; a scope is no part of what lies in a packet.
        address = address.ipv4_mapped or ipaddress.IPv6Address(address.packed)
    if address.is_unspecified:
        raise ValueError(
            f"{text} is not the address of one machine: leave it out to protect all"
        )
    if address.is_loopback or address.is_multicast or address == BROADCAST:
        raise ValueError(f"{text}: from other machines nobody connects to it")
    return str(address)


def own_port(port: int) -> int:
    """Return a port.

    Raises:
        ValueError: it is none.
    """
    if not 0 < port < 2**16:
        raise ValueError(f"port {port} is not between 1 and 65535")
    return port


def write_service(address: str, port: int) -> bytes:
    """Return a service as its map has it, all as it lies in a packet."""
    packed = ipaddress.ip_address(address).packed
    form = SERVICE4 if len(packed) == 4 else SERVICE6
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return form.pack(*words, htons(port))


def read_service(key: bytes) -> tuple[str, int]:
    """Return address and port of a service."""
    form = SERVICE4 if len(key) == SERVICE4.size else SERVICE6
    *words, port = form.unpack(key)
    packed = struct.pack(f"={len(words)}I", *words)
    return str(ipaddress.ip_address(packed)), htons(port)


def place_of(key: bytes) -> int:
    """Return the place of a service of IPv4."""
    address, port = SERVICE4.unpack(key)
    word = (address ^ port) * core.PLACE_FACTOR % WORD
    return int(word >> core.PLACE_SHIFT)


class ServiceMaps:
    """The services in the maps of a shield.

    Args:
        maps: Descriptors by their names in csrc/bpf/maps.h.
    """

    def __init__(self, maps: Mapping[str, int]) -> None:
        self._places = maps["places"]
        self._hashes = {
            SERVICE4.size: maps["services4"],
            SERVICE6.size: maps["services6"],
        }

    def put(self, key: bytes, *, refused: bool = False) -> None:
        """Have a service in the maps, as if nothing had happened to it yet.

        Args:
            key: From `write_service`.
            refused: Its SYNs are the kernel's.

        Raises:
            OSError: there is no room.
        """
        fresh = core.SERVICE.pack(0, refused, 0, 0, 0, 0)
        if len(key) == SERVICE4.size:
            at = place_of(key).to_bytes(4, "little")
            if self._holder(at) in (key, bytes(SERVICE4.size)):
                _core_bpf.update(self._places, at, key + fresh)
                return
        _core_bpf.update(self._hashes[len(key)], key, fresh)

    def trust(self, key: bytes) -> None:
        """Note that connections which were made of cookies arrive at a service."""
        value = self.get(key)
        if value is None:
            return
        flood_ns, refused, full_ns = value[:3]
        content = core.SERVICE.pack(flood_ns, refused, full_ns, 0, 0, 1)
        if len(key) == SERVICE4.size:
            at = place_of(key).to_bytes(4, "little")
            if self._holder(at) == key:
                _core_bpf.update(self._places, at, key + content)
                return
        _core_bpf.update(self._hashes[len(key)], key, content)

    def get(self, key: bytes) -> tuple[int, ...] | None:
        """Return the fields of a service (core.SERVICE); None: it is not there."""
        if len(key) == SERVICE4.size:
            raw = self._place(place_of(key).to_bytes(4, "little"))
            if raw[: len(key)] == key:
                return core.SERVICE.unpack(raw[len(key) :])
        found = _core_bpf.lookup(self._hashes[len(key)], key, core.SERVICE.size)
        return None if found is None else core.SERVICE.unpack(found)

    def remove(self, key: bytes) -> None:
        """Take a service out, if it is there.

        It may be twice: in a hash map, and in its place, which was another's before.
        """
        if len(key) == SERVICE4.size:
            at = place_of(key).to_bytes(4, "little")
            if self._holder(at) == key:
                _core_bpf.update(self._places, at, NOBODY)
        _core_bpf.delete(self._hashes[len(key)], key)

    def clear(self) -> None:
        """Take all out, also those that a process before us left in pinned maps."""
        for size, fd in self._hashes.items():
            for key in _core_bpf.keys(fd, size):
                _core_bpf.delete(fd, key)
        for number in range(core.PLACES):
            at = number.to_bytes(4, "little")
            if self._place(at) != NOBODY:
                _core_bpf.update(self._places, at, NOBODY)

    def _place(self, at: bytes) -> bytes:
        return _core_bpf.lookup(self._places, at, core.PLACE.size) or NOBODY

    def _holder(self, at: bytes) -> bytes:
        return self._place(at)[: SERVICE4.size]
