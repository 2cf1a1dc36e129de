"""A stack, a peer that is not one, and a path between them that loses and reorders.

Time is virtual.  A test gives what the peer does with each segment; the path calls it,
and the stack's timers, in the order of their times.  Everything follows from a seed.
"""

from __future__ import annotations

import heapq
import itertools
import os
import random

import syncache
from tests.model import option
from tests.model.packet import Packet

LOCAL = {4: "198.51.100.7", 6: "2001:db8::7"}
PEER = {4: "192.0.2.1", 6: "2001:db8:1::1"}
PORT, PEER_PORT = 80, 40000
IRS = 0xFFFF_F000  # so that numbers wrap early
MASK32 = 0xFFFFFFFF
BEGIN = 1000.0
DELAY = 0.02


def seeds(usual: int) -> range:
    """Seeds of a test; SYNCACHE_FUZZ_SEEDS=5000 tries thousands."""
    return range(int(os.environ.get("SYNCACHE_FUZZ_SEEDS", usual)))


def content(size: int) -> bytes:
    """Bytes of which no part is as another nearby."""
    return random.Random(size).randbytes(size)


class Path:
    """The air between them.

    Args:
        seed: What everything follows from.
        family: Of both addresses.
        peer: Called with each packet of the stack's that comes through.
        leaves: Called with each that the stack sends, in order.
        sysctl: Of the stack.
    """

    def __init__(self, seed, family, peer, *, leaves=None, sysctl=None):
        self.dice = random.Random(seed)
        self.family, self.peer, self.leaves = family, peer, leaves
        self.now = BEGIN
        self.loss = self.dice.choice([0, 0, 0.02, 0.1, 0.3])
        self.twice = self.dice.choice([0, 0.05])
        self.late = self.dice.choice([0, 0.05, 0.3])
        self.silent_until = 0.0  # a black hole takes all until then
        self.queue = []
        self.order = itertools.count()
        self.stack = syncache.Stack(LOCAL[family], sysctl, seed=bytes(16))
        self.listener = self.stack.listen(PORT)
        self.packets = 0
        self.shift = 0  # of the peer's window
        self.stamps = self.dice.random() < 0.5
        self.sack = self.dice.random() < 0.7
        self.honest = self.dice.random() < 0.7
        self.echoed = 0
        self.iss = None
        self.connection = None

    def open(self, *, window=65535, mss=1000):
        """Make the connection; nothing is lost yet."""
        self.shift = self.dice.choice([0, 2, 7])
        options = [("mss", mss)]
        options += [("ws", self.shift)] if self.shift else []
        options += [("sack_ok",)] if self.sack else []
        options += [("ts", self.clock(), 0)] if self.stamps else []
        self.give(self.packet("S", 0, None, window, options=options))
        (data,) = self.stack.packets_to_send(self.now)
        answer = Packet.decode(data)
        self.iss = answer.seq
        self.echoed = next(
            (o[1] for o in option.decode(answer.options) if o[0] == "ts"), 0
        )
        self.give(self.packet("A", 1, 1, window >> self.shift))
        self.connection = self.listener.accept()
        assert self.connection is not None
        for each in self.stack.packets_to_send(self.now):
            self._send(each)

    def clock(self):
        """The peer's timestamp."""
        return int(self.now * 1000) & MASK32

    def stamp(self):
        """Return the option; some peers echo a number that is none of ours."""
        echoed = self.echoed if self.honest else self.clock()
        return [("ts", self.clock(), echoed)] if self.stamps else []

    def packet(self, flags, seq, ack, window, *, payload=b"", options=None):
        """Return a segment of the peer's, with numbers relative to the first ones."""
        if options is None:
            options = self.stamp()
        return Packet(
            src=PEER[self.family],
            dst=LOCAL[self.family],
            sport=PEER_PORT,
            dport=PORT,
            flags=flags,
            seq=(IRS + seq) & MASK32,
            ack=0 if ack is None else (self.iss + ack) & MASK32,
            window=window,
            options=option.encode(options),
            payload=payload,
        )

    def give(self, packet):
        """Hand a packet to the stack at once."""
        self.stack.receive(packet.encode(), self.now)

    def send(self, packet, *, surely=False):
        """Send a packet of the peer's over the path."""
        self._travel(lambda: self.give(packet), surely=surely)

    def later(self, seconds, act):
        """Have something done in a while."""
        heapq.heappush(self.queue, (self.now + seconds, next(self.order), act))

    def _send(self, data):
        self.packets += 1
        packet = Packet.decode(data)
        if self.leaves is not None:
            self.leaves(packet)
        self._travel(lambda: self._arrives(packet))

    def _arrives(self, packet):
        for stamp in option.decode(packet.options):
            if stamp[0] == "ts":
                self.echoed = stamp[1]
        self.peer(packet)

    def _travel(self, act, *, surely=False):
        if not surely:
            if self.now < self.silent_until or self.dice.random() < self.loss:
                return
            if self.dice.random() < self.twice:
                self.later(DELAY * 2, act)
        held = self.dice.random() < self.late
        self.later(DELAY + held * self.dice.random() * 0.1, act)

    def run(self, until, done):
        """Let time go on until something is done; False if it never is."""
        while self.now < until:
            for data in self.stack.packets_to_send(self.now):
                self._send(data)
            if done():
                return True
            due = self.stack.next_deadline()
            at = self.queue[0][0] if self.queue else until
            if due is not None and due <= at:
                self.now = max(self.now, due)
                self.stack.handle_timer(self.now)
            elif self.queue:
                self.now, _, act = heapq.heappop(self.queue)
                act()
            else:
                return done()
        return done()
