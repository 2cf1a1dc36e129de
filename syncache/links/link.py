"""The interface of every link: packets in through one ring, out through another.

A link owns a file descriptor, a device or a file, and with it everything that is
special about it: headers in front of a packet, checksum offloads, super-segments.
It knows no engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ..ring import Ring


@runtime_checkable
class Link(Protocol):
    """The one interface of all links; none of its calls blocks.

    Five attributes are optional.  `gso_max` is the size in bytes of the largest
    TCP super-segment that may come or go (absent or 0: no packet is longer than
    the MTU); rings must have slots of that size.  `headroom` is how many bytes of
    link header come in front of a packet, in its slot (absent or 0: none).
    `next_deadline()` returns when `receive` or `send` has something to do that the
    descriptor does not tell (absent or None: never).  `check()` raises LinkError if
    the device is gone and the descriptor does not tell; ask it about once a second.
    `changes` has `fileno()`, readable (-1: never) if `check` may have something to say,
    and `take()`, which ends that: where it is, an idle program asks more seldom.
    """

    @property
    def mtu(self) -> int:
        """Largest ordinary packet in bytes."""

    def fileno(self) -> int:
        """Descriptor to wait on: readable when there are packets to receive."""

    def receive(self, rx: Ring) -> int:
        """Append packets to `rx` until there are no more or it is full.

        Returns:
            How many.  0: none now.

        Raises:
            LinkError: The device is gone.
        """

    def send(self, tx: Ring) -> int:
        """Send the packets of `tx` from `tx.next` on, and advance it.

        Returns:
            How many were consumed.  Fewer than there are: the link takes no more
            now; call again when the descriptor is writable.

        Raises:
            LinkError: The device is gone.
        """

    def close(self) -> None:
        """Give everything back, leaving things as they were found."""


class LinkError(OSError):
    """A link cannot be opened or is gone; one line that states the remedy."""

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno
