"""The shield's programs against the core: packets by BPF_PROG_TEST_RUN, no interface.

    python tests/tools/shield_rig.py --count 1000000 [--seed 1]

gives random SYNs to XDP, to tc and to an engine with the same keys, compares the
SYN-ACKs byte by byte (but for the clock, which is read a moment later), then as many
ACKs to tc, half of them spoiled, and compares what is a cookie.  Prints what differs;
exit status 1 if anything does.

Needs root.  The programs look for a listener, and find the one that this process has.
"""

from __future__ import annotations

import random
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING

from rig import run

from syncache import Keyring, Segment, Syncache, Sysctl
from syncache._core import bpf as _core_bpf
from syncache._core import shield as core
from syncache.keyring import Master
from syncache.links.bpf_object import BpfObject
from syncache.links.rtnetlink import InterfaceInfo
from syncache.links.shield_config import MSS_LEAST, ShieldConfig
from syncache.links.shield_counters import ZERO, processors, read_counters
from syncache.links.shield_events import Ring, Told
from syncache.links.shield_services import ServiceMaps, write_service

if TYPE_CHECKING:
    from collections.abc import Callable

MAC, PEER = bytes.fromhex("02000000aa01"), bytes.fromhex("02000000bb02")
MTU, WSCALE = 1500, 7
LIFETIME_NS = 32 * 10**9
WALL = 1e9 + 1  # a second into a key period, that both sides' clocks are in it
TICK_NS = 10**8  # more than the programs' clock can be behind
SERVER = {4: "198.18.0.2", 6: "fd00:18::2"}
TYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
TAGS = (b"", bytes.fromhex("81000007"), bytes.fromhex("88a80003810000ff"))
XDP_DROP, XDP_PASS, XDP_TX = 1, 2, 3
TC_NEXT, TC_DROP, TC_REDIRECT = 2**32 - 1, 2, 7
SYN, ACK = 2, 16
MODE = "net.inet.tcp.syncache.x.shield.mode"
COOKIES_AT = 8 * core.COUNTERS.index("cookie_good")
KEYS_EVERY, KEYS_SECONDS = 1000, 5.0  # packets, or time, with one key
TIME_SKEW_MS = 60_000  # by which the clock of a test's two readings may differ


class Rig:
    """The programs, an engine, and listeners of the kernel, with common keys.

    `epoch` and what depends on it come from the wall clock, which is `wall` ahead.
    """

    def __init__(
        self, wall: float = WALL, port: int | None = None, **tunables: int | str
    ) -> None:
        self.listeners = []
        if port is None:
            self.listeners.append(listener(socket.AF_INET, 0))
            port = self.listeners[0].getsockname()[1]
            self.listeners.append(listener(socket.AF_INET6, port))
        self.port = port
        self.object = BpfObject("shield")
        maps, programs = self.object.maps, self.object.programs
        _core_bpf.bpf_map_set(maps["pieces"], 0, programs["shield_any"])
        self.ring = Ring(maps["events"])
        self.cpus = processors()
        self.services = ServiceMaps(maps)
        self.protect()
        self.retune(wall, **tunables)

    def protect(self, *families: int) -> None:
        """Have the server's addresses protected, as if nothing had happened yet."""
        for family in families or SERVER:
            self.services.put(write_service(SERVER[family], self.port))

    def retune(self, wall: float, **tunables: int | str) -> None:
        """Take other keys, and other tunables than the defaults."""
        now = time.monotonic()
        master = Master(1, 0, bytes(range(32)))
        self.keys = keys = Keyring.derived((master,), wall_offset=wall - now)
        chosen = {f"net.inet.tcp.syncache.x.{k}": v for k, v in tunables.items()}
        chosen = {MODE: "always"} | chosen
        self.config = ShieldConfig(Sysctl(chosen), keys, WSCALE, now)
        self.write()
        chosen |= {
            "net.inet.tcp.syncookies_only": 1,
            "net.inet.tcp.syncache.x.cookie_gate": "always",
        }
        self.engine = Syncache(Sysctl(chosen), keys=keys)
        config = self.config.parts
        self.engine.listen(
            self.port, rcv_wscale=WSCALE, rcv_window=config.window, mtu=MTU
        )

    def rekey(self, keys: Keyring) -> None:
        """Have the programs take keys from elsewhere."""
        self.config.rekey(keys, time.monotonic())
        self.write()

    def age(self, periods: int) -> None:
        """Let so many key periods go by in which nothing is written."""
        began = time.monotonic_ns() - periods * LIFETIME_NS - TICK_NS
        self.put(start_ns=began)

    def put(self, **fields: int) -> None:
        """Change fields of the configuration, by their names in C."""
        self.config.parts.put(**fields)
        content = self.config.parts.content()
        _core_bpf.update(self.object.maps["config_map"], ZERO, content)

    def write(self) -> None:
        info = InterfaceInfo("none", 0, MAC, MTU, "", 0, False, True, 0)
        content = self.config.content(time.monotonic(), info)
        _core_bpf.update(self.object.maps["config_map"], ZERO, content)

    def told(self) -> list[Told]:
        """Return what the programs have told since the last time."""
        return list(self.ring.take())

    def counters(self) -> dict[str, int]:
        """Return what the programs have counted since the last time."""
        fd = self.object.maps["counters_map"]
        counted = read_counters(fd)
        _core_bpf.update(fd, ZERO, bytes(core.PROCESSOR.size * processors()))
        return {name: count for name, count in counted.items() if count}

    def cookies(self) -> bytes:
        """Return how many good cookies were counted, processor by processor."""
        size = core.PROCESSOR.size
        raw = _core_bpf.lookup(self.object.maps["counters_map"], ZERO, size * self.cpus)
        assert raw is not None
        return b"".join(raw[at : at + 8] for at in range(COOKIES_AT, len(raw), size))

    def xdp(self, packet: bytes, tags: bytes = b"", mac: bytes = MAC):
        """Give a packet to XDP; the verdict and the frame that it leaves."""
        program = self.object.programs["shield_syn"]
        return _core_bpf.bpf_run(program, frame(packet, tags, mac))

    def skb(self, packet: bytes, tags: bytes = b"", mac: bytes = MAC):
        """Give a packet to the program that answers in tc."""
        program = self.object.programs["shield_skb"]
        return _core_bpf.bpf_run(program, frame(packet, tags, mac))

    def tc(self, packet: bytes) -> int:
        """Give a packet to tc; the verdict."""
        program = self.object.programs["shield_ack"]
        return _core_bpf.bpf_run(program, frame(packet)).verdict

    def reply_of_engine(self, packet: bytes) -> bytes:
        """Return the SYN-ACK of the core."""
        verdict = self.engine.packet(packet, time.monotonic())
        assert verdict.reply is not None, verdict
        return verdict.reply.packet()

    def close(self) -> None:
        self.ring.close()
        self.object.close()
        self.engine.close()
        for sock in self.listeners:
            sock.close()


FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def listener(family: int, port: int) -> socket.socket:
    """Listen on any address, of this family alone."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(("", port))
    sock.listen(128)
    return sock


def frame(packet: bytes, tags: bytes = b"", mac: bytes = MAC) -> bytes:
    """Return an Ethernet frame, padded as the wire pads it."""
    kind = TYPES[packet[0] >> 4]
    return (mac + PEER + tags + kind + packet).ljust(60, b"\0")


def options(random_: random.Random) -> bytes:
    """Return the options of a SYN: as Linux sends them, or in any order, or broken."""
    mss = random_.choice([536, 1219, 1220, 1300, 1359, 1400, 1460, 8960, 65535])
    mss = random_.choice([mss, random_.randrange(1220, 65536)])
    scale = random_.choice([*range(15), 15, 200])
    stamp = struct.pack(">BBII", 8, 10, random_.getrandbits(32), 0)
    linux = struct.pack(">BBH", 2, 4, mss), b"\4\2", stamp, bytes([1, 3, 3, scale])
    kind = random_.random()
    if kind < 0.4:
        return b"".join(linux)
    parts = [part for part in linux if random_.random() < 0.7]
    random_.shuffle(parts)
    if kind > 0.9:  # what has another length than it should, or ends too soon
        parts.insert(random_.randrange(len(parts) + 1), random_.choice(ODD))
    text = b"".join(parts)[:40]
    return text + bytes(-len(text) % 4)


# Unknown, of another length, beyond the end, the end itself; Fast Open, MPTCP.
ODD = (
    b"\2\3\5",
    b"\x22\2",
    b"\x1e\4\0\1",
    b"\x4c\6abcd",
    b"\3\4\7\0",
    b"\x09\x30",
    b"\0",
)


def syn(random_: random.Random, family: int, port: int) -> Segment:
    """Return a random SYN to the server."""
    if family == 4:
        source = f"10.{random_.randrange(256)}.{random_.randrange(256)}.9"
    else:
        source = f"2001:db8::{random_.getrandbits(16):x}:{random_.getrandbits(16):x}"
    return Segment(
        src=source,
        dst=SERVER[family],
        sport=random_.randrange(1, 65536),
        dport=port,
        seq=random_.getrandbits(32),
        flags=SYN | random_.choice([0, 0, 0, 0xC0]),
        window=random_.getrandbits(16),
        options_bytes=options(random_),
        payload=random_.randbytes(random_.choice([0] * 9 + [1, 3, 255, 256, 1200])),
        tos=random_.choice([0, 0, 8]),
        ip_id=random_.getrandbits(16) if family == 4 else 0,
        flow_label=0 if family == 4 else random_.getrandbits(20),
    )


def difference(
    rig: Rig, segment: Segment, tags: bytes, reply: bytes | None = None
) -> str:
    """Compare the SYN-ACKs of a SYN; empty: they are the same.

    In tc a tag is not in the frame, so it gets those without.  `reply` is the core's.
    """
    want = rig.reply_of_engine(segment.packet()) if reply is None else reply
    found = compare_syn_acks(segment, want, tags, rig.xdp, (XDP_TX, XDP_PASS))
    if found or tags:
        return found
    return compare_syn_acks(segment, want, b"", rig.skb, (TC_REDIRECT, TC_NEXT))


def compare_syn_acks(
    segment: Segment,
    want: bytes,
    tags: bytes,
    give: Callable[[bytes, bytes], _core_bpf.Run],
    verdicts: tuple[int, int],
) -> str:
    """Compare one program's SYN-ACK with the core's."""
    packet = segment.packet()
    sent, passed = verdicts
    run = give(packet, tags)
    least = MSS_LEAST[0 if packet[0] >> 4 == 4 else 1]
    wanted = passed if 0 < (segment.mss or 0) < least else sent
    if run.verdict != wanted:
        return f"verdict {run.verdict}, not {wanted}, of {segment}"
    if wanted == passed:
        return "" if run.packet == frame(packet, tags) else f"changed: {segment}"
    head = 14 + len(tags)
    want_head = PEER + MAC + tags + TYPES[packet[0] >> 4]
    if run.packet[:head] != want_head:
        return f"link header {run.packet[:head].hex()} of {segment}"
    got = run.packet[head:]
    if got == want or got == at_the_time_of(got, want):
        return ""
    try:
        return f"{Segment.parse(got)} is not {Segment.parse(want)}"
    except ValueError as error:
        return f"{error} to {segment}"


def stamp_at(packet: bytes) -> int:
    """Return where TSval is in a packet of the core's; 0: nowhere."""
    tcp = 20 if packet[0] >> 4 == 4 else 40
    at, end = tcp + 20, tcp + (packet[tcp + 12] >> 4) * 4
    while at < end and packet[at] != 8:
        at += 1 if packet[at] < 2 else packet[at + 1]  # end, NOP
    return at + 2 if at < end else 0


def at_the_time_of(got: bytes, want: bytes) -> bytes:
    """Return the SYN-ACK that the core would have made a moment before or after.

    Its TSval is that of `got`, where it is near enough, and its checksum is adjusted.
    """
    at = stamp_at(want)
    stamp = got[at : at + 4]
    if at == 0 or len(stamp) < 4:
        return want
    late = int.from_bytes(stamp, "big") - int.from_bytes(want[at : at + 4], "big")
    if min(late % 2**32, -late % 2**32) > TIME_SKEW_MS:
        return want
    moved = bytearray(want)
    moved[at : at + 4] = stamp
    place = (20 if want[0] >> 4 == 4 else 40) + 16
    # RFC 1624 3: the rest of the sum, which is never 0, stays as it is.
    total = int.from_bytes(want[place : place + 2], "big") ^ 0xFFFF
    total = (total + late) % 0xFFFF or 0xFFFF
    moved[place : place + 2] = (total ^ 0xFFFF).to_bytes(2, "big")
    return bytes(moved)


def ack(random_: random.Random, segment: Segment, reply: bytes) -> Segment:
    """Return the ACK that answers the core's SYN-ACK, half of the time spoiled."""
    at = stamp_at(reply)
    stamp = b"\1\1\10\12\0\0\0\7" + reply[at : at + 4] if at else b""
    tcp = 20 if reply[0] >> 4 == 4 else 40
    seq, sport = (segment.seq + 1) % 2**32, segment.sport
    number = (int.from_bytes(reply[tcp + 4 : tcp + 8], "big") + 1) % 2**32
    kind = random_.randrange(6)
    if kind == 0:
        number ^= 1 << random_.randrange(32)
    elif kind == 1:
        seq ^= 1 << random_.randrange(32)
    elif kind == 2:
        sport = sport ^ 1 or 2
    return Segment(
        src=segment.src,
        dst=segment.dst,
        sport=sport,
        dport=segment.dport,
        seq=seq,
        ack=number,
        flags=ACK | random_.choice([0, 8]),
        window=502,
        options_bytes=stamp,
        payload=random_.randbytes(random_.choice([0, 0, 10])),
    )


def accepts(rig: Rig, answer: Segment) -> bool:
    """Tell whether the core takes an ACK for the answer to a cookie of its own."""
    verdict = rig.engine.packet(answer.packet(), time.monotonic())
    return verdict.conn is not None


def compare(
    rig: Rig, random_: random.Random, count: int, **tunables: int | str
) -> list[str]:
    """Compare so many SYNs and as many ACKs; what differs."""
    found = []
    began = 0.0
    for i in range(count):
        # Early in a key period: a packet is not given to one side at its end and to
        # the other behind it.
        if i % KEYS_EVERY == 0 or time.monotonic() - began > KEYS_SECONDS:
            began = time.monotonic()
            rig.retune(32.0 * random_.randrange(2**26) + 1, **tunables)
        family = random_.choice([4, 6])
        segment = syn(random_, family, rig.port)
        tags = random_.choice([b"", b"", *TAGS])
        reply = rig.reply_of_engine(segment.packet())
        found.append(difference(rig, segment, tags, reply))
        answer = ack(random_, segment, reply)
        before = rig.cookies()
        rig.tc(answer.packet())
        is_cookie = rig.cookies() != before
        if is_cookie:  # a test run has no listener to assign to: it was refused
            rig.protect(family)
        if is_cookie != accepts(rig, answer):
            found.append(f"tc says {is_cookie} of {answer}")
    return [text for text in found if text]


if __name__ == "__main__":
    sys.exit(run(__doc__, "SYNs and as many ACKs", Rig, compare))
