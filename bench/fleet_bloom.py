"""The exchange of redeemed handshakes (`bloom = yes`): `python -m bench.fleet_bloom`.

Three members with a real Valkey complete RATE handshakes a second each.  Measured are
the bytes of a member, both ways, which the server counts; how long after one member
another refuses the same ACK; how many handshakes that nobody has seen are refused, by
trial and from the bits that are set; and the time of a look at all filters of a
cookie's life, also by the programs of a shield, which needs root.
"""

from __future__ import annotations

import itertools
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from syncache import Ring
from syncache.fleet.bloom import HASHES, Bloom, Redeemed, digest_of
from syncache.fleet.conf import Conf
from syncache.fleet.document import Document
from syncache.fleet.member import Member
from syncache.fleet.store import Store
from syncache.flow import Side
from syncache.keyring import Master

from .fleet import LIFETIME, ROOT, WATCH_SECONDS, traffic

RATES = (0, 100, 372)  # handshakes a second of a member; the last is all that is told
MEMBERS = 3
PROBES = 12
TRIALS = 20_000
ACKS = 256
TURNS = 15
RUNS = 1000
SHIELD_FILTERS = (0, (MEMBERS - 1) * 2 * LIFETIME, 16 * 2 * LIFETIME)


def start(folder: Path, url: str) -> list[Member]:
    """Make a group of members that run."""
    key = folder / "key"
    key.write_text("a secret of the benchmark")
    key.chmod(0o600)
    members = []
    for number in range(MEMBERS):
        name = f"edge-{number}"
        conf = Conf("web", url, key, folder / f"ring-{number}", name, bloom=True)
        members.append(Member(conf, Store(conf)))
    document = Document(
        version=1,
        group="web",
        lifetime=LIFETIME,
        skew_ms=1000,
        ts_key=bytes(16),
        masters=(Master.generate(),),
    )
    members[0].publish(document)
    for member in members:
        member.start()
    end = time.monotonic() + 30
    while any(member.redeemed is None for member in members):
        assert time.monotonic() < end, "the members do not exchange"
        time.sleep(0.05)
    return members


class Crowd:
    """Handshakes at all members, so many a second."""

    def __init__(self, members: list[Member], rate: int) -> None:
        def feed() -> None:
            for member in members:
                assert member.redeemed is not None
                for _ in range(rate):
                    packed = random.randbytes(45)
                    member.redeemed.admit(packed, by_cookie=False)

        for member in members:
            member.after = lambda: None
        members[0].after = feed  # once a round, which is a second


def exposure(one: Member, other: Member) -> float:
    """Return how long an ACK that one has redeemed is taken by another."""
    assert one.redeemed is not None
    assert other.redeemed is not None
    time.sleep(random.random())
    packed = random.randbytes(45)
    assert one.redeemed.admit(packed, by_cookie=True)
    began = time.monotonic()
    while not other.redeemed.knows(packed):
        assert time.monotonic() - began < 30, "it is never refused"
        time.sleep(0.005)
    return time.monotonic() - began


def errors() -> tuple[int, float, float]:
    """Return wrong hits of TRIALS, the expected share, and the seconds of a look."""
    seen = Redeemed(bytes(16), 2.0 * LIFETIME)
    share = 0.0
    for _ in range((MEMBERS - 1) * 2 * LIFETIME):
        bits = Bloom.of(
            digest_of(bytes(16), random.randbytes(45)) for _ in range(372)
        ).bits
        share += (int.from_bytes(bits, "little").bit_count() / len(bits) / 8) ** HASHES
        seen.hear(bits)
    began = time.perf_counter()
    for _ in range(TRIALS):
        seen.admit(random.randbytes(45), by_cookie=True)
    return seen.refused, share, (time.perf_counter() - began) / TRIALS


def middlebox(filters: int) -> float:
    """Return the seconds that a middlebox needs for an ACK, with so many filters."""
    from group_machines import ENGINES, WALL, segment

    from syncache import Segment
    from syncache.segment import ACK, SYN

    machine = ENGINES["intercept"](WALL - 5000.25, 0.0)
    shared, wall = machine.engine.redeemed(bytes(16)), WALL + 5.0
    for _ in range(filters):
        digests = (digest_of(bytes(16), random.randbytes(45)) for _ in range(372))
        shared.hear(Bloom.of(digests).bits, machine.now(wall), 2.0 * LIFETIME)
    acks = []
    for port in range(2000, 2000 + ACKS):
        syn = segment(4, port, seq=port, flags=SYN).packet()
        number = Segment.parse(machine.syn(syn, wall)).seq + 1
        fields = {"seq": port + 1, "ack": number, "flags": ACK}
        acks.append(segment(4, port, **fields).packet())
    rx = Ring(ACKS)
    for ack in acks:
        rx.push(ack)
    server = Ring(2 * ACKS, slot_size=2048)
    began = time.perf_counter()
    machine.engine.burst(rx, Side.CLIENT, None, server, machine.now(wall))
    passed = time.perf_counter() - began
    assert len(shared.fresh()) == len(server) == ACKS
    return passed / ACKS


def shield() -> list[tuple[int, float]]:
    """Return how long the programs look at an ACK, in seconds, with so many filters.

    Not in it is what the kernel does with the connection: there is none in a test run.
    """
    from shield_rig import Rig, frame
    from test_shield_programs import answer, linux_syn, minted

    from syncache._core import bpf
    from syncache._core import shield as core
    from syncache.links.shield_redeemed import ShieldRedeemed

    rig, found = Rig(), []
    shared = ShieldRedeemed(rig.object.maps)
    shared.begin(bytes(16))
    rig.put(flags=core.GATE_OPEN | core.SHARED)
    syn = linux_syn(rig, 4)
    ack = frame(answer(syn, minted(rig, syn)).packet())
    for before, count in itertools.pairwise((0, *SHIELD_FILTERS)):
        for _ in range(count - before):
            digests = (digest_of(bytes(16), random.randbytes(45)) for _ in range(372))
            shared.hear(Bloom.of(digests).bits, time.monotonic(), 2.0 * LIFETIME)
        times = []
        for _ in range(TURNS):
            rig.protect()
            program = rig.object.programs["shield_ack"]
            times.append(bpf.bpf_run(program, ack, RUNS).duration_ns)
        found.append((count, statistics.median(times) / 1e9))
    rig.close()
    return found


def main() -> int:
    """Measure and print."""
    sys.path[:0] = [str(ROOT / "tests" / name) for name in ("tools", "netns")]
    from valkey_server import ValkeyServer

    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(Path(folder))
        members = start(Path(folder), server.url)
        try:
            for rate in RATES:
                Crowd(members, rate)
                time.sleep(2.0)
                size = traffic(server.client(), WATCH_SECONDS) / MEMBERS
                print(f"{rate} handshakes a second of each: {size:.0f} bytes a second")
            times = [exposure(*members[:2]) for _ in range(PROBES)]
        finally:
            for member in members:
                member.conf = replace(member.conf, bloom=False)
                member.close()
            server.close()
    print(
        f"an ACK is taken elsewhere for {statistics.median(times):.2f} s, "
        f"at most {max(times):.2f} s, instead of {LIFETIME} to {2 * LIFETIME} s"
    )
    wrong, share, seconds = errors()
    print(
        f"of {TRIALS:,} new handshakes {wrong} refused, {share:.0e} of them expected; "
        f"a look at {(MEMBERS - 1) * 2 * LIFETIME} filters: {seconds * 1e6:.0f} us"
    )
    count = (MEMBERS - 1) * 2 * LIFETIME
    turns = [(middlebox(0), middlebox(count)) for _ in range(TURNS)]
    without, among = (statistics.median(turn) for turn in zip(*turns, strict=True))
    print(
        f"a middlebox redeems an ACK in {without * 1e6:.2f} us without filters, in "
        f"{among * 1e6:.2f} us with {count}"
    )
    for filters, passed in shield() if os.geteuid() == 0 else ():
        micro = passed * 1e6
        print(f"a shield's program looks at an ACK for {micro:.2f} us with {filters}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
