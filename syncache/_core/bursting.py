"""`Bursting`: the burst of `Syncache`, in one frame.

A loop over bursts of small packets spends most of its time in Python here, so the door
is opened in place: the token (`with core:`), the time (`Core._at`), the call.
"""

# ruff: noqa: SLF001 - the door's own parts

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

from . import lib
from .block import milliseconds

if TYPE_CHECKING:
    from ..conn import Endpoint
    from ..ring import Ring
    from . import Core

_burst = lib.syncache_burst  # looked up once: it is called for every 64 packets


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
        if rx is tx:
            raise ValueError("replies need a ring of their own")
        core = self._core
        token = core._token
        try:
            token.pop()
        except IndexError:
            raise core._refusal() from None
        try:
            soon = 0.0 <= now < core._keys_until  # 0 would cost a tenth of the call
            now_ms = floor(now * 1000 + 0.5) if soon else core._at(now)
            consumed = _burst(core._cache, now_ms, rx.cdata, tx.cdata)
        except TypeError:
            milliseconds(now)  # says what a time is
            raise
        finally:
            token.append(None)
        rx.endpoints = self._endpoints
        return consumed
