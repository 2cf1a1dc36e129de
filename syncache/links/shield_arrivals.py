"""Do the connections that a shield's programs make arrive in the kernel's TCP?

Between tc and TCP stand routing, translation and the firewall, and one of them may drop
an ACK whose SYN it has not seen, or send it elsewhere.  Clients then believe to be
connected, and nobody serves them.  The programs count what they made of each service,
and see later packets of it; where nothing is seen of some, and the kernel has none of
them, SYNs of the service are left to the kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .._core import shield as core
from . import netfilter

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_SECONDS = 2.0  # for a connection's next packet
RETRY_SECONDS, RETRY_SECONDS_MAX = 60.0, 3600.0
_LOST = "connections that were made of cookies do not arrive in TCP: "
_UNSEEN = (
    "a rule drops ACKs whose SYN the firewall has not seen (ct state invalid, ! --syn),"
    " routing does (rp_filter), or they go elsewhere (DNAT, TPROXY)"
)


def why_lost(seconds: float) -> str:
    """Return the line for a service that is left to the kernel for so long."""
    why = netfilter.NAT if netfilter.loses_connections() else _UNSEEN
    return f"{_LOST}{why}; for {seconds:.0f} s SYNs are the kernel's"


class Absence:
    """How long a service is left to the kernel: each time for twice as long.

    Once its connections have arrived for as long as it was left, it begins anew.
    """

    __slots__ = ("end", "seconds")

    def __init__(self) -> None:
        self.end = 0.0
        self.seconds = RETRY_SECONDS

    def begin(self, now: float) -> None:
        """Leave it from now on."""
        self.end = now + self.seconds

    def is_over(self, now: float) -> bool:
        """Return whether it is to be protected again; the next time is longer."""
        if now < self.end:
            return False
        self.seconds = min(2 * self.seconds, RETRY_SECONDS_MAX)
        return True

    def arrived(self, now: float) -> None:
        """Note that a connection is there."""
        if now - self.end >= self.seconds:
            self.seconds = RETRY_SECONDS


class Arrivals:
    """Judges one service, a look at a time."""

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since: float | None = None  # so many have been waited for

    def look(
        self, made: int, seen: int, now: float, are_held: Callable[[], bool]
    ) -> Literal["", "arrive", "lost"]:
        """Return whether they arrive, or are lost; empty: nothing is known yet.

        Args:
            made: Connections since it was last known that they arrive.
            seen: Packets of theirs.
            now: Seconds of any clock.
            are_held: Whether the kernel has one of those: whose clients are silent.
        """
        if seen:
            self._since = None
            return "arrive"
        if made < core.TRIAL:
            self._since = None
            return ""
        if self._since is None:
            self._since = now
        if now - self._since < PATIENCE_SECONDS:
            return ""
        self._since = None
        return "arrive" if are_held() else "lost"


class Service:
    """The state of one protected address and port."""

    __slots__ = ("absence", "arrivals", "flooded", "is_busy", "refused")

    def __init__(self) -> None:
        self.is_busy = True  # until it was looked at
        self.arrivals = Arrivals()
        self.flooded = False
        self.refused = 0
        self.absence = Absence()
