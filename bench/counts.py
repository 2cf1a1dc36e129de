"""Instructions a packet, under callgrind, against those that counts.json expects.

They repeat exactly on one machine, so they are what is gated: a case of the portable
path that costs 3 % more instructions than expected fails.  Another compiler makes other
instructions; with one that counts.json does not name, the counts are printed and
nothing is gated.  The counts of syn_again, ack_cache, ack_cookie and rst include the
SYN before.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .machine import compiler

if TYPE_CHECKING:
    from collections.abc import Sequence

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
GROUP_CASES = ("syn", "syn_cookie", "ack_cache", "ack_cookie", "rst", "known")
ROUNDS = 300  # and twice as many: the difference leaves out the start
GROUP_ROUNDS = 100
PACKETS_A_ROUND = 64
TOLERANCE = 1.03


def build(folder: Path) -> Path:
    """Compile the core with the cases of input.c."""
    program = folder / "input"
    rooms = [ROOT / "csrc", ROOT / "csrc" / "core"]
    sources = [
        p for room in ("core", "simd") for p in (ROOT / "csrc" / room).glob("*.c")
    ]
    include = [f"-I{room}" for room in rooms]
    words = [*CC, *include, HERE / "input.c", *sorted(sources), "-o", program]
    subprocess.run(words, check=True)
    return program


def count(
    program: Path,
    folder: Path,
    *,
    cases: Sequence[str] = CASES,
    mode: str = "",
    rounds: int = ROUNDS,
) -> dict[str, float]:
    """Count instructions a packet, inside the engine's calls alone.

    Args:
        program: Of `build`.
        folder: For what valgrind writes.
        cases: Of input.c.
        mode: "alone", or "group": the engine is a fleet's member.
        rounds: Of 64 packets.
    """
    found = {}
    out = folder / "callgrind"
    for case in cases:
        call = "syncache_packet" if case == "syn_single" else "syncache_burst"
        words = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        words += ["--collect-atstart=no", f"--toggle-collect={call}"]
        totals = []
        for times in (rounds, 2 * rounds):
            subprocess.run(
                [*words, program, case, str(times), *mode.split()],
                check=True,
                capture_output=True,
                env=os.environ | {"SYNCACHE_ISA": "portable"},
            )
            total = re.search(
                r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE
            )
            totals.append(int(total[1]) if total else 0)
        found[case] = (totals[1] - totals[0]) / (rounds * PACKETS_A_ROUND)
    return found


def compare(program: Path, folder: Path) -> int:
    """Print what a packet costs alone and as a fleet's member; 1 if it is more."""
    alone, member = (
        count(program, folder, cases=GROUP_CASES, mode=mode, rounds=GROUP_ROUNDS)
        for mode in ("alone", "group")
    )
    print(f"{'instructions':14}{'alone':>9}{'member':>9}{'more':>9}")
    for case, before in alone.items():
        more = member[case] - before
        print(f"{case:14}{before:9.1f}{member[case]:9.1f}{more:9.3f}")
    return int(any(member[case] > before for case, before in alone.items()))


def gate(found: dict[str, float], *, write: bool) -> int:
    """Compare with what is expected; 1 if a case became dearer."""
    if write:
        rounded = {case: round(now, 1) for case, now in found.items()}
        COUNTS.write_text(
            json.dumps({"cc": compiler(), "counts": rounded}, indent=1) + "\n"
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
