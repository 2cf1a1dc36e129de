"""`Bridge`: drives a middlebox engine between two links.

    outside link -> rx ring -> engine.burst -> inside link      and the other way
                                    |
                         tx rings, events, timers

`Intercept` and `Inspection` take packets and times; here are the descriptors, the clock
and the waiting.  One turn does a bounded amount of work: one ring of each link that has
packets, what is due, and what there is to tell.  What a link does not take is lost, as
on any wire.  Not here: signals, log files, what the words of an event are.
"""

from __future__ import annotations

import contextlib
import math
import select
import time
from typing import TYPE_CHECKING, Protocol, cast

from ._core.flow import PACKET_MAX
from .flow import Side
from .intercept import Intercept
from .lookout import Lookout
from .ring import Ring

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from typing_extensions import Self

    from .alarms import Alarm
    from .attempts import Counted
    from .flow import Flow
    from .flow_event import FlowEvent
    from .links.link import Link
    from .links.offload import Offload
    from .links.rtnetlink import Changes

RX_SLOTS, TX_SLOTS = 64, 512
TX_BYTES = PACKET_MAX
SLOT_MIN = 2048
CHECK_SECONDS = 1.0  # how long the loss of a silent device may go unnoticed
REST_SECONDS = 10.0  # likewise, where a descriptor tells of it and no packets come
WAIT_SECONDS = 0.2  # how long `stop()` of a signal or a thread may go unnoticed
# While packets come, timers and events wait so long, and for so many rings.
MOMENT_SECONDS, MOMENT_RINGS = 0.002, 16


class Forwarder(Protocol):
    """A link that can send another one's packets."""

    def receive(self, rx: Ring) -> int:
        """Append packets."""

    def send(self, tx: Ring) -> int:
        """Send generated packets."""

    def forward(self, rx: Ring) -> int:
        """Send the packets of another link's ring that may pass."""

    def fileno(self) -> int:
        """Return the objects to wait on."""

    def close(self) -> None:
        """Give everything back."""


class Relay:
    """Lets any link send another one's packets, by way of a ring."""

    def __init__(self, link: Link) -> None:
        self.link = link
        # What a ring that it fills must hold: a TUN device gives super-segments.
        self.gso_max = max(getattr(link, "gso_max", 0), link.mtu)
        self.headroom = getattr(link, "headroom", 0)
        if hasattr(link, "next_deadline"):
            self.next_deadline = link.next_deadline
        if hasattr(link, "check"):
            self.check = link.check
        if hasattr(link, "changes"):
            self.changes = link.changes
        if hasattr(link, "block"):
            self.block = link.block
        self._tx = Ring(RX_SLOTS, -(-self.gso_max // 64) * 64)
        self.receive = link.receive
        self.send = link.send
        self.fileno = link.fileno
        self.close = link.close

    def forward(self, rx: Ring) -> int:
        """Send the packets of another link's ring that may pass."""
        tx = self._tx
        for index in rx.passed:
            packet = rx[index]
            if tx.free == 0:
                self._flush()
            if len(packet) <= tx.slot_size:
                checksum, gso_size = rx.checksum(index), rx.gso_size(index)
                tx.push(packet, checksum=checksum, gso_size=gso_size)
        self._flush()
        return len(rx.passed)

    def _flush(self) -> None:
        """Send the ring; packets that the device refuses are lost, as on any wire."""
        self.link.send(self._tx)
        self._tx.clear()


class Bridge:
    """An engine between two links, or beside the traffic of one.

    `run()` works until `stop()`, `serve()` does the same as a coroutine, and `turn()`
    with `sides` and `wait()` is for loops of one's own.  At the end, whatever ended it,
    the events so far are reported and the links are closed.

    Args:
        engine: an `Intercept` or an `Inspection`.
        outside: the clients' link.
        inside: the servers' link; None: both directions come on the one link, and
            nothing is forwarded.
        on_event: called with each event of the engine; None: they are left in the
            engine for who asks `next_event()`.
        on_alarm: called when a flood begins or ends on a port, a table fills up, a link
            loses frames or cookies are refused: see `syncache.alarms`.
        clock: seconds of a monotonic clock, the engine's time; None: the system's.

    Raises:
        ValueError: one link forwards frames as they are, and the other one cannot.
    """

    wait_max = WAIT_SECONDS  # longer where a descriptor tells of the end

    def __init__(
        self,
        engine: Flow,
        outside: Link | Forwarder,
        inside: Link | Forwarder | None = None,
        *,
        on_event: Callable[[FlowEvent], object] | None = None,
        on_alarm: Callable[[Alarm], object] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        if inside is not None and _forwards(outside) != _forwards(inside):
            raise ValueError("both links forward frames (`forward`), or neither does")
        self.engine = engine
        self.stopping = False
        self._closed = False
        self._used = (Side.CLIENT,) if inside is None else (Side.CLIENT, Side.SERVER)
        client = _forwarder(outside)
        server = client if inside is None else _forwarder(inside)
        self._links = {Side.CLIENT: client, Side.SERVER: server}
        # Links that have something to do which their descriptors do not tell.
        self._timed: dict[Side, Callable[[], float | None]] = {
            side: self._links[side].next_deadline  # type: ignore[attr-defined]
            for side in self._used
            if hasattr(self._links[side], "next_deadline")
        }
        self._clock = clock or time.monotonic
        links = [self._links[side] for side in self._used]
        self._checks = [link.check for link in links if hasattr(link, "check")]
        self._changes = [link.changes for link in links if hasattr(link, "changes")]
        self._rests = self._may_rest = False  # checks are far between
        self._checked = self._clock()
        self._check_due = self._checked + CHECK_SECONDS
        self._on_event = on_event
        self.lookout: Lookout | None = None
        if on_alarm is not None:
            self.lookout = Lookout(engine, self.link_counts)
        self._on_alarm = on_alarm
        size = max(
            max(getattr(link, "gso_max", 0), SLOT_MIN) + getattr(link, "headroom", 0)
            for link in self._links.values()
        )
        self._rx = Ring(RX_SLOTS, -(-size // 64) * 64)
        self._tx = {side: Ring(TX_SLOTS, TX_BYTES) for side in self._links}
        self._offload_trouble = ""
        self._offload = self._carried_by_kernel()
        self._end: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def _carried_by_kernel(self) -> Offload | None:
        """Have the kernel carry connections, if the engine wants that and it can."""
        engine = self.engine
        if not isinstance(engine, Intercept) or not engine.offload:
            return None
        from .links.link import LinkError
        from .links.offload import Offload

        try:
            ends = self._links[Side.CLIENT], self._links[Side.SERVER]
            return Offload(engine, *ends, engine.pin)
        except LinkError as error:
            self._offload_trouble = str(error)
            return None

    @property
    def offload_trouble(self) -> str:
        """Why connections stay in this process although the engine would offload them.

        One line; empty: they do not.
        """
        trouble = self._offload.trouble if self._offload is not None else ""
        return trouble or self._offload_trouble

    # Whole loops.

    def run(self) -> None:
        """Work until `stop()`, then close.

        Raises:
            LinkError: a device is gone.
        """
        poller = select.poll()
        sides = self.sides
        for descriptor in (*sides, *self.heeded):
            poller.register(descriptor, select.POLLIN)
        try:
            while not self.stopping:
                self.take_waiting(poller, sides)
                self.turn(())
        finally:
            self.close()

    def take_waiting(self, poller: select.poll, sides: Mapping[int, Side]) -> set[int]:
        """Wait until `turn` is due, and take packets; to be followed by `turn`.

        Where one packet came another one is near, its answer above all: that one is
        waited for, for a moment, before the rest of a turn.

        Args:
            poller: the descriptors of `sides`, and others that end the wait.
            sides: as the property.

        Returns:
            The others that are ready.
        """
        others = set()
        wait_ms = math.ceil(self.wait() * 1000)
        ready = poller.poll(wait_ms)
        # What is urgent, or watches a clock of its own, comes in every turn.
        lingers = wait_ms and self._offload is None and not self._timed
        rings, until = MOMENT_RINGS, self._clock() + MOMENT_SECONDS
        while ready:
            for descriptor, _ in ready:
                side = sides.get(descriptor)
                if side is None:
                    lingers = False
                    if not self.heed(descriptor):
                        others.add(descriptor)
                else:
                    self.take(side)
                    rings -= 1
            if not lingers or rings <= 0 or self._clock() >= until:
                break
            ready = poller.poll(1)
        return others

    async def serve(self) -> None:
        """Work on the running event loop until `stop()` or cancellation, then close.

        Raises:
            LinkError: a device is gone.
        """
        import asyncio

        loop = asyncio.get_running_loop()
        self._end = loop.create_future()
        sides = self.sides
        for descriptor, side in sides.items():
            loop.add_reader(descriptor, self._serve_turn, loop, side)
        heeded = self.heeded
        for descriptor in heeded:
            loop.add_reader(descriptor, self.heed, descriptor)
        try:
            self._serve_turn(loop)
            await self._end
        finally:
            for descriptor in (*sides, *heeded):
                loop.remove_reader(descriptor)
            if self._timer is not None:
                self._timer.cancel()
            self.close()

    def _serve_turn(self, loop: asyncio.AbstractEventLoop, *ready: Side) -> None:
        assert self._end is not None
        if self._end.done():
            return
        try:
            self.turn(ready)
        except Exception as error:  # noqa: BLE001 - it ends `serve()`, which raises it
            self._end.set_exception(error)
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(self.wait(), self._serve_turn, loop)
        if self.stopping:
            self._end.set_result(None)

    def stop(self) -> None:
        """End `run()` or `serve()` after the turn that is being done.

        From any thread or signal handler; it is noticed within a fifth of a second.
        """
        self.stopping = True

    def close(self) -> None:
        """Report the events so far and close the links, whatever fails meanwhile."""
        if self._closed:
            return
        self._closed = True
        with contextlib.ExitStack() as stack:
            for side in self._used:
                stack.callback(self._links[side].close)
            stack.callback(self.carry_no_more)
            while self.tell():
                pass

    def carry_no_more(self) -> None:
        """Take back every connection that the kernel carries, for good."""
        if self._offload is not None:
            self._offload.close(self._clock())
            self._offload = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The parts of a loop.

    @property
    def sides(self) -> dict[int, Side]:
        """The descriptors to wait on, and which side each is."""
        return {self._links[side].fileno(): side for side in self._used}

    @property
    def heeded(self) -> dict[int, Changes]:
        """Descriptors to give to `heed`: with them an idle bridge rests longer."""
        known = {changes.fileno(): changes for changes in self._changes}
        self._may_rest = len(self._changes) == len(self._checks) and -1 not in known
        return known if self._may_rest else {}

    def heed(self, descriptor: int) -> bool:
        """A descriptor is readable: have its link checked; False: it is none of ours.

        However often that happens, no more than once in CHECK_SECONDS.
        """
        for changes in self._changes:
            if changes.fileno() == descriptor:
                changes.take()
                due = self._checked + CHECK_SECONDS
                self._check_due = min(self._check_due, due)
                return True
        return False

    def wait(self) -> float:
        """Return in how many seconds `turn` is due at the latest."""
        if self._offload is not None and self._offload.is_looking:
            return 0.0
        now = self._clock()
        dues = [self.engine.next_deadline(), *(due() for due in self._timed.values())]
        if self._offload is not None:
            dues.append(self._offload.next_deadline())
        waits = [due - now for due in [self._check_due, *dues] if due is not None]
        return max(min(self.wait_max, *waits), 0.0)

    def turn(self, ready: Iterable[Side]) -> None:
        """Take a ring of packets of each side that has some, and run the timers."""
        for side in {*ready, *self._late()}:
            self.take(side)
        now = self._clock()
        while self.engine.poll(self._tx[Side.CLIENT], self._tx[Side.SERVER], now):
            self._send()
        if self._offload is not None:
            self._offload.turn(now)
        self.tell()
        if now >= self._check_due:
            self._check(now)

    def _check(self, now: float) -> None:
        """Look at the links and the counters."""
        self._checked = now
        for check in self._checks:
            check()
        self._rests = self._may_rest
        if self.lookout is not None and self._on_alarm is not None:
            for alarm in self.lookout.look(now):
                self._on_alarm(alarm)
            self._rests = self._rests and self.lookout.rests
        self._check_due = now + (REST_SECONDS if self._rests else CHECK_SECONDS)

    def _rouse(self) -> None:
        """Packets come again."""
        now = self._clock()
        self._rests = False
        self._check_due = min(self._check_due, now + CHECK_SECONDS)
        if self.lookout is not None:
            self.lookout.rouse(now)

    def link_counts(self) -> dict[str, int]:
        """Return the links' counters, losses in the kernel's ring included."""
        ends = ("tap",) if len(self._used) == 1 else ("outside", "inside")
        counts = {
            f"{end}_{name}": count
            for end, side in zip(ends, self._used, strict=True)
            for name, count in getattr(self._links[side], "counts", {}).items()
        }
        if self._offload is not None:
            carried = self._offload.counts
            counts |= {f"offload_{name}": count for name, count in carried.items()}
        return counts

    def _late(self) -> list[Side]:
        """Return the sides whose links have something to do by now."""
        if not self._timed:
            return []
        now = self._clock()
        dues = {side: due() for side, due in self._timed.items()}
        return [side for side, due in dues.items() if due is not None and due <= now]

    def take(self, side: Side) -> None:
        """Take one ring of packets from a side."""
        if self._rests:
            self._rouse()
        rx = self._rx
        rx.clear()
        self._links[side].receive(rx)
        if self.lookout is not None:
            self.lookout.attempts.look(rx)
        tap = len(self._used) == 1
        seen_as, other = (Side.TAP, None) if tap else (side, self._links[side.other])
        client_tx, server_tx = self._tx[Side.CLIENT], self._tx[Side.SERVER]
        now = self._clock()
        if self._offload is not None:
            # Before the packets that end what comes back.
            self._offload.take_events(now)
        while rx.next < len(rx):
            self.engine.burst(rx, seen_as, client_tx, server_tx, now)
            self._send()
            if other is not None and rx.passed:
                other.forward(rx)

    def counted(self) -> Counted | None:
        """Return the SYNs of the last second by source and destination."""
        return None if self.lookout is None else self.lookout.counted

    @property
    def block(self) -> Callable[[Sequence[str]], object] | None:
        """Has the kernel drop SYNs of some networks, outside; None: it cannot."""
        return getattr(self._links[Side.CLIENT], "block", None)

    def _send(self) -> None:
        """Send the engine's packets; those that a link refuses are lost."""
        for side, tx in self._tx.items():
            if len(tx):
                self._links[side].send(tx)
                tx.clear()

    def tell(self) -> int:
        """Report events; return how many events were read."""
        tell, self._on_event = self._on_event, None  # who raises is told no more
        count = 0
        if tell is not None:
            while (event := self.engine.next_event()) is not None:
                count += 1
                tell(event)
            self._on_event = tell
        return count


def _forwards(link: object) -> bool:
    """Tell whether a link sends another one's frames, with their link headers."""
    return hasattr(link, "forward") and not isinstance(link, Relay)


def _forwarder(link: Link | Forwarder) -> Forwarder:
    if hasattr(link, "forward"):
        return cast("Forwarder", link)
    return Relay(link)
