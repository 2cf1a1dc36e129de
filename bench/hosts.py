"""What a flood costs hosts that have us in front: lwIP a SYN, clients their time.

    make check hosts             fetches lwIP's source and PyTCP, once
    python -m bench.hosts        of every version there is; root, four minutes
        --turns N                pairs of runs, 9 by default

Beside other work, with `nice -n -15` in front: a host that waits for a processor makes
its clients wait.

- instructions: from the driver's buffer to its answer, counted by callgrind.
- all in: processor time of the whole program, tests/netns/lwip/host.c, for each SYN of
  a flood of 20,000 per second on a TUN device: reading, lwIP, writing, and what the
  kernel, as the wire's far end, does with the answers.  That is not moved to another
  processor: in a virtual machine waking one costs more than the rest of the answer.
  Its two threads are first in, first out (chrt -f), since how often they take turns is
  chance otherwise, and weighs more than the answer.  By turns; the median of the ratios
  of pairs, the smallest and largest.  Against lwIP alone, which drops the SYN.
- connect: the median time that 40 clients take until their first bytes are back, in a
  flood of 20,000 SYNs per second, at PyTCP of 1,500, against the same without a flood.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "netns"))

import lwip_programs  # noqa: E402 - it is found through the path
from namespace import PEERS, Namespace  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RATE, SECONDS, TURNS = 20_000, 2, 9
GOAL, GOAL_CONNECT = 1.3, 2.0
CLIENTS = 40
PYTCP = ROOT / "build" / "pytcp" / "python"
ADDRESS, PORT = "198.18.0.2", 7


def spent(process: Any) -> int:
    """Return the nanoseconds of processor time of all its threads."""
    threads = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((one / "schedstat").read_text().split()[0]) for one in threads)


def all_in(program: Path, flood: Path) -> float:
    """Return the microseconds that a SYN of the flood takes the program."""
    namespace = Namespace()
    try:
        namespace.link("add", "tun0", "198.18.0.1/24")
        words = ("chrt", "-f", "1", "taskset", "1", program)
        process = namespace.start(*words, stdin=subprocess.PIPE)
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(process.communicate()[1])
        before = spent(process)
        namespace.run("taskset", "2", flood, ADDRESS, PORT, RATE, SECONDS)
        time.sleep(0.2)  # the rest of the queue
        used = spent(process) - before
        said = process.communicate(timeout=60)[0]
    finally:
        namespace.close()
    return used / 1e3 / int(re.findall(r"recv: (\d+)", said)[0])


def judged(pairs: Sequence[Sequence[float]], goal: float) -> tuple[float, float, str]:
    """Return the medians of both sides, and the ratio of the pairs beside its goal."""
    before, after = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = sorted(after / before for before, after in pairs)
    ratio = statistics.median(ratios)
    text = f"{ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), goal <= {goal}"
    return before, after, text + ("" if ratio <= goal else ", SHORT")


def figures(tree: Path, folder: Path, turns: int) -> Iterator[str]:
    """Measure one version."""
    programs = lwip_programs.Programs(tree, folder)
    for family in (4, 6):
        alone, ours = (
            lwip_programs.cost(programs.program("cost", plain=plain), family, folder)
            for plain in (True, False)
        )
        ratio = ours / alone
        line = f"{alone} dropped, {ours} answered, {ratio:.2f}"
        yield f"IPv{family}, instructions   {line}"
    flood = lwip_programs.compile_all(folder / "spoof", PEERS / "spoof.c")
    pairs = [
        [
            all_in(programs.program("host", "tun", plain=plain), flood)
            for plain in (True, False)
        ]
        for _ in range(turns)
    ]
    alone, ours, ratio = judged(pairs, GOAL)
    line = f"{alone:.2f} us dropped, {ours:.2f} us answered, {ratio}"
    yield f"IPv4, all in         {line}"
    yield connect_line((programs.program("host", "tun"),), flood, RATE, turns)


def connect(words: tuple[Any, ...], flood: Path, rate: int) -> tuple[float, float]:
    """Return the median milliseconds of clients without and with a flood."""
    spec = {"host": ADDRESS, "port": PORT, "count": CLIENTS, "every": 0.02}
    namespace = Namespace()
    try:
        namespace.link("add", "tun0", "198.18.0.1/24", "fd00:18::1/64")
        process = namespace.start(
            *words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(process.communicate()[1])
        sides = []
        for flooded in (False, False, True):  # the first warms up
            if flooded:
                namespace.start(flood, ADDRESS, PORT, rate, 30)
                time.sleep(0.3)
            told = namespace.python("echo_clients", spec | {"timeout": 60})
            if told["served"] != CLIENTS:
                raise RuntimeError(f"{told['served']} of {CLIENTS} served")
            sides.append(statistics.median(told["seconds"]) * 1e3)
    finally:
        namespace.close()
    return sides[1], sides[2]


def connect_line(words: tuple[Any, ...], flood: Path, rate: int, turns: int) -> str:
    """Measure how long clients take to connect."""
    pairs = [connect(words, flood, rate) for _ in range(turns)]
    calm, flooded, ratio = judged(pairs, GOAL_CONNECT)
    line = f"{calm:.2f} ms, {flooded:.2f} ms at {rate} SYN/s, {ratio}"
    return f"IPv4, connect        {line}"


def main() -> int:
    """Measure every version that is there."""
    parser = argparse.ArgumentParser(
        prog="bench.hosts",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--turns", type=int, default=TURNS, metavar="N")
    turns = parser.parse_args().turns
    if not lwip_programs.TREES:
        print(lwip_programs.NO_TREE, file=sys.stderr)
        return 1
    for tree in lwip_programs.TREES:
        with tempfile.TemporaryDirectory() as folder:
            for line in figures(tree, Path(folder), turns):
                print(f"{tree.name}  {line}", flush=True)
    if PYTCP.exists():
        with tempfile.TemporaryDirectory() as folder:
            flood = lwip_programs.compile_all(Path(folder) / "spoof", PEERS / "spoof.c")
            host = (PYTCP, "-O", PEERS / "pytcp_host.py", "tun0", "shielded")
            print(f"PyTCP       {connect_line(host, flood, 1500, turns)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
