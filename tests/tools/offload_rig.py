"""The program that carries spliced connections against the engine's own splice.

    python tests/tools/offload_rig.py --count 1000000 [--seed 1]

Random connections are given to two engines; one hands them over to the kernel's maps.
Then random segments go through the program by BPF_PROG_TEST_RUN, without an interface,
and through the other engine; the results are compared byte by byte.  Prints what
differs; exit status 1 if anything does.  Needs root.
"""

from __future__ import annotations

import os
import random
import struct
import sys
from typing import NamedTuple

from rig import run

from syncache import AccessList, Intercept, Sysctl, flow_state
from syncache._core import bpf as _core_bpf
from syncache._core.offload import Carried, config
from syncache.flow import Side
from syncache.flow_session import Session
from syncache.links.bpf_object import BpfObject

MACS = bytes.fromhex("02000000aa0102000000bb02")
TYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
TAGS = (b"", b"", bytes.fromhex("81000007"), bytes.fromhex("88a80003810000ff"))
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
TAKE, LEAVE = 2**32 - 1, 0
TC_NEXT, TC_REDIRECT = 2**32 - 1, 7
LOOPBACK, OTHER = 1, 2  # a test run comes from the first
ZERO = bytes(4)
# SPLICE_* of csrc/flow/splice_words.h
STAMPS, FLOOR, STRIP, SACK = 1, 2, 4, 8
# struct flow_splice
SPLICE = struct.Struct("=16s16sHHB3x3I2II5B3x")
NO_SCALE = 255
CONNECTIONS = 64  # of one round
PACKETS = 2000
BEHIND = (0, 0, 0, 1, 2, 3, 40)  # bytes of a frame, after the packet
PORT = 80
KEY = bytes(range(16))


class Connection(NamedTuple):
    """What is random about a spliced connection."""

    family: int
    client: bytes
    server: bytes
    port: int
    delta: int
    ts_delta: int
    ts_floor: int
    seq: tuple[int, int]  # of client and server, in their own numbers
    flags: int
    scales: tuple[int, int, int]  # client, server, told

    def exported(self) -> bytes:
        """Return it as an engine exports it."""
        return SPLICE.pack(
            self.client.ljust(16, b"\0"),
            self.server.ljust(16, b"\0"),
            self.port,
            PORT,
            self.family,
            self.delta,
            self.ts_delta,
            self.ts_floor,
            *self.seq,
            0,
            self.flags,
            2,  # FLOW_ESTAB
            *self.scales,
        )


def connection(chosen: random.Random, number: int) -> Connection:
    """Make a random connection; the number makes its tuple unlike others'."""
    family = chosen.choice([4, 6])
    odd = [0, 1, 2**32 - 1, chosen.getrandbits(32), chosen.getrandbits(32)]
    flags = chosen.choice([0, STAMPS, STAMPS, STAMPS | FLOOR])
    told = chosen.choice([NO_SCALE, 0, 7, 14])
    scales = (NO_SCALE, NO_SCALE, NO_SCALE)
    if told != NO_SCALE:
        server = chosen.choice([NO_SCALE, 0, 3, 7, 14])
        scales = (chosen.choice([0, 2, 9, 14]), server, told)
    size = 4 if family == 4 else 16
    return Connection(
        family=family,
        client=b"\x0a" + chosen.randbytes(size - 2) + b"\1",
        server=b"\xc6" + bytes(size - 2) + b"\2",
        port=1024 + number,
        delta=chosen.choice(odd),
        ts_delta=chosen.choice(odd),
        ts_floor=chosen.getrandbits(32),
        seq=(chosen.getrandbits(32), chosen.getrandbits(32)),
        flags=flags | chosen.choice([0, STRIP, SACK, SACK]),
        scales=scales,
    )


def options(chosen: random.Random, of: Connection) -> bytes:
    """Return options as kernels send them, or any, or broken ones."""
    near = (of.ts_floor + of.ts_delta + chosen.randrange(-5, 5)) % 2**32
    far = (near + chosen.choice([0x3FFFFFFF, 0x40000000, 0x7FFFFFFF])) % 2**32
    echo = chosen.choice([near, near, far, chosen.getrandbits(32)])
    stamp = struct.pack(">BBII", 8, 10, chosen.getrandbits(32), echo)
    usual = b"\1\1" + stamp
    kind = chosen.random()
    if kind < 0.2:
        return b""
    if kind < 0.5:
        return usual
    blocks = chosen.randrange(1, 4)
    sack = bytes([5, 2 + 8 * blocks]) + chosen.randbytes(8 * blocks)
    if kind < 0.65:
        return usual + (b"\1\1" + sack)[:28]
    parts = [stamp, sack, *chosen.choices(ODD, k=3), b"\1", b"\1"]
    parts = [part for part in parts if chosen.random() < 0.6]
    chosen.shuffle(parts)
    text = b"".join(parts)[: chosen.choice([40, 40, 36, 20])]
    return text + bytes(-len(text) % 4)


# Blocks that do not add up, other kinds, other lengths, beyond the end, the end.
ODD = (
    b"\5\2",
    b"\5\5abc",
    b"\5\12ABCDEFGH",
    b"\10\6abcd",
    b"\10\12abcdefgh",
    b"\x22\2",
    b"\x1e\4\0\1",
    b"\5\x30",
    b"\3",
    b"\0",
    b"\1\1\1",
)


def segment(chosen: random.Random, of: Connection, side: Side, flags: int) -> bytes:
    """Return a random packet of a connection, with any checksum."""
    mine = side is Side.SERVER
    base = of.seq[mine]
    other = of.seq[not mine] + (0 if mine else of.delta)
    text = options(chosen, of)
    data = chosen.randbytes(chosen.choice([0, 0, 1, 5, 100, 1300]))
    ports = (PORT, of.port) if mine else (of.port, PORT)
    tcp = struct.pack(
        ">HHIIBBHHH",
        *ports,
        (base + chosen.randrange(-1000, 1000)) % 2**32,
        (other + chosen.randrange(-1000, 1000)) % 2**32,
        (5 + len(text) // 4) << 4 | chosen.choice([0, 0, 1]),
        flags,
        chosen.choice([0, 1, 65535, chosen.getrandbits(16)]),
        chosen.choice([0, 0xFFFF, chosen.getrandbits(16)]),
        chosen.getrandbits(16),
    )
    ends = of.server + of.client if mine else of.client + of.server
    size = len(tcp) + len(text) + len(data)
    tos, hops = chosen.choice([0, 0, 1, 2, 3, 0xB8, 0xFF]), chosen.choice([64, 2, 255])
    if of.family == 4:
        # 6 is TCP; the header's checksum is not looked at on the way through.
        number, bits = chosen.getrandbits(16), chosen.choice([0x4000, 0, 0xC000])
        head = struct.pack(">BBHHHBBH", 0x45, tos, 20 + size, number, bits, hops, 6, 0)
    else:
        label = chosen.getrandbits(20)
        head = struct.pack(">IHBB", 0x60000000 | tos << 20 | label, size, 6, hops)
    return head + ends + tcp + text + data


class Rig:
    """The programs, and two engines."""

    def __init__(self, **entries: int) -> None:
        # Which program ran last on this processor is part of the game.
        self._affinity = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(self._affinity)})
        self.object = BpfObject("offload", entries)
        self.programs = self.object.programs
        self.now = 1000.0
        self.engines: list[Intercept] = []
        self.point(Side.CLIENT)

    def close(self) -> None:
        for engine in self.engines:
            engine.close()
        self.object.close()
        os.sched_setaffinity(0, self._affinity)

    def point(self, side: Side) -> None:
        """Have test runs come from this side."""
        ends = (LOOPBACK, OTHER) if side is Side.CLIENT else (OTHER, LOOPBACK)
        self.side = side
        _core_bpf.update(self.object.maps["config_map"], ZERO, config(KEY, *ends))

    def begin(self, connections: list[Connection], room: int | None = None) -> None:
        """Make engines with these connections; the first one hands them over.

        `room` is for how many of them the kernel has some.
        """
        for engine in self.engines:
            engine.close()
        data = b"".join(flow_state.parts([each.exported() for each in connections]))
        acl = AccessList.parse(["permit tcp any any eq 80"])
        self.engines = []
        for _ in range(2):
            settings = Sysctl({"net.inet.tcp.intercept.sessions_max": 256})
            engine = Intercept(settings, acl=acl, seed=bytes(16))
            count = len(connections)
            assert (count, count) == engine.import_state(data, self.now)
            self.engines.append(engine)
        self.carried = Carried(self.engines[0]._core, self.object.maps, KEY)
        self.carried.drop_all()
        self.carried.offer(on=True)
        chosen = random.Random(0)
        for each in connections:  # the numbers are found to fit
            for side in (Side.CLIENT, Side.SERVER):
                packet = segment(chosen, each, side, ACK)
                for engine in self.engines:
                    engine.receive(packet, side, self.now)
                    assert engine.packets_to_send(self.now)
        count = len(connections)
        room = count if room is None else room
        assert (room, count - room) == self.carried.put(self.now)

    def take(self, frame: bytes) -> int:
        """Give a frame to the filter; its verdict."""
        # A test run takes off what it believes to be the link header.
        program = self.programs["offload_take"]
        return _core_bpf.bpf_run(program, frame[:14] + frame).verdict

    def carry(self, frame: bytes) -> _core_bpf.Run:
        """Give a frame to tc."""
        return _core_bpf.bpf_run(self.programs["offload_splice"], frame)

    def engine_says(self, packet: bytes, side: Side) -> bytes:
        """Return the packet as the engine forwards it."""
        engine = self.engines[1]
        engine.receive(packet, side, self.now)
        ((_, forwarded),) = engine.packets_to_send(self.now)
        return forwarded


def frame(packet: bytes, tags: bytes = b"") -> bytes:
    """Return an Ethernet frame, padded as the wire pads it."""
    return (MACS + tags + TYPES[packet[0] >> 4] + packet).ljust(60, b"\0")


def same(got: bytes, want: bytes, family: int) -> bool:
    """Compare; 0 and 0xffff are the same sum."""
    if got == want:
        return True
    at = (20 if family == 4 else 40) + 16
    sums = {got[at : at + 2], want[at : at + 2]}
    cut = got[:at] + got[at + 2 :] == want[:at] + want[at + 2 :]
    return cut and sums == {b"\0\0", b"\xff\xff"}


def compare(rig: Rig, chosen: random.Random, count: int) -> list[str]:
    """Compare so many segments; what differs."""
    found = []
    connections: list[Connection] = []
    for i in range(count):
        if i % PACKETS == 0:
            found += counted_otherwise(rig)
            connections = [connection(chosen, n) for n in range(CONNECTIONS)]
            rig.begin(connections)
        if i % 50 == 0:
            rig.point(chosen.choice([Side.CLIENT, Side.SERVER]))
        each = chosen.choice(connections)
        flags = chosen.choice([ACK, ACK, ACK, ACK | PSH, 0, PSH, 0xF0])
        packet = segment(chosen, each, rig.side, flags)
        tags = chosen.choice(TAGS)
        whole = frame(packet + bytes(chosen.choice(BEHIND)), tags)
        verdict = rig.take(whole)
        run = rig.carry(whole)
        head = 14 + len(tags)
        got = run.packet[head : head + len(packet)]
        want = rig.engine_says(packet, rig.side)
        if verdict != LEAVE or run.verdict != TC_REDIRECT:
            found.append(f"verdicts {verdict}, {run.verdict}: {packet.hex()}")
        elif whole[:head] + whole[head + len(packet) :] != (
            run.packet[:head] + run.packet[head + len(packet) :]
        ):
            found.append(f"the frame around it: {run.packet.hex()}")
        elif not same(got, want, each.family):
            found.append(f"{each}, {packet.hex()}: {got.hex()}, not {want.hex()}")
    return found + counted_otherwise(rig)


def counted_otherwise(rig: Rig) -> list[str]:
    """Take everything back; the bytes of both ends that the engines disagree about."""
    if not rig.engines:
        return []
    rig.carried.offer(on=False)
    rig.carried.take_all(rig.now)
    sums = [
        {(each.client, each.server): bytes_of(each) for each in engine.connections()}
        for engine in rig.engines
    ]
    return [f"bytes of {each}" for each in sums[1] if sums[0][each] != sums[1][each]]


def bytes_of(session: Session) -> tuple[int, int]:
    return session.client_bytes, session.server_bytes


if __name__ == "__main__":
    sys.exit(run(__doc__, "segments of spliced connections", Rig, compare))
