"""`Observer`: sees packets before and after an engine has judged them.

An engine's `observer` is asked around each burst.  It sees packets as they came, before
any rewriting, their verdicts once they have them, and the packets that the engine made
itself.  It may not change anything.
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

    def sent(self, tx: Ring, begin: int, side: int, now: float) -> None:
        """Look at packets that the engine made: those of `tx` from `begin` on.

        Args:
            tx: the ring that they were appended to.
            begin: the place of the first one; there may be none.
            side: the side that they go to: enum flow_side.
            now: the engine's time.
        """


def made(
    observer: Observer | None, tx: Ring | None, begin: int, side: int, now: float
) -> None:
    """Show an observer the packets that were appended to a ring, if there are any."""
    if observer is not None and tx is not None and len(tx) > begin:
        observer.sent(tx, begin, side, now)
