"""
A fleet behind ECMP: handshakes while machines come, go and die, and keys change.

    +-- client --+      +------ router ------+  r1 == m0  member 1  serve --fleet
    |    c0 ============= r0     ECMP by     +  r2 == m0  member 2
    | 198.18.0.1 |      | L4 hash of tuples  |  r3 == m0  member 3
    +------------+      +--------------------+     |
                                              Valkey, by a socket in a folder
    One address for all: 198.18.100.1 and fd00:18:100::1.

Every client of the kernel's TCP connects, sends 16 bytes and has to get them back.  All
the while the hash is cut anew ten times a second, by turns of a resilient and an
ordinary next-hop group with other weights, so that SYN and ACK part; members leave,
join and are killed with their packets still routed to them; keys rotate; Valkey is
killed and comes back empty; wall clocks differ by all of the allowed skew; and SYNs
that nobody stands behind flood.  `ecmp.py --count 100000 --rotations 20` is the long
run of docs/fleet.md.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import namespace
from handshakes import compile_client
from namespace import PEERS, ROOT, Namespace
from valkey_server import ValkeyServer

from syncache.control import Client

MEMBERS = (1, 2, 3)
ANYCAST = {4: "198.18.100.1", 6: "fd00:18:100::1"}
LENGTH = {4: 32, 6: 128}
PORT = 7
AT_ONCE = 64
LIFETIME, SKEW_MS = 32, 1000
SHORT_LIFETIME = 8  # of the long run, so that twenty keys come into force
LEAD = "5"  # longer than Valkey is away, and its members are patient
ERRORS = {1: -0.49, 2: 0.0, 3: 0.49}  # of wall clocks, in seconds
TICK_SECONDS = 0.1
LONG_SECONDS_MAX = 900
COUNTERS = ("sc_recvcookie", "sc_completed", "ts_refused", "cookie_no_key")
DRAINED = 20  # a member leaves a second after its packets go elsewhere
SECONDS_MAX = 120
RESILIENT, ORDINARY = {4: 100, 6: 101}, {4: 200, 6: 201}
FLOOD_EVERY = 0.001  # seconds between two SYNs from nowhere


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
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    # Members.

    def start(self, number: int) -> None:
        """Start a member; it serves when this returns."""
        self.address(number, "replace")
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
            self.lines.append(line)
        threading.Thread(target=self._read, args=(process,), daemon=True).start()
        self.running[number] = process

    def _read(self, process: subprocess.Popen[str]) -> None:
        self.lines += list(process.stdout)

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
        assert process.wait(20) == 0
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
        self.counts["cuts"] += 1

    def close(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()
        for machine in (self.client, self.router, *self.machines.values()):
            machine.close()
        self.valkey.close()


class Play:
    """What happens to the fleet while clients connect, in turns of a tick."""

    def __init__(self, world: World, rotations: int, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.rotations = rotations
        self.tick = self.steps = 0
        self.rotation_due = 0.0
        self.rotator: subprocess.Popen[str] | None = None
        self.away: int | None = None
        self.starting = threading.Thread()
        self.valkey_down = False

    def cut(self, members: set[int]) -> None:
        kind = "resilient" if self.tick % 4 == 0 else "ordinary"
        weights = {number: self.random.randint(1, 4) for number in MEMBERS}
        self.world.route(members, kind, weights)

    def turn(self) -> None:
        """Do what this tick has."""
        world, phase = self.world, self.tick % 60
        members = set(world.running)
        self.steps += 1
        if phase in (10, 36) and len(members) < len(MEMBERS):
            self.cut(members)  # until all are there again
            self.keys()
            return
        if phase == 10:  # one leaves, after the router knows
            self.away = self.random.choice(MEMBERS)
            self.cut(members - {self.away})
        elif phase == DRAINED:
            world.leave(self.away)
        elif phase in (24, 44):
            self.starting = threading.Thread(target=world.start, args=(self.away,))
            self.starting.start()
        elif phase == 36:  # one dies, and the router learns of it four ticks later
            self.away = self.random.choice(MEMBERS)
            world.kill(self.away)
        elif not 10 < phase < DRAINED and not 36 <= phase < 40:
            self.cut(members)
        self.keys()
        if phase in {26, 34}:
            self.toggle_valkey()
        self.tick += 1

    def keys(self) -> None:
        """Rotate, one after the other, while Valkey is there."""
        rotator = self.rotator
        if rotator is not None and rotator.poll() is not None:
            done = rotator.returncode == 0
            self.world.counts["rotations"] += done
            self.rotations -= done  # one that Valkey's death has spoiled comes again
            self.rotator = rotator = None
        due = time.monotonic() >= self.rotation_due and not self.valkey_down
        if rotator is None and due and self.rotations > 0:
            # One an epoch, so that each of the keys makes cookies.
            self.rotation_due = time.monotonic() + self.world.lifetime
            conf = self.world.conf(1)
            words = ["rotate", str(conf), "--no-wait", "--lead", LEAD]
            command = [sys.executable, "-m", "syncache.cli", "fleet", *words]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            self.rotator = subprocess.Popen(command, cwd=ROOT, **quiet)

    def toggle_valkey(self) -> None:
        """Kill it; a second later it is there again, empty."""
        self.valkey_down = not self.valkey_down
        if self.valkey_down:
            self.world.valkey.close()
            self.world.counts["valkey killed"] += 1
        else:
            self.world.valkey.start()


def flood(world: World, seconds: float):
    """SYNs from sources that do not exist; ends by itself."""
    count = int(seconds / FLOOD_EVERY)
    spec = {"kind": "syn", "target": ANYCAST[4], "count": count}
    spec |= {"every": FLOOD_EVERY, "port": PORT}
    words = [sys.executable, PEERS / "spoofer.py", json.dumps(spec)]
    return world.client.start(*words)


def play(
    folder: Path,
    count: int,
    rotations: int,
    *,
    seed: int = 1,
    seconds_max: int = SECONDS_MAX,
    lifetime: int = LIFETIME,
) -> dict:
    """Make so many handshakes, half of each family; return what was counted."""
    namespace.LIFETIME_SECONDS = seconds_max + 20
    world = World(folder, lifetime)
    try:
        client = compile_client(folder)
        for number in MEMBERS:
            world.start(number)
        scene = Play(world, rotations, seed)
        scene.cut(set(world.running))
        share = str(count // 2)
        clients = [
            world.client.start(client, address, str(PORT), share, str(AT_ONCE // 2))
            for address in ANYCAST.values()
        ]
        noise = flood(world, seconds_max)
        began = time.monotonic()
        busy = True
        while busy or scene.tick <= 60 or scene.rotations > 0 or scene.rotator:
            busy = any(process.poll() is None for process in clients)
            due = began + scene.steps * TICK_SECONDS - time.monotonic()
            time.sleep(max(due, 0))
            scene.turn()
            assert time.monotonic() - began < seconds_max, dict(world.counts)
        noise.kill()
        if scene.starting.ident is not None:
            scene.starting.join()
        refused: Counter[str] = Counter()
        for family, process in zip(ANYCAST, clients, strict=True):
            said = json.loads(process.stdout.read())
            refused.update(
                {f"IPv{family}: {why}": n for why, n in said.pop("refused").items()}
            )
            for name in ("done", "orphaned", "slow"):
                world.counts[name] += said[name]
        for number in list(world.running):
            if world.running[number].poll() is not None:
                world.counts["crashed"] += 1
                print("".join(world.lines[-40:]), file=sys.stderr)
                continue
            world.count(number)
        seconds = time.monotonic() - began
        alarms = sum("ALARM" in line for line in world.lines)
        cleared = sum("is over" in line for line in world.lines)
        return {
            **world.counts,
            "alarms": alarms,
            "cleared": cleared,
            "refused": dict(refused),
            "seconds": round(seconds, 1),
        }
    finally:
        world.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rotations", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        said = play(
            Path(folder),
            options.count,
            options.rotations,
            seed=options.seed,
            seconds_max=LONG_SECONDS_MAX,
            lifetime=SHORT_LIFETIME,
        )
    print(json.dumps(said, indent=1))
    return int(bool(said["refused"]) or said["orphaned"] > AT_ONCE * said["killed"])


if __name__ == "__main__":
    sys.exit(main())
