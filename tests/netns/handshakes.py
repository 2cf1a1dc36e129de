"""
Handshakes of the Linux kernel with our Stack, in every combination, none refused.

    +---------------------------- a network namespace ----------------------------+
    | handshake_client  198.18.0.1 == tun0 == 198.18.0.2  handshake_server.py     |
    | (kernel TCP)      fd00:18::1            fd00:18::2  (our TCP)               |
    +-----------------------------------------------------------------------------+

By the cache (defaults) and by cookies alone, timestamps on and off, window scaling on
and off, IPv4 and IPv6.  Each connection sends 16 bytes, checks that they come back and
closes by a RST.  `handshakes.py --count 1000000` spreads a million over the sixteen
combinations, in runs of at most RUN_MAX, each in a namespace of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from namespace import PATIENCE, PEERS, Namespace

KERNEL = ["198.18.0.1/24", "fd00:18::1/64"]
OURS = {4: "198.18.0.2", 6: "fd00:18::2"}
PORT = "7"
AT_ONCE = 64
RUN_MAX = 50_000
SECONDS_MAX = 280  # a namespace lives longer
VIA = {"cache": {}, "cookie": {"net.inet.tcp.syncookies_only": 1}}


class Combination(NamedTuple):
    """What a handshake negotiates, and how it is completed."""

    via: str
    timestamps: bool
    wscale: bool
    family: int

    def __str__(self) -> str:
        on = {False: "off", True: "on"}
        return (
            f"{self.via:6} timestamps {on[self.timestamps]:3} "
            f"scaling {on[self.wscale]:3} IPv{self.family}"
        )


COMBINATIONS = [
    Combination(*chosen)
    for chosen in itertools.product(VIA, (True, False), (True, False), OURS)
]


def compile_client(folder: Path) -> Path:
    """Compile the client; OSError if there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise OSError("no C compiler: apt-get install gcc")
    program = folder / "handshake_client"
    source = PEERS / "handshake_client.c"
    subprocess.run([compiler, "-O2", "-o", program, source], check=True)
    return program


def tell_kernel(namespace: Namespace, combination: Combination) -> None:
    """Set what the kernel offers in its SYNs, and that an address is good at once."""
    knobs = {
        "ipv4/tcp_timestamps": int(combination.timestamps),
        "ipv4/tcp_window_scaling": int(combination.wscale),
        # Until an address has been looked for on the link, nobody connects from it.
        "ipv6/conf/all/accept_dad": 0,
        "ipv6/conf/default/accept_dad": 0,
    }
    commands = [f"echo {value} > /proc/sys/net/{knob}" for knob, value in knobs.items()]
    namespace.run("sh", "-ec", "; ".join(commands))


def play(client: Path, combination: Combination, count: int) -> Counter[str]:
    """Make so many handshakes in a namespace of their own; what both ends counted."""
    namespace = Namespace()
    try:
        tell_kernel(namespace, combination)
        spec = {
            "kernel": KERNEL,
            "ours": list(OURS.values()),
            "sysctl": VIA[combination.via],
        }
        server = namespace.start(
            sys.executable,
            PEERS / "handshake_server.py",
            json.dumps(spec),
            stdin=subprocess.PIPE,
        )
        ready = server.stdout.readline()
        if ready != "ready\n":
            raise RuntimeError(f"{ready}{server.communicate()[1]}")
        words = (client, OURS[combination.family], PORT, count, AT_ONCE)
        said = json.loads(namespace.run(*words, seconds=SECONDS_MAX))
        out, error = server.communicate(timeout=PATIENCE)
        if server.returncode:
            raise RuntimeError(error)
        return tally(said, json.loads(out))
    finally:
        namespace.close()


def tally(client: dict, server: dict) -> Counter[str]:
    """Put what both ends say into one set of counts."""
    refused = client.pop("refused")
    link = server.pop("link")
    counts = Counter(client) + Counter(server)
    counts["lost"] = link["too_large"] + link["send_failed"]
    counts["refused"] = sum(refused.values())
    for error, times in refused.items():
        counts[f"refused: {error}"] = times
    return counts


def faults(combination: Combination, count: int, counts: Counter[str]) -> list[str]:
    """Say what is not as it has to be."""
    via = {"cache": "sc_completed", "cookie": "sc_recvcookie"}
    other = {"cache": "sc_recvcookie", "cookie": "sc_completed"}
    expected = {
        "done": count,
        "refused": 0,
        "timestamps": count * combination.timestamps,
        "wscale": count * combination.wscale,
        "sack": count,
        via[combination.via]: count,
        other[combination.via]: 0,
        "sc_failcookie": 0,
        "listendrop": 0,
    }
    return [
        f"{combination}: {name} is {counts[name]}, not {value}"
        for name, value in expected.items()
        if counts[name] != value
    ]


def run(client: Path, combination: Combination, count: int) -> tuple[str, list[str]]:
    """Make handshakes of one combination; one line about them, and the faults."""
    counts: Counter[str] = Counter()
    for begun in range(0, count, RUN_MAX):
        counts += play(client, combination, min(RUN_MAX, count - begun))
    errors = [f"{times} {name}" for name, times in counts.items() if ": " in name]
    line = (
        f"{combination}  done {counts['done']:7}  refused {counts['refused']}  "
        f"{counts['done'] / counts['seconds']:6.0f}/s  "
        f"over 0.9 s {counts['slow']}  SYN again {counts['sc_dupsyn']}"
    )
    return "  ".join([line, *errors]), faults(combination, count, counts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--count", type=int, default=160_000, help="handshakes in all")
    total = parser.parse_args().count
    share = -(-total // len(COMBINATIONS))
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        client = compile_client(Path(folder))
        for combination in COMBINATIONS:
            line, found = run(client, combination, share)
            print(line, flush=True)
            wrong += found
    print("\n".join([*wrong, f"{share * len(COMBINATIONS)} handshakes"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
