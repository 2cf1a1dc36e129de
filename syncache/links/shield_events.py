"""Events of a shield for an operator: `ShieldEvent`, and where they are kept.

The programs tell what happens to a service in a ring buffer, at once and seldom (a
flood that begins, an accept queue that is full, a connection that was refused); the
process adds what it sees itself.  Both stores are bounded, and what finds no room is
counted.
"""

from __future__ import annotations

import ipaddress
import os
import select
import struct
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from .._core import bpf as _core_bpf
from .._core import shield as core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EVENTS_MAX = 1024
RAW = struct.Struct("=4IH")


class ShieldEvent(NamedTuple):
    """Something that an operator wants to know."""

    time: float  # seconds of the monotonic clock
    kind: str  # flood, calm, full, refused, retry, off, on, gone, trouble,
    # and of the interface: down, carrier (it has none), up, renamed
    text: str


class Told(NamedTuple):
    """An event of a program about a service."""

    time: float
    kind: int  # core.FLOOD, FULL or REFUSED
    number: int
    address: str
    port: int


def read_told(record: bytes) -> Told:
    """Read a record of the ring buffer."""
    time_ns, kind, number, *words, port, v6 = core.EVENT.unpack(record)
    raw = RAW.pack(*words, port)  # as they lie in a packet
    packed = raw[: 16 if v6 else 4]
    return Told(
        time_ns / 1e9,
        kind,
        number,
        str(ipaddress.ip_address(packed)),
        int.from_bytes(raw[16:], "big"),
    )


class Events:
    """Those that nobody has taken yet; the oldest go when there are too many."""

    def __init__(self) -> None:
        self._kept: deque[ShieldEvent] = deque()
        self.lost = 0
        self.awaited: Callable[[], object] = lambda: None

    def tell(self, time: float, kind: str, text: str) -> None:
        """Keep one."""
        if len(self._kept) == EVENTS_MAX:
            self._kept.popleft()
            self.lost += 1
        self._kept.append(ShieldEvent(time, kind, text))

    def wake(self) -> None:
        """Call who waits for them, if there are any."""
        if self._kept:
            self.awaited()

    def take(self) -> Iterator[ShieldEvent]:
        """Take them, oldest first."""
        while self._kept:
            yield self._kept.popleft()


class Ring:
    """The programs' ring buffer, and a way to end the wait for it.

    Args:
        map_fd: The ring's descriptor, which stays the caller's.
        other: Another descriptor that ends a wait; -1: none.

    Raises:
        OSError: the kernel refused.
    """

    def __init__(self, map_fd: int, other: int = -1) -> None:
        size = core.EVENTS_BYTES
        self._ring = _core_bpf.Ring(map_fd, size, core.EVENT.size)
        self._end = os.eventfd(0, os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(map_fd, select.POLLIN)
        self._poll.register(self._end, select.POLLIN)
        if other >= 0:
            self._poll.register(other, select.POLLIN)

    def wait(self, seconds: float) -> None:
        """Wait until there is something to take, for so long at most, or `wake`."""
        self._poll.poll(1000 * seconds)

    def wake(self) -> None:
        """Let every wait return at once from now on."""
        os.eventfd_write(self._end, 1)

    def take(self) -> Iterator[Told]:
        """Take the events, oldest first."""
        while (record := self._ring.take()) is not None:
            if len(record) == core.EVENT.size:
                yield read_told(record)

    def close(self) -> None:
        """Let go of it; nobody may wait."""
        self._ring.close()
        os.close(self._end)
