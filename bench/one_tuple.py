"""A flood on one established tuple beside a flood of SYNs, at the same stack.

The attacker's own connection: SYN, RST, ACK and data by turns, none of it exact, all of
it near the window.  Each that reached Python would cost ten times a SYN.  Bursts of 64
at 50,000 packets/s of the stack's time; each is followed by `Stack.transmit()`, as a
host does it.  Time is the thread's own processor time.
"""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from syncache import Ring, Segment, Stack
from syncache.options import Mss, SackPermitted, Timestamps, WindowScale, encode
from syncache.segment import ACK, RST, SYN

from .figure import Family, Figure, Goal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .figure import Arms

BURST = 64
ROUNDS = 400
RATE = 50_000
PORT = 80
OURS = {4: "198.18.0.2", 6: "fd00:18::2"}
OFFER = encode((Mss(1460), SackPermitted(), Timestamps(1, 0), WindowScale(7)))
NEAR = 30_000  # half a window
DATA = 100


class Flooded:
    """A stack with a listener, and packets for it that are made while no clock runs."""

    def __init__(self, family: int) -> None:
        self.family = family
        self.stack = Stack(OURS[family], seed=bytes(16))
        self.stack.listen(PORT)
        self.rx, self.tx = Ring(BURST), Ring(BURST)
        self.now = 1000.0
        self.random = random.Random(family)

    def packet(self) -> bytes:
        """Return the next packet of the flood: a SYN of a new peer."""
        draw = self.random.randrange
        four = f"10.{draw(256)}.{draw(256)}.{draw(1, 255)}"
        peer = {4: four, 6: f"fd00:10::{draw(65536):x}:{draw(65536):x}"}[self.family]
        return self.segment(
            peer, draw(1024, 65536), SYN, draw(1 << 32), options_bytes=OFFER
        ).packet()

    def segment(
        self,
        peer: str,
        port: int,
        flags: int,
        seq: int,
        ack: int = 0,
        payload: bytes = b"",
        options_bytes: bytes = b"",
    ) -> Segment:
        """Return a segment to the listener."""
        return Segment(
            src=peer,
            dst=OURS[self.family],
            sport=port,
            dport=PORT,
            flags=flags,
            seq=seq & 0xFFFFFFFF,
            ack=ack,
            window=65_535,
            payload=payload,
            options_bytes=options_bytes,
        )

    def run(self) -> float:
        """Return ns a packet."""
        spent = sum(self._round() for _ in range(ROUNDS))
        return spent / (ROUNDS * BURST)

    def _round(self) -> int:
        rx, tx, stack = self.rx, self.tx, self.stack
        rx.clear()
        tx.clear()
        for _ in range(BURST):
            rx.push(self.packet())
        self.now += BURST / RATE
        start = time.thread_time_ns()
        stack.burst(rx, tx, self.now)
        spent = time.thread_time_ns() - start
        tx.clear()
        start = time.thread_time_ns()
        stack.transmit(tx, self.now)
        return spent + time.thread_time_ns() - start


class Known(Flooded):
    """The flood is on one connection, which is there."""

    def __init__(self, family: int) -> None:
        super().__init__(family)
        self.peer = {4: "10.0.0.1", 6: "fd00:10::1"}[family]
        self.seq = self.iss = 0
        self.turn = 0
        self.answer(self.segment(self.peer, 1024, SYN, self.seq))
        self.iss = Segment.parse(bytes(self.tx[0])).seq
        self.seq += 1
        self.answer(self.known(ACK, 0))
        if not self.stack.connections:
            raise RuntimeError("there is no connection to flood")

    def answer(self, segment: Segment) -> None:
        """Give the stack a segment."""
        self.rx.clear()
        self.tx.clear()
        self.rx.push(segment.packet())
        self.stack.burst(self.rx, self.tx, self.now)

    def known(self, flags: int, distance: int, size: int = 0) -> Segment:
        """Return a segment of the connection, so far from what it expects."""
        return self.segment(
            self.peer,
            1024,
            flags,
            self.seq + distance,
            self.iss + 1 if flags & ACK else 0,
            bytes(size),
        )

    def packet(self) -> bytes:
        """Return the next packet of the flood: one of four kinds by turns."""
        self.turn += 1
        near = self.random.randrange(1, NEAR)
        segment = (
            self.known(SYN, near),
            self.known(RST, near + NEAR + DATA),  # where no data can lead
            self.known(ACK, 0),
            self.known(ACK, 2 * near - NEAR, DATA),
        )[self.turn % 4]
        return segment.packet()

    def run(self) -> float:
        """Return ns a packet; the connection has to outlive it."""
        spent = super().run()
        if not self.stack.connections:
            raise RuntimeError("the flood has ended its connection")
        return spent


@contextmanager
def enter() -> Iterator[Arms]:
    """Make a stack for each flood."""
    yield {
        **{f"tuple_flood{family}": Known(family).run for family in OURS},
        **{f"syn_flood{family}": Flooded(family).run for family in OURS},
    }


FAMILIES = (
    Family(
        "one_tuple",
        "ns a packet",
        "memory",
        enter,
        tuple(
            Figure(
                f"tuple_vs_syn{family}",
                f"a flood on one established tuple against one of SYNs, IPv{family}",
                f"tuple_flood{family}",
                f"syn_flood{family}",
                goal=Goal(1.5, at_most=True),
            )
            for family in OURS
        ),
    ),
)
