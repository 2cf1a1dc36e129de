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
    from collections.abc import Sequence

    from .._ffi import CData
    from . import RingCore

_look = lib.attempts_look
PREFIX_LENGTH = {addresses.IPV4: 24, addresses.IPV6: 48}
REGISTERS = limit("ATTEMPTS_REGISTERS")
ROWS = 16  # of each kind
_ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)  # of HyperLogLog's estimate
_INVERSE = [2.0**-rank for rank in range(256)]


class Asked(NamedTuple):
    """A destination that was asked for connections.

    `syns` at the least, from about `prefixes` /24 or /48 prefixes, which `registers`
    have seen.
    """

    address: str
    port: int
    syns: int
    prefixes: int
    registers: bytes = b""


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
    registers: bytes = b""


class AttemptsCore:
    """Counts SYNs in rings; `key` is 16 secret bytes."""

    __slots__ = ("_attempts",)

    def __init__(self, key: bytes) -> None:
        self._attempts = ffi.new("struct attempts *")
        lib.attempts_init(self._attempts, key)

    @property
    def cdata(self) -> CData:
        """The sketch, for other calls into C."""
        cdata: CData = self._attempts
        return cdata

    def look(self, ring: RingCore, first: int) -> None:
        """Count the SYNs of a ring, from packet `first` on."""
        _look(self._attempts, ring.cdata, first)

    @property
    def total(self) -> int:
        """How many SYNs were counted since the last `take`."""
        total: int = self._attempts.total
        return total

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
                bytes(place.registers),
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
        registers = bytes(attempts.registers)
        lib.attempts_clear(attempts)
        asking.sort(key=lambda one: -one.syns)
        return Counted(total, estimate(registers), asked, asking[:ROWS], registers)


def added(counts: Sequence[Counted]) -> Counted:
    """Add up what several sketches of one secret have counted.

    A prefix that several have seen is one.
    """
    asked: dict[tuple[str, int], list[Asked]] = {}
    asking: dict[str, int] = {}
    for counted in counts:
        for row in counted.asked:
            asked.setdefault((row.address, row.port), []).append(row)
        for prefix, syns in counted.asking:
            asking[prefix] = asking.get(prefix, 0) + syns
    places = []
    for (address, port), rows in asked.items():
        prefixes, registers = _joined(rows)
        syns = sum(row.syns for row in rows)
        places.append(Asked(address, port, syns, prefixes, registers))
    places.sort(key=lambda row: -row.syns)
    prefixes, registers = _joined(counts)
    return Counted(
        sum(counted.total for counted in counts),
        prefixes,
        places[:ROWS],
        [Asking(*row) for row in sorted(asking.items(), key=lambda r: -r[1])][:ROWS],
        registers,
    )


def _joined(parts: Sequence[Asked | Counted]) -> tuple[int, bytes]:
    """Return how many prefixes the registers of some parts have seen, and theirs."""
    seen = [part.registers for part in parts if part.registers]
    if not seen:
        return max((part.prefixes for part in parts), default=0), b""
    registers = bytes(map(max, *seen)) if len(seen) > 1 else seen[0]
    return estimate(registers), registers


def estimate(registers: bytes) -> int:
    """Return how many different things some registers have seen, about."""
    empty = registers.count(0)
    raw = _ALPHA * REGISTERS**2 / sum(_INVERSE[rank] for rank in registers)
    if raw <= 2.5 * REGISTERS and empty:
        return round(REGISTERS * math.log(REGISTERS / empty))
    return round(raw)
