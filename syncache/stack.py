"""`Stack`: the engine's half-open side and the TCP behind it, without any I/O.

Contents: whose packet it is, listeners, the one heap of timers, the order in
which connections send, ICMP.  Elsewhere: the handshake (`engine`), a connection's
own rules (`connection`), links, clocks.

Packets come in by `receive()` or `burst()`; what is to be sent is taken by
`packets_to_send()` or `transmit()`, and only there do segments get their time.

See RFC 9293 3.9 and 3.10, RFC 6191, RFC 1122 3.2.2.6 (echo).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

from . import address as addresses
from ._core.block import milliseconds
from .connection import Connection
from .engine import MTU_MIN, Syncache, within
from .events import Accepted
from .fourtuple import TUPLE_BYTES
from .listener import Listener
from .ring import SLOT_MAX, Checksum, Ring
from .sysctl import Sysctl
from .tcp import icmp, output, segment_arrives
from .tcp.arrival import arrivals
from .tcp.settings import Settings
from .tcp.signature import SigningWriter, writer_of
from .tcp.silent import Silent
from .tcp.state import State
from .tcp.timers import Timers
from .verdict import Kind, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Buffer

    from .conn import Conn
    from .events import Event
    from .keyring import Keyring
    from .stats import Stats
    from .tcp.arrival import Arrival

__all__ = ["Stack"]

# IPv6 and TCP with all options; what an IPv4 packet with timestamps can carry.
_HEADERS_MAX = 100
_PAYLOAD_MAX = 65483
_OUT_SLOTS = 64
# Echo replies and the like that wait to be sent; beyond it they are not made.
_LOOSE_MAX = 256
# Of echo requests, and of ICMP errors, so many of a burst are looked at: who sends more
# is not served at the cost of others.
_OTHERS_MAX = 4
# An application that takes no events is given no more connections.
_EVENTS_MAX = 1 << 18
# Handshakes that one burst may offer although every socket is taken.
_OFFERS = 1024
# What the engine says to a SYN that it takes.
_ANSWERS = frozenset(
    (Reason.REPLY_SYN_ACK, Reason.REPLY_SYN_COOKIE, Reason.ACCEPT_FASTOPEN)
)
_ACCEPTS = frozenset(reason for reason in Reason if reason.kind is Kind.ACCEPT)
# FreeBSD lets TIME-WAIT take a fifth of the sockets.
_TIME_WAIT_SHARE = 5


class Stack:
    """A host's TCP: listeners and connections behind a SYN cache.

    Args:
        address: Ours; one or several, of either family.
        sysctl: The tunables, or a mapping of some of them.
        keys: Of the cookies; None: ephemeral ones.
        seed: Makes the stack deterministic.
        mtu: Of the link, in bytes, 68 to 65535.

    Raises:
        ValueError, KeyError: An argument is not legal.
        RuntimeError: More addresses than x.address_max.

    `segment_max` is the payload of the largest super-segment that the link takes in
    `transmit()`, in bytes; 0: none.  `now` is seconds of one monotonic clock, as in
    `Syncache`; calls must not overlap.
    """

    def __init__(
        self,
        address: str | Sequence[str],
        sysctl: Sysctl | Mapping[str, int | str] | None = None,
        *,
        keys: Keyring | None = None,
        seed: bytes | None = None,
        mtu: int = 1500,
    ) -> None:
        self.sysctl = sysctl if isinstance(sysctl, Sysctl) else Sysctl(sysctl)
        given = (address,) if isinstance(address, str) else address
        # The same address may be spelled twice, but listens once.
        self.addresses = tuple({addresses.pack(own): own for own in given}.values())
        if not self.addresses:
            raise ValueError("a stack has at least one address")
        self.mtu = within("mtu", mtu, MTU_MIN, 0xFFFF)
        self.segment_max = 0
        self.syncache = Syncache(
            self.sysctl,
            keys=keys,
            seed=seed,
            established_max=self._sockets_max + _OFFERS,
        )
        for own in self.addresses:
            self.syncache._address(own)  # noqa: SLF001
        self._ts_base = round(self.syncache.keys.wall_offset * 1000)
        self._ours = frozenset(addresses.pack(own) for own in self.addresses)
        self._read_settings()
        self._now_ms = 0
        self._handle = 0
        self._connections: dict[int, Connection] = {}
        self._tuples: dict[bytes, Connection] = {}
        self._time_wait: OrderedDict[Connection, None] = OrderedDict()
        # Queues from whose midst one can be taken: the first of a dict costs a look at
        # each that was there before it.
        self._ready: OrderedDict[Connection, None] = OrderedDict()
        self._delivered: Connection | None = None  # to whom the last segment went
        self._timers = Timers()
        self._silent = Silent()
        self._events: deque[Event] = deque()
        self._loose: deque[bytes] = deque()
        self._first = Ring(1, SLOT_MAX)
        self._second = Ring(1, SLOT_MAX)
        self._reply = Ring(1, 128)
        self._out = Ring(_OUT_SLOTS, max(2048, -(-mtu // 64) * 64))

    @property
    def stats(self) -> Stats:
        """The counters of the half-open side."""
        return self.syncache.stats

    @property
    def connections(self) -> list[Connection]:
        """Every connection, TIME-WAIT included."""
        return list(self._connections.values())

    @property
    def room(self) -> tuple[int, int]:
        """How many connections there are, and how many there can be."""
        return len(self._connections), self._sockets_max

    def listen(
        self,
        port: int,
        address: str | None = None,
        *,
        backlog: int = 128,
        **options: Any,
    ) -> Listener:
        """Begin to listen.

        Args:
            port: 1 to 65535.
            address: One of ours; None: all of them.
            backlog: Connections that may wait to be accepted (kern.ipc.somaxconn).
            options: Further ones of `Syncache.listen`, also for the connections; a
                `rcv_window` that is given does not grow, and has the least
                `rcv_wscale` that can tell it.

        Raises:
            ValueError: an argument is not legal; PortTakenError: somebody listens on
                this port and address.
            TypeError: there is no such option.
            RuntimeError: no room for another endpoint or key.
        """
        within("backlog", backlog, 0, 0xFFFFFFFF)
        if address is not None and addresses.pack(address) not in self._ours:
            raise ValueError(f"{address} is not an address of this stack")
        if options.get("fastopen") and options.get("md5_keys"):
            raise ValueError("fastopen and md5_keys do not go together")
        options.setdefault("mtu", self.mtu)
        rcv_window = options.get("rcv_window")
        if isinstance(rcv_window, int) and options.get("rcv_wscale") is None:
            # The least that can tell it: up to 65,535 to the byte.
            units = max(-(-rcv_window // 0xFFFF), 1)
            options["rcv_wscale"] = min((units - 1).bit_length(), 14)
        options.setdefault("rcv_window", self._knob("net.inet.tcp.recvspace"))
        backlog = min(backlog, self._knob("kern.ipc.somaxconn"))
        listener = Listener(port, backlog, options.pop("tag", None), options)
        listener.rcv_window = rcv_window
        try:
            for own in self.addresses if address is None else (address,):
                endpoint = self.syncache.listen(port, own, tag=listener, **options)
                listener.endpoints.append(endpoint)
        except BaseException:
            listener.close()
            raise
        return listener

    # Packets in.

    def receive(self, packet: Buffer, now: float) -> None:
        """Take one IP packet, from the IP header on, at a time in seconds.

        Raises:
            ValueError: the time is not finite.
        """
        view = memoryview(packet).cast("B")
        if len(view) <= SLOT_MAX:
            self._feed(view, now, Checksum.VERIFY)
            if self._delivered is not None:
                # The next one may come before anything is sent.
                self._guard(self._delivered)

    def burst(self, rx: Ring, tx: Ring, now: float) -> int:
        """Take the packets of a ring; return how many were consumed.

        Replies of the half-open side are appended to tx; it stops before the first
        packet whose reply does not fit.  What connections send comes by `transmit()`.

        Raises:
            ValueError: rx and tx are the same ring, or the time is not finite.
        """
        consumed = self.sift(rx, tx, now)
        self.take(rx, now)
        return consumed

    def sift(self, rx: Ring, tx: Ring, now: float) -> int:
        """Do the first half of `burst`: answer all that concerns no connection."""
        return self.syncache.burst(rx, tx, now)

    def take(self, rx: Ring, now: float) -> None:
        """Do the second half: give connections what `sift` has left."""
        self._advance(now)
        self._delivered = None
        for arrival in arrivals(rx, _OTHERS_MAX):
            reason = arrival.reason
            if reason is Reason.PASS_KNOWN:
                connection = self._connections.get(arrival.handle)
                if connection is not None:
                    self._deliver(connection, arrival, now)
                elif rx is not self._second:
                    # It was known when the burst began, and ended within it.
                    self._feed(arrival.packet, now, Checksum.VALID)
            elif reason in _ACCEPTS:
                self._accept(rx.completed(arrival.slot), arrival)
            else:
                self._pass(reason, arrival, now)

    def _feed(self, packet: memoryview, now: float, checksum: Checksum) -> None:
        """Give one packet to engine and connections, and keep the reply."""
        one = self._first if checksum is Checksum.VERIFY else self._second
        one.clear()
        one.push(packet, checksum=checksum)
        self.burst(one, self._reply, now)
        if len(self._reply):
            self._send_loose(bytes(self._reply[0]))
            self._reply.clear()

    def _deliver(self, connection: Connection, arrival: Arrival, now: float) -> None:
        """Give a connection its segment."""
        writer = connection.writer
        if isinstance(writer, SigningWriter) and not writer.verifies(arrival):
            return
        waiting = connection.state is State.TIME_WAIT
        if waiting and segment_arrives.may_replace(connection, arrival):
            self._replace(connection, arrival.packet, now)
            return
        connection.arrives(arrival, self._now_ms)
        self._delivered = connection
        if connection.silent_of is not None and connection.has_heard:
            self._silent.remove(connection)
        self._schedule(connection)

    def _replace(self, connection: Connection, packet: memoryview, now: float) -> None:
        """Forget TIME-WAIT for a SYN, unless the engine refuses that."""
        key, connection.key = connection.key, b""
        del self._tuples[key]
        self.syncache.closed(connection.conn)
        self._feed(packet, now, Checksum.VALID)  # once more: the tuple is free
        if self._second.verdict(0) in _ANSWERS:
            connection.forget()
        elif connection.state is State.TIME_WAIT:
            connection.key = key
            self._tuples[key] = connection
            self.syncache.opened(connection.conn.four_tuple, connection.handle)

    def _accept(self, conn: Conn, arrival: Arrival) -> None:
        """Make a connection of a completed handshake, if there is room."""
        listener: Listener = conn.endpoint.tag  # type: ignore[assignment]
        if self._settings_of != self.sysctl.changes:
            self._read_settings()
        if not self._has_room(listener):
            self.syncache.accepted(conn, ok=False)
            return
        self._handle = handle = self._handle + 1
        options = listener.options
        connection = Connection(
            conn,
            self._settings,
            self,
            writer_of(conn, options, self._dont_fragment),
            options["mtu"] or self.mtu,
            self._ts_base,
            listener,
        )
        connection.handle = handle
        connection.key = key = conn.raw[:TUPLE_BYTES]
        self._connections[handle] = connection
        self._tuples[key] = connection
        self.syncache.accepted(conn, handle)
        listener.offer(connection)
        self._events.append(Accepted(listener, connection))
        connection.begin(arrival, self._now_ms)
        if not connection.has_heard and connection.handle in self._connections:
            self._bound_silent(connection)
        self._schedule(connection)

    def _bound_silent(self, connection: Connection) -> None:
        """Count a connection as silent; reset the oldest of too many of its prefix."""
        limit = self._silent_max
        if not limit:
            return
        oldest = self._silent.add(connection, limit, self._now_ms)
        if oldest is not None:
            self._silent.remove(oldest)
            oldest.abort()

    def _has_room(self, listener: Listener) -> bool:
        """Return whether one more fits; TIME-WAIT gives way, then silent ones."""
        if listener.full or len(self._events) >= _EVENTS_MAX:
            return False
        if len(self._connections) < self._sockets:
            return True
        if self._time_wait:
            next(iter(self._time_wait)).forget()
            return True
        oldest = self._silent.of_many()
        if oldest is None or len(self._connections) >= self._sockets_max + _OFFERS:
            return False
        self._silent.remove(oldest)
        oldest.abort()
        return True

    def _pass(self, reason: Reason, arrival: Arrival, now: float) -> None:
        """Take packets of no connection that the engine knows."""
        if reason is Reason.PASS_OFFERED:
            # Right behind the segment that completed the handshake, in one ring.
            connection = self._tuples.get(arrival.key)
            if connection is not None:
                self._deliver(connection, arrival, now)
        elif reason is Reason.PASS_ICMP:
            self._take_icmp_error(arrival)
        elif reason is Reason.PASS_NOT_TCP:
            reply = icmp.echo_reply(arrival, self._ours)
            if reply is not None:
                self._send_loose(reply)

    def _take_icmp_error(self, arrival: Arrival) -> None:
        connection = self._tuples.get(arrival.key)
        if connection is None:
            return
        if arrival.mtu:
            if self._knob("net.inet.ip.path_mtu_discovery"):
                connection.packet_too_big(arrival.seq, arrival.mtu)
        else:
            error, hard = icmp.words(arrival)
            connection.icmp_error(arrival.seq, error, hard=hard)
        self._schedule(connection)

    # Packets out.

    def packets_to_send(self, now: float) -> list[bytes]:
        """Return the packets that are due, SYN-ACKs sent again included."""
        packets: list[bytes] = []
        out = self._out
        while self._transmit(out, now, 0):
            packets += [bytes(out[index]) for index in range(len(out))]
            out.clear()
        return packets

    def transmit(self, tx: Ring, now: float) -> int:
        """Append the packets that are due to a ring; return how many.

        Call again while it filled the ring.

        Raises:
            ValueError: a slot of the ring is smaller than the MTU.
        """
        room = tx.slot_size
        if room < self.mtu:
            raise ValueError(f"slots of {room} bytes cannot hold an MTU of {self.mtu}")
        gso_max = min(self.segment_max, room - _HEADERS_MAX, _PAYLOAD_MAX)
        return self._transmit(tx, now, max(gso_max, 0))

    def _transmit(self, tx: Ring, now: float, gso_max: int) -> int:
        self._advance(now)
        before = len(tx)
        while self._loose and tx.free:
            tx.push(self._loose.popleft(), checksum=Checksum.VALID)
        self.syncache.poll(now, tx)
        while self._ready and tx.free:
            connection, _ = self._ready.popitem(last=False)
            if not connection.transmit(tx, self._now_ms, gso_max):
                self._ready[connection] = None
            elif connection.state is State.CLOSED:
                self._remove(connection)
            self._guard(connection)
            self._schedule(connection)
        return len(tx) - before

    def _guard(self, connection: Connection) -> None:
        """Give the engine the connection's limits of now."""
        numbers = output.numbers(connection)
        known = connection.key and connection.state is not State.SYN_RECEIVED
        if known and numbers != connection.numbers:
            connection.numbers = numbers
            self.syncache.guard(connection.conn, numbers)

    def _send_loose(self, packet: bytes) -> None:
        if len(self._loose) < _LOOSE_MAX and len(packet) <= self.mtu:
            self._loose.append(packet)

    # Events and time.

    def next_event(self) -> Event | None:
        """Return the next event, or None."""
        return self._events.popleft() if self._events else None

    def next_deadline(self) -> float | None:
        """Return when `handle_timer` is due, in seconds, or None: never."""
        due, own = self.syncache.next_deadline(), self._timers.next_ms()
        if own is None:
            return due
        return own / 1000 if due is None else min(own / 1000, due)

    def handle_timer(self, now: float) -> None:
        """Run the timers that are due; then ask `packets_to_send` or `transmit`."""
        self._advance(now)
        for connection in self._timers.due(self._now_ms):
            deadline = connection.deadline
            if deadline is not None and deadline <= self._now_ms:
                connection.expire(self._now_ms)
            self._schedule(connection)

    def _advance(self, now: float) -> None:
        """Take the time, which never goes back."""
        self._now_ms = max(self._now_ms, milliseconds(now))

    def _schedule(self, connection: Connection) -> None:
        self._timers.schedule(connection, len(self._connections))

    # What connections call (`connection.Owner`).

    def wake(self, connection: Connection) -> None:
        """Let the connection send at the next opportunity."""
        self._ready[connection] = None

    def tell(self, event: Event) -> None:
        """Queue an event."""
        self._events.append(event)

    def changed(self, connection: Connection) -> None:
        """Take note that the connection entered TIME-WAIT or CLOSED."""
        if connection.state is State.TIME_WAIT:
            self._time_wait[connection] = None
            if len(self._time_wait) > max(1, self._sockets_max // _TIME_WAIT_SHARE):
                next(iter(self._time_wait)).forget()
        elif connection.reset is None:
            self._remove(connection)

    def _remove(self, connection: Connection) -> None:
        if self._connections.pop(connection.handle, None) is not None:
            self._time_wait.pop(connection, None)
            self._silent.remove(connection)
            connection.timer_ms = None
            if connection.key:
                self._tuples.pop(connection.key, None)
                self.syncache.closed(connection.conn)

    # Tunables.

    def _read_settings(self) -> None:
        """Read the settings of new connections: first, and when a tunable changed."""
        self._settings = Settings.of(self.sysctl)
        self._sockets = self._sockets_max
        self._dont_fragment = self._knob("net.inet.ip.path_mtu_discovery")
        self._silent_max = self._knob("net.inet.tcp.syncache.x.silent_max")
        self._settings_of = self.sysctl.changes

    def _knob(self, name: str) -> int:
        return int(self.sysctl[name])

    @property
    def _sockets_max(self) -> int:
        return self._knob("kern.ipc.maxsockets")
