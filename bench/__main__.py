"""What a packet costs, case by case.

    python -m bench              cases alternately; a table, then one JSON line
    python -m bench --counts     instructions under callgrind, against counts.json
    python -m bench --counts --write     make today's counts the expected ones

Times are of `input.c` (the C core alone) and of `python_side.py` (through a Ring); the
table has median, min-max and the ratio to the baseline case `syn`.  Counts of the cases
syn_again, ack_cache, ack_cookie and rst include the SYN before.  Instruction counts
repeat exactly on one machine, so they are what is gated: a case that costs 3 % more
instructions than counts.json fails.  Another compiler makes other instructions; with
one that counts.json does not name, the counts are printed and nothing is gated.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from . import python_side

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
COUNTS = HERE / "counts.json"
CC = ["cc", "-std=c11", "-O3", "-g", "-D_POSIX_C_SOURCE=200809L"]
CASES = (
    "syn",
    "syn_single",
    "syn_cookie",
    "syn_again",
    "ack_cache",
    "ack_cookie",
    "rst",
    "known",
)
REPEATS = 9
ROUNDS = 2000
COUNT_ROUNDS = 300  # and twice as many: the difference leaves out the start
TOLERANCE = 1.03


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--counts", action="store_true", help="instructions, gated")
    parser.add_argument("--write", action="store_true", help="expect today's counts")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        if options.counts:
            return gate(count(program, Path(folder)), write=options.write)
        return report(program, options.repeats)


def build(folder: Path) -> Path:
    """Compile the core with the cases."""
    program = folder / "input"
    sources = sorted((ROOT / "csrc" / "core").glob("*.c"))
    include = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc' / 'core'}"]
    words = [*CC, *include, HERE / "input.c", *sources, "-o", program]
    subprocess.run(words, check=True)
    return program


def run(words: list[str | Path]) -> tuple[int, int]:
    """Run one case; return its two numbers."""
    out = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    first, second = out.split()
    return int(first), int(second)


def report(program: Path, repeats: int) -> int:
    """Time every case, alternately; print a table and a JSON line."""
    times: dict[str, list[float]] = {}
    for _ in range(repeats):
        for case in CASES:
            packets, ns = run([program, case, str(ROUNDS)])
            times.setdefault(case, []).append(ns / packets)
        for case, measure in python_side.CASES.items():
            times.setdefault(case, []).append(measure())
    baseline = statistics.median(times["syn"])
    millibytes, thousand = run([program, "memory", "0"])
    print(f"{'ns a packet':14}{'median':>9}{'min':>9}{'max':>9}{'to syn':>9}")
    for case, values in times.items():
        middle = statistics.median(values)
        row = (middle, min(values), max(values))
        columns = "".join(f"{value:9.0f}" for value in row)
        print(f"{case:14}{columns}{middle / baseline:9.2f}")
    print(f"bytes a half-open entry: {millibytes / thousand:.1f}")
    machine = {"machine": cpu(), "python": platform.python_version(), "cc": compiler()}
    medians = {case: round(statistics.median(v), 1) for case, v in times.items()}
    print(json.dumps(machine | {"commit": commit(), "repeats": repeats, "ns": medians}))
    return 0


def count(program: Path, folder: Path) -> dict[str, float]:
    """Count instructions a packet, inside the engine's calls alone."""
    found = {}
    for case in CASES:
        totals = []
        for rounds in (COUNT_ROUNDS, 2 * COUNT_ROUNDS):
            out = folder / "callgrind"
            words = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
            words += [
                "--collect-atstart=no",
                *toggles(case),
                program,
                case,
                str(rounds),
            ]
            subprocess.run(words, check=True, capture_output=True)
            total = re.search(
                r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE
            )
            totals.append(int(total[1]) if total else 0)
        found[case] = round((totals[1] - totals[0]) / (COUNT_ROUNDS * 64), 1)
    return found


def toggles(case: str) -> list[str]:
    """Say in which function instructions are counted."""
    call = "syncache_packet" if case == "syn_single" else "syncache_burst"
    return [f"--toggle-collect={call}"]


def gate(found: dict[str, float], *, write: bool) -> int:
    """Compare with what is expected; 1 if a case became dearer."""
    if write:
        COUNTS.write_text(
            json.dumps({"cc": compiler(), "counts": found}, indent=1) + "\n"
        )
    expected = json.loads(COUNTS.read_text())
    comparable = expected["cc"] == compiler()
    dearer = []
    print(f"{'instructions':14}{'now':>9}{'expected':>9}{'ratio':>9}")
    for case, now in found.items():
        before = expected["counts"].get(case, now)
        print(f"{case:14}{now:9.0f}{before:9.0f}{now / before:9.2f}")
        if now > TOLERANCE * before:
            dearer.append(case)
    if not comparable:
        print(f"not gated: expected counts are of {expected['cc']}, not {compiler()}")
        return 0
    if dearer:
        print(f"dearer than expected: {', '.join(dearer)}", file=sys.stderr)
    return int(bool(dearer))


def compiler() -> str:
    """Name the compiler and the processor's kind."""
    out = subprocess.run(
        ["cc", "--version"], check=True, capture_output=True, text=True
    )
    return f"{out.stdout.splitlines()[0]} {platform.machine()}"


def cpu() -> str:
    """Name the processor."""
    try:
        text = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return platform.processor()
    match = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return match[1] if match else platform.machine()


def commit() -> str:
    """Name the commit, if this is a clone."""
    words = ["git", "describe", "--always", "--dirty"]
    out = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return out.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
