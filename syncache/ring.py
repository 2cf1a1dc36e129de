"""`Ring`: packets in memory that is pinned once, filled and emptied by C.

The memory and the slots are `_core.RingCore`; here is what Python sees of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _core
from .conn import CONN_BYTES, read
from .named import NamedNumber
from .verdict import REASONS, Kind, Reason

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from .conn import Conn, Endpoint


class Checksum(NamedNumber):
    """The state of a packet's transport checksum (enum syncache_checksum)."""

    # enum syncache_checksum, by docs/generate.py: begin
    VERIFY = 0  # nobody looked: verify
    VALID = 1  # the link vouches for it
    PARTIAL = 2  # pseudo header only; the bytes never left this machine
    # enum syncache_checksum: end


_CHECKSUMS = frozenset(Checksum)
UINT16_MAX = 2**16 - 1
PACKET_MAX = 65_535  # bytes of an IPv4 packet, and of what follows an IPv6 header
SLOT_MAX = 65_600  # an IPv6 packet of this size, in whole cache lines


class Ring(_core.RingCore):
    """A linear buffer of IP packets.

    Links append, `Syncache.burst()` consumes from `next` on; `clear()` when all are
    consumed.  After a burst `passed` holds, in order of arrival, the indices of the
    packets that are the stack's, every segment that completed a handshake included.

    Args:
        slots: Packets it can hold, 1 to 65535.
        slot_size: Bytes of the largest, a multiple of 64 from 128 on.

    Raises:
        ValueError: either is out of range.
    """

    __slots__ = ("endpoints",)

    def __init__(self, slots: int = 256, slot_size: int = 2048) -> None:
        super().__init__(slots, slot_size)
        self.endpoints: list[Endpoint] = []  # of the engine of the last burst

    def push(
        self,
        packet: Buffer,
        *,
        checksum: Checksum = Checksum.VERIFY,
        gso_size: int = 0,
    ) -> None:
        """Append a packet.

        Args:
            packet: From the IP header on.
            checksum: The state of the one in its TCP or ICMP header.
            gso_size: Bytes of payload of each segment of a super-segment; 0: ordinary.

        Raises:
            BufferError: the ring is full.
            ValueError: the packet does not fit into a slot.
        """
        if checksum not in _CHECKSUMS or not 0 <= gso_size <= UINT16_MAX:
            raise ValueError(f"not legal: checksum={checksum!r}, gso_size={gso_size!r}")
        self._append(packet, checksum, gso_size)

    def conn(self, i: int) -> Conn:
        """Return the handshake that packet `i` completed.

        Raises:
            ValueError: it completed none.
            IndexError: there is no such packet.
        """
        if REASONS[self._verdict(i)].kind is not Kind.ACCEPT:
            raise ValueError(f"packet {i} completed no handshake")
        return self.completed(self._place(i))

    def completed(self, slot: int) -> Conn:
        """Return the handshake of a slot that an arrival with ACCEPT names."""
        start = slot * CONN_BYTES
        return read(self._conn[start : start + CONN_BYTES], self.endpoints)

    def verdict(self, i: int) -> Reason:
        """Return the verdict on packet `i` in the burst that consumed it."""
        return REASONS[self._verdict(i)]

    def verdict_number(self, i: int) -> int:
        """Return the number of packet `i`'s verdict, of whichever engine it is."""
        return self._verdict(i)

    def checksum(self, i: int) -> Checksum:
        """Return the state of packet `i`'s checksum."""
        return Checksum(self._checksum(i))

    def __repr__(self) -> str:
        return f"<Ring {len(self)} of {self.slots}, next {self.next}>"
