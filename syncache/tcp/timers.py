"""The one heap of timers of a stack's connections.

A connection says when it is due (`deadline`); `timer_ms` is when the heap asks it.  See
RFC 9293 3.8.1.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..connection import Connection

# Timers that are kept whatever the number of connections.
_TIMERS_MIN = 256


class Timers:
    """Connections by the time at which they are to be asked."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Connection]] = []
        self._number = 0

    def __len__(self) -> int:
        """Return how many there are, those that were overtaken included."""
        return len(self._heap)

    def next_ms(self) -> int | None:
        """Return when the next one is due, in milliseconds."""
        heap = self._heap
        while heap and heap[0][2].timer_ms != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now_ms: int) -> Iterator[Connection]:
        """Yield the connections that are to be asked by now."""
        while self._heap and self._heap[0][0] <= now_ms:
            when, _, connection = heappop(self._heap)
            if connection.timer_ms == when:
                connection.timer_ms = None
                yield connection

    def schedule(self, connection: Connection, connections: int) -> None:
        """See that the heap holds nothing later than the connection's deadline.

        An earlier timer stays: it fires for nothing once, which costs less than one
        entry for each segment.

        Args:
            connection: Whose deadline may have changed.
            connections: How many there are; the heap stays in proportion.
        """
        deadline = connection.deadline
        if deadline is None:
            return
        timer_ms = connection.timer_ms
        if timer_ms is None or deadline < timer_ms:
            connection.timer_ms = deadline
            self._number += 1
            heappush(self._heap, (deadline, self._number, connection))
            if len(self._heap) > _TIMERS_MIN + 4 * connections:
                # Timers that were overtaken, or whose connection has ended.
                self._heap = [t for t in self._heap if t[2].timer_ms == t[0]]
                heapify(self._heap)
