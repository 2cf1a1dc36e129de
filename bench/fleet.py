"""What a fleet costs: `python -m bench.fleet [--counts]`, half a minute.

Measured: 100 agents (threads of this process) with a real Valkey, idle, in a flood and
through a rotation.  Their bytes are those that the server counts; a key has reached an
agent when it has opened and checked it, and what one machine needs to write its keyring
is measured apart, since 100 machines do that side by side.
Simulated from these: groups of 10 to 10,000 members.
With `--counts` instead: instructions a packet, alone and as a member, under valgrind.
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
import sys
import tempfile
import time
import unittest.mock
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncache.fleet.conf import Conf
from syncache.fleet.document import Document
from syncache.fleet.member import Member
from syncache.fleet.record import Record
from syncache.fleet.seal import Sealer
from syncache.fleet.store import Store
from syncache.keyring import Master

from . import counts

ROOT = Path(__file__).resolve().parent.parent
MEMBERS = 100
ROUNDS = 3
WATCH_SECONDS = 8.0
SIZES = (10, 100, 1000, 10_000)
FLOODS = (10**6, 10**7, 10**8, 10**9)  # packets a second in all
MAC_VALUES = 2**24
LEAD_SECONDS, LIFETIME = 60.0, 32
ROUND_SECONDS = 1.0  # a member asks for the version at least so often
SEALER = "syncache.fleet.unseal.Sealer"


class Agent(Member):
    """A member that keeps no file, and notes when it had which version."""

    def __init__(self, conf: Conf) -> None:
        self.had: dict[int, float] = {}
        super().__init__(conf, Store(conf))

    def end(self) -> None:
        """Let the thread end; `close` waits for it."""
        self._end.set()

    def _keep(self, message: bytes, document: Document) -> None:
        self.document, self._message = document, message
        self.had[document.version] = time.monotonic()


@dataclass
class Measured:
    """What the real server showed."""

    idle: float  # bytes a second of a member, both ways
    flood: float
    document: int  # bytes
    reach: list[float]  # seconds to the last of MEMBERS, by rotation
    server: float  # seconds of the server for a member's round
    write: float  # seconds of a machine to seal and write its keyring


def traffic(client: Any, seconds: float) -> float:
    """Return bytes a second of all members, as the server counts them."""
    names = "total_net_input_bytes", "total_net_output_bytes"
    before = client.info("stats")
    time.sleep(seconds)
    after = client.info("stats")
    return sum(after[name] - before[name] for name in names) / seconds


def in_flood() -> Record:
    """A record as full as it gets."""
    rates = dict.fromkeys(("syn", "cookie", "redeemed", "drop"), 1234567.8)
    networks = tuple((f"2001:db8:{n:x}::/48", 0.123) for n in range(4096, 4100))
    targets = tuple((f"2001:db8::{n:x}:{n:x}", 0.123) for n in range(4096, 4100))
    return Record(
        name="x",
        time=0.0,
        state="cookies",
        rates=rates,
        sources=networks,
        targets=targets,
    )


def measure(folder: Path, url: str, client: Any) -> Measured:
    """Run the agents."""
    key = folder / "key"
    key.write_text("a secret of the benchmark")
    key.chmod(0o600)
    conf = [
        Conf("web", url, key, folder / f"ring-{n}", f"edge-{n}") for n in range(MEMBERS)
    ]
    # One scrypt of the key is enough for all; each machine of a group has its own.
    sealer = Sealer("web", conf[0].secret())
    with unittest.mock.patch(SEALER, return_value=sealer):
        agents = [Agent(one) for one in conf]
    master = Master.generate()
    document = Document(
        version=1,
        group="web",
        lifetime=LIFETIME,
        skew_ms=1000,
        ts_key=bytes(16),
        masters=(master,),
    )
    agents[0].publish(document)
    for agent in agents:
        agent.start()
    try:
        wait_for(agents, 1)
        time.sleep(2.0)
        used = cpu(client)
        idle = traffic(client, WATCH_SECONDS) / MEMBERS
        server = (cpu(client) - used) / WATCH_SECONDS / MEMBERS
        reach = []
        for _ in range(ROUNDS):
            document = document.rotated(time.monotonic(), LEAD_SECONDS)
            began = time.monotonic()
            assert agents[0].publish(document)
            wait_for(agents, document.version)
            reach.append(max(a.had[document.version] for a in agents) - began)
        for agent in agents:
            agent.report(in_flood())
        time.sleep(2.0)
        flood = traffic(client, WATCH_SECONDS) / MEMBERS
    finally:
        for agent in agents:
            agent.end()
        for agent in agents:
            agent.close()
    size = int(client.strlen("syncache:web:keys"))
    began = time.monotonic()
    real = Member(conf[0], Store(conf[0]))
    real.turn()
    return Measured(idle, flood, size, reach, server, time.monotonic() - began)


def cpu(client: Any) -> float:
    """Return the processor seconds that the server has used."""
    used = client.info("cpu")
    return float(used["used_cpu_sys"]) + float(used["used_cpu_user"])


def wait_for(agents: list[Agent], version: int) -> None:
    """Wait until all have a version."""
    end = time.monotonic() + 60
    while not all(version in agent.had for agent in agents):
        assert time.monotonic() < end, "not every agent has the document"
        time.sleep(0.005)


# On paper.


def converge(
    members: int, *, service: float, lost: float, rtt: float, seed: int = 1
) -> list[float]:
    """Simulate when each member has a new document, in seconds from its publication.

    The server wakes everybody at once and answers one request after another; those
    whose wake-up is lost ask within a round.

    Args:
        members: Of the group.
        service: Seconds of the server for a member's request.
        lost: Share of wake-ups that are lost.
        rtt: Seconds to the server and back.
        seed: Of the chances.
    """
    chance = random.Random(seed)
    asking = [
        rtt if chance.random() >= lost else rtt + chance.uniform(0, ROUND_SECONDS)
        for _ in range(members)
    ]
    heapq.heapify(asking)
    free, had = 0.0, []
    while asking:
        free = max(free, heapq.heappop(asking)) + service
        had.append(free + rtt / 2)
    return had


def table(found: Measured) -> list[str]:
    """Return the lines of the simulation."""
    titles = ("members", "idle, all", "flood, all", "a rotation")
    titles += ("has it: median, last", "10 % of wake-ups lost: last")
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for members in SIZES:
        service = found.server
        told = converge(members, service=service, lost=0.0, rtt=0.02)
        worse = converge(members, service=service, lost=0.1, rtt=0.02)
        lines.append(
            f"| {members:,} | {found.idle * members / 1e3:,.0f} kB/s | "
            f"{found.flood * members / 1e3:,.0f} kB/s | "
            f"{found.document * members / 1e3:,.0f} kB | "
            f"{statistics.median(told):.2f} s, {max(told):.2f} s | {max(worse):.2f} s |"
        )
    return lines


def forged() -> list[str]:
    """Return the lines of blind ACKs that are taken, whatever the number of members."""
    lines = ["| blind ACKs a second, all members | connections forged |", "|---|---|"]
    for rate in FLOODS:
        one = MAC_VALUES / rate
        often = f"one in {one:.1f} s" if one > 1 else f"{1 / one:.0f} a second"
        lines.append(f"| {rate:,} | {often} |")
    return lines


def main() -> int:
    """Measure, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", action="store_true")
    if parser.parse_args().counts:
        with tempfile.TemporaryDirectory() as folder:
            return counts.compare(counts.build(Path(folder)), Path(folder))
    sys.path.insert(0, str(ROOT / "tests" / "tools"))
    from valkey_server import ValkeyServer

    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(Path(folder))
        try:
            found = measure(Path(folder), server.url, server.client())
        finally:
            server.close()
    reach = ", ".join(f"{seconds:.2f}" for seconds in found.reach)
    print(
        f"a member, idle: {found.idle:.0f} bytes a second, in a flood {found.flood:.0f}"
    )
    print(f"a new key at the last of {MEMBERS} members after {reach} s")
    print(f"a machine opens, seals and writes it in {found.write:.2f} s")
    print(
        f"the document has {found.document} bytes; the server works "
        f"{found.server * 1e6:.0f} us a second for a member"
    )
    print()
    print("\n".join([*table(found), "", *forged()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
