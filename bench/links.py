"""What the links need around them: priorities and shards.

    python -m bench.links livelock   a listener above and below the driver's thread
    python -m bench.links shards     one process and two, in memory and on the wire
    python -m bench.links latency    a byte there and back, through what stands between

All need root and processors 0 and 1 to themselves; medians, smallest and largest are
printed.  On the wire the flood is that of `wire`, on processor 0; the second shard has
to share that processor with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from syncache import Ring, Segment, Syncache, Sysctl
from syncache.links.packet import BLOCK_BYTES, Packet
from syncache.links.shard import Shard, run
from syncache.links.xdp import Xdp
from syncache.options import Mss, SackPermitted, Timestamps, WindowScale, encode
from syncache.segment import SYN

from .listener import answer, end
from .wire import (
    LISTENER,
    LISTENING,
    NAPI,
    PORT,
    ROOT,
    SERVER,
    Process,
    Side,
    Wire,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REPEATS = 5
SECONDS = 1.0
BELOW = NAPI // 2
SLOTS, SLOT_SIZE = 64, 192
BUSY_POLL_US = 50
GROUP = 7
ROUNDS = 2000
ENDS = (
    ("198.18.0.1/24", "fd00:18::1/64"),
    ("198.18.0.2/24", "fd00:18::2/64"),
)


def listener(kind: str, interface: str) -> None:
    """Answer SYNs through one kind of link, in this process or in two."""
    signal.signal(signal.SIGTERM, end)
    if kind == "packet":
        answer(Packet(interface, [SERVER], block=BLOCK_BYTES), "syncache")
    if kind == "xdp":
        answer(Xdp(interface, [SERVER]), "syncache")
    if kind == "busy":
        answer(Xdp(interface, [SERVER], busy_poll=BUSY_POLL_US), "syncache")
    sys.exit(run(int(kind), partial(share, interface)))


def share(interface: str, shard: Shard) -> None:
    """Answer one shard's part of the SYNs; the first is on the listener's processor."""
    signal.signal(signal.SIGTERM, end)
    os.sched_setaffinity(0, {LISTENING - shard.index})
    link = Packet(interface, [SERVER], block=BLOCK_BYTES, fanout=GROUP)
    shard.ready()
    answer(link, "syncache")


def answered(wire: Wire, kind: str, priority: int) -> float:
    """Return SYN-ACK/s of a listener under all the flood there is."""
    words = (sys.executable, "-m", "bench.links", "listener", kind, wire.vv)
    with wire.victim.start(priority, LISTENING, *words) as process:
        process.ready()
        return wire.window(0).answered


def alternate(arms: Sequence[tuple[str, str, int]]) -> None:
    """Measure listeners by turns, and print what each answered."""
    found: dict[str, list[float]] = {name: [] for name, _, _ in arms}
    with tempfile.TemporaryDirectory() as folder, Wire(Path(folder)) as wire:
        for _ in range(REPEATS):
            for name, kind, priority in arms:
                found[name].append(answered(wire, kind, priority))
    for name, rates in found.items():
        show(name, rates)


def show(name: str, rates: Sequence[float]) -> None:
    """Print a row."""
    middle, low, high = statistics.median(rates), min(rates), max(rates)
    print(f"{name:32}{middle / 1e3:10,.0f}{low / 1e3:10,.0f}{high / 1e3:10,.0f}")


def livelock() -> None:
    """Print what is left of a listener that runs below the driver's thread."""
    print(f"{'thousand SYN-ACK/s':32}{'median':>10}{'min':>10}{'max':>10}")
    alternate(
        [
            ("packet, above NAPI", "packet", LISTENER),
            ("packet, below NAPI", "packet", BELOW),
            ("xdp, above NAPI", "xdp", LISTENER),
            ("xdp, below NAPI", "xdp", BELOW),
            ("xdp, busy polling, below NAPI", "busy", BELOW),
        ]
    )


def count_syns(pipe: int, shard: Shard) -> None:
    """Answer SYNs in memory for a while, and say how many."""
    os.sched_setaffinity(0, {shard.cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(LISTENER))
    options = encode((Mss(1460), SackPermitted(), Timestamps(1, 0), WindowScale(7)))
    rx, tx = Ring(SLOTS, SLOT_SIZE), Ring(SLOTS, SLOT_SIZE)
    cache = Syncache(Sysctl({"net.inet.tcp.syncookies_only": 1}), keys=shard.keys)
    cache.listen(PORT, SERVER)
    ends = {"src": "10.0.0.1", "dst": SERVER, "dport": PORT, "options_bytes": options}
    packets = [
        Segment(**ends, sport=1024 + i, seq=i, flags=SYN, window=65535).packet()
        for i in range(SLOTS)
    ]
    shard.ready()
    count, last = 0, time.monotonic() + SECONDS
    for packet in packets:
        rx.push(packet)
    while (now := time.monotonic()) < last:
        rx.cdata.next = 0
        count += cache.burst(rx, tx, now)
        tx.clear()
    os.write(pipe, count.to_bytes(8, "little"))


def in_memory(count: int) -> float:
    """Return SYN-ACK/s of as many processes, together."""
    reading, writing = os.pipe()
    if run(count, partial(count_syns, writing)) != 0:
        sys.exit("a shard has failed")
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        said = file.read()
    counts = [said[i : i + 8] for i in range(0, len(said), 8)]
    return sum(int.from_bytes(word, "little") for word in counts) / SECONDS


def shards() -> None:
    """Print what a second process adds, and what the fan-out costs."""
    print(f"{'thousand SYN-ACK/s':32}{'median':>10}{'min':>10}{'max':>10}")
    memory: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(REPEATS):
        for count, rates in memory.items():
            rates.append(in_memory(count))
    for count, rates in memory.items():
        show(f"in memory, shards: {count}", rates)
    alternate(
        [
            ("packet, no fan-out", "packet", LISTENER),
            ("packet, fan-out, shards: 1", "1", LISTENER),
            ("packet, fan-out, shards: 2", "2", LISTENER),
        ]
    )


def pong(port: str) -> None:
    """Send every byte back."""
    with socket.create_server(
        ("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True
    ) as listener:
        os.write(1, b"ready\n")
        while True:
            peer, _ = listener.accept()
            with peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while data := peer.recv(1):
                    peer.sendall(data)


def ping(address: str, port: str) -> None:
    """Print the median of the milliseconds that a byte takes there and back."""
    took = []
    with socket.create_connection((address, int(port)), 10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(ROUNDS):
            began = time.perf_counter()
            sock.sendall(b"x")
            sock.recv(1)
            took.append(time.perf_counter() - began)
    print(1000 * statistics.median(took))


def between(words: Sequence[str]) -> list[float]:
    """Return the medians of each address with a command, or a bridge, between."""
    with contextlib.ExitStack() as stack:
        client, middle, server = sides = [Side() for _ in range(3)]
        for side in sides:
            stack.callback(side.close)
        for i, side in enumerate((client, server)):
            veth = ("ip", "link", "add", "v0", "type", "veth")
            side.run(*veth, "peer", "name", f"m{i}", "netns", middle.pid)
            for address in ENDS[i]:
                side.run("ip", "address", "add", address, "dev", "v0", "nodad")
            side.run("ip", "link", "set", "v0", "up")
            middle.run("ip", "link", "set", f"m{i}", "up")
        if words:
            box = Process(middle.command(*words))
            stack.callback(box.kill)
            assert box.stdout is not None
            box.stdout.readline()
        else:
            middle.run("ip", "link", "add", "b0", "up", "type", "bridge")
            for i in range(2):
                middle.run("ip", "link", "set", f"m{i}", "master", "b0")
        me = (sys.executable, "-m", "bench.links")
        peer = Process(server.command(*me, "pong", PORT))
        stack.callback(peer.kill)
        peer.ready()
        addresses = [end.partition("/")[0] for end in ENDS[1]]
        return [
            float(client.run("env", f"PYTHONPATH={ROOT}", *me, "ping", a, PORT))
            for a in addresses
        ]


def latency() -> None:
    """Print what a byte takes there and back through a bridge, and through us."""
    with tempfile.NamedTemporaryFile("w", suffix=".acl") as acl:
        acl.write("permit tcp any any\npermit tcp ::/0 ::/0\n")
        acl.flush()
        where = ("--outside", "m0", "--inside", "m1", "--list", acl.name)
        box = (sys.executable, "-m", "syncache", "intercept", *where)
        ways: dict[str, tuple[str, ...]] = {
            "bridge": (),
            "intercept": box,
            "intercept --xdp": (*box, "--xdp"),
            "intercept --block 131072": (*box, "--block", "131072"),
        }
        found: dict[str, list[list[float]]] = {name: [] for name in ways}
        for _ in range(REPEATS):
            for name, words in ways.items():
                found[name].append(between(words))
    print(f"{'milliseconds':32}{'IPv4':>10}{'IPv6':>10}")
    for name, rows in found.items():
        medians = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{name:32}" + "".join(f"{ms:10.3f}" for ms in medians))


if __name__ == "__main__":
    role, *arguments = sys.argv[1:] or ["help"]
    parts: dict[str, Callable[..., None]] = {
        "listener": listener,
        "ping": ping,
        "pong": pong,
    }
    figures = {"livelock": livelock, "shards": shards, "latency": latency}
    if role in parts:
        parts[role](*arguments)
    elif role in figures:
        figures[role]()
    else:
        sys.exit(__doc__)
