"""Honest clients beside a flood of every kind, at every engine.

    make floods ARGS="[--engines A,B] [--kinds A,B] [--families 4,6] ..."

prints how many clients were served and how long they took, calm and flooded.  The
engine `kernel` is none: the kernel's own listener in the middle, to compare with, and
what `shield` stands before.  The namespaces are those of shielded.py; `serve` runs in
the middle one and is the server.  The floods are peers/storm.c's, the clients
bench/clients.c's.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from namespace import PATIENCE, PEERS, ROOT, wait_until
from shielded import ADDRESS, CLIENT, Shielded, build, hardware

COMMAND = [sys.executable, "-m", "syncache.cli"]
LINKS = ["--outside", "o0", "--inside", "i0"]
OURS = [f"--address={ADDRESS[4]}/24", f"--address={ADDRESS[6]}/64"]
SPOOFED = {4: "10.0.0.0/8", 6: "fd00:10::/32"}
SERVING = {"serve-packet": "--packet", "serve-xdp": "--xdp"}
ENGINES = ("inspect", "intercept", *SERVING)
AT_US = (*SERVING, "kernel", "shield")  # clients connect to the middle
KINDS = (
    "syn",
    "udp",
    "ack",
    "fin",
    "rst",
    "fragments",
    "duplicates",
    "established",
    "silent",
    "sowed",
)
PRIORITY = 10  # of real time; the kernel leaves the others a twentieth
LEAD = 0.4  # seconds of the flood before and after the clients
# Packets a second; of those that complete handshakes fewer, each is a connection.
RATE = 40_000
RATES = {"silent": 4000, "sowed": 4000}


class Stormed(Shielded):
    """Also floods, clients, and engines by name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.listeners = []
        # Frames of XDP are taken by NAPI, which veth has with GRO.
        self.us.run("ethtool", "-K", "o0", "gro", "on")
        self.client.run("ethtool", "-K", "c0", "tso", "off")
        self.server.run("ip", "route", "add", SPOOFED[4], "via", CLIENT[4])
        self.server.run("ip", "route", "add", SPOOFED[6], "via", CLIENT[6])
        self.storm = build(PEERS / "storm.c")
        self.clients = build(ROOT / "bench" / "clients.c")
        for address in ADDRESS.values():
            server = self.server.start(self.clients, "serve", address, 80, stdin=-1)
            assert "ready\n" == server.stdout.readline()

    def start_kernel(self):
        """Listen with the kernel's sockets where `serve` would."""
        self.engine = "kernel"
        for family, address in ADDRESS.items():
            size, quick = ("24", ()) if family == 4 else ("64", ("nodad",))
            self.us.run("ip", "addr", "add", f"{address}/{size}", "dev", "o0", *quick)
            listener = self.us.start(self.clients, "serve", address, 80, stdin=-1)
            assert "ready\n" == listener.stdout.readline()
            self.listeners.append(listener)
        self.route_back()

    def start_engine(self, engine, *words, app=("--echo",)):
        """Start an engine, a server with its application, and wait for its line."""
        if engine in SERVING:
            command = ["serve", *app, SERVING[engine], "o0", *OURS]
        elif engine == "shield":
            if not self.listeners:
                self.start_kernel()
            command = ["shield", "o0", "--port", "80"]
        elif engine == "intercept":
            command = ["intercept", *LINKS, "--list", self.acl]
        else:
            command = ["inspect", *LINKS]
        self.engine = engine
        self.log = Path(self.folder, "log")
        self.process = self.us.start(*COMMAND, *command, "--log", self.log, *words)
        wait_until(self.has_begun)
        if engine in SERVING:
            self.route_back()
        return self.process

    def route_back(self):
        """Where the flood's sources are, for what leaves by the kernel's routes."""
        for family, prefix in SPOOFED.items():
            # A server that was killed has left it.
            self.us.run("ip", "route", "replace", prefix, "via", CLIENT[family])

    def has_begun(self):
        """Has it said its first line?"""
        assert self.process.poll() is None, self.process.communicate()[1]
        return self.log.exists() and self.log.read_text() != ""

    def end_engine(self):
        """End it in an orderly way; the lines of its log."""
        self.process.send_signal(signal.SIGINT)
        out, error = self.process.communicate(timeout=PATIENCE)
        assert (0, "") == (self.process.returncode, error), (out, error)
        lines = self.log.read_text().splitlines()
        self.log.unlink()
        return lines

    def processor_seconds(self):
        """What the engine's process has used, all threads; the kernel has none."""
        if self.engine == "kernel":
            return 0.0
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def target_mac(self):
        """Where frames for the server's address go."""
        if self.engine in AT_US:
            return hardware(self.us, "o0")
        return self.mac("s0")

    def flood(self, kind, family, rate, seconds):
        """Flood port 80 from now on."""
        process = self.client.start(
            *(self.storm, "c0", self.target_mac(), kind),
            *(ADDRESS[family], 80, rate, seconds),
        )
        assert "flooding\n" == process.stderr.readline()
        return process

    def crowd(self, family, count, every_ms=20, timeout_ms=30_000):
        """Begin to visit port 80."""
        spec = (ADDRESS[family], 80, count, every_ms, timeout_ms)
        return self.client.start(self.clients, "connect", *spec)


def real_time():
    """Have everything that is started from here on run before what else there is."""
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))


def result(process, seconds=PATIENCE):
    """What a program printed."""
    out, error = process.communicate(timeout=seconds)
    assert 0 == process.returncode, error
    return json.loads(out)


def percentile(times, share):
    """The value that a share of the times does not exceed."""
    times = sorted(times) or [float("inf")]
    return times[min(len(times) - 1, int(len(times) * share / 100))]


def visited(made, kind, family, count, rate):
    """Clients beside a flood: their times, and what the flood was."""
    flood = made.flood(kind, family, rate, LEAD + count * 0.02 + LEAD)
    time.sleep(LEAD)
    clients = result(made.crowd(family, count))
    return clients, result(flood)


def row(made, kind, family, count, rate):
    """One flood at the engine that runs; a line of the table."""
    quiet = result(made.crowd(family, count))
    before = made.processor_seconds()
    clients, attack = visited(made, kind, family, count, RATES.get(kind, rate))
    each = (made.processor_seconds() - before) / attack["sent"] * 1e6
    calm, times = quiet["served_ms"], clients["served_ms"]
    more = percentile(times, 99) - percentile(calm, 99)
    connects = " -> ".join(
        f"{percentile(ms, 50):.2f}, {percentile(ms, 99):.2f}"
        for ms in (quiet["connect_ms"], clients["connect_ms"])
    )
    print(
        f"{made.engine:13}{kind:12}IPv{family} {attack['sent']:7} sent "
        f"{attack['heard']:7} back  {len(times):3} of {count} served  "
        f"{each:5.1f} us each  "
        f"p99 {percentile(calm, 99):8.1f} -> {percentile(times, 99):8.1f} ms  "
        f"connect p50, p99 {connects} ms"
        f" {'' if len(times) == count and more <= 50 else ' <---'}",
        flush=True,
    )


def main() -> None:
    """Every flood at every engine, an engine anew for each."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--families", default="4,6")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument(
        "--real-time", action="store_true", help="for figures of a busy machine"
    )
    parser.add_argument("options", nargs="*", help="of the engines")
    given = parser.parse_args()
    if given.real_time:
        real_time()
    for engine in given.engines.split(","):
        for family in map(int, given.families.split(",")):
            for kind in given.kinds.split(","):
                with tempfile.TemporaryDirectory() as folder:
                    made = Stormed(Path(folder))
                    try:
                        if engine == "kernel":
                            made.start_kernel()
                        else:
                            made.start_engine(engine, *given.options)
                        row(made, kind, family, given.clients, given.rate)
                        if engine != "kernel":
                            made.end_engine()
                    finally:
                        made.close()


if __name__ == "__main__":
    main()
