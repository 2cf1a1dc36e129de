"""One connection as asyncio's protocols see it.

The connection's own send and receive buffers are the stack's.  Here are only the
bytes that the send buffer did not take, and asyncio's rules: who is told what, when,
and how often.  See the Transports and Protocols chapter of Python's documentation.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..connection import Connection
    from .host import Host
    from .server import Server

READ_MAX = 256 * 1024  # bytes a protocol is given in one call
HIGH_WATER = 64 * 1024  # asyncio's default


class Transport(asyncio.Transport):
    """A connection of a `Host`.

    `get_extra_info` knows "peername" and "sockname", pairs of address and port for
    both families, and "syncache.connection"; "socket" is None, for there is none.
    """

    # loop.start_tls() asks for it.
    _start_tls_compatible = True

    def __init__(
        self,
        host: Host,
        connection: Connection,
        protocol: asyncio.BaseProtocol,
        server: Server | None = None,
    ) -> None:
        super().__init__(
            {
                "peername": connection.peername,
                "sockname": connection.sockname,
                "syncache.connection": connection,
            }
        )
        self._host = host
        self._loop = host.loop
        self._connection = connection
        self._server = server
        self._pending: deque[bytes | memoryview] = deque()
        self._pending_size = 0
        self._high_water, self._low_water = HIGH_WATER, HIGH_WATER // 4
        self._writing_paused = False
        self._reading_paused = False
        self._eof_written = False
        self._eof_received = False
        self._eof_told = False
        self._peer_closed = False
        self._closing = False
        self._lost = False
        connection.nodelay = True  # as asyncio sets it
        self.set_protocol(protocol)

    def __repr__(self) -> str:
        state = "lost" if self._lost else "closing" if self._closing else "open"
        peer = self.get_extra_info("peername")
        return f"<{type(self).__name__} {state} peername={peer}>"

    # Protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Make `protocol` the one that is told from now on."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that is told."""
        return self._protocol

    # Reading

    def is_reading(self) -> bool:
        """Tell whether the protocol is given data as it comes."""
        return not self._reading_paused and not self._closing

    def pause_reading(self) -> None:
        """Give the protocol no more data.

        The receive buffer then fills, and as it does the window closes.
        """
        self._reading_paused = True

    def resume_reading(self) -> None:
        """Give the protocol data again, which opens the window."""
        if self._reading_paused:
            self._reading_paused = False
            self._loop.call_soon(self.deliver)

    # Writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Queue `data` to be sent; lost once the transport is closing.

        Raises:
            TypeError: it is not bytes-like.
            RuntimeError: after write_eof().
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data is to be bytes-like, not {type(data).__name__}")
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._closing or not data:
            return  # as asyncio: what is written to a lost connection is lost
        view = memoryview(data).cast("B")
        taken = 0 if self._pending else self._connection.write(view)
        if taken < len(view):
            rest = view[taken:]
            self._pending.append(rest if isinstance(data, bytes) else bytes(rest))
            self._pending_size += len(rest)
            self._pause_writing_if_full()
        self._host.wake()

    def writelines(
        self, list_of_data: Iterable[bytes | bytearray | memoryview]
    ) -> None:
        """Queue all of it, joined."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """Return True: TCP can close one direction."""
        return True

    def write_eof(self) -> None:
        """Send FIN after the queued data; the peer may go on sending."""
        if self._closing or self._eof_written:
            return
        self._eof_written = True
        if not self._pending:
            self._connection.close()
            self._host.wake()

    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        """Set when the protocol is told to pause writing and to resume it, in bytes.

        Raises:
            ValueError: not high >= low >= 0.
        """
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high_water, self._low_water = high, low
        self._pause_writing_if_full()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return (low, high) in bytes."""
        return self._low_water, self._high_water

    def get_write_buffer_size(self) -> int:
        """Return the bytes that the connection's send buffer has no room for yet."""
        return self._pending_size

    # Ending

    def is_closing(self) -> bool:
        """Tell whether the transport is closed or about to be."""
        return self._closing

    def close(self) -> None:
        """Send the queued data, then FIN; read no more."""
        if self._closing:
            return
        self._closing = True
        self._connection.release()
        self._finish_if_sent()

    def abort(self) -> None:
        """Send RST; queued data is lost."""
        self._force_close(None)

    # What the host calls

    def begin(self) -> None:
        """Give the protocol its connection, and the data that came with it."""
        self._tell("connection_made", self)
        self.deliver()

    def deliver(self) -> None:
        """Give the protocol the data that arrived, then the end of it."""
        while self.is_reading() and not self._eof_told:
            if not self._deliver_some():
                break
        if self.is_reading() and self._eof_received and not self._eof_told:
            self._eof_told = True
            if not self._tell("eof_received"):
                self.close()
        if self.is_reading() and self._peer_closed:
            self._closing = True
            self._lose(None)
        self._host.wake()

    def receive_eof(self) -> None:
        """Take note that the peer sent FIN."""
        self._eof_received = True
        self.deliver()

    def flush(self) -> None:
        """Hand pending bytes to the send buffer, which has room again."""
        while self._pending:
            data = self._pending.popleft()
            taken = self._connection.write(data)
            self._pending_size -= taken
            if taken < len(data):
                self._pending.appendleft(memoryview(data)[taken:])
                break
        if self._writing_paused and self._pending_size <= self._low_water:
            self._writing_paused = False
            self._tell("resume_writing")
        if not self._pending and not self._lost:
            if self._closing:
                self._finish_if_sent()
            elif self._eof_written:
                self._connection.close()
        self._host.wake()

    def connection_closed(self, error: str | None) -> None:
        """Take note that the connection has ended.

        After an orderly end, data may wait for a protocol that paused reading.
        """
        if error is None and not self._closing:
            self._peer_closed = True
            self.deliver()
        else:
            self._closing = True
            self._lose(_exception(error))

    def link_lost(self, error: OSError) -> None:
        """End because the link is gone."""
        self._closing = True
        self._lose(error)

    # Helpers

    def _deliver_some(self) -> bool:
        """Give the protocol one piece.  Returns False if there was none."""
        protocol = self._protocol
        if not isinstance(protocol, asyncio.BufferedProtocol):
            data = self._connection.read(READ_MAX)
            if data:
                self._tell("data_received", data)
            return bool(data)
        room = self._tell("get_buffer", -1)
        if self._closing:
            return False
        with memoryview(room) as view:
            data = self._connection.read(len(view))
            view[: len(data)] = data
        if data:
            self._tell("buffer_updated", len(data))
        return bool(data)

    def _pause_writing_if_full(self) -> None:
        if self._pending_size > self._high_water and not self._writing_paused:
            self._writing_paused = True
            self._tell("pause_writing")

    def _finish_if_sent(self) -> None:
        """Close the connection once the send buffer has taken everything."""
        if self._pending:
            return
        self._connection.close()
        self._host.wake()
        self._lose(None)

    def _force_close(self, error: BaseException | None) -> None:
        """Send RST and end; asyncio's TLS calls it by this name."""
        if self._lost:
            return
        self._closing = True
        self._connection.abort()
        self._host.wake()
        self._lose(error)

    def _lose(self, error: BaseException | None) -> None:
        """End: the protocol is told once, later, never from within its own call."""
        if self._lost:
            return
        self._lost = True
        self._pending.clear()
        self._pending_size = 0
        self._host.forget(self._connection)
        self._loop.call_soon(self._tell_lost, error)

    def _tell_lost(self, error: BaseException | None) -> None:
        self._tell("connection_lost", error)
        if self._server is not None:
            self._server.detach(self)
            self._server = None

    def _tell(self, method: str, *args: object) -> Any:
        """Call the protocol; its mistakes end this connection and no other."""
        try:
            return getattr(self._protocol, method)(*args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  it is not ours
            self._loop.call_exception_handler(
                {
                    "message": f"protocol.{method}() call failed.",
                    "exception": error,
                    "transport": self,
                    "protocol": self._protocol,
                }
            )
            self._force_close(error)
            return None


def _exception(error: str | None) -> OSError | None:
    """Return the exception that describes the end of a connection."""
    if error is None:
        return None
    if "reset" in error:
        return ConnectionResetError(errno.ECONNRESET, error)
    if "time" in error:
        return TimeoutError(errno.ETIMEDOUT, error)
    return ConnectionAbortedError(errno.ECONNABORTED, error)
