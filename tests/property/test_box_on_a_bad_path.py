"""An echo through a box, over two paths that lose, double, delay and go silent.

The client is as much of a TCP as that takes: it repeats its SYN, sends pieces of any
size within the window that it was told, keeps what comes out of order and reports it by
SACK, probes a closed window, shrinks its own now and then, and ends its side first.
The server is a `Stack` that sends everything back.  Whatever becomes of single packets,
every byte comes back, both ends end in order, and nobody is reset.

SYNCACHE_FUZZ_SEEDS=5000 pytest tests/property/test_box_on_a_bad_path.py
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from bad_path import BEGIN, IRS, MASK32, Path, content, seeds
from small_box import SMALL

from syncache import Inspection, Intercept, Sysctl, events
from syncache.acl import AccessList, permit
from syncache.flow import Side
from tests.model import option
from tests.model.packet import Packet

SIZE = 20_000
MSS = 900
LONGEST = 600.0
AGAIN = 0.4  # what a client waits before it repeats itself
MODE = "net.inet.tcp.intercept.mode"


def box(name):
    """Return an engine."""
    if name == "inspect":
        return Inspection(Sysctl(SMALL), seed=bytes(16))
    sysctl = Sysctl({**SMALL, MODE: name})
    return Intercept(sysctl, acl=AccessList("all", [permit()]), seed=bytes(16))


class Between(Path):
    """Client, box, server: what one sends goes over two paths."""

    def __init__(self, seed, family, peer, engine):
        super().__init__(seed, family, peer)
        self.engine = engine
        self.loss = min(self.loss, 0.1)

    def give(self, packet):
        """A packet of the client's that came as far as the box."""
        self.engine.receive(packet.encode(), Side.CLIENT, self.now)
        self.pass_on()

    def _send(self, data):
        """A packet of the server's sets out."""
        self.packets += 1
        self._travel(lambda: self._from_server(data))

    def _from_server(self, data):
        self.engine.receive(data, Side.SERVER, self.now)
        self.pass_on()

    def pass_on(self):
        """What the box sends travels on."""
        for side, data in self.engine.packets_to_send(self.now):
            if side is Side.CLIENT:
                packet = Packet.decode(data)
                self._travel(lambda packet=packet: self._arrives(packet))
            else:
                self._travel(lambda data=data: self.stack.receive(data, self.now))

    def tick(self):
        """The box has timers, too."""
        self.pass_on()
        self.later(0.05, self.tick)


class Client:
    """One end, and all that it may do."""

    def __init__(self, seed, family, engine):
        self.path = path = Between(seed, family, self.hears, engine)
        self.dice = path.dice
        self.shift = self.dice.choice([0, 2, 7])
        self.data = content(SIZE)
        self.open, self.resets = False, 0
        self.una, self.edge, self.scale = 1, 1, 0
        self.next, self.far, self.end = 1, {}, None
        self.got = bytearray()
        self.room = self.dice.choice([4_000, 30_000])
        if self.dice.random() < 0.3:
            path.silent_until = BEGIN + self.dice.random() * 10
        path.later(0, self.go_on)
        path.later(0, path.tick)

    @property
    def done(self):
        """Whether all is there and all is acknowledged."""
        return self.end is not None and self.next > self.end and self.una > SIZE + 1

    def say(self, flags, seq, payload=b""):
        """Send a segment with what we have and what we miss."""
        path = self.path
        options = path.stamp()
        if path.sack and self.far:
            left = right = min(self.far)
            while right in self.far:
                right += 1
            block = [(path.iss + n) & MASK32 for n in (left, right)]
            options.append(("sack", *block))
        room = self.room if self.dice.random() < 0.9 else self.dice.randrange(self.room)
        window = min(0xFFFF, room >> self.shift)
        packet = path.packet(
            flags, seq, self.next, window, payload=payload, options=options
        )
        path.send(packet)

    def go_on(self):
        """Send what there is to send, and again in a while."""
        path = self.path
        if not self.open:
            options = [("mss", MSS)]
            options += [("ws", self.shift)] if self.shift else []
            options += [("sack_ok",)] if path.sack else []
            options += [("ts", path.clock(), 0)] if path.stamps else []
            path.send(path.packet("S", 0, None, self.room, options=options))
            path.later(1.0, self.go_on)
            return
        if self.resets or self.done:
            return
        at = self.una
        for _ in range(self.dice.randrange(1, 5)):
            size = self.dice.choice([1, 100, MSS])
            room = max(self.edge - at, 1 if at == self.una else 0)
            piece = self.data[at - 1 : at - 1 + min(size, room)]
            flags = "AF" if at + len(piece) == SIZE + 1 else "A"
            if not piece and (flags == "A" or self.una > SIZE + 1):
                break
            self.say(flags, at, piece)
            at += len(piece)
        path.later(self.dice.choice([0.03, AGAIN]), self.go_on)

    def hears(self, packet):
        """Take a segment."""
        path = self.path
        if self.open and not self.acceptable(packet):
            return
        if "R" in packet.flags:
            self.resets += 1
            return
        if "S" in packet.flags:
            if not self.open:
                self.open, path.iss = True, packet.seq
                found = {o[0]: o[1:] for o in option.decode(packet.options)}
                self.scale = found.get("ws", (0,))[0] if self.shift else 0
                path.stamps &= "ts" in found
                path.sack &= "sack_ok" in found
                self.shift = self.shift if "ws" in found else 0
                self.edge = 1 + packet.window
            self.say("A", self.una if self.una <= SIZE + 1 else SIZE + 2)
            return
        if not self.open:
            return
        ack = (packet.ack - IRS) & MASK32
        assert ack <= SIZE + 2
        self.una = max(self.una, ack)
        self.edge = max(self.edge, ack + (packet.window << self.scale))
        at = (packet.seq - path.iss) & MASK32
        if packet.payload:
            assert len(packet.payload) <= MSS
            self.take(at, packet.payload)
        if "F" in packet.flags:
            self.end = at + len(packet.payload)
        while self.next in self.far:
            self.got.append(self.far.pop(self.next))
            self.next += 1
        if self.next == self.end:
            self.next += 1
        if packet.payload or "F" in packet.flags:
            self.say("A", self.una)

    def acceptable(self, packet):
        """Whether a segment may be one of the connection's."""
        at = (packet.seq - self.path.iss) & MASK32
        if "S" in packet.flags:
            return at == 0
        if "R" in packet.flags:
            return at == self.next
        ack = (packet.ack - IRS) & MASK32
        return "A" in packet.flags and ack <= SIZE + 2 and at <= self.next + self.room

    def take(self, at, data):
        """Keep bytes, each only once."""
        if at < self.next:
            data, at = data[self.next - at :], self.next
        self.far.update(enumerate(data, at))


def interfere(client):
    """Somebody who knows the tuple sends what comes to mind in the client's name."""
    path, dice = client.path, random.Random(client.path.dice.random())

    def act():
        if client.open:
            bare = path.packet("", 0, 0, dice.getrandbits(16))
            words = {
                "flags": dice.choice(("S", "SA", "R", "AR", "A", "AF", "F", "FS", "")),
                "seq": dice.getrandbits(32),
                "ack": dice.choice((0, dice.getrandbits(32))),
                "payload": bytes(dice.choice((0, 0, 1, MSS))),
            }
            path.give(replace(bare, **words))
        path.later(dice.choice((0.001, 0.01, 0.05)), act)

    act()


def serve(path):
    """Send everything back, and end when the client has."""
    waiting, over = bytearray(), []

    def act():
        while (event := path.stack.next_event()) is not None:
            if isinstance(event, events.EndOfStream):
                over.append(event)
        if path.connection is None:
            path.connection = path.listener.accept()
        if path.connection is not None:
            waiting.extend(path.connection.read(100_000))
            taken = path.connection.write(bytes(waiting))
            del waiting[:taken]
            if over and not waiting and path.connection.info.unread == 0:
                path.connection.close()
                return
        path.later(0.02, act)

    act()


@pytest.mark.parametrize("name", ["intercept", "watch", "inspect"])
@pytest.mark.parametrize("seed", seeds(8))
def test_echo_through_a_box_is_whole_and_nobody_is_reset(family, name, seed):
    client = Client(seed, family, box(name))
    serve(client.path)
    assert client.path.run(BEGIN + LONGEST, lambda: client.done or client.resets > 0)
    assert 0 == client.resets
    assert client.data == bytes(client.got)


@pytest.mark.parametrize("name", ["intercept", "watch", "inspect"])
@pytest.mark.parametrize("seed", seeds(8))
def test_stranger_who_knows_the_tuple_ends_nothing(family, name, seed):
    """Blind: no number of a segment is right, and there are many."""
    client = Client(seed, family, box(name))
    serve(client.path)
    interfere(client)
    assert client.path.run(BEGIN + LONGEST, lambda: client.done or client.resets > 0)
    assert 0 == client.resets
    assert client.data == bytes(client.got)
