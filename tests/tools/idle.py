"""Instructions that idle commands run a second, alone and while `syncache top` looks.

    unshare -n .venv/bin/python tests/tools/idle.py [--seconds 30] [COMMAND ...]

Counted by valgrind, without the kernel's: on a machine that is idle itself the time of
a processor is that of its caches, which have forgotten the code after a second, and no
measure of a program.  It runs in a network namespace of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STARTED_SECONDS = 180.0
SETTLED_SECONDS = 14.0  # longer than the rest of a process between two looks
COMMANDS = {
    "serve": ["--packet", "o0", "--echo", "--address", "198.18.0.1/24", "--port", "7"],
    "intercept": ["--outside", "o0", "--inside", "i0"],
    "inspect": ["--outside", "o0", "--inside", "i0"],
    "shield": ["o0", "--port", "80"],
}
SETUP = """
ip link add o0 type veth peer name c0
ip link add i0 type veth peer name s0
for each in o0 c0 i0 s0 lo; do ip link set $each up; done
ip address add 198.18.0.1/24 dev o0
"""
SYNCACHE = (sys.executable, "-m", "syncache")


def counted(process: subprocess.Popen[bytes], counts: Path, seconds: float) -> float:
    """Return the instructions a second of a process that valgrind runs."""

    def control(*words: str) -> None:
        command = ["callgrind_control", *words, str(process.pid)]
        subprocess.run(command, check=True, capture_output=True)

    control("-i", "on")
    control("-z")
    time.sleep(seconds)
    control("-d")
    control("-i", "off")
    newest = max(counts.parent.glob(f"{counts.name}*"), key=os.path.getmtime)
    found = re.search(r"^(?:summary|totals): (\d+)", newest.read_text(), re.MULTILINE)
    return int(found[1]) / seconds if found else 0.0


def measure(name: str, folder: Path, seconds: float) -> None:
    """Print the figures of one command."""
    socket, counts = folder / f"{name}.socket", folder / f"{name}.counts"
    tool = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no"]
    run = [*tool, f"--callgrind-out-file={counts}", *SYNCACHE, name, *COMMANDS[name]]
    words = [*run, "--control", str(socket), "--log", str(folder / "log")]
    with subprocess.Popen(words) as process:
        end = time.monotonic() + STARTED_SECONDS
        while not socket.exists() and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(SETTLED_SECONDS)
        alone = counted(process, counts, seconds)
        look = f"exec {' '.join(SYNCACHE)} top --socket {socket}"
        screen = ["script", "-qfc", f"stty rows 24 cols 80; {look}", os.devnull]
        quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}
        with subprocess.Popen(screen, **quiet) as top:  # type: ignore[call-overload]
            time.sleep(SETTLED_SECONDS)
            seen = counted(process, counts, seconds)
            top.terminate()
        process.terminate()
    print(f"{name:10} {alone:12,.0f} alone {seen:12,.0f} with top", flush=True)


def main() -> None:
    """Measure the commands that were asked for, or all."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("commands", nargs="*", choices=[[], *COMMANDS], default=[])
    given = parser.parse_args()
    subprocess.run(["sh", "-ec", SETUP], check=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"SYNCACHE_RUN": folder, "TERM": "xterm"}
        for name in given.commands or COMMANDS:
            measure(name, Path(folder), given.seconds)


if __name__ == "__main__":
    main()
