"""`Gauge`: a socket whose answers are bounded in bytes and in time.

A client takes what a server sends: a value of 512 MB, a line without an end, or a byte
a second for ever.  Who made such a value, or is such a server, would have the memory of
the process that forwards packets.  So each request says how much may come back.

A server that wants nobody says why and closes, while the client is still writing: its
last words are the error then, not the broken pipe.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER_BYTES_MAX = 256 * 1024
CALL_SECONDS = 5.0
LAST_WORDS = (b"-DENIED", b"-ERR max number of clients", b"-NOAUTH", b"-LOADING")
LAST_WORDS_MAX = 512


@dataclass(slots=True)
class Allowance:
    """How much may be answered to each request.

    Attributes:
        most: In bytes.
        seconds: From the request to its last byte.
    """

    most: int = ANSWER_BYTES_MAX
    seconds: float = CALL_SECONDS


class Gauge:
    """A socket, in the client's hands.

    Args:
        sock: The socket itself.
        allowance: Of each request; whoever asks may change it between requests.
    """

    def __init__(self, sock: Any, allowance: Allowance) -> None:
        self._sock = sock
        self._allowance = allowance
        self._last = b""
        self._begin()

    def _begin(self) -> None:
        self._left = self._allowance.most
        self._end = time.monotonic() + self._allowance.seconds

    def __getattr__(self, name: str) -> Any:
        """All else is the socket's."""
        return getattr(self._sock, name)

    def sendall(self, data: bytes) -> None:
        """Send a request, or a part of one.

        Raises:
            ValueError: the server's last words.
        """
        try:
            self._sock.sendall(data)
        except OSError:
            with contextlib.suppress(OSError):  # it may lie there unread
                self._heard(self._sock.recv(LAST_WORDS_MAX))
            self._complain()
            raise
        self._begin()

    def recv(self, size: int) -> bytes:
        """Receive a part of the answer.

        Raises:
            ValueError: it has become too long; or the server's last words.
            TimeoutError: it takes too long.
        """
        self._check_time()
        data: bytes = self._received(self._sock.recv, size)
        self._count(len(data))
        self._heard(data)
        return data

    def recv_into(self, buffer: Any, *sizes: int) -> int:
        """Receive a part of the answer; see `recv`."""
        self._check_time()
        size: int = self._received(self._sock.recv_into, buffer, *sizes)
        self._count(size)
        self._heard(bytes(memoryview(buffer)[: min(size, LAST_WORDS_MAX)]))
        return size

    def _received(self, receive: Callable[..., Any], *words: Any) -> Any:
        """Receive; an end right behind last words is these."""
        try:
            found = receive(*words)
        except ConnectionError:
            self._complain()
            raise
        if not found:
            self._complain()
        return found

    def _heard(self, data: bytes) -> None:
        """Note words that a server ends with."""
        if data:
            self._last = data if data.startswith(LAST_WORDS) else b""

    def _complain(self) -> None:
        """Raise the server's last words, if it has said any."""
        if self._last:
            line = self._last[1:LAST_WORDS_MAX].split(b"\r\n")[0]
            raise ValueError(line.decode("utf-8", errors="replace"))

    def _check_time(self) -> None:
        if time.monotonic() > self._end:
            raise TimeoutError(
                f"no whole answer within {self._allowance.seconds:g} seconds"
            )

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValueError(
                f"an answer of more than {self._allowance.most} bytes: some value of "
                "the group is not its members'"
            )


def gauged(kind: type[Any], allowance: Allowance) -> type[Any]:
    """Return a class of connections whose sockets are gauges."""

    class Gauged(kind):  # type: ignore[misc]
        """One connection of the client."""

        def _connect(self) -> Gauge:
            return Gauge(super()._connect(), allowance)

    return Gauged
