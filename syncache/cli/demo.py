"""`syncache demo`: the same load on four configurations, in a namespace of our own.

    kernel clients (198.18.0.1) --+
                                  +--> TUN --> our TCP (198.18.0.2)
    flood from 10.0.0.0/8 --------+

A namespace is made, and goes away with this process; no packet leaves it.  Every run
has a server process, a client process and a flood process of its own, so the memory of
one run says nothing about another's.  Where the kernel allows no namespace the load is
played on an in-memory link (`rehearsal`), and that is said.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import Failure
from .load import OURS, PORT
from .options import check_outputs
from .report import Run, save_picture, show_table

if TYPE_CHECKING:
    from collections.abc import Iterator

TUN = "syncache0"
CLONE_NEWNET = 0x40000000
CLONE_NEWUSER = 0x10000000

QUIET_SECONDS = 0.5  # before the flood
ALONE_SECONDS = 1.0  # flood without clients
CLIENT_EVERY = 0.03
CLIENT_TIMEOUT = 3.0
WARM_UP_SECONDS = 2.0  # of the flood; memory is to be flat from then on
# Of an option, the least and the most.
BOUNDS = {"rate": (0, 10_000_000), "seconds": (0.1, 3600), "clients": (1, 10_000)}

# What each run changes of the defaults.
RUNS: dict[str, dict[str, int | str]] = {
    "defaults": {},
    "no defence": {
        "net.inet.tcp.syncookies": 0,
        "net.inet.tcp.syncache.cachelimit": 128,
        "net.inet.tcp.syncache.x.overflow": "drop-new",
    },
    "cache alone": {"net.inet.tcp.syncookies": 0},
    "cookies alone": {"net.inet.tcp.syncookies_only": 1},
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache demo", description="Serve clients through a SYN flood."
    )
    p.add_argument("--rate", type=int, default=100_000, help="SYN/s [%(default)s]")
    p.add_argument("--seconds", type=float, default=8.0, help="of flood [%(default)s]")
    p.add_argument("--clients", type=int, default=200, help="[%(default)s]")
    p.add_argument("--only", choices=RUNS, action="append", help="these runs alone")
    p.add_argument("--json", metavar="FILE", type=Path, help="write the figures")
    p.add_argument(
        "--picture",
        metavar="FILE",
        type=Path,
        default=Path("syncache-demo.png"),
        help="[%(default)s]",
    )
    p.add_argument("--in-memory", action="store_true", help="without namespace and TUN")
    return p


def run(options: argparse.Namespace) -> int:
    """Play the load on each configuration and show the results."""
    for name, (least, most) in BOUNDS.items():
        value = getattr(options, name)
        if not least <= value <= most:
            raise Failure(f"--{name} is {least} to {most}, not {value}")
    check_outputs(options, ("json", "picture"))
    names = options.only or list(RUNS)
    obstacle = "asked for" if options.in_memory else enter_namespace()
    if obstacle:
        from .rehearsal import rehearse

        print(f"no namespace ({obstacle}): on an in-memory link, in virtual time")
        runs = [rehearse(name, RUNS[name], options) for name in names]
    else:
        with tempfile.TemporaryDirectory() as folder:
            flood = compile_flood(Path(folder))
            runs = [play(name, RUNS[name], options, flood) for name in names]
    show_table(runs)
    if options.json:
        figures = {"runs": [r.figures() for r in runs]}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    save_picture(runs, options.picture)
    return 0


def enter_namespace() -> str:
    """Move into a new network namespace; return the obstacle, or nothing."""
    if sys.platform != "linux":
        return f"this is {sys.platform}"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNET) == 0:
        return ""
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return os.strerror(ctypes.get_errno())
    try:
        Path("/proc/self/setgroups").write_text("deny", "ascii")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1", "ascii")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1", "ascii")
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        return str(error)
    return ""


def compile_flood(folder: Path) -> Path:
    """Build the flood generator, which lies beside this file."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Failure("the flood needs a C compiler: apt-get install gcc")
    program = folder / "flood"
    source = Path(__file__).with_name("flood.c")
    done = subprocess.run(
        [*compiler.split(), "-O2", "-o", program, source],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failure(f"{compiler} cannot build the flood: {done.stderr.strip()[:200]}")
    return program


@dataclass
class Server:
    """The server process, and its output so far."""

    process: subprocess.Popen[str]
    told: list[dict[str, Any]] = field(default_factory=list)

    def listen(self) -> None:
        """Collect the output of the process until it ends; runs in a thread."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told.append(json.loads(line))

    @property
    def samples(self) -> list[dict[str, Any]]:
        """Its observations, in time."""
        return [line for line in self.told if "t" in line]

    def cache_bytes(self) -> int:
        """Return the memory of the cache."""
        return next(int(line["cache_bytes"]) for line in self.told if "t" not in line)


@contextlib.contextmanager
def server(settings: dict[str, int | str]) -> Iterator[Server]:
    """Run a server process and wait until it serves."""
    process = spawn("server", {"tun": TUN, "sysctl": settings}, stdin=subprocess.PIPE)
    it = Server(process)
    thread = threading.Thread(target=it.listen)
    thread.start()
    try:
        while not it.samples:
            if process.poll() is not None:
                raise Failure("the server did not start, see above")
            time.sleep(0.02)
        yield it
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
        thread.join()


def spawn(role: str, spec: dict[str, Any], **options: Any) -> subprocess.Popen[str]:
    """Start one of the processes of load.py."""
    words = [sys.executable, "-m", "syncache.cli.load", role, json.dumps(spec)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, **options)


def play(
    name: str,
    settings: dict[str, int | str],
    options: argparse.Namespace,
    flood: Path,
) -> Run:
    """Play the load once."""
    spec = {
        "clients": options.clients,
        "every": CLIENT_EVERY,
        "timeout": CLIENT_TIMEOUT,
    }
    words = [str(flood), TUN, OURS, str(PORT), str(options.rate), str(options.seconds)]
    with server(settings) as it:
        time.sleep(QUIET_SECONDS)
        start = time.monotonic()
        flooding = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        crowd = None
        try:
            time.sleep(ALONE_SECONDS)
            crowd = spawn("clients", spec)
            clients = list(watch(name, crowd, options.clients))
            sent = int(flooding.communicate(timeout=options.seconds + 10)[0] or 0)
            end = time.monotonic()
        finally:
            for process in (flooding, crowd):
                if process is not None and process.poll() is None:
                    process.send_signal(signal.SIGKILL)
    if flooding.returncode:
        raise Failure("the flood did not start, see above")
    return Run(
        name=name,
        clients=sorted(clients, key=lambda c: int(c["client"])),
        samples=it.samples,
        cache_bytes=it.cache_bytes(),
        flood=(start, min(end, start + options.seconds)),
        sent=sent,
        warm_up=WARM_UP_SECONDS,
    )


def watch(
    name: str, crowd: subprocess.Popen[str], count: int
) -> Iterator[dict[str, Any]]:
    """Yield the clients' reports, with a progress bar on a terminal."""
    assert crowd.stdout is not None
    served = 0
    for number, line in enumerate(crowd.stdout, 1):
        seen = json.loads(line)
        served += seen["served"]
        if sys.stderr.isatty():
            bar = ("#" * (30 * number // count)).ljust(30)
            text = f"\r{name:14} [{bar}] {served} of {number} served"
            print(text, end="\n" * (number == count), file=sys.stderr, flush=True)
        yield seen
    crowd.wait()
