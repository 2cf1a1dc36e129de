"""The sketch of connection attempts: the door to csrc/flow/attempts.h.

The rules of `_core` hold here too.  An `AttemptsCore` serves one thread.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from .. import address as addresses
from . import ffi, lib
from .mirror import limit

if TYPE_CHECKING:
    from . import RingCore

_look = lib.attempts_look
PREFIX_LENGTH = {addresses.IPV4: 24, addresses.IPV6: 48}
REGISTERS = limit("ATTEMPTS_REGISTERS")
ROWS = 16  # of each kind
_ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)  # of HyperLogLog's estimate
_INVERSE = [2.0**-rank for rank in range(256)]


class Asked(NamedTuple):
    """A destination that was asked for connections.

    `syns` at the least, from about `prefixes` /24 or /48 prefixes.
    """

    address: str
    port: int
    syns: int
    prefixes: int


class Asking(NamedTuple):
    """A source prefix, and its SYNs at the least."""

    prefix: str
    syns: int


class Counted(NamedTuple):
    """The counts: all SYNs, their prefixes, and the heaviest of each kind."""

    total: int
    prefixes: int
    asked: list[Asked]
    asking: list[Asking]


class AttemptsCore:
    """Counts SYNs in rings; `key` is 16 secret bytes."""

    __slots__ = ("_attempts",)

    def __init__(self, key: bytes) -> None:
        self._attempts = ffi.new("struct attempts *")
        lib.attempts_init(self._attempts, key)

    def look(self, ring: RingCore, first: int) -> None:
        """Count the SYNs of a ring, from packet `first` on."""
        _look(self._attempts, ring.cdata, first)

    def take(self) -> Counted:
        """Return the counts, the heaviest first, and begin anew."""
        attempts = self._attempts
        total = int(attempts.total)
        if total == 0:
            return Counted(0, 0, [], [])
        places = [place for place in attempts.place if place.family]
        places.sort(key=lambda place: place.excess - place.count)
        asked = [
            Asked(
                addresses.text(place.family, bytes(place.address)),
                place.port,
                place.count - place.excess,
                estimate(bytes(place.registers)),
            )
            for place in places[:ROWS]
        ]
        asking = [
            Asking(
                f"{addresses.text(each.family, bytes(each.address))}"
                f"/{PREFIX_LENGTH[each.family]}",
                each.count - each.excess,
            )
            for each in attempts.prefix
            if each.family
        ]
        prefixes = estimate(bytes(attempts.registers))
        lib.attempts_clear(attempts)
        asking.sort(key=lambda one: -one.syns)
        return Counted(total, prefixes, asked, asking[:ROWS])


def estimate(registers: bytes) -> int:
    """Return how many different things some registers have seen, about."""
    empty = registers.count(0)
    raw = _ALPHA * REGISTERS**2 / sum(_INVERSE[rank] for rank in registers)
    if raw <= 2.5 * REGISTERS and empty:
        return round(REGISTERS * math.log(REGISTERS / empty))
    return round(raw)
