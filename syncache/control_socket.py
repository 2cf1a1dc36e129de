"""The control socket, answered between two turns of a packet loop or an event loop.

One descriptor to wait on; a turn takes one step of a few connections and never waits.
A reader that does not read costs nothing but its place, and a crowd of them no more
than one does.

Elsewhere: what is asked and answered (`control`), and the path (`socket_path`).
"""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Protocol

from .socket_path import SocketPath

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Self

LINE_BYTES_MAX = 64 * 1024  # of a request
CONNECTIONS_MAX = 64
STEPS_A_TURN = 2
AGAIN_SECONDS = 1.0  # after there were no descriptors


class Answers(Protocol):
    """Who knows what to say: `control.Control`."""

    def replies(self, line: bytes) -> Iterator[bytes]:
        """Return the lines that answer a request; never raises but MemoryError."""


class ControlSocket:
    """Listens at a path; a socket that a dead process left there is replaced.

    With more than 64 connections the one that has asked nothing for the longest time
    is ended.

    Raises:
        FileExistsError: a living process answers there, or it is not a socket.
        OSError: the path cannot be made.
    """

    def __init__(self, path: str | Path | SocketPath, control: Answers) -> None:
        self._control = control
        self._closed = False
        self._talks: dict[int, _Talk] = {}  # the first one has said nothing longest
        self._again: float | None = None  # when descriptors may be there again
        self._place = path if isinstance(path, SocketPath) else SocketPath(path)
        self._socket = self._place.socket
        self._socket.listen(CONNECTIONS_MAX)
        self._epoll = select.epoll()
        self._epoll.register(self._socket, select.EPOLLIN)

    def fileno(self) -> int:
        """Return the objects to wait on: readable when `turn` has something to do."""
        return self._epoll.fileno()

    def turn(self) -> None:
        """Take a step of some connections."""
        if self._again is not None and time.monotonic() >= self._again:
            self._again = None
            self._epoll.register(self._socket, select.EPOLLIN)
        for descriptor, _ in self._epoll.poll(0, STEPS_A_TURN):
            talk = self._talks.get(descriptor)
            if talk is None:
                self._accept()
            elif talk.step():
                self._talks[descriptor] = self._talks.pop(descriptor)
                self._epoll.modify(descriptor, talk.waits_for)
            else:
                self._end(descriptor)

    def close(self) -> None:
        """End every connection, and remove the path; nothing if that is done."""
        if self._closed:
            return
        self._closed = True
        for descriptor in list(self._talks):
            self._end(descriptor)
        self._epoll.close()
        self._socket.close()
        self._place.remove()

    def _accept(self) -> None:
        """Take a connection; the one that asked nothing for longest makes room."""
        try:
            made, _ = self._socket.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError:  # no descriptors: do not be woken for it again at once
            self._epoll.unregister(self._socket)
            self._again = time.monotonic() + AGAIN_SECONDS
            return
        if len(self._talks) >= CONNECTIONS_MAX:
            self._end(next(iter(self._talks)))
        made.setblocking(False)
        self._talks[made.fileno()] = _Talk(made, self._control)
        self._epoll.register(made, select.EPOLLIN)

    def _end(self, descriptor: int) -> None:
        self._epoll.unregister(descriptor)
        self._talks.pop(descriptor).socket.close()


class ControlServer(ControlSocket):
    """One that the running event loop turns, with the words of an `asyncio.Server`.

    Its end ends the connections too, since one that stays open, as that of
    `syncache top` does, is nothing to wait for.

    Raises:
        FileExistsError: as `ControlSocket`.
        OSError: as `ControlSocket`.
        RuntimeError: no event loop is running.
    """

    def __init__(self, path: str | Path | SocketPath, control: Answers) -> None:
        import asyncio  # the in-line boxes do without

        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None
        super().__init__(path, control)
        self._loop.add_reader(self.fileno(), self.turn)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def is_serving(self) -> bool:
        """Return whether it answers."""
        return not self._closed

    def turn(self) -> None:
        """Take a step of some connections; the loop does, by itself."""
        super().turn()
        if self._again is not None and self._later is None:
            self._later = self._loop.call_later(AGAIN_SECONDS, self._turn_later)

    def close(self) -> None:
        """End every connection, and remove the path; nothing if that is done."""
        if not self._closed:
            self._loop.remove_reader(self.fileno())
            if self._later is not None:
                self._later.cancel()
        super().close()

    async def wait_closed(self) -> None:
        """Return at once: nothing is left after `close`."""

    def _turn_later(self) -> None:
        self._later = None
        self.turn()


class _Talk:
    """One connection: a line in, some lines out."""

    def __init__(self, sock: socket.socket, control: Answers) -> None:
        self.socket = sock
        self._control = control
        self._in = b""
        self._out = b""
        self._replies: Iterator[bytes] | None = None

    @property
    def waits_for(self) -> int:
        """The input of the next step."""
        speaks = self._replies is not None or self._out
        return select.EPOLLOUT if speaks else select.EPOLLIN

    def step(self) -> bool:
        """Read a piece, make a line and write a piece of it; False: it is over."""
        try:
            if self._replies is not None or self._out:
                self._speak()
                return True
            return self._listen()
        except BlockingIOError:
            return True
        except (OSError, MemoryError):
            return False

    def _listen(self) -> bool:
        data = self.socket.recv(LINE_BYTES_MAX)
        self._in += data
        self._begin()
        if self._replies is not None:
            self._speak()
        return bool(data) and len(self._in) <= LINE_BYTES_MAX

    def _begin(self) -> None:
        """Begin to answer the next whole line."""
        line, end, rest = self._in.partition(b"\n")
        if end:
            self._in = rest
            self._replies = self._control.replies(line)

    def _speak(self) -> None:
        if not self._out and self._replies is not None:
            self._out = next(self._replies, b"")
            if not self._out:
                self._replies = None
                self._begin()
                return
        self._out = self._out[self.socket.send(self._out) :]
