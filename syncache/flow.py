"""The common base of the two middlebox modes: packets and times in and out.

`Flow` is the engine of csrc/flow as Python sees it: it takes packets one by one or in
rings, from two sides; it hands on what may pass, and what it made itself.  What a mode
decides is told by its tunables; these and the words for what happened are the business
of `intercept` and `inspection`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from . import flow_event, flow_session
from ._core import flow as _core_flow
from ._core.block import OneProcess
from ._core.flow import FlowCore
from ._core.mirror import words
from .entropy import entropy
from .keyring import Keyring, checked_seed, derive
from .named import NamedNumber
from .observer import made
from .ring import SLOT_MAX, Checksum, Ring
from .sysctl import Sysctl, of_kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typing_extensions import Buffer

    from ._core.offload import Carried
    from ._core.redeemed import Shared
    from .flow_event import FlowEvent
    from .flow_session import Session
    from .observer import Observer
    from .tunables.knob import Engine

# Cookies of the middlebox modes live as long as those of the half-open side.
_LIFETIME = "net.inet.tcp.syncache.x.cookie_lifetime"
_SKEW = "net.inet.tcp.syncache.x.clock_skew_ms"
_GATE = "net.inet.tcp.syncache.x.cookie_gate"
_GATES = words("syncache_gate")
_KEPT_MAX = 2048  # what it kept of a client's may be
_OUT_SLOTS = 64
_IN_TABLE = ("incomplete", "uncounted", "established", "terminating")


class Side(NamedNumber):
    """Where a packet comes from or goes to: enum flow_side."""

    # enum flow_side, by docs/generate.py: begin
    CLIENT = 0
    SERVER = 1
    TAP = 2
    # enum flow_side: end

    @property
    def other(self) -> Side:
        """The side that a packet from here is forwarded to."""
        return Side.SERVER if self is Side.CLIENT else Side.CLIENT


class Verdict(NamedNumber):
    """The verdict on a packet: enum flow_verdict; below CONSUMED it goes on."""

    # enum flow_verdict, by docs/generate.py: begin
    FORWARD = 0  # as it came
    FORWARD_REWRITTEN = 1  # as a part of a spliced connection
    CONSUMED = 2  # answered or absorbed by a half-handshake
    DROP_EARLY = 3  # from a client whose server has not answered yet
    DROP_BAD_ACK = 4  # an ACK that completes nothing
    DROP_OTHER_ISN = 5  # a SYN that does not replace the entry of its tuple
    DROP_RST = 6  # a RST for a half-handshake of ours
    DROP_BAD_CHECKSUM = 7  # of a packet that would have changed something
    DROP_UNKNOWN = 8  # no SYN, and of no known connection, to a protected server
    DROP_NO_ROOM = 9  # a cookie was good and there is no room for its session
    DROP_BLOCKED = 10  # a SYN to a host that is blocked
    DROP_SERVER = 11  # a server's packet that no half-handshake can use
    DROP_ICMP_REPLY = 12  # a reply that nobody asked for
    DROP_ICMP_QUOTE = 13  # an ICMP error whose quoted packet cannot be translated
    DROP_RECLAIMED = 14  # an imported connection whose numbers do not fit
    DROP_NO_KEY = 15  # it takes a cookie to answer this SYN, and the engine has no key
    # of no session, or without use to it, and beyond the limit of these a second
    DROP_LIMIT = 16
    # enum flow_verdict: end


def verdict(ring: Ring, index: int) -> Verdict:
    """Return the verdict on packet `index` of a ring in its last burst."""
    return Verdict(_core_flow.verdict(ring, index))


class Flow(OneProcess):
    """One engine of a middlebox mode; see `Intercept` and `Inspection`.

    `now` is seconds of one monotonic clock of the caller's; an earlier one counts as
    the last.  Nothing raises because of input from the network.  An engine serves one
    call at a time.
    """

    _KIND: int
    _ENGINE: Engine

    def __init__(
        self,
        sysctl: Sysctl | None,
        keys: Keyring | None,
        seed: bytes | None,
    ) -> None:
        self.observer: Observer | None = None
        self._sysctl = Sysctl() if sysctl is None else sysctl
        of_kind("sysctl", self._sysctl, Sysctl)
        if seed is None:
            secret = entropy(16)
        else:
            secret = derive(checked_seed(seed), "syncache flow")
        if keys is None:
            keys = Keyring.ephemeral() if seed is None else Keyring.from_seed(seed)
        of_kind("keys", keys, Keyring)
        config = self._sysctl.fields(boot=True, engine=self._ENGINE)
        self._core = FlowCore(self._KIND, config, secret, keys)
        self._core.set_ts_base(round(keys.wall_offset * 1000))
        self._take_ts_key(keys)
        self._one = Ring(1, SLOT_MAX)
        self._client_tx = Ring(_OUT_SLOTS, _KEPT_MAX)
        self._server_tx = Ring(_OUT_SLOTS, _KEPT_MAX)
        self._out: deque[tuple[Side, bytes]] = deque()
        self._events: Iterator[FlowEvent] = iter(())

    @property
    def sysctl(self) -> Sysctl:
        """The tunables of this engine."""
        return self._sysctl

    @property
    def memory_bytes(self) -> int:
        """All the memory that it will ever use for sessions, in bytes."""
        return self._core.memory_bytes

    # Packets in and out.

    def receive(self, packet: Buffer, side: Side, now: float) -> None:
        """Take one IP packet from a side; `packets_to_send` returns the results.

        Raises:
            ValueError: the time is not finite.
        """
        view = memoryview(packet).cast("B")
        if len(view) > SLOT_MAX:
            return
        one = self._one
        one.clear()
        one.push(view, checksum=Checksum.VERIFY)
        with self._core as core:
            while not core.burst(one, side, self._client_tx, self._server_tx, now):
                self._drain()
            self._drain()
        if one.passed and side is not Side.TAP:
            self._out.append((Side(side).other, bytes(one[0])))

    def packets_to_send(self, now: float) -> list[tuple[Side, bytes]]:
        """Return the packets that are due, and where they go.

        Those that were received and may pass are among them, in order.
        """
        self.handle_timer(now)
        packets = list(self._out)
        self._out.clear()
        return packets

    def burst(
        self,
        rx: Ring,
        side: Side,
        client_tx: Ring | None,
        server_tx: Ring | None,
        now: float,
    ) -> int:
        """Take the packets of rx from `next` on; return how many were consumed.

        What may pass is listed in `rx.passed`, rewritten in place; what the engine
        makes is appended to the ring of the side that it goes to.  Stops before a
        packet whose answers might not fit.

        Raises:
            ValueError: two of the rings are the same one, or one to be filled has
                slots that are too small.
        """
        of_both = client_tx is server_tx and client_tx is not None
        if of_both or rx is client_tx or rx is server_tx:
            raise ValueError("three rings are needed, each for itself")
        _check_slots(client_tx, server_tx)
        observer = self.observer
        if observer is None:
            with self._core as core:
                return core.burst(rx, side, client_tx, server_tx, now)
        seen, begun = observer.before(rx), _lengths(client_tx, server_tx)
        with self._core as core:
            consumed = core.burst(rx, side, client_tx, server_tx, now)
        observer.after(rx, seen, side, now)
        made(observer, client_tx, begun[0], Side.CLIENT, now)
        made(observer, server_tx, begun[1], Side.SERVER, now)
        return consumed

    def poll(self, client_tx: Ring | None, server_tx: Ring | None, now: float) -> int:
        """Append the packets that are due to the rings, and return how many packets.

        Call again while a ring was filled.

        Raises:
            ValueError: a ring has slots that are too small.
        """
        _check_slots(client_tx, server_tx)
        begun = _lengths(client_tx, server_tx)
        with self._core as core:
            more = core.poll(client_tx, server_tx, now)
        made(self.observer, client_tx, begun[0], Side.CLIENT, now)
        made(self.observer, server_tx, begun[1], Side.SERVER, now)
        return more

    # Events and time.

    def next_event(self) -> FlowEvent | None:
        """Return the next event, or None."""
        event = next(self._events, None)
        if event is None:
            with self._core as core:
                self._events = flow_event.read(core.events())
            event = next(self._events, None)
        return event

    def event_slice(self, most: int = 256) -> bytes:
        """Take out the oldest events as C keeps them: `flow_event.read` or `brief`.

        At most 256; empty: there are none.  For who does not use `next_event`, which
        may have fetched some that are older.
        """
        with self._core as core:
            return core.events(most)

    def next_deadline(self) -> float | None:
        """Return when `handle_timer` or `poll` is due, in seconds, or None: never."""
        with self._core as core:
            return core.next_deadline()

    def handle_timer(self, now: float) -> None:
        """Run the timers that are due; then ask `packets_to_send`."""
        with self._core as core:
            while core.poll(self._client_tx, self._server_tx, now):
                self._drain()

    def _drain(self) -> None:
        """Keep the engine's packets."""
        for side, tx in (
            (Side.CLIENT, self._client_tx),
            (Side.SERVER, self._server_tx),
        ):
            self._out.extend((side, bytes(tx[index])) for index in range(len(tx)))
            tx.clear()

    # What is known.

    def _sessions(self) -> list[Session]:
        with self._core as core:
            return [
                session
                for view in core.sessions()
                for session in flow_session.read(view)
            ]

    def session_slices(self, look: int = 1024, begin: float = 0) -> Iterator[bytes]:
        """Yield the sessions in short steps, as C keeps them: `flow_session.read`.

        A step looks at `look` places of the table, so that a large one does not hold
        up packets.  The engine may do anything else in between; a session that begins
        or ends meanwhile may or may not be among them.  `begin`, below 1, is the part
        of the table to pass over: the first step from a random place is a sample.
        """
        count = sum(self._core.statistics()[name] for name in _IN_TABLE) if begin else 0
        with self._core as core:
            slices = core.session_slices(look, int(begin * count))
        while True:
            with self._core:
                part = next(slices, None)
            if part is None:
                return
            yield part

    def stats(self, now: float | None = None) -> dict[str, int]:
        """Return every counter by name.

        Those of `ended_...` are by reason, those of `verdict_...` count each packet
        once.

        Args:
            now: brings what depends on the time (one_minute) up to date, in a call of
                the engine as others are; without it any thread may ask at any moment.
        """
        raw = self._core.statistics(now)
        ended, verdicts = raw.pop("ended"), raw.pop("verdicts")
        ends = {f"ended_{end.name.lower()}": ended[end] for end in flow_event.End}
        kinds = {f"verdict_{kind.name.lower()}": verdicts[kind] for kind in Verdict}
        return raw | ends | kinds

    def pulse(self) -> bytes:
        """Return bytes that are the same while nothing is counted: no objects."""
        return self._core.pulse()

    def rekey(self, keys: Keyring) -> None:
        """Take cookie keys from another keyring from now on."""
        of_kind("keys", keys, Keyring)
        with self._core as core:
            core.set_keys(keys)
        self._take_ts_key(keys)

    def _take_ts_key(self, keys: Keyring) -> None:
        """The machines of a group have one key and one clock of timestamps."""
        ts_key = keys.ts_key()
        if ts_key is not None:
            with self._core as core:
                core.set_ts_key(ts_key)
                core.set_ts_base(round(keys.wall_offset * 1000))

    def carried(self, maps: Mapping[str, int], key: bytes) -> Carried:
        """Return the way to those who carry connections of this engine: a link's."""
        from ._core.offload import Carried  # of Linux alone

        return Carried(self._core, maps, key)

    def redeemed(self, key: bytes) -> Shared:
        """Return the way to the handshakes that other machines have redeemed.

        From then on the ACK of a cookie that another one has told of is unmatched.

        Args:
            key: Common to the group, 16 bytes.
        """
        from ._core.redeemed import Shared

        return Shared(self._core, key)

    def close(self) -> None:
        """Wipe and give back the memory; every later call raises RuntimeError."""
        with self._core as core:
            core.close()

    def _fields(self) -> dict[str, Any]:
        """Return the members of the C tunables."""
        values: Mapping[str, Any] = self._sysctl
        return {
            **self._sysctl.fields(boot=False, engine=self._ENGINE),
            "cookie_lifetime_ms": values[_LIFETIME] * 1000,
            "clock_skew_ms": values[_SKEW],
            "cookie_gate": _GATES.index(str(values[_GATE])),
        }


def _lengths(*rings: Ring | None) -> list[int]:
    return [0 if ring is None else len(ring) for ring in rings]


def _check_slots(*rings: Ring | None) -> None:
    """Make sure that whatever the engine makes fits into a slot."""
    least = _core_flow.PACKET_MAX
    for ring in rings:
        if ring is not None and ring.slot_size < least:
            raise ValueError(
                f"slots have at least {least} bytes here, not {ring.slot_size}"
            )
