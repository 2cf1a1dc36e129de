"""Where a script is played: a Stack in virtual time, and the air around it.

Time is a number that the player moves; nothing waits.  Deadlines are kept by asking the
stack for the next one and stopping there.  tun.py has the same air over a real TUN.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import syncache
from syncache import events

from ..model.packet import Packet

if TYPE_CHECKING:
    from .script import Script

LOCAL = {4: "192.168.0.1", 6: "fd3d:fa7b:d17d::1"}
PEER = {4: "192.0.2.1", 6: "2001:db8::1"}
ROUTER = {4: "192.0.2.254", 6: "2001:db8::fe"}
PORT = 8080
PEER_PORT = 40000
SEED = bytes(range(16))
# FreeBSD's numbers of what an application is told by getsockopt(SO_ERROR).
ERRNO = {"connection reset by peer": 54, "timed out": 60}
PRESET = "freebsd"


class Air(Protocol):
    """Carries packets between the script and the stack."""

    def deliver(self, stack: syncache.Stack, packet: bytes, now: float) -> None:
        """Bring one packet to the stack."""

    def collect(self, stack: syncache.Stack, now: float) -> list[bytes]:
        """Take what the stack sends."""


class Memory:
    """Packets are handed over by function call."""

    def deliver(self, stack: syncache.Stack, packet: bytes, now: float) -> None:
        """Bring one packet to the stack."""
        stack.receive(packet, now)

    def collect(self, stack: syncache.Stack, now: float) -> list[bytes]:
        """Take what the stack sends."""
        return stack.packets_to_send(now)


class World:
    """A stack with one address, its clock, and what it sent."""

    def __init__(self, script: Script, start: float, air: Air, preset: str) -> None:
        self.start = start
        self.now = start
        self.air = air
        self.local = script.local or LOCAL[script.family]
        self.peer = PEER[script.family]
        self.sysctl = syncache.Sysctl()
        self.sysctl.preset(preset)
        for name, value in script.tunables.items():
            self.sysctl[name] = value
        self.stack = syncache.Stack(self.local, self.sysctl, seed=SEED, mtu=script.mtu)
        self.sent: deque[tuple[float, Packet]] = deque()
        self.accepted: list[Any] = []
        self.ended: set[int] = set()  # ids of connections whose peer is done
        self.errors: dict[int, int] = {}  # by id: errno of how a connection ended
        self.unwritten: list[tuple[Any, int]] = []  # what blocked writers still have
        self.listening = False
        self.failing = False

    @property
    def elapsed(self) -> float:
        """Seconds since the script began."""
        return self.now - self.start

    def inject(self, packet: bytes) -> None:
        """Give the stack a packet now, and take its answers."""
        self.air.deliver(self.stack, packet, self.now)
        self._collect()

    def advance(self, elapsed: float, *, until_sent: bool = False) -> None:
        """Let time pass to `elapsed`; with until_sent, only to the next packet."""
        target = self.start + elapsed
        while self.now < target:
            due = self.stack.next_deadline()
            self.now = min(target, max(due, self.now)) if due is not None else target
            if due is not None and due <= self.now:
                self.stack.handle_timer(self.now)
            self._collect()
            if until_sent and self.sent:
                return

    def act(self) -> None:
        """Take what the stack wants to send after a call of the application."""
        self._collect()

    def _refill(self) -> bool:
        """Write what blocked writers still have; whether some of it was taken."""
        before = sum(left for _, left in self.unwritten)
        todo = [
            (conn, left - conn.write(bytes(left)))
            for conn, left in self.unwritten
            if id(conn) not in self.errors
        ]
        self.unwritten = [(conn, left) for conn, left in todo if left]
        return sum(left for _, left in self.unwritten) < before

    def _collect(self) -> None:
        self._collect_once()
        while self.unwritten and self._refill():
            self._collect_once()

    def _collect_once(self) -> None:
        for data in self.air.collect(self.stack, self.now):
            packet = Packet.decode(data)
            if self.failing:
                self.stack.syncache.unsent(syncache.Segment.parse(data))
            else:
                self.sent.append((self.elapsed, packet))
        while (event := self.stack.next_event()) is not None:
            if isinstance(event, events.Accepted):
                self.accepted.append(event.connection)
            elif isinstance(event, events.EndOfStream):
                self.ended.add(id(event.connection))
            elif isinstance(event, events.Closed) and event.error in ERRNO:
                self.errors[id(event.connection)] = ERRNO[event.error]
