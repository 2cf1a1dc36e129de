"""A bad network between us and any link: loss, duplication, reordering, delay.

What happens to a packet depends only on the seed, its direction and its place in the
order of arrival; four numbers are drawn for each, whatever the rates, so raising one
rate leaves the other misfortunes where they were.  When a delayed packet moves on
depends on the clock, which is an argument.

A super-segment counts as one packet here, so its loss is the loss of up to 64 KiB at
once: open the link below without super-segments for a network as it is.
"""

from __future__ import annotations

import heapq
import time
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from ..ring import Checksum, Ring

if TYPE_CHECKING:
    from collections.abc import Callable

    from .link import Link

HELD_MAX = 4096  # packets on the way in one direction; the link below waits
STAGE_SLOTS = 64


class Impaired:
    """A link whose packets are lost, doubled, overtaken and late, in both directions.

    Args:
        link: The good link; closed with this one.
        seed: Chooses the misfortunes.
        loss: Probability that a packet vanishes.
        duplicate: Probability that one comes twice.
        reorder: Probability that one is held back for `hold` seconds.
        delay: Seconds that every packet takes.
        hold: Seconds that a reordered packet takes on top.
        clock: Monotonic seconds; that of the event loop.

    Raises:
        ValueError: A probability outside 0..1, or a negative time.
    """

    def __init__(
        self,
        link: Link,
        *,
        seed: int | str = 0,
        loss: float = 0.0,
        duplicate: float = 0.0,
        reorder: float = 0.0,
        delay: float = 0.0,
        hold: float = 0.005,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, rate in (
            ("loss", loss),
            ("duplicate", duplicate),
            ("reorder", reorder),
        ):
            if not 0.0 <= rate <= 1.0:
                raise ValueError(f"{name} is a probability, 0 to 1, not {rate}")
        if delay < 0.0 or hold < 0.0:
            raise ValueError("delay and hold are times, 0 or more seconds")
        self._link = link
        self._clock = clock
        rates = _Rates(loss, duplicate, reorder, delay, hold)
        slot_size = -(-max(link.mtu, self.gso_max, 2048) // 64) * 64
        self._inward = _Path(Random(f"{seed} in"), rates)
        self._outward = _Path(Random(f"{seed} out"), rates)
        self._rx = Ring(STAGE_SLOTS, slot_size)
        self._tx = Ring(STAGE_SLOTS, slot_size)

    @property
    def mtu(self) -> int:
        """Largest ordinary packet in bytes."""
        return self._link.mtu

    @property
    def gso_max(self) -> int:
        """Largest TCP super-segment in bytes; 0: none."""
        return int(getattr(self._link, "gso_max", 0))

    @property
    def counts(self) -> dict[str, int]:
        """Packets that met each misfortune, both directions together."""
        paths = (self._inward, self._outward)
        return {
            "lost": sum(path.lost for path in paths),
            "duplicated": sum(path.duplicated for path in paths),
            "held_back": sum(path.held_back for path in paths),
        }

    def fileno(self) -> int:
        """Descriptor of the link below."""
        return self._link.fileno()

    def next_deadline(self) -> float | None:
        """When the next packet on the way arrives, in either direction."""
        below = getattr(self._link, "next_deadline", None)
        times = [
            self._inward.next_due(),
            self._outward.next_due(),
            below() if below else None,
        ]
        return min((when for when in times if when is not None), default=None)

    def receive(self, rx: Ring) -> int:
        """Append the packets that have arrived; also moves on the packets sent."""
        now = self._clock()
        self._push_out(now)
        while not self._inward.full:
            self._rx.clear()
            if self._link.receive(self._rx) == 0:
                break
            self._inward.enter(self._rx, now)
        return self._inward.leave(rx, now)

    def send(self, tx: Ring) -> int:
        """Let the packets of `tx` set out."""
        now = self._clock()
        if self._outward.full:
            self._push_out(now)
        if self._outward.full:
            return 0
        count = self._outward.enter(tx, now)
        self._push_out(now)
        return count

    def close(self) -> None:
        """Close the link below; packets on the way are lost."""
        self._link.close()

    def _push_out(self, now: float) -> None:
        """Send the packets that arrived at the far end of the outward path."""
        while True:
            if self._tx.next == len(self._tx):
                self._tx.clear()
                if self._outward.leave(self._tx, now) == 0:
                    return
            if self._link.send(self._tx) == 0:
                return


class _Rates(NamedTuple):
    """The arguments of the same names."""

    loss: float
    duplicate: float
    reorder: float
    delay: float
    hold: float


class _Packet(NamedTuple):
    """Ordered by the time of arrival, then by the order of setting out."""

    due: float
    number: int
    data: bytes
    checksum: Checksum
    gso_size: int


class _Path:
    """One direction."""

    def __init__(self, random: Random, rates: _Rates) -> None:
        self.lost = self.duplicated = self.held_back = 0
        self._random = random
        self._rates = rates
        self._held: list[_Packet] = []
        self._number = 0

    @property
    def full(self) -> bool:
        """No more can enter before some have left."""
        return len(self._held) >= HELD_MAX

    def enter(self, ring: Ring, now: float) -> int:
        """Take the packets of a ring, deciding the fate of each."""
        rates = self._rates
        draw = self._random.random
        first = ring.next
        count = len(ring) - first
        for i in range(first, first + count):
            is_lost, is_double = draw() < rates.loss, draw() < rates.duplicate
            is_held, is_double_held = draw() < rates.reorder, draw() < rates.reorder
            if is_lost:
                self.lost += 1
                continue
            self._set_out(ring, i, now, is_held=is_held)
            if is_double:
                self.duplicated += 1
                self._set_out(ring, i, now, is_held=is_double_held)
        ring.advance(count)
        return count

    def leave(self, ring: Ring, now: float) -> int:
        """Append the packets that are due, while there is room."""
        count = 0
        while self._held and self._held[0].due <= now and ring.free > 0:
            packet = heapq.heappop(self._held)
            ring.push(packet.data, checksum=packet.checksum, gso_size=packet.gso_size)
            count += 1
        return count

    def next_due(self) -> float | None:
        """When the first packet on the way arrives."""
        return self._held[0].due if self._held else None

    def _set_out(self, ring: Ring, i: int, now: float, *, is_held: bool) -> None:
        self.held_back += is_held
        due = now + self._rates.delay + (self._rates.hold if is_held else 0.0)
        self._number += 1
        packet = _Packet(
            due, self._number, bytes(ring[i]), ring.checksum(i), ring.gso_size(i)
        )
        heapq.heappush(self._held, packet)
