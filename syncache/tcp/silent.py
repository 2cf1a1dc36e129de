"""Connections whose peers have said nothing since the handshake, by source prefix.

A peer that completes handshakes and is silent takes a connection for as long as it
likes.  Of each prefix a number of such connections is kept, and where connections run
out, a prefix that has many of them gives up its oldest first.  For the number alone
none is given up that is younger than three seconds: in a crowd the first words of an
honest peer may be lost, and it sends them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.mirror import limit

if TYPE_CHECKING:
    from ..connection import Connection

_PREFIX_BYTES = {4: 3, 6: 6}
FEW = limit("FLOW_SILENT_FEW")  # a prefix that has fewer gives up none for others
GRACE_MS = limit("FLOW_SILENT_GRACE_MS")  # two retransmissions of first words


class Silent:
    """The silent connections of a stack, the oldest of each prefix first."""

    def __init__(self) -> None:
        # Prefixes of the two families differ in length.
        self._prefixes: dict[bytes, dict[Connection, int]] = {}
        self._heavy: dict[bytes, None] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(map(len, self._prefixes.values()))

    def add(self, connection: Connection, limit: int, now_ms: int) -> Connection | None:
        """Take a connection; return the one that its prefix has too many, or None.

        Args:
            connection: New, and silent.
            limit: Of the connections of a prefix; 0: none.
            now_ms: When the handshake was complete.
        """
        prefix = connection.key[: _PREFIX_BYTES[connection.family]]
        ours = self._prefixes.get(prefix)
        if ours is None:
            ours = self._prefixes[prefix] = {}
        ours[connection] = now_ms
        connection.silent_of = prefix
        count = len(ours)
        if count >= FEW:
            self._heavy[prefix] = None
        if count <= limit or not limit:
            return None
        oldest, since = next(iter(ours.items()))
        return oldest if now_ms - since >= GRACE_MS else None

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is silent no more, or has ended."""
        prefix = connection.silent_of
        if prefix is None:
            return
        connection.silent_of = None
        ours = self._prefixes[prefix]
        del ours[connection]
        if len(ours) < FEW:
            self._heavy.pop(prefix, None)
        if not ours:
            del self._prefixes[prefix]

    def of_many(self) -> Connection | None:
        """Return the oldest connection of a prefix that has many; None: none has."""
        prefix = next(iter(self._heavy), None)
        return None if prefix is None else next(iter(self._prefixes[prefix]))
