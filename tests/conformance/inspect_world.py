"""A world for statements about Inspection: C outside, S inside, time by hand.

Packets go through the engine at times that a test sets; what is passed, made and said
is collected.  TCP's numbers are kept for each connection, so that a test says `ack()`
and means the valid one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from ipaddress import ip_address

from syncache import Segment, Sysctl
from syncache.alerts import AlertOff, AlertOn
from syncache.flow import Side
from syncache.inspection import Inspection

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
C_ISN, S_ISN = 1000, 2000
CLIENT, SERVER = Side.CLIENT, Side.SERVER
_I = "net.inet.inspect."
UDP_HEADER, ICMP_HEADER = 8, 8


def address(family, net, number=0):
    """`net` 1: outside, 2: inside; documentation ranges, the others of 10/8."""
    if family == 4:
        base = ip_address("192.0.2.10" if net == 1 else "198.51.100.5")
    else:
        base = ip_address("2001:db8:1::10" if net == 1 else "2001:db8:2::5")
    return str(base + number)


def ip(src, dst, protocol, payload):
    """An IP packet around a payload whose checksum is none of our business."""
    source, target = ip_address(src), ip_address(dst)
    if source.version == 6:
        head = struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64)
        return head + source.packed + target.packed + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
    head += source.packed + target.packed
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def checksum(data, start=0):
    """RFC 1071."""
    padded = data + b"\0" * (len(data) % 2)
    total = start + sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def pseudo(src, dst, protocol, size):
    """Sum of the pseudo header."""
    data = ip_address(src).packed + ip_address(dst).packed
    return ~checksum(data + struct.pack(">II", size, protocol)) & 0xFFFF


def udp(src, sport, dst, dport, payload=b"data"):
    size = UDP_HEADER + len(payload)
    head = struct.pack(">HHHH", sport, dport, size, 0)
    total = checksum(head + payload, pseudo(src, dst, 17, size)) or 0xFFFF
    return ip(src, dst, 17, head[:6] + struct.pack(">H", total) + payload)


def icmp(src, dst, kind, ident=7, payload=b"abcd"):
    """An echo or its reply; kinds are IPv4's, translated for IPv6."""
    six = ":" in src
    kind = {8: 128, 0: 129, 11: 3, 3: 1}[kind] if six else kind
    protocol = 58 if six else 1
    body = struct.pack(">BBHHH", kind, 0, 0, ident, 1) + payload
    start = pseudo(src, dst, 58, len(body)) if six else 0
    total = struct.pack(">H", checksum(body, start))
    return ip(src, dst, protocol, body[:2] + total + body[4:])


@dataclass
class Connection:
    """One TCP connection from outside, and its numbers."""

    world: World
    client: str
    sport: int
    server: str
    dport: int = 80
    side: Side = CLIENT
    sent: list[int] = field(default_factory=lambda: [0, 0])

    def packet(self, side, flags, *, seq=None, ack=None, payload=b""):
        """Send a segment of either end; its numbers are the next valid ones."""
        ours, theirs = (C_ISN, S_ISN) if side == 0 else (S_ISN, C_ISN)
        ends = (self.client, self.sport), (self.server, self.dport)
        (src, sport), (dst, dport) = ends if side == 0 else ends[::-1]
        if seq is None:
            seq = ours + (not flags & SYN) + self.sent[side]
        if ack is None:
            ack = theirs + 1 + self.sent[1 - side]
        segment = Segment(
            src=src,
            dst=dst,
            sport=sport,
            dport=dport,
            seq=seq,
            ack=ack if flags & ACK else 0,
            flags=flags,
            window=60000,
            payload=payload,
        )
        self.sent[side] += len(payload) + bool(flags & FIN)
        link = self.side if side == 0 else self.side.other
        return self.world.give(segment.packet(), link)

    def syn(self, **fields):
        return self.packet(0, SYN, **fields)

    def syn_ack(self, **fields):
        return self.packet(1, SYN | ACK, **fields)

    def ack(self, **fields):
        return self.packet(0, ACK, **fields)

    def complete(self):
        """The three segments of a handshake."""
        self.syn()
        self.syn_ack()
        return self.ack()


# What cbac-classic sets that the defaults do not.
CLASSIC = {
    "block_action": "drop",
    "block_clears": 1,
    "aggressive_evict": "per-new",
}


class World:
    """An engine with changed tunables of the classic preset."""

    def __init__(self, family=4, rules=None, seed=bytes(16), **tunables):
        names = {name.replace("__", "."): value for name, value in tunables.items()}
        values = CLASSIC | {"tcp.max_incomplete_host": 0} | names
        sysctl = Sysctl({_I + name: value for name, value in values.items()})
        self.family = family
        self.engine = Inspection(sysctl, rules=rules, seed=seed)
        self.now = 0.0
        self.client = address(family, 1)
        self.server = address(family, 2)
        self.made = []  # (side, segment) that the engine made
        self.said = []
        self._ports = iter(range(1024, 65000))

    def give(self, packet, side):
        """Give a packet; True if it went on as it came."""
        self.engine.receive(packet, side, self.now)
        return packet in self.collect(side.other)

    def collect(self, other=None):
        """Fetch what was passed on, made and said; return the packets."""
        packets = self.engine.packets_to_send(self.now)
        while (message := self.engine.next_message()) is not None:
            self.said.append(message)
        for side, packet in packets:
            try:
                segment = Segment.parse(packet)
            except ValueError:
                continue
            if segment.flags & RST or (segment.flags & SYN and segment.flags & ACK):
                self.made.append((side, segment))
        return [packet for side, packet in packets if side == other]

    def to(self, time):
        """Let time pass, acting whenever something is due."""
        while (due := self.engine.next_deadline()) is not None and due <= time:
            self.now = max(self.now, due)
            self.engine.handle_timer(self.now)
            self.collect()
            if self.engine.next_deadline() == due:
                break
        self.now = time
        self.engine.handle_timer(time)
        self.collect()

    def connection(self, number=0, server=0, **fields):
        """A connection of client `number`'s to server `server`, of a fresh port."""
        given = {
            "client": address(self.family, 1, number),
            "sport": fields.pop("sport", None) or next(self._ports),
            "server": address(self.family, 2, server),
        }
        return Connection(self, **(given | fields))

    def half_open(self, count, server=0, **fields):
        """Open so many connections half."""
        made = [self.connection(i % 100, server, **fields) for i in range(count)]
        for connection in made:
            connection.syn()
        return made

    def udp(self, sport, dport=9000, back=False, server=0):
        """A datagram of C's, or S's answer to it."""
        there = address(self.family, 2, server)
        if back:
            return self.give(udp(there, dport, self.client, sport), SERVER)
        return self.give(udp(self.client, sport, there, dport), CLIENT)

    @property
    def counts(self):
        """[established : half-open : terminating]."""
        s = self.engine.statistics(self.now)
        return s.established, s.half_open, s.terminating

    @property
    def half(self):
        return self.counts[1]

    @property
    def lines(self):
        """What was said, in the words of the original."""
        return [message.original() for message in self.said]

    def modes(self):
        """The messages of beginnings and ends of aggressive mode."""
        return [m for m in self.said if isinstance(m, (AlertOn, AlertOff))]
