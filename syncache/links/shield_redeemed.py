"""Handshakes that a shield redeemed, and those that other machines did.

The programs keep their own in a queue, and look at filters of others, elements of
a map; here the queue is emptied and filters are put in and taken out.  It has the calls
of `_core.redeemed.Shared`, which is a middlebox's.
"""

from __future__ import annotations

import contextlib
import struct
from collections import deque
from typing import TYPE_CHECKING

from .._core import bpf as _core_bpf
from .._core import shield as core
from .._core.redeemed import KEY_BYTES, numbers
from .shield_counters import ZERO, processors, read_counters

if TYPE_CHECKING:
    from collections.abc import Mapping

REDEEMED_MIN = 1024  # the batch behind an ACK has to be remembered in any case
# Each processor has up to 128 places of such a map to itself; kernels before 6.16 drop
# what is remembered for that, however much of it is needed.
PLACES_A_PROCESSOR = 256
NUMBER_MASK = 2**32 - 1
NS = 1_000_000_000
ADDRESS_BYTES, V4_BYTES = 16, 4


def room_for(handshakes: int) -> int:
    """Return how many places the programs' own memory of handshakes has."""
    return max(handshakes, REDEEMED_MIN, PLACES_A_PROCESSOR * processors())


class ShieldRedeemed:
    """Handshakes that one shield's programs have redeemed, and filters of others'.

    Args:
        maps: Of the programs.
    """

    def __init__(self, maps: Mapping[str, int]) -> None:
        self._maps = maps
        self._key = bytes(KEY_BYTES)
        self._first = 0
        self._ends: deque[int] = deque()  # of the filters that are there, in order
        self._before = 0

    def begin(self, key: bytes) -> None:
        """Take the key of the group.

        Raises:
            ValueError: it is none.
        """
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key of {KEY_BYTES} bytes, not of {len(key)}")
        self._key = key
        self._before = self._counted()

    @property
    def refused(self) -> int:
        """How many ACKs were not taken because another machine had redeemed them."""
        return self._counted() - self._before

    def fresh(self) -> list[tuple[int, ...]]:
        """Take the numbers of the handshakes that were redeemed since."""
        found: list[tuple[int, ...]] = []
        queue, size = self._maps["fresh"], core.REDEEMED.size
        while len(found) < core.FRESH and (raw := _core_bpf.take(queue, size)):
            found.append(numbers(self._key, packed(raw)))
        return found

    def hear(self, bits: bytes, now: float, seconds: float) -> None:
        """Keep a filter of another machine for so long.

        Raises:
            ValueError: it is none.
        """
        if not 0 < len(bits) <= core.FILTER_BYTES:
            raise ValueError(f"a filter of {len(bits)} bytes")
        now_ns = int(now * NS)
        while self._ends and (
            len(self._ends) == core.FILTERS or self._ends[0] <= now_ns
        ):
            self._ends.popleft()
            _core_bpf.delete(self._maps["filters"], _number(self._first))
            self._first += 1
        end_ns = int((now + seconds) * NS)
        content = core.FILTER.pack(end_ns, len(bits), bits)
        with contextlib.suppress(OSError):  # no memory: this one is not kept
            place = _number(self._first + len(self._ends))
            _core_bpf.update(self._maps["filters"], place, content)
            self._ends.append(end_ns)
        self._write()

    def _counted(self) -> int:
        return read_counters(self._maps["counters_map"])["elsewhere"]

    def _write(self) -> None:
        first = self._first & NUMBER_MASK
        content = core.shared(self._key, first, len(self._ends))
        _core_bpf.update(self._maps["shared_map"], ZERO, content)


def packed(raw: bytes) -> bytes:
    """Return a handshake of the programs' as `redeemed_pack` in C does it."""
    *words, ports, iss, irs = core.REDEEMED.unpack(raw)
    addresses = struct.pack(f"<{len(words)}I", *words)
    peer, ours = addresses[:ADDRESS_BYTES], addresses[ADDRESS_BYTES:]
    family = 6
    if not any(ours):  # an address of ours is not ::
        family, peer, ours = 4, addresses[:V4_BYTES], addresses[V4_BYTES : 2 * V4_BYTES]
    raw_ports = struct.pack("<I", ports)
    return struct.pack("!B16s16s4sII", family, peer, ours, raw_ports, irs, iss)


def _number(number: int) -> bytes:
    return (number & NUMBER_MASK).to_bytes(4, "little")
