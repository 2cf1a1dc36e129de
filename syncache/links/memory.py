"""Two ends of a wire in memory, for tests and where there is no TUN."""

from __future__ import annotations

import os

from .._core import links as _core_links
from ..ring import Ring


class MemoryLink:
    """One end; made by `pair`.

    The descriptor is readable while packets wait.  It is always writable, so a loop
    that waits for room in a full wire turns until the other end has taken some.
    """

    def __init__(self, inbound: Wire, outbound: Wire, mtu: int, gso_max: int) -> None:
        self._inbound = inbound
        self._outbound = outbound
        self._mtu = mtu
        self._gso_max = gso_max

    @property
    def mtu(self) -> int:
        """Largest ordinary packet in bytes."""
        return self._mtu

    @property
    def gso_max(self) -> int:
        """Largest TCP super-segment in bytes; 0: none."""
        return self._gso_max

    def fileno(self) -> int:
        """Descriptor to wait on."""
        return self._inbound.fd

    def receive(self, rx: Ring) -> int:
        """Append the packets that the other end sent."""
        return self._inbound.take(rx)

    def send(self, tx: Ring) -> int:
        """Send while there is room; to a closed end packets vanish."""
        return self._outbound.put(tx)

    def close(self) -> None:
        """Close this end; the other one sees no more packets."""
        self._inbound.close()


class Wire:
    """One direction: a ring, and a descriptor that is readable while it holds any."""

    def __init__(self, slots: int, slot_size: int) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.dropped = 0
        self._ring = Ring(slots, slot_size)

    def put(self, tx: Ring) -> int:
        """Append packets of `tx` while there is room."""
        if self.fd < 0:
            count = len(tx) - tx.next
            tx.advance(count)
            return count
        was_empty = len(self._ring) == 0
        count, dropped = _core_links.copy(tx, self._ring)
        self.dropped += dropped
        if was_empty and len(self._ring) > 0:
            os.eventfd_write(self.fd, 1)
        return count

    def take(self, rx: Ring) -> int:
        """Move packets into `rx` while it has room."""
        if len(self._ring) == 0:
            return 0
        before = len(rx)
        self.dropped += _core_links.copy(self._ring, rx)[1]
        if self._ring.next == len(self._ring):
            self._ring.clear()
            os.eventfd_read(self.fd)
        return len(rx) - before

    def close(self) -> None:
        """Give the descriptor back."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def pair(
    *, mtu: int = 1500, gso_max: int = 0, slots: int = 256
) -> tuple[MemoryLink, MemoryLink]:
    """Return two connected links.

    Args:
        mtu: Largest ordinary packet in bytes.
        gso_max: Largest TCP super-segment in bytes; 0: none.
        slots: Packets that a direction holds; more wait at the sender.
    """
    slot_size = -(-max(mtu, gso_max, 2048) // 64) * 64
    one, two = Wire(slots, slot_size), Wire(slots, slot_size)
    return MemoryLink(one, two, mtu, gso_max), MemoryLink(two, one, mtu, gso_max)
