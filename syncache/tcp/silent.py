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
        self._prefixes: dict[tuple[int, bytes], dict[Connection, int]] = {}
        self._heavy: dict[tuple[int, bytes], None] = {}
        self._prefix_of: dict[Connection, tuple[int, bytes]] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._prefix_of)

    def add(self, connection: Connection, limit: int, now_ms: int) -> Connection | None:
        """Take a connection; return the one that its prefix has too many, or None.

        Args:
            connection: New, and silent.
            limit: Of the connections of a prefix; 0: none.
            now_ms: When the handshake was complete.
        """
        family = connection.conn.family
        prefix = family, connection.key[: _PREFIX_BYTES[family]]
        ours = self._prefixes.setdefault(prefix, {})
        ours[connection] = now_ms
        connection.is_silent = True
        self._prefix_of[connection] = prefix
        if len(ours) >= FEW:
            self._heavy[prefix] = None
        if not 0 < limit < len(ours):
            return None
        oldest, since = next(iter(ours.items()))
        return oldest if now_ms - since >= GRACE_MS else None

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is silent no more, or has ended."""
        prefix = self._prefix_of.pop(connection, None)
        if prefix is None:
            return
        connection.is_silent = False
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
