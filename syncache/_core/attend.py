"""The door to csrc/link/attend.h: what is done before a waiting program runs on.

The rules of `_core` hold here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._ffi import ffi
from .links import Packet, Tun, Xdp

if TYPE_CHECKING:
    from . import RingCore
    from .attempts import AttemptsCore

_KINDS = {Packet: "packet", Xdp: "xdp", Tun: "tun"}


class Attend:
    """A link, two rings, and who counts SYNs, for `Syncache.wait`.

    `quiet` is for how many seconds nothing has come before what comes is answered.
    `address` is that of the struct link_attend; all that it points to is kept.
    """

    __slots__ = ("_attend", "_kept", "address")

    def __init__(
        self,
        link: Packet | Xdp | Tun,
        fd: int,
        rx: RingCore,
        tx: RingCore,
        attempts: AttemptsCore | None,
        quiet: float,
    ) -> None:
        self._kept = (link, rx, tx, attempts)
        self._attend = ffi.new(
            "struct link_attend *",
            {
                _KINDS[type(link)]: link.cdata,
                "rx": rx.cdata,
                "tx": tx.cdata,
                "attempts": ffi.NULL if attempts is None else attempts.cdata,
                "fd": fd,
                "quiet": quiet,
            },
        )
        self.address = int(ffi.cast("uintptr_t", self._attend))

    @property
    def received(self) -> int:
        """How many packets were judged; or -errno of the link."""
        count: int = self._attend.received
        return count

    def take(self) -> int:
        """Return how many replies left, or -errno; nothing is `received` now."""
        attend = self._attend
        failed: int = min(attend.received, 0)
        count: int = attend.sent
        attend.received = attend.sent = 0
        return failed or count
