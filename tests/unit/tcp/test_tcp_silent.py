"""syncache/tcp/silent.py: connections whose peers say nothing, by source prefix."""

from __future__ import annotations

import pytest
from harness import SEED

from syncache import Ring, Stack
from syncache.segment import ACK, FIN, RST, SYN, Segment
from syncache.tcp.silent import FEW

OURS = {4: "192.0.2.1", 6: "2001:db8::1"}
PEER = {4: "198.51.{}.{}", 6: "2001:db8:{}::{}"}
KNOB = "net.inet.tcp.syncache.x.silent_max"


class World:
    """A stack, and peers that complete handshakes."""

    def __init__(self, family, **knobs):
        self.family = family
        self.stack = Stack([*OURS.values()], {**knobs}, seed=SEED)
        self.listener = self.stack.listen(80)
        self.iss = {}
        self.now = 1000.0
        self.pace = 0.0  # seconds from one handshake to the next

    def send(self, network, host, flags, seq, payload=b""):
        """Send a segment; return the flags of the answers."""
        peer = PEER[self.family].format(network, host % 250)
        segment = Segment(
            src=peer,
            dst=OURS[self.family],
            sport=1000 + host,
            dport=80,
            seq=seq,
            ack=self.iss.get((network, host), -1) + 1,
            flags=flags,
            window=65535,
            payload=payload,
        )
        self.stack.receive(segment.packet(), self.now)
        sent = [Segment.parse(p) for p in self.stack.packets_to_send(self.now)]
        for answer in sent:
            if answer.flags & SYN:
                self.iss[network, host] = answer.seq
        return [(s.dst, s.dport, s.flags) for s in sent if not s.flags & SYN]

    def connect(self, network, host):
        """Complete a handshake; return what left but for the SYN-ACK."""
        self.now += self.pace
        self.send(network, host, SYN, 0)
        answers = self.send(network, host, ACK, 1)
        self.listener.accept()
        return answers

    def ports(self):
        """The hosts that have a connection."""
        return [c.peername[1] - 1000 for c in self.stack.connections]


@pytest.fixture(params=[4, 6])
def family(request):
    return request.param


def test_established_silent_beyond_the_prefix_limit_resets_the_oldest(family):
    """Its peer gets a RST; other prefixes and newcomers are served."""
    world = World(family, **{KNOB: 3})
    world.pace = 1.5
    world.connect(9, 77)
    resets = [answer for host in range(5) for answer in world.connect(1, host)]
    assert [1000, 1001] == [port for _, port, flags in resets if flags & RST]
    assert [77, 2, 3, 4] == world.ports()


def test_established_that_has_heard_data_or_fin_is_not_silent(family):
    """It stays, however many silent ones follow; the limit counts the others."""
    world = World(family, **{KNOB: 2})
    world.pace = 2
    for host in range(2):
        world.connect(1, host)
    world.send(1, 0, ACK, 1, b"GET")
    world.send(1, 1, ACK | FIN, 1)
    for host in range(2, 6):
        world.connect(1, host)
    assert [0, 1, 4, 5] == world.ports()


def test_data_with_the_last_ack_counts_as_said(family):
    """The connection was never silent."""
    world = World(family, **{KNOB: 1})
    for host in range(3):
        world.send(1, host, SYN, 0)
        world.send(1, host, ACK, 1, b"GET")
    assert [0, 1, 2] == world.ports()


def test_data_on_the_way_out_of_order_is_not_yet_said(family):
    """Only what the stack can take in order."""
    world = World(family, **{KNOB: 1})
    world.pace = 3
    world.connect(1, 0)
    world.send(1, 0, ACK, 9, b"GET")
    world.connect(1, 1)
    assert [1] == world.ports()


def test_limit_of_zero_keeps_all(family):
    """As FreeBSD would."""
    world = World(family, **{KNOB: 0})
    for host in range(10):
        world.connect(1, host)
    assert 10 == len(world.ports())
    assert 0 == len(world.stack._silent)


def test_full_of_silent_ones_newcomer_is_served(family):
    """A prefix with many of them gives up its oldest, one with few does not."""
    world = World(family, **{"kern.ipc.maxsockets": FEW + 5})
    for host in range(5):
        world.connect(7, 200 + host)
    for host in range(FEW):
        world.connect(1, host)
    resets = world.connect(8, 300)
    assert [1000] == [port for _, port, flags in resets if flags & RST]
    assert [*range(200, 205), *range(1, FEW), 300] == world.ports()
    # Now no prefix has many.
    world.connect(8, 301)
    assert 301 not in world.ports()
    assert 1 == world.stack.stats.listendrop


def test_crowd_beyond_the_limit_is_kept_until_it_had_time_to_speak(family):
    """A crowd whose first words are late keeps its connections for three seconds."""
    world = World(family, **{KNOB: 4})
    for host in range(50):
        world.send(1, host, SYN, 0)
    rx, tx = Ring(64), Ring(64)
    for host in range(50):
        packet = Segment(
            src=PEER[family].format(1, host),
            dst=OURS[family],
            sport=1000 + host,
            dport=80,
            seq=1,
            ack=world.iss[1, host] + 1,
            flags=ACK,
            window=65535,
        ).packet()
        rx.push(packet)
    world.stack.burst(rx, tx, 1000.0)
    sent = [Segment.parse(p) for p in world.stack.packets_to_send(1000.0)]
    assert 0 == sum(s.flags & RST != 0 for s in sent)
    assert [*range(50)] == world.ports()
    world.now += 3
    for host in range(50, 96):
        (reset,) = world.connect(1, host)
        assert (1000 + host - 50, True) == (reset[1], bool(reset[2] & RST))
    assert [*range(46, 96)] == world.ports()
    for host in range(46, 96):
        world.send(1, host, ACK | RST, 1)
    assert 0 == len(world.stack._silent) == len(world.ports())
