"""Machines of a group, one class for each engine, and a handshake at two of them.

Each machine has its own monotonic clock, and a wall clock that is wrong by up to half
of the allowed skew either way, so that two of them differ by all of it, and by what an
engine does not follow of a wall clock: fractions of a millisecond, and small steps.
"""

from __future__ import annotations

import itertools

from syncache import Inspection, Intercept, Ring, Segment, Syncache, Sysctl
from syncache.acl import AccessList, permit
from syncache.cli.wall import STEP_SECONDS
from syncache.fleet.document import Document
from syncache.flow import Side
from syncache.keyring import DerivedKeyring, Master
from syncache.options import Mss as MaximumSegmentSize
from syncache.options import SackPermitted, Timestamps, WindowScale
from syncache.segment import ACK, SYN

LIFETIME = 32
SKEW = 1.0  # of the group
WALL = 1_800_000_000 // LIFETIME * LIFETIME  # an edge of epochs
MASTERS = (Master(1, 0, bytes(range(32))),)
GROUP = Document(
    version=1, group="web", lifetime=32, skew_ms=1000, ts_key=bytes(16), masters=MASTERS
)
ERRORS = (-SKEW / 2 - STEP_SECONDS, -SKEW / 2 - 0.0004, 0.0, SKEW / 2 + 0.0004)
TUNABLES = {
    "net.inet.tcp.syncache.x.clock_skew_ms": GROUP.engine_skew_ms,
    "net.inet.tcp.syncache.x.cookie_gate": "always",
    "kern.ipc.maxsockbuf": 4_194_304,  # our scale is 7, as the middlebox tells
    "net.inet.tcp.syncookies_only": 1,
    "net.inet.tcp.intercept.synack": "cookie",
    "net.inet.tcp.intercept.options": "client",
    "net.inet.inspect.options": "client",
    "net.inet.inspect.block_action": "cookie",
    "net.inet.inspect.tcp.max_incomplete_host": 1,
    "net.inet.inspect.tcp.block_time_s": 1_000_000,
}
SERVER = {4: "198.18.0.2", 6: "fd00:18::2"}
CLIENT = {4: "198.51.100.7", 6: "2001:db8:1::7"}
CASES = [
    (at, delay)
    for at in (-SKEW, -SKEW / 2, -0.001, 0.0, 0.001, SKEW / 2, SKEW, LIFETIME / 2)
    for delay in (0.0, 0.001, SKEW, LIFETIME - SKEW)
]


def segment(family, port, dport=80, **fields):
    """From the client."""
    ends = {"src": CLIENT[family], "dst": SERVER[family], "sport": port, "dport": dport}
    return Segment(**ends, window=65535, **fields)


class Machine:
    """One engine with the group's keys, its own monotonic clock and a wall clock."""

    def __init__(self, started, error, port=80):
        self._zero, self.port = started, port
        self.keys = DerivedKeyring(MASTERS, wall_offset=started + error, group="web")

    def now(self, wall):
        return wall - self._zero

    def set_clock(self, error):
        """Its wall clock is set, and the engine told."""
        self.keys = DerivedKeyring(MASTERS, wall_offset=self._zero + error, group="web")
        self.engine.rekey(self.keys)


class Cache(Machine):
    """`serve`: packet by packet."""

    def __init__(self, started, error, port=80):
        super().__init__(started, error, port)
        self.engine = Syncache(Sysctl(TUNABLES), keys=self.keys)
        self.endpoint = self.engine.listen(self.port)

    def syn(self, packet, wall):
        return self.engine.packet(packet, self.now(wall)).reply.packet()

    def ack(self, packet, wall):
        verdict = self.engine.packet(packet, self.now(wall))
        if verdict.conn is not None:
            self.engine.closed(verdict.conn)
        return verdict.conn is not None


class Burst(Cache):
    """`serve`: rings of packets."""

    def _burst(self, packet, wall):
        rx, tx = Ring(1), Ring(4)
        rx.push(packet)
        self.engine.burst(rx, tx, self.now(wall))
        return rx, [bytes(tx[index]) for index in range(len(tx))]

    def syn(self, packet, wall):
        return self._burst(packet, wall)[1][0]

    def ack(self, packet, wall):
        rx, _ = self._burst(packet, wall)
        if not rx.verdict(0).name.startswith("ACCEPT"):
            return False
        self.engine.closed(rx.conn(0))
        return True


class Proxy(Machine):
    """`intercept`: a redeemed cookie opens the connection to the server."""

    def __init__(self, started, error, port=80):
        super().__init__(started, error, port)
        self.engine = self.make()
        self.engine.handle_timer(self.now(WALL - 1000))

    def make(self):
        web = AccessList("web", [permit(dport=self.port)])
        return Intercept(Sysctl(TUNABLES), acl=web, keys=self.keys)

    def _to(self, side, packet, wall):
        self.engine.receive(packet, Side.CLIENT, self.now(wall))
        sent = self.engine.packets_to_send(self.now(wall))
        found = [Segment.parse(data) for to, data in sent if to is side]
        port = Segment.parse(packet).sport  # other clients' SYNs are sent again
        return [
            s for s in found if port == (s.dport if side is Side.CLIENT else s.sport)
        ]

    def syn(self, packet, wall):
        (answer,) = self._to(Side.CLIENT, packet, wall)
        assert SYN | ACK == answer.flags
        return answer.packet()

    def ack(self, packet, wall):
        opened = self._to(Side.SERVER, packet, wall)
        return [SYN] == [s.flags for s in opened]


class Block(Proxy):
    """`inspect` while a destination is blocked."""

    def make(self):
        engine = Inspection(Sysctl(TUNABLES), keys=self.keys)
        for family, port in itertools.product((4, 6), range(1000, 1004)):
            packet = segment(family, port, dport=self.port, seq=1, flags=SYN).packet()
            engine.receive(packet, Side.CLIENT, self.now(WALL - 1000))
        return engine


ENGINES = {"serve": Cache, "burst": Burst, "intercept": Proxy, "inspect": Block}


def handshake(one, other, wall, delay, family, port, rich, between=lambda: None):
    """SYN to one machine, its ACK to the other."""
    options = [MaximumSegmentSize(1400)]
    if rich:
        options += [WindowScale(8), SackPermitted(), Timestamps(port, 0)]
    raw = b"".join(option.encode() for option in options)
    raw += bytes(-len(raw) % 4)
    syn = segment(family, port, dport=one.port, seq=port, flags=SYN, options_bytes=raw)
    answer = Segment.parse(one.syn(syn.packet(), wall))
    echo = [
        Timestamps(port + 1, o.tsval) for o in answer.options if type(o) is Timestamps
    ]
    assert rich == bool(echo)
    raw = b"".join(b"\1\1" + option.encode() for option in echo)
    ack = segment(
        family,
        port,
        dport=other.port,
        seq=port + 1,
        ack=answer.seq + 1,
        flags=ACK,
        options_bytes=raw,
    )
    between()
    return other.ack(ack.packet(), wall + delay)
