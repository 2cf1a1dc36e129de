"""Two network namespaces and a veth pair: a flood on processor 0, its victim on 1.

                 attacker                          victim
    clients   198.18.0.1                         198.18.0.2   port 80
    flood     10.0.0.0/8    va  <--- veth --->  vv            whoever listens
              processor 0                        processor 1: NAPI thread and listener

How the work comes to its processor, and what would spoil a figure:

- The victim's NAPI runs in a thread (GRO on makes veth have one), so that whatever
  the frames cost is paid on processor 1, as behind a driver of hardware.
- SYN-ACKs go back to processor 0 (RPS), are counted there by flood.c and dropped.
- Priorities (SCHED_FIFO): generator 5, NAPI 10, listener 20, clients 30, the
  measuring thread 50.  With the listener below NAPI it would starve (receive livelock).
  Who only holds a program of the kernel has 5: what it looks after four times a second
  would cost as many milliseconds of the flood.
- The clients' side has no TSO: with it their packets would take another way into the
  victim than the flood's, past the full ring, and every figure would look perfect.
- A ring of veth holds 256 frames; what finds it full is lost, flood and clients alike.
  Where the flood is to stay below capacity, and only moments are to be got over in
  which the victim is held up, `queue` gives the clients' end a qdisc: since Linux 6.16
  packets wait in it for room, as those that a host forwards to a container do.  The
  flood's frames do not: XDP takes them past it.
- Frames that the victim transmits in place (XDP_TX) are counted by XDP, in a NAPI
  thread of the attacker's end on processor 0, above the generator.
- No metrics are saved of peers, or the kernel would prefer those that it has seen.

Nothing leaves the pair; namespaces have no name and die with their keeper.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from typing_extensions import Self

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "bench"
CLIENT, SERVER, PORT = "198.18.0.1", "198.18.0.2", 80
CLIENT_MAC, SERVER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
SPOOFED = "10.0.0.0/8"
LIFETIME_SECONDS = 1200
FLOOD, COUNTING, HOLDING, NAPI, LISTENER, CLIENTS = 5, 6, 5, 10, 20, 30  # priorities
ATTACKING, LISTENING = 0, 1  # processors
BACKLOG = 4096
QUEUED = 1000  # packets that wait for room in the ring: what devices of hardware have
WRITE = 'echo "$1" > "$2"'
NEEDED = {
    "unshare": "util-linux",
    "chrt": "util-linux",
    "ip": "iproute2",
    "tc": "iproute2",
    "sysctl": "procps",
    "ethtool": "ethtool",
    "nft": "nftables",
    "cc": "gcc",
}


class WireError(Exception):
    """The machine cannot do it; one line that says what to do."""


class Window(NamedTuple):
    """What the flood counted, per second."""

    generated: float
    answered: float
    others: float


class Crowd(NamedTuple):
    """Milliseconds until each client was connected, and served; only those who were.

    `reused` of them had the port of the one before, in TIME-WAIT at the server.
    """

    connect_ms: list[float]
    served_ms: list[float]
    reused: int


class Side:
    """A network namespace with a /sys of its own."""

    def __init__(self) -> None:
        script = (
            f"mount -t sysfs sysfs /sys && echo up && exec sleep {LIFETIME_SECONDS}"
        )
        self._keeper = subprocess.Popen(
            ["unshare", "--net", "--mount", "--kill-child", "sh", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self._keeper.stdout is None or self._keeper.stdout.readline() != "up\n":
            why = self._keeper.communicate()[1].strip()
            raise WireError(f"no network namespace ({why}): run as root")
        self.pid = self._keeper.pid

    def command(self, *words: object) -> list[str]:
        """Return the command that runs another one in here."""
        enter = ["nsenter", f"--target={self.pid}", "--net", "--mount"]
        return [*enter, "--", *map(str, words)]

    def run(self, *words: object) -> str:
        """Run a command in here; return its output."""
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise WireError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
        return done.stdout

    def start(self, priority: int, processor: int, *words: object) -> Process:
        """Start a command in here with a real-time priority, on one processor."""
        bound = ["chrt", "-f", priority, "taskset", "-c", processor]
        return Process(self.command(*bound, *words))

    def close(self) -> None:
        """End everything."""
        with self._keeper as keeper:
            keeper.kill()


class Process(subprocess.Popen[str]):
    """A running command that is ended when its `with` is."""

    def __init__(self, words: list[str]) -> None:
        pipe = subprocess.PIPE
        super().__init__(
            words,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )

    def ready(self) -> Self:
        """Wait until it says so."""
        if self.stdout is None or self.stdout.readline() != "ready\n":
            raise WireError(f"a listener does not start: {self.communicate()[1]}")
        return self

    def __exit__(self, *_: object) -> None:
        self.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.communicate(timeout=5)
        self.kill()
        super().__exit__(None, None, None)

    def result(self, seconds: float) -> dict[str, Any]:
        """Wait for its end; return the JSON that it printed."""
        out, error = self.communicate(timeout=seconds)
        if self.returncode != 0:
            raise WireError(error.strip())
        return json.loads(out)


class Wire:
    """The pair, ready; close it."""

    def __init__(self, folder: Path) -> None:
        missing = [
            f"{t} (apt-get install {p})" for t, p in NEEDED.items() if not which(t)
        ]
        if missing:
            raise WireError(f"missing: {', '.join(missing)}")
        if os.geteuid() != 0 or (os.cpu_count() or 1) < 2:
            raise WireError("needs root and two processors")
        self.flood_program = build(folder, "flood", "flood.c", "flood_bpf.c")
        self.clients_program = build(folder, "clients", "clients.c")
        self.counts_frames = False  # as frames, by XDP, and not as packets, in tc
        self.attacker, self.victim = Side(), Side()
        self.va, self.vv = f"va{os.getpid()}", f"vv{os.getpid()}"
        try:
            self._configure()
        except BaseException:
            self.close()
            raise

    def _configure(self) -> None:
        attacker, victim = self.attacker, self.victim
        make = f"ip link add {self.va} address {CLIENT_MAC} type veth "
        make += f"peer name {self.vv} address {SERVER_MAC}"
        attacker.run(*make.split())
        pid = victim.pid
        attacker.run("ip", "link", "set", self.vv, "netns", pid)
        for side, name, address in (
            (attacker, self.va, CLIENT),
            (victim, self.vv, SERVER),
        ):
            side.run("ip", "address", "add", f"{address}/24", "dev", name)
            side.run("ip", "link", "set", "lo", "up")
            side.run("ip", "link", "set", name, "up")
            side.run("sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1")
        for side, name, address, mac in (
            (attacker, self.va, SERVER, SERVER_MAC),
            (victim, self.vv, CLIENT, CLIENT_MAC),
        ):
            neighbour = f"ip neigh replace {address} lladdr {mac} dev {name}"
            side.run(*neighbour.split(), "nud", "permanent")
        victim.run("ip", "route", "add", SPOOFED, "via", CLIENT)
        for name in ("net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog"):
            victim.run("sysctl", "-qw", f"{name}={BACKLOG}")
        attacker.run("ethtool", "-K", self.va, "tso", "off")
        victim.run("ethtool", "-K", self.vv, "gro", "on")
        rps = f"/sys/class/net/{self.va}/queues/rx-0/rps_cpus"
        attacker.run("sh", "-c", WRITE, "-", 1 << ATTACKING, rps)
        threaded = f"/sys/class/net/{self.vv}/threaded"
        victim.run("sh", "-c", WRITE, "-", 1, threaded)
        self.pin_napi()

    def pin_napi(self) -> None:
        """Put the NAPI threads of both ends in their place."""
        if not napi_threads(self.vv):
            raise WireError("veth has no NAPI thread: Linux 5.12 or newer is needed")
        for name, processor, priority in (
            (self.vv, LISTENING, NAPI),
            (self.va, ATTACKING, COUNTING),
        ):
            for pid in napi_threads(name):
                os.sched_setaffinity(pid, {processor})
                os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(priority))

    def queue(self) -> None:
        """Let the clients' packets wait while the victim's ring is full."""
        words = f"qdisc replace dev {self.va} root pfifo limit {QUEUED}"
        self.attacker.run("tc", *words.split())

    def flood(self, rate: float, warm: float, seconds: float) -> Process:
        """Start a flood of `rate` SYN/s (0: all that it can) for this long."""
        aim = (self.va, SERVER_MAC, SERVER, PORT)
        words = (*aim, rate, warm, seconds)
        if not self.counts_frames:
            return self.attacker.start(FLOOD, ATTACKING, self.flood_program, *words)
        # XDP needs NAPI at this end too; it gets a thread when GRO goes on, which has
        # to be in its place before the generator leaves it no time.
        self.attacker.run("ethtool", "-K", self.va, "gro", "on")
        path = f"/sys/class/net/{self.va}/threaded"
        self.attacker.run("sh", "-c", WRITE, "-", 1, path)
        self.pin_napi()
        flood = self.attacker.start(FLOOD, ATTACKING, self.flood_program, *words, "xdp")
        time.sleep(warm / 2)
        self.pin_napi()
        return flood

    def window(self, rate: float, warm: float = 0.3, seconds: float = 1.0) -> Window:
        """Flood the victim; return what was counted after the warm-up."""
        with self.flood(rate, warm, seconds) as flood:
            counted = flood.result(warm + seconds + 30)
        span = counted["seconds"]
        return Window(*(counted[name] / span for name in Window._fields))

    def crowd(
        self, count: int, interval_ms: float, timeout_ms: float, *, again: bool = False
    ) -> Crowd:
        """Let legitimate clients connect; return what they saw.

        Args:
            count: How many.
            interval_ms: Between two.
            timeout_ms: The patience of each.
            again: Every second one takes the port of the one before.
        """
        words: list[object] = ["connect", SERVER, PORT, count, interval_ms, timeout_ms]
        if again:
            words.append("again")
        with self.attacker.start(
            CLIENTS, ATTACKING, self.clients_program, *words
        ) as clients:
            return Crowd(**clients.result(count * interval_ms / 1e3 + 60))

    def close(self) -> None:
        """End the namespaces, and the pair with them."""
        self.attacker.close()
        self.victim.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def which(tool: str) -> str | None:
    """Find a program, also where only root looks."""
    return shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def build(folder: Path, name: str, *sources: str) -> Path:
    """Compile a program of this folder."""
    program = folder / name
    words = ["cc", "-std=c11", "-O2", *(str(HERE / s) for s in sources)]
    subprocess.run([*words, "-pthread", "-o", str(program)], check=True)
    return program


def napi_threads(interface: str) -> list[int]:
    """Find the kernel threads that do an interface's receiving."""
    found = []
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            if comm.read_text().startswith(f"napi/{interface}"[:15]):
                found.append(int(comm.parent.name))
    return found
