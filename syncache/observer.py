"""`Observer`: sees packets before and after an engine has judged them.

An engine's `observer` is asked around each burst.  It sees packets as they came, before
any rewriting, and their verdicts once they have them.  It may not change anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .ring import Ring


class Observer(Protocol):
    """The interface of an observer of packets and their verdicts."""

    def before(self, rx: Ring) -> object:
        """Look at the packets from `rx.next` on; what is returned comes back."""

    def after(self, rx: Ring, seen: object, side: int, now: float | None) -> None:
        """Look at the verdicts of the packets before `rx.next`.

        Args:
            rx: the ring; its packets may have been rewritten.
            seen: the result of `before`.
            side: the side that they came from: enum flow_side.
            now: the engine's time; None: each packet has its own, as in a capture.
        """
