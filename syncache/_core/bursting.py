"""`Bursting`: the burst of `Syncache`, which `door` has in C."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .door import burst as _burst
from .door import wait as _wait

if TYPE_CHECKING:
    from ..conn import Endpoint
    from ..ring import Ring
    from . import Core


class Bursting:
    """The burst of an engine in C."""

    __slots__ = ()
    _core: Core
    _endpoints: list[Endpoint]

    def burst(self, rx: Ring, tx: Ring, now: float) -> int:
        """Take the packets of rx from `next` on; append replies to tx.

        Stops before a packet whose reply does not fit into tx.  Returns the number of
        packets consumed.

        Raises:
            ValueError: rx and tx are the same ring.
        """
        consumed = _burst(self._core, rx, tx, now)
        rx.endpoints = self._endpoints
        return consumed

    def wait(self, attend: int, epoll: int, timeout: float) -> list[tuple[int, int]]:
        """Wait for events, and answer what a link has if nothing came for a while.

        Args:
            attend: Address of a struct link_attend, of a host at rest.
            epoll: Descriptor to wait on.
            timeout: How long, in seconds.

        Returns:
            Pairs of a descriptor and its events.
        """
        return _wait(self._core, attend, epoll, timeout)

    def attended(self, rx: Ring) -> None:
        """Take note that `wait` has judged the packets of a ring."""
        rx.endpoints = self._endpoints
