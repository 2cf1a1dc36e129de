"""A host: one event loop that drives one link and one stack.

    link -> rx ring -> stack.burst -> tx ring -> link
                          |    ^
                 events   v    |   write, close
                     transports and their protocols

Whatever happens (packets, a timer, a write) ends in `_pump`: tell the protocols what
the stack has to say, let the stack fill the tx ring, empty it into the link, set the
one timer.  Each turn of the loop does a bounded amount of this, so other tasks of the
loop get their turns under any flood.  A link that takes no more stops the reading:
nothing is queued here beyond the two rings.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from ..events import Accepted, Closed, EndOfStream, Readable, Writable
from ..lookout import Lookout
from ..observer import made
from ..ring import PACKET_MAX, Ring
from ..stack import Stack
from ..tcp.state import State
from .attentive import Attended, attend
from .beat import Beat
from .reserve import Reserve
from .server import Server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from typing_extensions import Self

    from .._core.attend import Attend
    from ..alarms import Alarm
    from ..attempts import Counted
    from ..conn import Conn
    from ..connection import Connection
    from ..keyring import Keyring
    from ..links import Link
    from ..listener import Listener
    from ..observer import Observer
    from ..sysctl import Sysctl
    from .transport import Transport

log = logging.getLogger(__name__)

RX_SLOTS = 128
TX_SLOTS = 128
RINGS_PER_TURN = 4  # of each kind; about 1 ms of work under a flood
SLOT_MIN = 2048
HEADERS_MAX = 40 + 60  # IPv6, TCP with all options
LINGER_STEP = 0.01  # seconds
DELIVERING = {State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK}
STREAM_LIMIT = 64 * 1024  # asyncio's default


class Host(Attended):
    """Our end of a link.

    Args:
        link: Closed with the host.
        addresses: Ours.
        sysctl: The tunables of the stack.
        keys: Of the cookies; None: ephemeral ones.
        seed: Makes the stack deterministic.
        on_alarm: Called when a flood begins or ends on a port, a table fills up, the
            link loses frames or cookies are refused: see `syncache.alarms`.

    `closed` is a future, there from the first server on: its result is None after
    `aclose`, or the LinkError that ended the host.
    """

    def __init__(
        self,
        link: Link,
        addresses: str | Sequence[str],
        *,
        sysctl: Sysctl | Mapping[str, int | str] | None = None,
        keys: Keyring | None = None,
        seed: bytes | None = None,
        on_alarm: Callable[[Alarm], object] | None = None,
    ) -> None:
        gso_max = int(getattr(link, "gso_max", 0))
        headroom = int(getattr(link, "headroom", 0))
        slot_size = -(-(max(link.mtu, gso_max, SLOT_MIN) + headroom) // 64) * 64
        self.link = link
        mtu = min(link.mtu, PACKET_MAX)  # the loopback interface's is one more
        self.stack = Stack(addresses, sysctl, keys=keys, seed=seed, mtu=mtu)
        self.stack.segment_max = max(0, gso_max - HEADERS_MAX)
        self.loop: asyncio.AbstractEventLoop
        self.closed: asyncio.Future[OSError | None] | None = None
        self._link_deadline = getattr(link, "next_deadline", None)
        self._rx = Ring(RX_SLOTS, slot_size)
        self._tx = Ring(TX_SLOTS, slot_size)
        self.observer: Observer | None = None
        self.logs_loss = True  # False: who waits for `closed` says it
        self.admit: Callable[[Conn], bool] | None = None  # False: it is reset
        self.lookout: Lookout | None = None
        if on_alarm is not None:
            stack = self.stack
            self.lookout = Lookout(
                stack.syncache, self._link_counts, lambda: {"connections": stack.room}
            )
        self._beat = Beat(link, self.lookout, on_alarm, self._fail)
        self._reserve = Reserve()
        self._attend: Attend | None = None
        self._blocked = False  # the link takes no more packets now
        self._awake = False  # _pump is scheduled, or runs
        self._timer: asyncio.TimerHandle | None = None
        self._servers: dict[Listener, Server] = {}
        self._transports: dict[Connection, Transport] = {}
        self._handlers: dict[type, Callable[[Any], None]] = {
            Accepted: self._on_accepted,
            Readable: self._on_readable,
            EndOfStream: self._on_end_of_stream,
            Writable: self._on_writable,
            Closed: self._on_closed,
        }

    @property
    def next_beat(self) -> float | None:
        """When it looks about itself, of loop.time(); None: never."""
        return self._beat.due

    async def create_server(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        port: int,
        address: str | None = None,
        *,
        backlog: int = 128,
        start_serving: bool = True,
        **options: Any,
    ) -> Server:
        """Listen, and give each connection a protocol, as loop.create_server does.

        Args:
            protocol_factory: Called for each connection.
            port: To listen on.
            address: One of ours; None: all.
            backlog: Connections that wait to be accepted.
            start_serving: False: `Server.start_serving` begins to listen.
            options: Further ones of `Stack.listen`.

        Raises:
            OSError: EADDRINUSE, the port is taken.
            ValueError: an argument is not legal.
            RuntimeError: the host is closed.
        """
        self._begin()
        server = Server(
            self,
            protocol_factory,
            lambda: self.stack.listen(port, address, backlog=backlog, **options),
        )
        if start_serving:
            await server.start_serving()
        return server

    async def start_server(
        self,
        client_connected_cb: Callable[
            [asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None
        ],
        port: int,
        address: str | None = None,
        *,
        limit: int = STREAM_LIMIT,
        **options: Any,
    ) -> Server:
        """Listen, and give each connection two streams, as asyncio.start_server does.

        Args:
            client_connected_cb: Called with reader and writer; may be a coroutine.
            port: To listen on.
            address: One of ours; None: all.
            limit: Bytes that a reader buffers.
            options: Further ones of `create_server`, which also lists its errors.
        """
        loop = asyncio.get_running_loop()

        def factory() -> asyncio.BaseProtocol:
            reader = asyncio.StreamReader(limit, loop)
            return asyncio.StreamReaderProtocol(reader, client_connected_cb, loop)

        return await self.create_server(factory, port, address, **options)

    async def aclose(self, *, linger: float = 1.0) -> None:
        """Close the servers, abort the open connections, close the link.

        Args:
            linger: Seconds at most that connections which were closed before have
                left to deliver the data written to them.
        """
        for server in list(self._servers.values()):
            server.close()
        if self.closed is None:
            self.link.close()
            return
        self._abort(lambda transport: not transport.is_closing())
        end = self.loop.time() + linger
        try:
            while self._is_delivering() and self.loop.time() < end:  # noqa: ASYNC110
                await asyncio.sleep(LINGER_STEP)  # a stack has no callback to wait for
        finally:
            self._abort(lambda _: True)
            if not self.closed.done():
                self._stop(None)
        await asyncio.sleep(0)  # connection_lost is on its way

    def _abort(self, chosen: Callable[[Transport], bool]) -> None:
        """Send RST on the chosen connections."""
        for transport in list(self._transports.values()):
            if chosen(transport):
                transport.abort()
        self._pump()

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # What servers and transports call

    def attach(self, listener: Listener, server: Server) -> None:
        """Give the connections of a listener to a server."""
        self._servers[listener] = server

    def detach(self, listener: Listener) -> None:
        """Give no more connections to a server."""
        self._servers.pop(listener, None)

    def forget(self, connection: Connection) -> None:
        """Report no further events of a connection."""
        self._transports.pop(connection, None)

    def wake(self) -> None:
        """Let the stack send, once the callbacks that are running have returned."""
        if not self._awake:
            self._awake = True
            self.loop.call_soon(self._turn)

    def lack_memory(self) -> None:
        """There is no memory: go on with the reserve."""
        self._reserve.spend()
        self.wake()

    # The loop

    def _begin(self) -> None:
        if self.closed is not None:
            if self.closed.done():
                raise RuntimeError("this host is closed")
            return
        self.loop = asyncio.get_running_loop()
        self.closed = self.loop.create_future()
        self.loop.add_reader(self.link.fileno(), self._receive)
        self._beat.begin(self.loop)
        self._attend = attend(self, self._rx, self._tx)

    def _link_counts(self) -> dict[str, int]:
        counts: Mapping[str, int] = getattr(self.link, "counts", {})
        return {f"link_{name}": count for name, count in counts.items()}

    def _is_delivering(self) -> bool:
        """Tell whether something written, or the FIN behind it, is not acknowledged."""
        return not self._is_over() and (
            bool(self._transports)
            or any(c.state in DELIVERING for c in self.stack.connections)
        )

    def _stop(self, error: OSError | None) -> None:
        """End: leave the loop, end every transport, close the link."""
        assert self.closed is not None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.loop.remove_reader(self.link.fileno())
        self.loop.remove_writer(self.link.fileno())
        self._attend = None
        self._beat.end()
        self.link.close()
        self.closed.set_result(error)
        if error is not None:
            for transport in list(self._transports.values()):
                transport.link_lost(error)
            for server in list(self._servers.values()):
                server.close()

    def _fail(self, error: OSError) -> None:
        if self.logs_loss:
            log.error("%s", error)
        self._stop(error)

    def _receive(self) -> None:
        """The link is readable: take some rings of packets from it."""
        if self._is_over():
            return
        self._awake = True  # _pump is called below
        try:
            if self._beat.rests:
                self._beat.rouse()
            if self._attend is not None and self._attend.received:
                self._take_attended(self._attend)
            for _ in range(RINGS_PER_TURN):
                if self._rx.next == len(self._rx):
                    self._rx.clear()
                    if self.link.receive(self._rx) == 0:
                        break
                    if self.lookout is not None:
                        self.lookout.attempts.look(self._rx)
                # Not earlier: what arrived while we slept is not from the future.
                self._burst(self.loop.time())
                self._tell_events()
                if self._blocked:
                    break
        except OSError as error:
            self._fail(error)
        except MemoryError:
            self.lack_memory()
            self.loop.call_later(LINGER_STEP, self._receive)  # the rest of the ring
        finally:
            self._awake = False
        self._pump()

    def _burst(self, now: float) -> None:
        """Give the stack the rx ring, and the link the replies."""
        while self._rx.next < len(self._rx) and not self._blocked:
            observer = self.observer
            seen = None if observer is None else observer.before(self._rx)
            begun = len(self._tx)
            self.stack.sift(self._rx, self._tx, now)
            if observer is not None:
                observer.after(self._rx, seen, 0, now)
                made(observer, self._tx, begun, 0, now)
            # Who asks for a connection does not wait for the work on others.
            self._flush()
            self.stack.take(self._rx, now)

    def counted(self) -> Counted | None:
        """Return the SYNs of the last second by source and destination."""
        return None if self.lookout is None else self.lookout.counted

    def _flush(self) -> None:
        """Empty the tx ring into the link; wait for the link if it takes no more."""
        self.link.send(self._tx)
        if self._tx.next == len(self._tx):
            self._tx.clear()
        elif not self._blocked:
            self._blocked = True
            self.loop.remove_reader(self.link.fileno())
            self.loop.add_writer(self.link.fileno(), self._unblock)

    def _unblock(self) -> None:
        """The link is writable again: go on where it stopped."""
        try:
            self.link.send(self._tx)
        except OSError as error:
            self._fail(error)
            return
        if self._tx.next < len(self._tx):
            return
        self._tx.clear()
        self._blocked = False
        self.loop.remove_writer(self.link.fileno())
        self.loop.add_reader(self.link.fileno(), self._receive)
        self._receive()

    def _turn(self) -> None:
        self._awake = False
        self._pump()

    def _pump(self) -> None:
        """Let protocols and stack speak, as long as it is their turn."""
        if self._is_over():
            return
        self._awake = True  # what protocols write now is sent below
        try:
            is_silent = self._exchange(self.loop.time())
        except OSError as error:
            self._fail(error)
            return
        except MemoryError:
            self.lack_memory()
            is_silent = False
        finally:
            self._awake = False
        if not is_silent:
            self.wake()
        self._set_timer()

    def _exchange(self, now: float) -> bool:
        """Call the protocols and send their output; False if there is more."""
        for _ in range(RINGS_PER_TURN):
            self._tell_events()
            begun = len(self._tx)
            if self._blocked or self.stack.transmit(self._tx, now) == 0:
                return True
            made(self.observer, self._tx, begun, 0, now)
            self._flush()
        return False

    def _is_over(self) -> bool:
        return self.closed is None or self.closed.done()

    def _set_timer(self) -> None:
        """Have the timer run no later than the next deadline.

        A deadline that moved away leaves the timer as it is: it fires early once,
        which costs less than setting it anew with every packet.
        """
        deadlines = (
            self.stack.next_deadline(),
            self._link_deadline() if self._link_deadline else None,
        )
        due = min((when for when in deadlines if when is not None), default=None)
        if due is None or (self._timer is not None and self._timer.when() <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._is_over():
            return
        try:
            self.stack.handle_timer(self.loop.time())
        except MemoryError:
            self.lack_memory()
        if self._link_deadline and not self._blocked:
            self._receive()
        else:
            self._pump()

    # Events of the stack

    def _tell_events(self) -> None:
        event = self.stack.next_event()
        while event is not None:
            try:
                self._handlers[type(event)](event)
            except MemoryError:
                self._give_up(event)
            event = self.stack.next_event()

    def _give_up(
        self, event: Accepted | Readable | EndOfStream | Writable | Closed
    ) -> None:
        """End the connection whose event found no memory."""
        self.lack_memory()
        if isinstance(event, Accepted):
            self._on_accepted(event)  # the others that wait: they are refused
        elif transport := self._transports.get(event.connection):
            transport.abort()

    def _on_accepted(self, event: Accepted) -> None:
        server = self._servers.get(event.listener)
        has_room = self._reserve.has_room()
        while (connection := event.listener.accept()) is not None:
            welcome = has_room and (self.admit is None or self.admit(connection.conn))
            transport = server.accept(connection) if server and welcome else None
            if transport is None:
                connection.abort()
                continue
            self._transports[connection] = transport
            transport.begin()

    def _on_readable(self, event: Readable) -> None:
        if transport := self._transports.get(event.connection):
            transport.deliver()

    def _on_end_of_stream(self, event: EndOfStream) -> None:
        if transport := self._transports.get(event.connection):
            transport.receive_eof()

    def _on_writable(self, event: Writable) -> None:
        if transport := self._transports.get(event.connection):
            transport.flush()

    def _on_closed(self, event: Closed) -> None:
        if transport := self._transports.get(event.connection):
            transport.connection_closed(event.error)
