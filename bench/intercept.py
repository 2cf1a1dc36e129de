"""Throughput through the splice, beside a plain forwarder and the kernel's proxy.

    python -m bench.intercept [--seconds 2] [--repeats 3]

One connection at a time through three namespaces, the box in the middle pinned to one
processor: frames passed on as they are (`links.packet.relay`), `syncache intercept`,
and the kernel's forwarding with nft synproxy.  Alternately, in one run.  First with
super-segments of up to 64 KiB, as veth has them; then without (TSO, GSO and GRO off),
where every packet is one of 1,500 bytes and its cost is what counts.  Prints medians,
ratios of neighbours, and the processor time of the box's process for each data packet,
which other load disturbs less.  Box and ends have real-time priority.  Needs root, nft,
ethtool and taskset.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "netns"))

from namespace import PEERS  # noqa: E402
from shielded import Shielded, Synproxied, shielding  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

# With the package of each.
PROGRAMS = {
    "nft": "nftables",
    "ethtool": "ethtool",
    "chrt": "util-linux",
    "taskset": "util-linux",
    "ip": "iproute2",
}

KINDS = {
    "plain": Shielded,
    "spliced": Shielded,
    "offload": Shielded,
    "synproxy": Synproxied,
}
BOX_CPU, ENDS_CPU = 1, 0
PRIORITY = 2  # SCHED_FIFO, of the box and the ends: other work would decide instead
DATA_BYTES = 1448  # of a packet of 1,500 bytes with timestamps
MARK = 1e9 / 8  # bytes a second of a gigabit
STREAM = """
import socket, sys, time
role, address, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
data = bytes(1 << 20)
if role == "serve":
    with socket.create_server((address, 80)) as listener:
        print("ready", flush=True)
        while True:
            peer, _ = listener.accept()
            with peer:
                try:
                    while True:
                        peer.sendall(data)
                except OSError:
                    pass
with socket.create_connection((address, 80), 10) as sock:
    sock.recv(1 << 20)
    start, count, now = time.monotonic(), 0, 0.0
    buffer = bytearray(1 << 20)
    while now - start < seconds:
        count += sock.recv_into(buffer)
        now = time.monotonic()
    print(count / (now - start))
"""


def pinned(cpu: int, *words: object) -> list[str]:
    """Return the command that runs on one processor, before all ordinary work."""
    first = ["chrt", "-f", PRIORITY, "taskset", "-c", cpu]
    return [str(word) for word in (*first, *words)]


class Case:
    """One arrangement, its server running."""

    def __init__(self, name: str, made: Shielded, *, offload: bool) -> None:
        self.name, self.made = name, made
        self.pid: int | None = None  # of the box, if it is a process
        if not offload:
            for namespace, names in (
                (made.client, "c0"),
                (made.us, "o0 i0"),
                (made.server, "s0"),
            ):
                for one in names.split():
                    off = ("tso", "off", "gso", "off", "gro", "off")
                    namespace.run("ethtool", "-K", one, *off)
        self._start_box()
        if self.pid is not None:
            os.sched_setscheduler(self.pid, os.SCHED_FIFO, os.sched_param(PRIORITY))
        words = (sys.executable, "-c", STREAM, "serve", made.address, 0)
        server = made.server.start(*pinned(ENDS_CPU, *words))
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"

    def _start_box(self) -> None:
        made = self.made
        if self.name == "plain":
            words = json.dumps(["relay", "o0", "i0", 131_072])
            program = (sys.executable, PEERS / "relay.py", words)
            box = made.us.start(*pinned(BOX_CPU, *program), stdin=-1)
            assert box.stdout.readline() == "ready\n"
            self.pid = box.pid
        elif self.name == "spliced":
            self.pid = made.intercept("--cpu", str(BOX_CPU)).pid
        elif self.name == "offload":
            self.pid = made.intercept("--cpu", str(BOX_CPU), "--offload").pid
        else:
            made.synproxy("mss 1460 wscale 7 timestamp sack-perm")

    def run(self, seconds: float) -> tuple[float, float]:
        """Return bytes a second, and seconds of the box's processor for each byte."""
        words = (sys.executable, "-c", STREAM, "fetch", self.made.address, seconds)
        before = self._busy()
        rate = float(self.made.client.run(*pinned(ENDS_CPU, *words)))
        return rate, (self._busy() - before) / (rate * seconds)

    def _busy(self) -> float:
        """Seconds of processor time that the box has used."""
        if self.pid is None:
            return 0.0
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def cases(*, offload: bool) -> Iterator[list[Case]]:
    """Make the three arrangements."""
    with ExitStack() as stack:
        parent = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made = []
        for kind in ("plain", "spliced", "synproxy"):
            folder = parent / kind
            folder.mkdir()
            made.append((kind, stack.enter_context(shielding(folder, KINDS[kind]))))
        yield [Case(kind, world, offload=offload) for kind, world in made]


def compare(*, offload: bool, seconds: float, repeats: int) -> None:
    """Measure the three alternately and print what came out."""
    rates: dict[str, list[float]] = {}
    costs: dict[str, list[float]] = {}
    with cases(offload=offload) as three:
        for case in three:
            case.run(0.3)  # the server's options are learned
        for _ in range(repeats):
            for case in three:
                rate, cost = case.run(seconds)
                rates.setdefault(case.name, []).append(rate)
                costs.setdefault(case.name, []).append(cost)
    size = "up to 64 KiB" if offload else "1,500 bytes"
    print(f"packets of {size}, medians of {repeats} x {seconds:g} s:")
    for name, each in rates.items():
        spread = f"{min(each) / MARK:.2f} to {max(each) / MARK:.2f}"
        line = f"  {name:9} {statistics.median(each) / MARK:6.2f} Gbit/s ({spread})"
        if not offload and any(costs[name]):
            spent = statistics.median(costs[name]) * DATA_BYTES * 1e9
            line += f", {spent:.0f} ns of the box for a data packet and its ACKs"
        print(line)
    for other in ("plain", "synproxy"):
        told = ratio(rates["spliced"], rates[other])
        print(f"  spliced / {other}: {told}")
    print(
        f"  processor time, plain / spliced: {ratio(costs['plain'], costs['spliced'])}"
    )


def ratio(ours: list[float], theirs: list[float]) -> str:
    """Say how neighbours compare: median, least and most."""
    each = [one / other for one, other in zip(ours, theirs, strict=True) if other]
    return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


def need() -> None:
    """Raise OSError with the remedy if a program is missing."""
    for program, package in PROGRAMS.items():
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            raise OSError(f"no {program}: apt-get install {package}")


def main() -> int:
    """Measure with and without super-segments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    need()
    for offload in (True, False):
        compare(offload=offload, seconds=chosen.seconds, repeats=chosen.repeats)
    return 0


if __name__ == "__main__":
    sys.exit(main())
