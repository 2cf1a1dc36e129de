"""A listener as asyncio knows it."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Any

from ..engine import PortTakenError
from .transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..connection import Connection
    from ..listener import Listener
    from .host import Host


class Server(asyncio.AbstractServer):
    """The result of `Host.create_server`.

    Args:
        host: Whose loop and stack are used.
        protocol_factory: Called for each connection.
        listen: Begins to listen and returns the listener.
    """

    def __init__(
        self,
        host: Host,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        listen: Callable[[], Listener],
    ) -> None:
        self._host = host
        self._protocol_factory = protocol_factory
        self._listen = listen
        self._listener: Listener | None = None
        self._closed = False
        self._transports: set[Transport] = set()
        self._ended: asyncio.Future[None] = host.loop.create_future()

    def __repr__(self) -> str:
        state = "serving" if self.is_serving() else "not serving"
        return f"<{type(self).__name__} {state} connections={len(self._transports)}>"

    @property
    def sockets(self) -> tuple[()]:
        """No sockets: the TCP is ours."""
        return ()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of the host."""
        return self._host.loop

    def is_serving(self) -> bool:
        """Tell whether new connections are accepted."""
        return self._listener is not None

    async def start_serving(self) -> None:
        """Begin to listen; nothing if it does.

        Raises:
            OSError: EADDRINUSE, as asyncio's own servers say that a port is taken.
            RuntimeError: the server is closed.
        """
        if self._closed:
            raise RuntimeError(f"server {self!r} is closed")
        if self._listener is None:
            try:
                self._listener = self._listen()
            except PortTakenError as error:
                raise OSError(errno.EADDRINUSE, str(error)) from None
            self._host.attach(self._listener, self)

    async def serve_forever(self) -> None:
        """Serve until cancelled, then close.

        Connections go on, so an idle client cannot keep whoever interrupts waiting.
        """
        await self.start_serving()
        try:
            await asyncio.shield(self._ended)
        except asyncio.CancelledError:
            self.close()
            raise

    def close(self) -> None:
        """Listen no more; connections go on."""
        if self._closed:
            return
        self._closed = True
        if self._listener is not None:
            self._host.detach(self._listener)
            self._listener.close()
            self._listener = None
            self._host.wake()
        self._end_if_idle()

    async def wait_closed(self) -> None:
        """Wait until the server is closed and its last connection has ended."""
        await asyncio.shield(self._ended)

    def close_clients(self) -> None:
        """Close every connection: queued data is sent."""
        for transport in self._transports.copy():
            transport.close()

    def abort_clients(self) -> None:
        """Abort every connection."""
        for transport in self._transports.copy():
            transport.abort()

    # What the host and the transports call

    def accept(self, connection: Connection) -> Transport | None:
        """Give a new connection a protocol; None if the factory failed."""
        try:
            protocol = self._protocol_factory()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  it is not ours
            context: dict[str, Any] = {
                "message": "protocol_factory() failed.",
                "exception": error,
            }
            self._host.loop.call_exception_handler(context)
            return None
        transport = Transport(self._host, connection, protocol, self)
        self._transports.add(transport)
        return transport

    def detach(self, transport: Transport) -> None:
        """Forget a connection that has ended."""
        self._transports.discard(transport)
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self._closed and not self._transports and not self._ended.done():
            self._ended.set_result(None)
