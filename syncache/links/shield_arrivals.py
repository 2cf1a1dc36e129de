"""Do the connections that a shield's programs make arrive in the kernel's TCP?

Between tc and TCP stand routing, translation and the firewall, and one of them may drop
an ACK whose SYN it has not seen.  Clients then believe to be connected, and nobody
serves them.  The kernel counts what arrives; so few of them are a reason to leave SYNs
to the kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST = 6  # connections that are enough to judge by
SHARE = 8  # one in so many has to arrive; others in the namespace count with ours
RETRY_SECONDS, RETRY_SECONDS_MAX = 60.0, 3600.0
LOST = (
    "connections that were made of cookies do not arrive in TCP: a rule drops ACKs "
    "whose SYN the firewall has not seen (ct state invalid, ! --syn), or they are "
    "translated (DNAT); for {:.0f} s SYNs are the kernel's"
)
SUSPICION_SECONDS = 5.0  # between two, since to follow one takes time


class Arrivals:
    """Compares what was made with what has arrived, once a look."""

    def __init__(self) -> None:
        self.is_resting = False
        self._until, self._wait = 0.0, RETRY_SECONDS
        self._begun: tuple[int, int] | None = None
        self._made = self._replayed = 0
        self._next = 0.0

    def is_suspect(self, replayed: int, now: float) -> bool:
        """Return whether ACKs came so often that the kernel may have nothing of them.

        Args:
            replayed: Handshakes of which the programs ever took no ACK any more.
            now: Seconds of any clock.
        """
        if replayed == self._replayed or now < self._next:
            return False
        self._replayed, self._next = replayed, now + SUSPICION_SECONDS
        return True

    def look(
        self, made: int, arrived: int, now: float, are_held: Callable[[], bool]
    ) -> tuple[str, str] | None:
        """Begin or end a rest, in which SYNs are the kernel's; an event's kind, text.

        Args:
            made: Connections that the programs have ever made, read first.
            arrived: Connections that the kernel has ever accepted.
            now: Seconds of any clock.
            are_held: Whether the kernel has one of those after all: then only
                some clients spoil their own.
        """
        if self.are_lost(made, arrived) and not are_held():
            self.is_resting, self._until = True, now + self._wait
            text = LOST.format(self._wait)
            self._wait = min(2 * self._wait, RETRY_SECONDS_MAX)
            return "refused", text
        if self.is_resting and now >= self._until:
            self.is_resting = False
            return "retry", "cookies are tried again"
        return None

    def are_lost(self, made: int, arrived: int) -> bool:
        """Return whether hardly any of them arrive."""
        before, self._made = self._made, made
        if self._begun is None or made == self._begun[0]:
            self._begun = made, arrived
            return False
        # What was made since the look before may be under way.
        waited_for = before - self._begun[0]
        came = arrived - self._begun[1]
        if came * SHARE < waited_for:
            if waited_for >= LEAST:
                self._begun = None
                return True
        elif waited_for:
            self._begun = made, arrived
        return False
