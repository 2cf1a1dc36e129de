"""Every instruction set level gives what single packets at the portable level give.

Invariant: for every sequence of frames, an engine that takes them one packet a call at
the portable level, and engines that take them in bursts at each level of the machine,
agree in verdicts, replies, link headers, handles, offers, counters and entries.

The frames are what clients, strangers and routers send, in both families, spoiled or
not, behind link headers of Ethernet with and without VLAN tags, with every state of the
checksum; most are SYNs as Linux sends them, which is what the kernels are made for.
"""

from __future__ import annotations

import platform
import random
from typing import NamedTuple

import pytest
from bad_packets import (
    CLOSED,
    FAST,
    MD5_KEYS,
    OURS,
    SIGNED,
    WEB,
    Source,
    repaired,
)

from syncache import Ring, Segment, Syncache, Sysctl
from syncache._core import lib
from syncache.options import Mss, SackPermitted, Timestamps, WindowScale, encode
from syncache.segment import SYN

LEVELS = ("portable", "avx2", "avx512")
if platform.machine() in {"aarch64", "arm64"}:
    LEVELS = ("portable", "neon", "neon-sha3")
LINKS = (0, 0, 14, 18, 22)
SLOT = 576
BURSTS = 24
BURST = 64
TUNABLES = {
    "net.inet.tcp.syncookies_only": (0, 0, 1),
    "net.inet.tcp.syncookies": (1, 1, 1, 0),
    "net.inet.tcp.rfc1323": (1, 1, 1, 0, 2),
    "net.inet.tcp.ts_offset_per_conn": (1, 0),
    "net.inet.tcp.syncache.x.pause_policy": ("age", "bucket", "none"),
    "net.inet.tcp.syncache.x.cookie_layout": ("wide", "wide", "freebsd", "mss"),
    "net.inet.tcp.syncache.x.dupsyn_limit": (8, 1, 0),
    "net.inet.tcp.syncache.x.offer_timeout": (5, 0),
    "net.inet.tcp.ecn.enable": (2, 0, 4),
}


class Frame(NamedTuple):
    """A packet as a link hands it over."""

    header: bytes
    packet: bytes
    checksum: int


class Outcome(NamedTuple):
    """What became of one frame."""

    reason: str
    handle: int
    reply: bytes | None
    conn: list | None


class Side:
    """One engine at a level."""

    def __init__(self, level: str, seed: int, monkeypatch) -> None:
        monkeypatch.setenv("SYNCACHE_ISA", level)
        dice = random.Random(f"world {seed}")
        boot = {
            "net.inet.tcp.syncache.hashsize": dice.choice((1, 4, 16)),
            "net.inet.tcp.syncache.bucketlimit": dice.choice((3, 30, 40)),
            "net.inet.tcp.fastopen.server_enable": 1,
        }
        self.sysctl = Sysctl(boot)
        self.engine = Syncache(
            self.sysctl,
            seed=bytes(16),
            established_max=dice.choice((0, 64)),
            ts_per_tuple=dice.random() < 0.9,
        )
        monkeypatch.delenv("SYNCACHE_ISA")
        scale, mtu = dice.choice((None, 0, 7, 14)), dice.choice((0, 1280, 1500, 9000))
        self.engine.listen(WEB, rcv_wscale=scale, mtu=mtu, tos=dice.choice((0, 0x48)))
        self.engine.listen(WEB, OURS[0], hop_limit=33, rcv_window=1000)
        self.engine.listen(SIGNED, md5_keys=MD5_KEYS)
        self.engine.listen(FAST, fastopen=3, options=dice.random() < 0.8)
        self.rx, self.tx = Ring(BURST, SLOT), Ring(BURST, SLOT)

    def tune(self, name: str, value: int | str) -> None:
        """Set a tunable."""
        self.sysctl[name] = value

    def one_by_one(self, frames: list[Frame], now: float) -> list[Outcome]:
        """Take each frame in a call of its own."""
        engine, outcomes = self.engine, []
        for frame in frames:
            with engine._core as core:
                size = len(frame.packet)
                number = lib.syncache_packet(
                    core._cache,
                    core._at(now),
                    frame.packet,
                    size,
                    frame.checksum,
                    core._result,
                )
                verdict = engine._verdict(number)
            reply = None
            if verdict.reply is not None:
                reply = frame.header + verdict.reply.packet()
            conn = verdict.conn and plain(verdict.conn)
            handle = verdict.handle if verdict.reason.name == "PASS_KNOWN" else 0
            outcomes.append(Outcome(verdict.reason.name, handle, reply, conn))
            self.offers.append(verdict.conn)
        return outcomes

    def bursts(self, frames: list[Frame], now: float, slots: int) -> list[Outcome]:
        """Take the frames in a ring, with so much room for replies at a time."""
        rx, tx = self.rx, self.tx
        rx.clear()
        for frame in frames:
            put(rx, frame)
        tx.cdata.slots = slots
        replies: dict[int, bytes] = {}
        while rx.next < len(rx):
            tx.clear()
            taken = self.engine.burst(rx, tx, now)
            assert taken or len(tx)
            for index in range(len(tx)):
                slot = tx.cdata.slot[index]
                start = index * SLOT
                replies[slot.request] = bytes(
                    tx.memory[start : start + slot.link_size + slot.size]
                )
        outcomes = []
        for index in range(len(rx)):
            reason = rx.verdict(index).name
            conn = rx.conn(index) if reason.startswith("ACCEPT") else None
            handle = rx.handle(index) if reason == "PASS_KNOWN" else 0
            reply = replies.pop(index, None)
            outcomes.append(Outcome(reason, handle, reply, conn and plain(conn)))
            self.offers.append(conn)
        assert {} == replies
        return outcomes

    def answer(self, dice: random.Random) -> None:
        """Answer the offers, in their order."""
        for conn in self.offers:
            how = dice.randrange(4)
            if conn is not None and how:
                self.engine.accepted(conn, conn.fport, ok=how > 1)
                if how == 3:
                    self.engine.closed(conn)

    def take(self, frames: list[Frame], now: float, slots: int = 0) -> list[Outcome]:
        """Take frames one by one, or in bursts if there are slots."""
        self.offers: list = []
        if slots:
            return self.bursts(frames, now, slots)
        return self.one_by_one(frames, now)

    def state(self, now: float) -> tuple:
        """Poll, and return all that can be seen."""
        sent = []
        self.tx.cdata.slots = BURST
        self.tx.clear()
        while self.engine.poll(now, self.tx):
            sent += [bytes(self.tx[i]) for i in range(len(self.tx))]
            self.tx.clear()
        engine = self.engine
        listing = engine.half_open(), engine.stats, engine.paused
        return *listing, sent, engine.next_deadline()


def put(rx: Ring, frame: Frame) -> None:
    """Append a frame behind its link header."""
    rx.push(frame.header + frame.packet, checksum=frame.checksum)
    slot = rx.cdata.slot[len(rx) - 1]
    slot.link_size = len(frame.header)
    slot.size = len(frame.packet)


def plain(conn) -> list:
    """Return a Conn's fields; its endpoint by number."""
    names = [name for name in conn.__slots__ if name != "endpoint"]
    return [*(getattr(conn, name) for name in names), conn.endpoint.number]


def linux_syn(dice: random.Random) -> bytes:
    """Make a SYN as Linux sends it."""
    family = dice.getrandbits(1)
    octet = dice.randrange(1, 255)
    src = f"203.0.113.{octet}" if family == 0 else f"2001:db8:2::{octet:x}"
    stamps = Timestamps(dice.getrandbits(32), 0)
    options = encode((Mss(dice.choice((0, 536, 1460, 65535))), SackPermitted(), stamps))
    scale = WindowScale(dice.randrange(15)).encode()
    segment = Segment(
        src=src,
        dst=OURS[family],
        sport=dice.choice((1024, 40000)),
        dport=dice.choice((WEB, WEB, WEB, WEB, FAST, SIGNED, CLOSED)),
        seq=dice.getrandbits(32),
        flags=SYN,
        options_bytes=options + b"\1" + scale,
    )
    return segment.packet()


class Frames:
    """Frames from a seed, and from what the engine has said so far."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(f"frames {seed}")
        self.source = Source(self.dice)
        self.said: list[bytes] = []

    def some(self) -> list[Frame]:
        """Make up to a burst of frames."""
        return [self._one() for _ in range(self.dice.choice((1, 7, 16, 33, BURST)))]

    def learn(self, outcomes: list[Outcome], frames: list[Frame]) -> None:
        """Let the peers answer what was sent to them."""
        for outcome, frame in zip(outcomes, frames, strict=True):
            if outcome.reply is not None:
                reply = Segment.parse(outcome.reply[len(frame.header) :])
                self.said += self.source.answers(reply)
        del self.said[:-200]

    def _one(self) -> Frame:
        dice, source = self.dice, self.source
        how = dice.random()
        if how < 0.6:
            packet = linux_syn(dice)
        elif how < 0.8 and self.said:
            packet = dice.choice(self.said)
        else:
            packet = source.clients(1)[0].packet()
        if dice.random() < 0.12:
            packet = source.mutate(packet)
        elif dice.random() < 0.05:
            packet = repaired(packet + b"x")
        header = bytes([dice.getrandbits(8)]) * dice.choice(LINKS)
        return Frame(header, packet[: SLOT - 64], dice.choice((0, 0, 0, 1, 2)))


@pytest.mark.parametrize("seed", range(12))
def test_bursts_of_every_level_equal_single_packets(seed, monkeypatch):
    """Random frames, tunables that change, little room for replies now and then."""
    single = Side("portable", seed, monkeypatch)
    sides = {level: Side(level, seed, monkeypatch) for level in LEVELS}
    frames, dice = Frames(seed), random.Random(f"steps {seed}")
    now = 1000.0
    for step in range(BURSTS):
        if dice.random() < 0.3:
            name = dice.choice(sorted(TUNABLES))
            value = dice.choice(TUNABLES[name])
            for side in (single, *sides.values()):
                side.tune(name, value)
        batch = frames.some()
        wanted = single.take(batch, now)
        slots = dice.choice((1, 5, BURST, BURST, BURST))
        for level, side in sides.items():
            got = side.take(batch, now, slots)
            for index, pair in enumerate(zip(wanted, got, strict=True)):
                assert pair[0] == pair[1], (level, seed, step, index, batch[index])
        for side in (single, *sides.values()):
            side.answer(random.Random(step))
        frames.learn(wanted, batch)
        now += dice.choice((0, 0, 0.001, 0.02, 0.4, 1.2, 20))
        state = single.state(now)
        for level, side in sides.items():
            assert state == side.state(now), (level, seed, step)


def test_level_is_what_the_environment_asks_for(monkeypatch):
    """Never above it; a name that is none asks for nothing."""
    levels = {level: Side(level, 0, monkeypatch).engine.isa for level in LEVELS}
    assert "portable" == levels["portable"]
    assert levels[LEVELS[1]] in {"portable", LEVELS[1]}
    assert levels[LEVELS[2]] == Side("sse9", 0, monkeypatch).engine.isa
