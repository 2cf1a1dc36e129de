"""A connection, from the completed handshake to the end of TIME-WAIT (RFC 9293).

Contents: the user calls, and what the transitions of `TRANSITIONS` do.  What
does not, each with a module in `syncache.tcp`: the table itself (`state`), what an
arriving segment does (`segment_arrives`), what leaves (`sender`, `receiver`, `output`).

`arrives()` and `expire()` change variables and arm timers; `transmit()` alone makes
segments, so `write()` and `read()` never need to know the time.

See RFC 9293 3.9.1 and 3.10, RFC 5927 (ICMP).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .events import Closed, EndOfStream, Readable, Writable
from .segment import ACK, FIN, RST, SYN
from .tcp import output, segment_arrives
from .tcp.arrival import near
from .tcp.departure import Departure
from .tcp.keepalive import Keepalive
from .tcp.limiter import Limiter
from .tcp.opening import HEADERS, make_receiver, make_sender, path_mss, shift
from .tcp.segment_arrives import RECEIVING
from .tcp.signature import OPTION_BYTES as SIGNATURE_BYTES
from .tcp.state import TRANSITIONS, Action, Happening, State
from .tcp.timestamps import OPTION_BYTES, Timestamps

if TYPE_CHECKING:
    from .conn import Conn, Numbers
    from .events import Event
    from .listener import Listener
    from .ring import Ring
    from .tcp.arrival import Arrival
    from .tcp.departure import Writer
    from .tcp.settings import Settings

__all__ = ["TRANSITIONS", "Connection", "ConnectionInfo", "Owner"]

_WRITABLE = frozenset((State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSE_WAIT))


class Owner(Protocol):
    """The interface that a connection needs of its stack."""

    def wake(self, connection: Connection) -> None:
        """Call `transmit()` at the next opportunity."""
        ...

    def tell(self, event: Event) -> None:
        """Queue an event for the application."""
        ...

    def changed(self, connection: Connection) -> None:
        """The connection entered TIME-WAIT or CLOSED."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """A snapshot for people and tests: sizes in bytes, times in milliseconds."""

    state: State
    via: str
    mss: int
    sack: bool
    timestamps: bool
    ecn: str
    snd_wscale: int | None
    rcv_wscale: int | None
    snd_wnd: int
    rcv_wnd: int
    cwnd: int
    ssthresh: int
    srtt_ms: float | None
    rto_ms: int
    retransmitted: int
    unsent: int
    unread: int
    soft_error: str | None


class Connection:
    """One TCP connection.

    For the application: `state`, `read`, `write`, `close`, `release`, `abort`, `info`,
    `peername`, `sockname`, `nodelay`, `keepalive`.  For its stack: `arrives`,
    `expire`, `transmit`, `deadline`, `icmp_error`, `packet_too_big`.
    """

    __slots__ = (
        "_closed_told",
        "_limiter",
        "_mtu",
        "_readable_told",
        "_write_blocked",
        "conn",
        "family",
        "handle",
        "keepalive_timer",
        "key",
        "listener",
        "numbers",
        "owner",
        "probe_owed",
        "receiver",
        "reset",
        "sender",
        "settings",
        "silent_of",
        "snd_wscale",
        "soft_error",
        "state",
        "state_deadline",
        "syn_challenged",
        "timer_ms",
        "timestamps",
        "writer",
    )

    def __init__(
        self,
        conn: Conn,
        settings: Settings,
        owner: Owner,
        writer: Writer,
        mtu: int,
        ts_base: int,
        listener: Listener,
    ) -> None:
        self.conn = conn
        self.state = State.SYN_RECEIVED
        self.listener = listener
        # The stack's own: its name for us, our tuple, our timer, the prefix of a silent
        # peer, what the engine knows.
        self.handle = 0
        self.key = b""
        self.timer_ms: int | None = None
        self.silent_of: bytes | None = None
        self.numbers: Numbers | None = None
        self.soft_error: str | None = None
        self.owner = owner
        self.writer = writer
        self.settings = settings
        opening = conn.opening
        self.family = opening.family
        self._mtu = mtu
        timestamps = Timestamps(opening.ts_recent, opening.ts_offset + ts_base)
        timestamps.enabled = opening.timestamps != 0
        self.timestamps = timestamps
        self.snd_wscale = shift(opening.snd_wscale)
        mss = self._mss_of_path(mtu)
        self.sender = make_sender(opening, settings, mss)
        self.receiver = make_receiver(opening, settings, listener.rcv_window, mss)
        self._limiter: Limiter | None = None  # until there is something to limit
        self.keepalive_timer = Keepalive(
            settings.keepidle, settings.keepintvl, settings.keepcnt
        )
        self.keepalive_timer.enabled = settings.always_keepalive != 0
        self.state_deadline: int | None = None
        self.syn_challenged = False  # in TIME-WAIT
        self.reset: Departure | None = None
        self.probe_owed = False
        self._readable_told = False
        self._write_blocked = False
        self._closed_told = False

    def _mss_of_path(self, mtu: int) -> int:
        opening = self.conn.opening
        options = OPTION_BYTES if self.timestamps.enabled else 0
        if opening.md5:
            options += SIGNATURE_BYTES
        path = path_mss(mtu, self.family, self.settings.minmss)
        return max(min(opening.peer_mss, path) - options, 1)

    @property
    def mss_announced(self) -> int:
        """The MSS option of our SYN-ACK: the link's limit (RFC 9293 3.7.1)."""
        link = max(self._mtu - HEADERS[self.family], 1)
        return min(link, self.listener.options.get("mss_max") or 0xFFFF)

    def __repr__(self) -> str:
        """Return the two ends and the state."""
        ends = f"{self.sockname[0]}.{self.sockname[1]} {self.conn.faddr}"
        return f"<Connection {ends}.{self.conn.fport} {self.state}>"

    # What the application calls.

    @property
    def peername(self) -> tuple[str, int]:
        """The peer's address and port."""
        return self.conn.faddr, self.conn.fport

    @property
    def sockname(self) -> tuple[str, int]:
        """Our address and port."""
        return self.conn.laddr, self.conn.lport

    @property
    def nodelay(self) -> bool:
        """Send small segments although earlier ones are unacknowledged (no Nagle)."""
        return self.sender.nodelay

    @nodelay.setter
    def nodelay(self, value: bool) -> None:
        self.sender.nodelay = value
        self.owner.wake(self)

    @property
    def keepalive(self) -> bool:
        """Probe the peer when it has been silent for net.inet.tcp.keepidle."""
        return self.keepalive_timer.enabled

    @keepalive.setter
    def keepalive(self, value: bool) -> None:
        self.keepalive_timer.enabled = value
        self.owner.wake(self)

    @property
    def info(self) -> ConnectionInfo:
        """The state of affairs."""
        sender, receiver = self.sender, self.receiver
        return ConnectionInfo(
            state=self.state,
            via=self.conn.via,
            mss=sender.mss,
            sack=self.conn.sack_permitted,
            timestamps=self.conn.timestamps,
            ecn=receiver.ecn or "none",
            snd_wscale=self.conn.snd_wscale,
            rcv_wscale=self.conn.rcv_wscale,
            snd_wnd=sender.snd_wnd,
            rcv_wnd=receiver.rcv_wnd,
            cwnd=sender.congestion.cwnd,
            ssthresh=sender.congestion.ssthresh,
            srtt_ms=sender.rto.srtt_ms,
            rto_ms=sender.rto.timeout_ms,
            retransmitted=sender.retransmitted,
            unsent=sender.queue.size,
            unread=receiver.size,
            soft_error=self.soft_error,
        )

    def read(self, n: int) -> bytes:
        """Return up to `n` bytes that arrived, b"" if there are none now.

        The end of the stream is an event, `EndOfStream`; n below 1 reads nothing.
        """
        receiver = self.receiver
        self._readable_told = False
        data = receiver.read(n)
        if data and self.state in RECEIVING:
            receiver.tune()
            if receiver.window_opened():
                self.owner.wake(self)
        return data

    @property
    def write_room(self) -> int:
        """How many bytes `write` would take now."""
        if self.state not in _WRITABLE:
            return 0
        settings = self.settings
        grown = min(2 * self.sender.congestion.cwnd, settings.sendbuf_max)
        return max(0, max(settings.sendspace, grown) - self.sender.queue.size)

    def write(self, data: memoryview | bytes | bytearray) -> int:
        """Queue data to be sent; return how many bytes were taken.

        Fewer than offered means that the buffer is full; Writable will tell of room.
        Nothing is taken once the connection is over.

        Raises:
            RuntimeError: after close().
        """
        if self.sender.fin:
            raise RuntimeError("write() after close()")
        taken = min(len(data), self.write_room)
        if taken < len(data):
            self._write_blocked = True
        if taken:
            self.sender.queue.write(data[:taken])
            self.owner.wake(self)
        return taken

    def close(self) -> None:
        """Send FIN after the queued data; data may still be read (RFC 9293 CLOSE)."""
        self.happen(Happening.CLOSE, 0)

    def release(self) -> None:
        """Read no more: arriving data is acknowledged and discarded."""
        self.receiver.release()
        self.sender.orphan = True
        self.owner.wake(self)

    def abort(self) -> None:
        """Send RST and forget everything (RFC 9293 ABORT)."""
        self.happen(Happening.ABORT, 0)

    # What the stack calls: time and packets.

    @property
    def deadline(self) -> int | None:
        """When `expire()` is due, in milliseconds."""
        earliest = self.sender.deadline
        for when in (self.receiver.deadline, self.state_deadline):
            if when is not None and (earliest is None or when < earliest):
                earliest = when
        if self.keepalive_timer.enabled:
            when = self._keepalive_deadline()
            if when is not None and (earliest is None or when < earliest):
                earliest = when
        return earliest

    def _keepalive_deadline(self) -> int | None:
        open_states = self.state in RECEIVING or self.state is State.CLOSE_WAIT
        return self.keepalive_timer.deadline if open_states else None

    @property
    def has_heard(self) -> bool:
        """Whether the peer has said something, data or FIN, since its SYN."""
        return self.receiver.rcv_nxt > self.receiver.irs + 1

    def begin(self, arrival: Arrival, now_ms: int) -> None:
        """Take the segment that completed the handshake."""
        self.state_deadline = now_ms + self.settings.keepinit
        self.timestamps.begun_ms = now_ms
        segment_arrives.first(self, arrival, now_ms)
        self.owner.wake(self)

    def arrives(self, arrival: Arrival, now_ms: int) -> None:
        """Take a segment."""
        if self.state is not State.CLOSED:
            segment_arrives.take(self, arrival, now_ms)
            self.owner.wake(self)

    def transmit(self, ring: Ring, now_ms: int, gso_max: int) -> bool:
        """Write the segments that are due into the ring; False if there is more."""
        waits_for_nobody = self.state is State.FIN_WAIT_2 and self.receiver.discard
        if waits_for_nobody and self.state_deadline is None:
            self.state_deadline = now_ms + self.settings.finwait2_timeout
        return output.transmit(self, ring, now_ms, 0 if self.conn.md5 else gso_max)

    def forget(self) -> None:
        """End TIME-WAIT early: its tuple or its place is needed."""
        self.happen(Happening.STATE_TIMEOUT, 0)

    def expire(self, now_ms: int) -> None:
        """Act on the deadline."""
        sender, receiver = self.sender, self.receiver
        is_due = sender.deadline is not None and sender.deadline <= now_ms
        if is_due and not sender.expire(now_ms):
            self.happen(Happening.USER_TIMEOUT, now_ms)
        if receiver.deadline is not None and receiver.deadline <= now_ms:
            receiver.deadline = None
            receiver.owe_one_ack()
        if self.state_deadline is not None and self.state_deadline <= now_ms:
            self.state_deadline = None
            opening = self.state is State.SYN_RECEIVED
            kind = Happening.USER_TIMEOUT if opening else Happening.STATE_TIMEOUT
            self.happen(kind, now_ms)
        probe_ms = self._keepalive_deadline()
        if probe_ms is not None and probe_ms <= now_ms:
            if self.keepalive_timer.probe(now_ms):
                self.probe_owed = True
            else:
                self.happen(Happening.USER_TIMEOUT, now_ms)
        self.owner.wake(self)

    def icmp_error(self, seq: int, error: str, *, hard: bool) -> None:
        """Take note of an ICMP error that quotes a segment of ours.

        Only an unfinished handshake ends by it: a blind sender could forge one for a
        connection that stands (RFC 5927 4).
        """
        if not self._quotes_us(seq):
            return
        self.soft_error = error
        if hard and self.state is State.SYN_RECEIVED:
            self.happen(Happening.USER_TIMEOUT, 0)

    def packet_too_big(self, seq: int, mtu: int) -> None:
        """Send smaller segments from now on, if the quoted one is under way."""
        mss = self._mss_of_path(mtu)
        if self._quotes_us(seq) and mss < self.sender.mss:
            self.sender.lower_mss(mss)
            self.owner.wake(self)

    def _quotes_us(self, seq: int) -> bool:
        sender = self.sender
        return sender.snd_una <= near(seq, sender.snd_una) < sender.snd_max

    # The machine, and what `tcp.segment_arrives` tells it.

    def happen(self, kind: Happening, now_ms: int) -> None:
        """Take the transition of the table, and perform its actions."""
        state, action = TRANSITIONS[self.state, kind]
        self.state = state
        if action is Action.CHALLENGE:
            self.challenge(now_ms)
        elif action in (Action.ESTABLISH, Action.AWAIT_FIN):
            self.state_deadline = None
        elif action is Action.SEND_FIN:
            self.sender.close()
            self.owner.wake(self)
        elif action is Action.END_OF_STREAM:
            self.receiver.owe_one_ack()
            self.owner.tell(EndOfStream(self))
        elif action is Action.LINGER:
            self._linger(kind, now_ms)
        elif action is Action.SEND_RST:
            self._owe_reset()
            self._end("aborted")
        elif action is Action.RESET:
            self._end("connection reset by peer")
        elif action is Action.GIVE_UP:
            soft = f" ({self.soft_error})" if self.soft_error else ""
            self._end(f"timed out{soft}")
        elif action is Action.FINISH:
            self._end(None)

    def _linger(self, kind: Happening, now_ms: int) -> None:
        """Enter TIME-WAIT, or stay in it for another 2 MSL."""
        self.state_deadline = now_ms + 2 * self.settings.msl
        if not self._closed_told:
            if kind is Happening.FIN:
                self.owner.tell(EndOfStream(self))
            self.sender.stop()
            self.receiver.stop()
            self._tell_closed(None)
            self.owner.changed(self)
        if kind is Happening.FIN:
            self.receiver.owe_one_ack()

    def _end(self, error: str | None) -> None:
        """Enter CLOSED."""
        self.sender.stop()
        self.receiver.stop()
        self.receiver.acks_owed = 0
        self.state_deadline = None
        self._tell_closed(error)
        self.owner.wake(self)
        self.owner.changed(self)

    def _tell_closed(self, error: str | None) -> None:
        if not self._closed_told:
            self._closed_told = True
            self.owner.tell(Closed(self, error))

    def tell_readable(self) -> None:
        """Data arrived: tell the application unless it has not read since."""
        if not self._readable_told:
            self._readable_told = True
            self.owner.tell(Readable(self))

    def tell_writable(self) -> None:
        """Data was acknowledged: tell the application if it waits for room."""
        if self._write_blocked and 2 * self.write_room >= self.sender.queue.size:
            self._write_blocked = False
            self.owner.tell(Writable(self))

    def challenge(self, now_ms: int) -> None:
        """Owe the peer an ACK, within the limit (RFC 5961 3.2, 4.2, 5.2)."""
        if self._limiter is None:
            settings = self.settings
            self._limiter = Limiter(settings.ack_war_cnt, settings.ack_war_timewindow)
        if self._limiter.allows(now_ms):
            self.receiver.owe_ack()

    def refuse(self, arrival: Arrival) -> None:
        """Owe the RST that answers an unacceptable segment (RFC 9293 3.10.7.1)."""
        if arrival.flags & ACK:
            self.reset = Departure(arrival.ack, 0, RST, 0)
        else:
            size = arrival.size + (arrival.flags & SYN != 0) + (arrival.flags & FIN)
            ack = (arrival.seq + size) & 0xFFFFFFFF
            self.reset = Departure(0, ack, RST | ACK, 0)

    def _owe_reset(self) -> None:
        seq = self.sender.snd_nxt & 0xFFFFFFFF
        self.reset = Departure(seq, self.receiver.rcv_nxt & 0xFFFFFFFF, RST | ACK, 0)
