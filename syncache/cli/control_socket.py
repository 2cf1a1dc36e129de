"""The control socket of a command, served between two turns of the packet loop.

One descriptor to wait on; a turn takes one step of a few connections and never waits.
A reader that does not read costs nothing but its place, and a crowd of them no more
than one does.
"""

from __future__ import annotations

import contextlib
import select
import time
from typing import TYPE_CHECKING

from ..control import LINE_BYTES_MAX
from ..socket_path import SocketPath
from . import Failure

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from ..control import Control

CONNECTIONS_MAX = 16
STEPS_A_TURN = 2
AGAIN_SECONDS = 1.0  # after there were no descriptors


class ControlSocket:
    """Listens at a path; a socket that a dead process left there is replaced.

    Raises:
        Failure: somebody answers there, or the path cannot be made.
    """

    def __init__(self, path: str, control: Control) -> None:
        self._control = control
        self._talks: dict[int, _Talk] = {}  # the first one has said nothing longest
        self._again: float | None = None  # when descriptors may be there again
        self._place = place_of(path)
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
        """End every connection, and remove the path."""
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


@contextlib.contextmanager
def answering(path: str, control: Control) -> Iterator[ControlSocket]:
    """Answer on the running event loop meanwhile.

    Besides, somebody has to call `turn` now and then: what there were no descriptors
    for is tried again then.

    Raises:
        Failure: as `ControlSocket`.
    """
    import asyncio  # the in-line boxes do without

    loop = asyncio.get_running_loop()
    made = ControlSocket(path, control)
    descriptor = made.fileno()
    loop.add_reader(descriptor, made.turn)
    try:
        yield made
    finally:
        loop.remove_reader(descriptor)
        made.close()


def place_of(path: str) -> SocketPath:
    """Make the socket of `--control`.

    Raises:
        Failure: somebody answers there, or the path cannot be made.
    """
    try:
        return SocketPath(path)
    except OSError as error:
        why = error.strerror or str(error)
        raise Failure(f"--control {path}: {why}") from None


class _Talk:
    """One connection: a line in, some lines out."""

    def __init__(self, sock: socket.socket, control: Control) -> None:
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
