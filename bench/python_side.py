"""What a SYN costs through the Python API: one ring a call, and one packet a call."""

from __future__ import annotations

import time

from syncache import Ring, Segment, Syncache, Sysctl
from syncache.segment import SYN

BATCH = 64
ROUNDS = 300
LOCAL = "198.18.0.2"


def syn(peer: int) -> bytes:
    """Make a SYN of a peer."""
    octets = (10, peer >> 16 & 255, peer >> 8 & 255, peer & 255)
    segment = Segment(
        src=".".join(map(str, octets)), dst=LOCAL, sport=1024, dport=80, flags=SYN
    )
    return segment.packet()


SYNS = [syn(peer) for peer in range(BATCH * 16)]


def engine() -> Syncache:
    """Make an engine that stores nothing, so that every round is alike."""
    cache = Syncache(Sysctl({"net.inet.tcp.syncookies_only": 1}), seed=bytes(16))
    cache.listen(80, LOCAL)
    return cache


def burst() -> float:
    """Measure ns a SYN when a ring of 64 is one call; filling it is not counted."""
    cache, rx, tx = engine(), Ring(BATCH, 128), Ring(BATCH, 128)
    spent = 0
    for number in range(ROUNDS):
        rx.clear()
        tx.clear()
        for packet in SYNS[number % 16 * BATCH :][:BATCH]:
            rx.push(packet)
        start = time.perf_counter_ns()
        cache.burst(rx, tx, number / 1000)
        spent += time.perf_counter_ns() - start
    return spent / (ROUNDS * BATCH)


def packet() -> float:
    """Measure ns a SYN when each is a call that returns a Verdict."""
    cache = engine()
    start = time.perf_counter_ns()
    for number in range(ROUNDS * 8):
        cache.packet(SYNS[number % len(SYNS)], 1.0)
    return (time.perf_counter_ns() - start) / (ROUNDS * 8)


CASES = {"py_burst": burst, "py_packet": packet}
