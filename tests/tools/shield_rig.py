"""The shield's programs against the core: packets by BPF_PROG_TEST_RUN, no interface.

    python tests/tools/shield_rig.py --count 1000000 [--seed 1]

gives random SYNs to XDP, to tc and to an engine with the same keys, compares the
SYN-ACKs byte by byte (but for the clock, which is read a moment later), then as many
ACKs to tc, half of them spoiled, and compares what is a cookie.  Prints what differs;
exit status 1 if anything does.

Needs root.  The programs look for a listener, and find the one that this process has.
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from rig import run
from shield_packets import (
    SERVER,
    Fate,
    ack,
    fate_of_syn,
    is_whole,
    mangled,
    may_be_cookie,
    syn,
)

from syncache import Keyring, Segment, Syncache, Sysctl
from syncache._core import bpf as _core_bpf
from syncache._core import shield as core
from syncache.keyring import Master
from syncache.links.bpf_object import BpfObject, document
from syncache.links.rtnetlink import InterfaceInfo
from syncache.links.shield_config import LIFETIME, ShieldConfig
from syncache.links.shield_counters import ZERO, processors, read_counters
from syncache.links.shield_events import Ring, Told
from syncache.links.shield_services import ServiceMaps, write_service

if TYPE_CHECKING:
    import random

HOP_LIMIT_MAX = 255
MANGLED, CUT = 0.5, 0.02  # of packets, beside those that are as they should be
OLDS = 100  # ACKs that are given again with later keys
MAC, PEER = bytes.fromhex("02000000aa01"), bytes.fromhex("02000000bb02")
MTU, WSCALE = 1500, 7
LIFETIME_NS = 32 * 10**9
WALL = 1e9 + 1  # a second into a key period, that both sides' clocks are in it
TICK_NS = 10**8  # more than the programs' clock can be behind
TYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
TAGS = (
    b"",
    bytes.fromhex("81000007"),
    bytes.fromhex("88a80003810000ff"),
    bytes.fromhex("9100000381000fff"),
)
XDP_DROP, XDP_PASS, XDP_TX = 1, 2, 3
TC_NEXT, TC_DROP, TC_REDIRECT = 2**32 - 1, 2, 7
XDP_FATES = {
    Fate.PASS: XDP_PASS,
    Fate.DROP: XDP_DROP,
    Fate.UNFINISHED: XDP_TX,
    Fate.ANSWER: XDP_TX,
}
TC_FATES = {
    Fate.PASS: TC_NEXT,
    Fate.DROP: TC_DROP,
    Fate.UNFINISHED: TC_DROP,
    Fate.ANSWER: TC_REDIRECT,
}
MODE = "net.inet.tcp.syncache.x.shield.mode"
VERIFY = "net.inet.tcp.syncache.x.shield.verify"
COOKIES_AT = 8 * core.COUNTERS.index("cookie_good")
KEYS_EVERY, KEYS_SECONDS = 1000, 1.0  # packets, or time, with one key
HASH, ARRAY, PROCESSORS, LRU, TRIE, QUEUE = 1, 2, 6, 9, 11, 22  # BPF_MAP_TYPE_*
TRIES = 100  # of ports
TIME_SKEW_MS = 60_000  # by which the clock of a test's two readings may differ


class Rig:
    """The programs, an engine, and listeners of the kernel, with common keys.

    `epoch` and what depends on it come from the wall clock, which is `wall` ahead.
    `programs` are loaded ones, which are used as if nothing had happened yet.
    """

    def __init__(
        self,
        wall: float = WALL,
        port: int | None = None,
        programs: BpfObject | None = None,
        **tunables: int | str,
    ) -> None:
        self.listeners = listeners() if port is None else []
        self.port = self.listeners[0].getsockname()[1] if port is None else port
        self._is_theirs = programs is not None
        self.object = BpfObject("shield") if programs is None else emptied(programs)
        maps = self.object.maps
        _core_bpf.bpf_map_set(maps["pieces"], 0, self.object.programs["shield_any"])
        self.ring = Ring(maps["events"])
        self.cpus = processors()
        self.services = ServiceMaps(maps)
        self.wscale, self.mtu = WSCALE, MTU
        self.protect()
        self.retune(wall, **tunables)

    def protect(self, *families: int) -> None:
        """Have the server's addresses protected, as if nothing had happened yet."""
        for family in families or SERVER:
            self.services.put(write_service(SERVER[family], self.port))

    def retune(self, wall: float, **tunables: int | str) -> None:
        """Take other keys, and other tunables than the defaults."""
        now = time.monotonic()
        self.wall, self.tunables = wall, tunables
        master = Master(1, 0, bytes(range(32)))
        self.keys = keys = Keyring.derived((master,), wall_offset=wall - now)
        chosen = {f"net.inet.tcp.syncache.x.{k}": v for k, v in tunables.items()}
        chosen = {MODE: "always"} | chosen
        sysctl = Sysctl(chosen)
        self.verifies = bool(sysctl[VERIFY])
        self.lifetime = int(sysctl[LIFETIME])
        self.config = ShieldConfig(sysctl, keys, self.wscale, now)
        self.write()
        chosen |= {
            "net.inet.tcp.syncookies_only": 1,
            "net.inet.tcp.syncache.x.cookie_gate": "always",
        }
        self._settings = chosen
        self.engine = self.new_engine()

    def new_engine(self) -> Syncache:
        """Make an engine with the programs' keys, as if nothing had happened yet."""
        engine = Syncache(Sysctl(self._settings), keys=self.keys)
        config = self.config.parts
        engine.listen(
            self.port, rcv_wscale=self.wscale, rcv_window=config.window, mtu=self.mtu
        )
        return engine

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
        info = InterfaceInfo("none", 0, MAC, self.mtu, "", 0, False, True, 0)
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

    def xdp(self, packet: bytes, tags: bytes = b"", mac: bytes = MAC) -> _core_bpf.Run:
        """Give a packet to XDP; the verdict and the frame that it leaves."""
        program = self.object.programs["shield_syn"]
        return _core_bpf.bpf_run(program, frame(packet, tags, mac))

    def skb(self, packet: bytes, tags: bytes = b"", mac: bytes = MAC) -> _core_bpf.Run:
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
        if not self._is_theirs:
            self.object.close()
        self.engine.close()
        for sock in self.listeners:
            sock.close()


FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def emptied(programs: BpfObject) -> BpfObject:
    """Have the maps as they are when the programs are loaded, which takes longer."""
    for name, (kind, key, value, count, _) in document("shield")["maps"].items():
        fd = programs.maps[name]
        if kind in {ARRAY, PROCESSORS}:
            size = value * (processors() if kind == PROCESSORS else 1)
            for number in range(count):
                at = number.to_bytes(key, sys.byteorder)
                if any(_core_bpf.lookup(fd, at, size) or b""):
                    _core_bpf.update(fd, at, bytes(size))
        elif kind in {HASH, LRU, TRIE}:
            for each in _core_bpf.keys(fd, key):
                _core_bpf.delete(fd, each)
        elif kind == QUEUE:
            while _core_bpf.take(fd, value) is not None:
                pass
    with closing(Ring(programs.maps["events"])) as ring:
        for _ in ring.take():
            pass
    return programs


def listeners() -> list[socket.socket]:
    """Listen on a port of both families, which only one of them may have free."""
    for _ in range(TRIES):
        first = listener(socket.AF_INET, 0)
        try:
            return [first, listener(socket.AF_INET6, first.getsockname()[1])]
        except OSError:
            first.close()
    raise OSError(f"no port was free in both families, of {TRIES}")


def listener(family: int, port: int) -> socket.socket:
    """Listen on any address, of this family alone."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        sock.bind(("", port))
        sock.listen(128)
    except OSError:
        sock.close()
        raise
    return sock


def frame(packet: bytes, tags: bytes = b"", mac: bytes = MAC) -> bytes:
    """Return an Ethernet frame, padded as the wire pads it."""
    kind = TYPES[packet[0] >> 4]
    return (mac + PEER + tags + kind + packet).ljust(60, b"\0")


def difference(rig: Rig, packet: bytes, tags: bytes = b"", *, tail: bytes = b"") -> str:
    """Compare what becomes of a SYN, and its SYN-ACK with the core's; empty: nothing.

    In tc a tag is not in the frame, so it gets those without.  `tail` is what the frame
    has behind the packet.
    """
    whole = frame(packet + tail, tags)
    head = 14 + len(tags)
    expected = fate_of_syn(whole[head:], rig.port, verify=rig.verifies)
    want = b""
    if expected.fate in {Fate.ANSWER, Fate.UNFINISHED}:
        want = whole[6:12] + whole[:6] + whole[12:head]
        want += with_their_hop_limit(rig.reply_of_engine(expected.packet), whole[head:])
    ran = [(rig.xdp(packet + tail, tags), XDP_FATES)]
    if not tags:
        ran.append((rig.skb(packet + tail), TC_FATES))
    for (verdict, left, _), verdicts in ran:
        wanted = verdicts[expected.fate]
        if verdict != wanted:
            return f"verdict {verdict}, not {wanted}, of {whole.hex()}"
        if expected.fate is Fate.PASS and left != whole:
            return f"changed: {whole.hex()}"
        answered = verdict in {XDP_TX, TC_REDIRECT}
        if answered and not is_reply(left, want, whole, head):
            return f"{left.hex()}, not {want.hex()}, to {whole.hex()}"
    return ""


def is_reply(got: bytes, want: bytes, asked: bytes, head: int) -> bool:
    """Compare a SYN-ACK, whatever the clock was in between.

    One of the size of its SYN may have behind it what the frame has.
    """
    if got[len(want) :] not in (b"", asked[len(want) :]):
        return False
    packet = got[head : len(want)]
    return got[:head] == want[:head] and packet == at_the_time_of(packet, want[head:])


def with_their_hop_limit(reply: bytes, packet: bytes) -> bytes:
    """Return the core's SYN-ACK to a client that asks for TTL security (RFC 5082)."""
    if packet[8 if packet[0] >> 4 == 4 else 7] != HOP_LIMIT_MAX:
        return reply
    return replace(Segment.parse(reply), hop_limit=HOP_LIMIT_MAX).packet()


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


def accepts(engine: Syncache, packet: bytes, now: float) -> bool:
    """Tell whether the core takes an ACK for the answer to a cookie of its own."""
    return engine.packet(packet, now).conn is not None


def difference_of_ack(rig: Rig, packet: bytes) -> str:
    """Compare what tc takes for a cookie with what the core does; empty: the same.

    The programs read the clock by themselves, at some time between two readings of
    ours.  However long that takes, a key or a timestamp may have its limit in between,
    and then the core's answer at either time is right.
    """
    if not is_whole(packet):  # TCP drops it, whatever we make of it
        return ""
    readable = may_be_cookie(packet, rig.port)
    before = rig.cookies()
    began = time.monotonic()
    verdict = rig.tc(packet)
    ended = time.monotonic()
    is_cookie = rig.cookies() != before
    if is_cookie:  # a test run has no listener to assign to: it was refused
        rig.protect(packet[0] >> 4)
    taken = is_cookie and verdict == TC_NEXT  # or its timestamp was refused
    if taken == (readable is not None and accepts(rig.engine, readable, began)):
        return ""
    if readable is not None:
        with closing(rig.new_engine()) as later:
            if taken == accepts(later, readable, ended):
                return ""
    return f"tc says {is_cookie}, {verdict} of {packet.hex()}"


def draw(random_: random.Random) -> dict[str, int | str]:
    """Return random tunables, of those that a cookie depends on."""
    return {
        "cookie_layout": random_.choice(["wide", "freebsd"]),
        "cookie_ts": random_.choice(["check", "check", "auto", "require", "off"]),
        "cookie_lifetime": random_.choice([16, 32, 3600]),
        "secmod": random_.choice([0, random_.getrandbits(64)]),
        "shield.verify": random_.choice([1, 1, 1, 0]),
    }


def renew(
    rig: Rig, random_: random.Random, olds: list[bytes], **tunables: int | str
) -> list[str]:
    """Have both sides take other keys; what differs in old ACKs on the way.

    Those are of the former period or the one before it, near one of its edges or not;
    their timestamps, a second old, are not at a limit then.
    """
    lifetime = rig.lifetime
    at = random_.choice([0.4, 3, lifetime - 3, lifetime - 0.4])
    wall = rig.wall - 1 + random_.choice([1, 2]) * lifetime + at
    rig.retune(wall, **rig.tunables)
    found = [difference_of_ack(rig, packet) for packet in olds]
    rig.wscale, rig.mtu = random_.randrange(15), random_.choice([1280, 1500, 9000])
    chosen = draw(random_) | tunables
    lifetime = int(chosen["cookie_lifetime"])
    rig.retune(lifetime * random_.randrange(1, 2**31 // lifetime) + 1.0, **chosen)
    return found


def compare(
    rig: Rig, random_: random.Random, count: int, **tunables: int | str
) -> list[str]:
    """Compare so many SYNs and as many ACKs; what differs."""
    found: list[str] = []
    olds: list[bytes] = []
    began = 0.0
    for i in range(count):
        # Early in a key period: a packet is not given to one side at its end and to
        # the other behind it.
        if i % KEYS_EVERY == 0 or time.monotonic() - began > KEYS_SECONDS:
            began = time.monotonic()
            found += renew(rig, random_, olds, **tunables)
            olds = []
        family = random_.choice([4, 6])
        segment = syn(random_, family, rig.port)
        reply = rig.engine.packet(segment.packet(), time.monotonic()).reply
        found.append(difference_of_a_like(rig, random_, segment.packet()))
        if reply is None:  # no client has this address
            continue
        answer = ack(random_, segment, reply).packet()
        if random_.random() < MANGLED:
            answer = mangled(random_, answer)
        found.append(difference_of_ack(rig, answer))
        olds = [*olds[-OLDS:], answer]
    return [text for text in found if text]


def difference_of_a_like(rig: Rig, random_: random.Random, packet: bytes) -> str:
    """Compare what becomes of a SYN, or of one that is not quite as it should be."""
    if random_.random() < MANGLED:
        packet = mangled(random_, packet)
    tags = random_.choice([b"", b"", *TAGS])
    if random_.random() < CUT:
        return difference(rig, packet[: random_.randrange(1, len(packet))], tags)
    tail = random_.randbytes(random_.choice([0] * 9 + [1, 2, 3, 40]))
    return difference(rig, packet, tags, tail=tail)


if __name__ == "__main__":
    sys.exit(run(__doc__, "SYNs and as many ACKs", Rig, compare))
