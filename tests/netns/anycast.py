"""
Three machines with one address behind a router that hashes tuples, and Valkey.

    +-- client --+      +------ router ------+  r1 == m0  member 1  serve --fleet
    |    c0 ============= r0     ECMP by     +  r2 == m0  member 2
    | 198.18.0.1 |      | L4 hash of tuples  |  r3 == m0  member 3
    +------------+      +--------------------+     |
                                              Valkey, by a socket in a folder
    One address for all: 198.18.100.1 and fd00:18:100::1.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING

from namespace import PATIENCE, PEERS, ROOT, Namespace
from valkey_server import ValkeyServer
from warm import begin

from syncache.control import Client

if TYPE_CHECKING:
    from pathlib import Path

MEMBERS = (1, 2, 3)
ANYCAST = {4: "198.18.100.1", 6: "fd00:18:100::1"}
LENGTH = {4: 32, 6: 128}
PORT = 7
LIFETIME, SKEW_MS = 32, 1000
ERRORS = {1: -0.5, 2: 0.0, 3: 0.5}  # of wall clocks: SKEW_MS apart
COUNTERS = ("sc_recvcookie", "sc_completed", "ts_refused", "cookie_no_key")
RESILIENT, ORDINARY = {4: 100, 6: 101}, {4: 200, 6: 201}


def batch(machine, lines):
    """Run commands of ip(8)."""
    machine.run("sh", "-ec", "; ".join(f"ip {words}" for words in lines))


def sysctl(machine, **knobs):
    commands = [
        f"echo {value} > /proc/sys/net/{name.replace('__', '/')}"
        for name, value in knobs.items()
    ]
    machine.run("sh", "-ec", "; ".join(commands))


class World:
    """The namespaces, Valkey, and the members that run."""

    def __init__(self, folder: Path, lifetime: int = LIFETIME) -> None:
        self.folder = folder
        self.lifetime = lifetime
        self.counts: Counter[str] = Counter()
        self.running: dict[int, subprocess.Popen[str]] = {}
        self.routed: set[int] = set()
        self.lines: list[str] = []
        self.alarms: dict[int, set[str]] = {}  # that are not over, by member
        self.valkey = ValkeyServer(folder)
        self.client, self.router = Namespace(), Namespace()
        self.machines = {number: Namespace() for number in MEMBERS}
        try:
            self._lay()
            self._found()
        except BaseException:
            self.close()
            raise

    def _lay(self) -> None:
        """Lay the links, addresses and routes."""
        self.client.join("c0", self.router, "r0", "198.18.0.1/24", "fd00:18::1/64")
        self.router.link("up", "r0", "198.18.0.2/24", "fd00:18::2/64")
        ways = [
            "route add default via 198.18.0.2",
            "-6 route add default via fd00:18::2",
            "link set lo up",
            "route add blackhole 10.0.0.0/8",
        ]
        batch(self.client, ways)
        hops = ["route add 10.0.0.0/8 via 198.18.0.1"]
        for number, machine in self.machines.items():
            ends = f"198.18.{number}.1/24", f"fd00:18:{number}::1/64"
            self.router.join(f"r{number}", machine, "m0", *ends)
            ours = [f"198.18.{number}.2/24", f"fd00:18:{number}::2/64"]
            ours += [f"{ANYCAST[family]}/{LENGTH[family]}" for family in ANYCAST]
            machine.link("up", "m0", *ours)
            ways = [
                f"route add default via 198.18.{number}.1",
                f"-6 route add default via fd00:18:{number}::1",
            ]
            batch(machine, ways)
            hops += [
                f"nexthop add id {number} via 198.18.{number}.2 dev r{number}",
                f"nexthop add id {number + 10} via fd00:18:{number}::2 dev r{number}",
            ]
        sysctl(
            self.router,
            ipv4__ip_forward=1,
            ipv6__conf__all__forwarding=1,
            ipv4__fib_multipath_hash_policy=1,
            ipv6__fib_multipath_hash_policy=1,
        )
        batch(self.router, hops)

    def _found(self) -> None:
        """Make the group; every member joins."""
        for number in MEMBERS:
            conf = self.conf(number)
            conf.parent.mkdir()
            conf.write_text(
                f"group = web\nvalkey = {self.valkey.url}\nkey = {self.folder}/key\n"
                f"keyring = {conf.parent}/ring\nname = edge-{number}\n"
            )
            if number == 1:
                words = ["--lifetime", self.lifetime, "--skew-ms", SKEW_MS]
                self.fleet("init", conf, *words)
            else:
                self.fleet("join", conf)

    def conf(self, number: int) -> Path:
        return self.folder / f"edge-{number}" / "fleet.conf"

    def fleet(self, *words: object) -> None:
        """Run `syncache fleet`."""
        command = [sys.executable, "-m", "syncache.cli", "fleet", *map(str, words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = begin(command, cwd=ROOT, text=True, **pipes)
        error = process.communicate()[1]
        assert process.returncode == 0, error

    # Members.

    def start(self, number: int) -> None:
        """Start a member; it serves when this returns."""
        self.address(number, "replace")
        self.alarms[number] = set()
        words = ["serve", "--echo", "--packet", "m0", "--port", str(PORT)]
        words += [word for family in (4, 6) for word in ("--address", ANYCAST[family])]
        words += ["--fleet", str(self.conf(number)), "--backlog", "1024"]
        words += ["--sysctl", "net.inet.tcp.syncookies_only=1"] * (number == 2)
        words += ["--control", str(self.folder / f"edge-{number}" / "control")]
        skewed = [sys.executable, PEERS / "skewed.py", str(ERRORS[number])]
        process = self.machines[number].start(
            *skewed, *words, cwd=ROOT, stderr=subprocess.STDOUT
        )
        while not (line := process.stdout.readline()).startswith("echo on"):
            assert line.startswith("fleet web:"), line + process.stdout.read()
            self._note(number, line)
        reader = threading.Thread(target=self._read, args=(number, process))
        reader.daemon = True
        reader.start()
        self.running[number] = process

    def _read(self, number: int, process: subprocess.Popen[str]) -> None:
        for line in process.stdout:
            self._note(number, line)

    def _note(self, number: int, line: str) -> None:
        """Keep a line of a member, and which alarms are raised."""
        self.lines.append(line)
        words = line.split()
        if words[2:3] == ["ALARM"]:
            name = words[3].rstrip(":")
            self.alarms[number].add(name)
            self.counts[f"{name} raised"] += 1
        elif words[2:3] == ["alarm"]:
            self.alarms[number].discard(words[3])
            self.counts[f"{words[3]} over"] += 1

    def alarmed(self) -> set[str]:
        """Return the alarms of members that run."""
        return set().union(*(self.alarms[number] for number in [*self.running]))

    def count(self, number: int) -> None:
        """Add what a member counted, before it ends."""
        path = self.folder / f"edge-{number}" / "control"
        found = Client(path).request("stats")
        for name in COUNTERS:
            self.counts[name] += found[name]

    def kill(self, number: int) -> None:
        """End a machine without a word; packets are still routed to it.

        Its kernel is to be as dead as the process, so it knows the address no more.
        """
        self.count(number)
        process = self.running.pop(number)
        process.send_signal(signal.SIGSTOP)
        self.address(number, "del")
        process.kill()
        process.wait()
        self.counts["killed"] += 1

    def address(self, number: int, action: str) -> None:
        """Add the common address to a machine, or delete it."""
        batch(
            self.machines[number],
            [
                f"-{family} addr {action} {address}/{LENGTH[family]} dev m0"
                + " nodad" * (family == 6 and action == "replace")
                for family, address in ANYCAST.items()
            ],
        )

    def leave(self, number: int) -> None:
        """End it in an orderly way, after its packets go elsewhere."""
        self.count(number)
        process = self.running.pop(number)
        process.terminate()
        assert process.wait(PATIENCE) == 0
        self.counts["left"] += 1

    # The router.

    def route(self, members: set[int], kind: str, weights: dict[int, int]) -> None:
        """Cut the hash anew."""
        lines = []
        for family, address in ANYCAST.items():
            plus = 0 if family == 4 else 10
            group = "/".join(f"{n + plus},{weights[n]}" for n in sorted(members))
            number = (RESILIENT if kind == "resilient" else ORDINARY)[family]
            shape = " type resilient buckets 128 idle_timer 1" * (kind == "resilient")
            lines += [
                f"nexthop replace id {number} group {group}{shape}",
                f"-{family} route replace {address}/{LENGTH[family]} nhid {number}",
            ]
        batch(self.router, lines)
        self.routed = set(members)
        self.counts[f"{kind} cuts"] += 1

    def close(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()
        for machine in (self.client, self.router, *self.machines.values()):
            machine.close()
        self.valkey.close()
