"""
Which C units run which lines: `mutate.py` runs only those for a mutant of a line.

The room's files are compiled once more, with gcc's counters, and every program runs
once.  A line without a counter (half of a statement, a table) is taken to run wherever
its function does, or its file.  Where that cannot be done, every program is asked.

Not here: which mutants there are, and what becomes of them (mutate.py).
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

Program = tuple[Path, list[str]]
SECONDS = 120


class Reach:
    """The programs that run each line, function and file."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.lines: dict[tuple[str, int], set[Path]] = defaultdict(set)
        self.counted: set[tuple[str, int]] = set()
        self.functions: dict[tuple[str, int, int], set[Path]] = defaultdict(set)
        self.files: dict[str, set[Path]] = defaultdict(set)
        self.seconds: dict[Path, float] = {}

    def limit(self, program: Path) -> int:
        """Return how many seconds are far more than a program needs."""
        return 2 + math.ceil(20 * self.seconds.get(program, SECONDS))

    def of(self, file: str, line: int) -> set[Path] | None:
        """Return the programs that can notice a change of a line; None: any can."""
        if (file, line) in self.counted:
            return self.lines[file, line]
        for (name, begin, end), programs in self.functions.items():
            if name == file and begin <= line <= end:
                return programs
        return self.files.get(file)

    def measure(
        self, library: Path, objects: Iterable[Path], programs: Sequence[Program]
    ) -> None:
        """Run every program with the counting library; `objects` are what counts."""
        notes = [path.with_suffix(".gcno") for path in objects]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for (program, _), found in zip(
                programs,
                pool.map(lambda p: counts(p, library, notes), programs),
                strict=True,
            ):
                self.seconds[program], files = found
                for file in files:
                    self.note(program, file)

    def note(self, program: Path, counted: dict) -> None:
        """Add what one program did in one file."""
        name = Path(counted["file"]).name
        for function in counted["functions"]:
            place = (name, function["start_line"], function["end_line"])
            ran = function["execution_count"] > 0
            self.functions[place] |= {program} if ran else set()
            if ran:
                self.files[name].add(program)
        for line in counted["lines"]:
            place = (name, line["line_number"])
            self.counted.add(place)
            if line["count"] > 0:
                self.lines[place].add(program)


def counts(
    program: Program, library: Path, notes: Sequence[Path]
) -> tuple[float, list[dict]]:
    """Return the seconds of one run, and gcov's counts by source file."""
    with tempfile.TemporaryDirectory(dir=library) as where:
        place = Path(where + str(library))
        place.mkdir(parents=True)
        for note in notes:
            (place / note.name).symlink_to(note)
        more = {"LD_LIBRARY_PATH": str(library), "GCOV_PREFIX": where}
        begin = time.monotonic()
        subprocess.run(
            [str(program[0]), *program[1]],
            env=os.environ | more,
            check=True,
            capture_output=True,
            timeout=SECONDS,
        )
        seconds = time.monotonic() - begin
        data = sorted(place.glob("*.gcda"))
        if not data:
            return seconds, []
        said = subprocess.run(
            ["gcov", "--json-format", "--stdout", *map(str, data)],
            cwd=where,
            check=True,
            capture_output=True,
        ).stdout
    return seconds, [
        file
        for text in said.splitlines()
        if text
        for file in json.loads(text)["files"]
        if file["file"].endswith(".c")
    ]
