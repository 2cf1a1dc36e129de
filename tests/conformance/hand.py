"""One engine, one listener, a clock, and packets by the word: for statement tests.

A Hand plays every peer.  It remembers what each peer sent and was answered, so that a
test says only what matters to it: `hand.syn()`, `hand.ack()`, `hand.rst(seq=+5)`.
Peers are numbers: another number is another port of the same address.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import syncache

from ..model import option
from ..model.packet import Packet, icmp_error

LOCAL = {4: "198.51.100.7", 6: "2001:db8::7"}
PEER = {4: "192.0.2.1", 6: "2001:db8:1::1"}
ROUTER = {4: "192.0.2.254", 6: "2001:db8:1::fe"}
PORT = 80
PEER_PORT = 50000
IRS = 0x12345678
WINDOW = 65535  # what the listener announces
SEED = bytes(range(16))
MASK32 = 0xFFFFFFFF
MSS_ONLY: tuple[option.Option, ...] = (("mss", 1460),)
ALL_OPTIONS: tuple[option.Option, ...] = (
    ("mss", 1460),
    ("sack_ok",),
    ("ts", 100, 0),
    ("nop",),
    ("ws", 7),
)
# Counters that move with every packet, so that nobody lists them.
BACKGROUND = {"rcvtotal", "sndtotal", "sndacks", "sc_sendcookie", "paused_ms"}


def full_name(short: str) -> str:
    """Spell a tunable's name out: x. is ours, net. and kern. are whole."""
    if short.startswith(("net.", "kern.")):
        return short
    return f"net.inet.tcp.{'syncache.' if short.startswith('x.') else ''}{short}"


def counters(engine: syncache.Syncache) -> dict[str, int]:
    """Return an engine's counters by name, without those of the verdicts."""
    stats = engine.stats
    return {f.name: getattr(stats, f.name) for f in fields(stats)[:-1]}


@dataclass(frozen=True)
class Answer:
    """What one packet led to."""

    reason: str
    packet: Packet | None
    conn: syncache.Conn | None
    handle: int

    @property
    def sent(self) -> Packet:
        """The reply, which there is."""
        assert self.packet is not None, self.reason
        return self.packet

    @property
    def made(self) -> syncache.Conn:
        """The handshake that was completed, as there is one."""
        assert self.conn is not None, self.reason
        return self.conn


class Hand:
    """An engine under a preset (None: our defaults), and all of its peers."""

    def __init__(
        self,
        preset: str | None = "freebsd",
        tune: dict[str, int | str] | None = None,
        *,
        family: int = 4,
        start_ms: int = 1_000_000,
        listen: dict[str, Any] | None = None,
        **engine: Any,
    ) -> None:
        self.sysctl = syncache.Sysctl()
        if preset:
            self.sysctl.preset(preset)
        self.sysctl.update({full_name(k): v for k, v in (tune or {}).items()})
        self.engine = syncache.Syncache(self.sysctl, seed=SEED, **engine)
        self.family = family
        self.now_ms = self.start_ms = start_ms
        self.engine._address(LOCAL[family])  # ours though nobody may listen
        self.endpoint = self.engine.listen(PORT, LOCAL[family], **(listen or {}))
        self.ring = syncache.Ring(64, 256)
        self.isn: dict[int, int] = {}  # of each peer's last SYN
        self.iss: dict[int, int] = {}  # ours, to each peer
        self.before = self.counters()

    def set(self, short: str, value: int | str) -> None:
        """Change a tunable."""
        self.sysctl[full_name(short)] = value

    @property
    def now(self) -> float:
        """The time in seconds."""
        return self.now_ms / 1000

    def counters(self) -> dict[str, int]:
        """All counters but those of verdicts."""
        return counters(self.engine)

    def moved(self) -> dict[str, int]:
        """What the counters did since the last call, without the background."""
        now = self.counters()
        moved = {k: now[k] - v for k, v in self.before.items() if now[k] != v}
        self.before = now
        return {k: v for k, v in moved.items() if k not in BACKGROUND}

    @property
    def entries(self) -> list[syncache.HalfOpen]:
        """The half-open entries."""
        return self.engine.half_open()

    def peers(self) -> set[int]:
        """The peers that have an entry."""
        return {entry.fport - PEER_PORT for entry in self.entries}

    def packet(self, peer: int = 1, **fields: Any) -> Packet:
        """Build a packet of a peer."""
        options = fields.pop("opts", ())
        defaults: dict[str, Any] = {
            "src": PEER[self.family],
            "dst": LOCAL[self.family],
            "sport": PEER_PORT + peer,
            "dport": PORT,
            "window": 32767,
            "options": option.encode(list(options)),
        }
        return Packet(**{**defaults, **fields})

    def send(self, packet: Packet) -> Answer:
        """Give the engine a packet now."""
        verdict = self.engine.packet(packet.encode(), self.now)
        reply = verdict.reply
        decoded = None if reply is None else Packet.decode(reply.packet())
        if decoded is not None and "S" in decoded.flags:
            self.iss[packet.sport - PEER_PORT] = decoded.seq
        return Answer(verdict.reason.name, decoded, verdict.conn, verdict.handle)

    def syn(self, peer: int = 1, *, seq: int = IRS, **fields: Any) -> Answer:
        """Send a SYN; `opts` are MSS 1460 alone unless told."""
        self.isn[peer] = seq
        values = {"flags": "S", "opts": MSS_ONLY, **fields}
        return self.send(self.packet(peer, seq=seq, **values))

    def ack(
        self, peer: int = 1, *, dseq: int = 0, dack: int = 0, **fields: Any
    ) -> Answer:
        """Send the third segment; dseq and dack are how far off it is."""
        values = {
            "flags": "A",
            "seq": (self.isn.get(peer, IRS) + 1 + dseq) & MASK32,
            "ack": (self.iss.get(peer, 0) + 1 + dack) & MASK32,
        }
        return self.send(self.packet(peer, **{**values, **fields}))

    def rst(self, peer: int = 1, *, dseq: int = 0, **fields: Any) -> Answer:
        """Send a RST; dseq counts from RCV.NXT."""
        seq = (self.isn.get(peer, IRS) + 1 + dseq) & MASK32
        return self.send(self.packet(peer, **{"flags": "R", "seq": seq, **fields}))

    def icmp(self, peer: int = 1, *, dseq: int = 0) -> Answer:
        """Report port unreachable about our SYN-ACK; dseq spoils the quotation."""
        quoted = Packet(
            LOCAL[self.family],
            PEER[self.family],
            PORT,
            PEER_PORT + peer,
            flags="SA",
            seq=(self.iss[peer] + dseq) & MASK32,
        ).encode()
        kind = (1, 4) if self.family == 6 else (3, 3)
        error = icmp_error(quoted, ROUTER[self.family], kind=kind)
        verdict = self.engine.packet(error, self.now)
        return Answer(verdict.reason.name, None, None, 0)

    def handshake(self, peer: int = 1, **fields: Any) -> syncache.Conn:
        """Complete a handshake and accept it."""
        self.syn(peer, **fields)
        conn = self.ack(peer).made
        self.engine.accepted(conn, peer)
        return conn

    def poll(self) -> list[Packet]:
        """Send what is due now."""
        out: list[Packet] = []
        while True:
            self.ring.clear()
            sent = self.engine.poll(self.now, self.ring)
            out += [Packet.decode(bytes(self.ring[i])) for i in range(sent)]
            if sent < self.ring.slots:
                return out

    def run(self, ms: int) -> list[tuple[int, Packet]]:
        """Let time pass, stopping at every deadline; what was sent, and when."""
        end = self.now_ms + ms
        out: list[tuple[int, Packet]] = []
        while True:
            due = self.engine.next_deadline()
            due_ms = end if due is None else max(round(due * 1000), self.now_ms)
            self.now_ms = min(end, due_ms)
            out += [(self.now_ms - self.start_ms, p) for p in self.poll()]
            if self.now_ms >= end:
                return out
            if self.engine.next_deadline() == due:
                self.now_ms += 1  # a deadline that poll() cannot serve
