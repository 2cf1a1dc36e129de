"""The engine and its model, given the same packets, and compared.

Whatever is done here is done to both; a difference is an AssertionError that shows the
two sides.  Peers are numbers: another number is another port of the same address.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import syncache
from syncache.keyring import derive
from tests.model import option
from tests.model.cache import Cache
from tests.model.packet import Packet, icmp_error
from tests.model.siphash import siphash24
from tests.model.state import Conn, Endpoint, Entry, Keys, Tunables

PEERS = 6
IRS = 0x12345678
SEED = bytes(range(16))
LOCAL = {4: "198.51.100.7", 6: "2001:db8::7"}
PEER = {4: "192.0.2.1", 6: "2001:db8:1::1"}
ROUTER = {4: "192.0.2.254", 6: "2001:db8:1::fe"}
PORTS = (80, 81)
MASK32 = 0xFFFFFFFF
LISTEN: tuple[dict[str, Any], ...] = (
    {"address": None, "mtu": 1500, "hop_limit": 61, "tos": 0x48},
    {"address": LOCAL[4], "mtu": 1300, "mss_max": 1000, "rcv_window": 5000},
)
# What only the engine counts, and what is compared otherwise.
NOT_MODELLED = {"fastopen_cookies", "fastopen_refused", "pauses", "paused_ms"}


def subkey(seed: bytes, label: str) -> bytes:
    """Derive a key of the engine as it does: SipHash of the label, twice."""
    halves = [siphash24(seed, label.encode() + bytes([half])) for half in (0, 1)]
    return b"".join(half.to_bytes(8, "little") for half in halves)


class CookieKeys(dict[int, bytes]):
    """The cookie keys of a keyring, by epoch."""

    def __init__(self, ring: syncache.Keyring) -> None:
        super().__init__()
        self.ring = ring

    def __missing__(self, epoch: int) -> bytes:
        self[epoch] = self.ring.key(epoch, 0)
        return self[epoch]


class Twins:
    """One engine, one model, one clock."""

    def __init__(
        self, boot: dict[str, int | str], preset: str | None, known_max: int
    ) -> None:
        self.sysctl = syncache.Sysctl()
        if preset:
            self.sysctl.preset(preset)
        self.sysctl.update(boot)
        ring = syncache.Keyring.from_seed(SEED)
        secret = derive(SEED, "syncache engine")
        self.engine = syncache.Syncache(
            self.sysctl, keys=ring, seed=SEED, established_max=known_max
        )
        keys = Keys(
            bucket=subkey(secret, "hash"),
            iss=subkey(secret, "iss "),
            ts=subkey(secret, "ts  "),
            cookie=CookieKeys(ring),
        )
        self.model = Cache(self._tunables(), keys, known_max=known_max)
        for address in LOCAL.values():
            self.engine._address(address)
        self.listening: list[syncache.Endpoint | None] = [None, None]
        self.now_ms = 1_000_000
        self.seen: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
        self.offers: list[tuple[syncache.Conn, Conn]] = []
        self.established: list[tuple[syncache.Conn, Conn]] = []
        self.handle = 0
        for number in (0, 1):
            self.toggle_listener(number)

    def _tunables(self) -> Tunables:
        tune = Tunables()
        tune.take(dict(self.sysctl))
        return tune

    @property
    def now(self) -> float:
        """The time in seconds."""
        return self.now_ms / 1000

    # What happens

    def toggle_listener(self, number: int) -> None:
        """Close an endpoint, or open it again."""
        old = self.listening[number]
        if old is not None:
            old.close()
            self.listening[number] = None
            self.model.endpoints[number].open = False
            return
        told = dict(LISTEN[number])
        self.listening[number] = self.engine.listen(PORTS[number], **told)
        if len(self.model.endpoints) <= number:
            self.model.endpoints.append(Endpoint(PORTS[number], **told))
        self.model.endpoints[number].open = True

    def tune(self, name: str, value: int | str) -> None:
        """Set a tunable; the engine may refuse a pair, then both keep the old."""
        try:
            self.sysctl[name] = value
        except ValueError:
            return
        self.model.tune_to({name: value})

    def clock(self, step_ms: int) -> None:
        """Let time pass, and do what is due."""
        self.now_ms += step_ms
        ring = syncache.Ring(64, 256)
        got: list[bytes] = []
        while True:
            ring.clear()
            sent = self.engine.poll(self.now, ring)
            got += [bytes(ring[i]) for i in range(sent)]
            if sent < ring.slots:
                break
        wanted = self.model.poll(self.now_ms)
        assert sorted(wanted) == sorted(got), show(wanted, got)
        for packet in got:
            self._remember(packet)

    def clock_to_deadline(self) -> None:
        """Go to the next deadline, which must not be after the model's."""
        due = self.engine.next_deadline()
        wanted = self.model.next_due()
        if wanted is not None:
            assert due is not None
            assert due <= wanted / 1000
        if due is not None:
            self.clock(max(0, round(due * 1000) - self.now_ms))

    def clock_back(self, back_ms: int) -> None:
        """A packet whose time is before the last one's."""
        self.now_ms -= back_ms
        self.odd(0, 4, flags="")
        self.now_ms += back_ms

    def syn(
        self, peer: int, family: int, *, opts: Any, lost: bool, **fields_: Any
    ) -> None:
        """A SYN; if lost, its answer cannot be sent."""
        options = option.encode(list(opts))
        packet = self._packet(peer, family, options=options, **fields_)
        reply = self._send(packet)
        if lost and reply is not None:
            seen = Packet.decode(reply)
            self.engine.unsent(syncache.Segment.parse(reply))
            tup = (packet.src, packet.sport, packet.dst, packet.dport)
            self.model.unsent(tup, seen.seq)

    def ack(
        self,
        peer: int,
        family: int,
        *,
        off: tuple[int, int],
        ts: str | None,
        old: int,
        **fields_: Any,
    ) -> None:
        """The third segment of a handshake, right or wrong."""
        history = self.seen.get((peer, family)) or [(IRS, 0, 0)]
        irs, iss, tsval = history[-1 - old % len(history)]
        opts: list[option.Option] = []
        if ts is not None:
            peer_ts = 50 if ts == "odd" else 101
            ours = tsval - 10_000_000 if ts == "stale" else tsval
            opts = [("nop",), ("nop",), ("ts", peer_ts, ours & MASK32)]
        self._send(
            self._packet(
                peer,
                family,
                seq=(irs + 1 + off[0]) & MASK32,
                ack=(iss + 1 + off[1]) & MASK32,
                options=option.encode(opts),
                **fields_,
            )
        )

    def rst(self, peer: int, family: int, *, dseq: int, flags: str) -> None:
        """A RST somewhere near RCV.NXT."""
        irs = (self.seen.get((peer, family)) or [(IRS, 0, 0)])[-1][0]
        seq = (irs + 1 + dseq) & MASK32
        self._send(self._packet(peer, family, seq=seq, flags=flags))

    def odd(self, peer: int, family: int, *, flags: str) -> None:
        """A segment that no handshake has."""
        self._send(self._packet(peer, family, seq=IRS, flags=flags))

    def icmp(self, peer: int, family: int, dseq: int) -> None:
        """Port unreachable about our SYN-ACK."""
        iss = (self.seen.get((peer, family)) or [(0, 0, 0)])[-1][1]
        lport, fport = PORTS[peer & 1], 50000 + peer
        seq = (iss + dseq) & MASK32
        ends = LOCAL[family], PEER[family], lport, fport
        quoted = Packet(*ends, flags="SA", seq=seq).encode()
        kind = (1, 4) if family == 6 else (3, 3)
        error = icmp_error(quoted, ROUTER[family], kind=kind)
        got = self.engine.packet(error, self.now)
        tup = (PEER[family], fport, LOCAL[family], lport)
        wanted = self.model.unreach(tup, seq, self.now_ms)
        assert wanted.reason == got.reason.name, f"{wanted.reason}/{got.reason.name}"

    def answer(self, which: int, *, ok: bool) -> None:
        """The stack takes an offer, or has no room."""
        mine, model = self.offers.pop(which % len(self.offers))
        self.handle += 1
        self.engine.accepted(mine, self.handle, ok=ok)
        self.model.accepted(model, self.handle, ok=ok)
        if ok:
            self.established.append((mine, model))

    def close(self, which: int) -> None:
        """The stack forgets a connection."""
        mine, model = self.established.pop(which % len(self.established))
        self.engine.closed(mine)
        self.model.closed(model.tup)

    # Both

    def _packet(self, peer: int, family: int, **fields_: Any) -> Packet:
        return Packet(
            PEER[family], LOCAL[family], 50000 + peer, PORTS[peer & 1], **fields_
        )

    def _send(self, packet: Packet) -> bytes | None:
        got = self.engine.packet(packet.encode(), self.now)
        wanted = self.model.packet(packet, self.now_ms)
        assert wanted.reason == got.reason.name, f"{wanted.reason}/{got.reason.name}"
        reply = None if got.reply is None else got.reply.packet()
        assert wanted.reply == reply, show([wanted.reply or b""], [reply or b""])
        assert wanted.handle == got.handle
        if wanted.conn is not None:
            assert got.conn is not None
            assert wanted.conn == as_model(got.conn), f"\n{wanted}\n{got}"
            self.offers.append((got.conn, wanted.conn))
        if reply is not None:
            self._remember(reply)
        return reply

    def _remember(self, data: bytes) -> None:
        """Keep what the peer learns from a SYN-ACK."""
        packet = Packet.decode(data)
        if "S" not in packet.flags:
            return
        family = 6 if packet.v6 else 4
        ts = option.read(packet.options, syn=True).ts
        seen = self.seen.setdefault((packet.dport - 50000, family), [])
        item = ((packet.ack - 1) & MASK32, packet.seq, ts[0] if ts else 0)
        if item not in seen:
            seen.append(item)
        del seen[:-4]

    def compare(self) -> None:
        """Counters, entries, pause."""
        stats = self.engine.stats
        got = {f.name: getattr(stats, f.name) for f in fields(stats)[:-1]}
        pause = self.model.pause
        wanted = {name: self.model.count[name] for name in got}
        wanted |= {"pauses": pause.pauses, "paused_ms": self.model.paused_ms}
        wrong = {k: (wanted[k], v) for k, v in got.items() if wanted[k] != v}
        for name in NOT_MODELLED - {"pauses", "paused_ms"}:
            wrong.pop(name, None)
        assert not wrong, f"counter: (model, engine) {wrong}"
        assert pause.paused == self.engine.paused, f"paused: model {pause.paused}"
        mine = sorted(map(row, self.model.entries()))
        theirs = sorted(map(listed, self.engine.half_open()))
        assert mine == theirs, f"entries\n{mine}\n{theirs}"


def as_model(conn: syncache.Conn) -> Conn:
    """Spell the engine's Conn as the model's."""
    return Conn(
        tup=(conn.faddr, conn.fport, conn.laddr, conn.lport),
        iss=conn.iss,
        irs=conn.irs,
        mss=conn.mss,
        snd_wscale=conn.snd_wscale,
        rcv_wscale=conn.rcv_wscale,
        rcv_window=conn.rcv_window,
        peer_window=conn.peer_window,
        sack_permitted=conn.sack_permitted,
        ts_recent=conn.ts_recent if conn.timestamps else None,
        ts_offset=conn.ts_offset,
        ecn=conn.ecn,
        via=conn.via,
        rxmits=conn.rxmits,
    )


def row(entry: Entry) -> tuple[Any, ...]:
    """What of the model's entry the listing shows."""
    return (
        entry.tup,
        entry.iss,
        entry.irs,
        entry.mss or 0,
        -1 if entry.ws is None else entry.ws,
        -1 if entry.ws is None else entry.rcv_ws,
        entry.sack,
        entry.ts,
        ("none", "classic")[entry.ecn] if entry.ecn < 2 else "accurate",
        entry.rxmits,
        entry.deadline,
    )


def listed(entry: syncache.HalfOpen) -> tuple[Any, ...]:
    """The same of the engine's."""
    return (
        (entry.faddr, entry.fport, entry.laddr, entry.lport),
        entry.iss,
        entry.irs,
        entry.mss or 0,
        -1 if entry.snd_wscale is None else entry.snd_wscale,
        -1 if entry.rcv_wscale is None else entry.rcv_wscale,
        entry.sack_permitted,
        entry.timestamps,
        entry.ecn,
        entry.rxmits,
        None if entry.deadline is None else round(entry.deadline * 1000),
    )


def show(wanted: list[bytes], got: list[bytes]) -> str:
    """Describe two lists of packets."""

    def text(packets: list[bytes]) -> list[str]:
        return [repr(Packet.decode(p)) if p else "nothing" for p in packets]

    only = [p for p in wanted if p not in got], [p for p in got if p not in wanted]
    return f"\nmodel:  {text(only[0])}\nengine: {text(only[1])}"
