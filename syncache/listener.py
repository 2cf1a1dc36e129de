"""A listener: a port, and the queue of connections that wait to be accepted.

The queue is FreeBSD's: with a backlog of n it holds up to 3 * n // 2 connections, one
at least.  When it is full the engine is told, and what happens then is its tunables'
(`rst_on_sock_fail`, `offer_timeout`): the handshake stays half open, or ends.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .conn import Endpoint
    from .connection import Connection


class Listener:
    """The result of `Stack.listen()`.

    It has several endpoints if it listens on every address of the stack.  `options`
    are those of its endpoints, `tag` is the caller's own, `rcv_window` what it was
    told to grant its connections, if it was.
    """

    def __init__(
        self, port: int, backlog: int, tag: object, options: Mapping[str, Any]
    ) -> None:
        self.port = port
        self.backlog = backlog
        self.tag = tag
        self.options = options
        self.rcv_window: int | None = None
        self.endpoints: list[Endpoint] = []
        self.closed = False
        self._room = max(1, 3 * backlog // 2)
        self._queue: deque[Connection] = deque()

    def __len__(self) -> int:
        """Return how many connections wait."""
        return len(self._queue)

    def __bool__(self) -> bool:
        """Be true although nothing waits."""
        return True

    def __repr__(self) -> str:
        """Return port, state and queue."""
        state = "closed" if self.closed else f"{len(self)} of {self.backlog} waiting"
        return f"<Listener port {self.port} {state}>"

    @property
    def full(self) -> bool:
        """Whether a further connection would be one too many."""
        return self.closed or len(self._queue) >= self._room

    def accept(self) -> Connection | None:
        """Take the connection that has waited longest; None if there is none."""
        return self._queue.popleft() if self._queue else None

    def offer(self, connection: Connection) -> None:
        """Queue a connection; the caller has looked at `full`."""
        self._queue.append(connection)

    def close(self) -> None:
        """End listening and abort waiting connections; accepted ones go on.

        Raises:
            RuntimeError: the engine is closed, or in use by another call.
        """
        self.closed = True
        for endpoint in self.endpoints:
            endpoint.close()
        while self._queue:
            self._queue.popleft().abort()
