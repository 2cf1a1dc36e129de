"""
Mutation testing of csrc: how many small faults do the tests of a room notice?

    python tests/tools/mutate.py [--room core|flow|link] [--count 500] [--seed 1]
                                 [--file STEM] [--minutes 60] [--c] [--list]
    python tests/tools/mutate.py --faults

A mutant is one source line changed by one operator.  It is killed if it does not
compile, if a C unit (tests/c) that reaches the line (mutant_reach.py) fails, if the
differential run (tests/differential) finds the core and its naive twin in disagreement,
or, outside the core, if a Python test of its room fails (mutant_package.py; --c leaves
these out); a run of over 20 seconds of processor time is a kill.  Survivors are printed
as `file:line: operator: before -> after`.  mutants_equivalent.txt beside this file
lists those that change nothing observable, each with the reason; they are not run, and
left out of the rate.  Exit status 1 below 95 %.
--faults puts in those of seeded_faults.py, all of which have to be noticed.

Not here: the other tests of `make test`.  Comments, preprocessor lines, asserts, the
self-check and declarations without a value are not mutated, since no test can tell.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mutant_package import TESTS, Package
from mutant_reach import Reach
from seeded_faults import FAULTS

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
CORE = CSRC / "core"
ROOMS = ("core", "flow", "link")
COMPILED = ("core", "simd", "flow", "link")
UNITS = sorted((ROOT / "tests" / "c").glob("test_*.c"))
DIFFERENTIAL = sorted((ROOT / "tests" / "differential").glob("*.c"))
EQUIVALENT = ROOT / "tests" / "tools" / "mutants_equivalent.txt"
VECTORS = ROOT / "tests" / "vectors"
FLAGS = ["-std=c11", "-O1", "-w", "-DSYNCACHE_SELFCHECK", f'-DTEST_VECTORS="{VECTORS}"']
COUNTED = ("--coverage", "-O0")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
STEPS = "200000"
SECONDS = 20
FLOOR = 0.95

# operator name, what it finds, what it puts there
SWAPS = [
    ("relation", r" < ", " <= "),
    ("relation", r" <= ", " < "),
    ("relation", r" > ", " >= "),
    ("relation", r" >= ", " > "),
    ("relation", r" == ", " != "),
    ("relation", r" != ", " == "),
    ("logic", r" && ", " || "),
    ("logic", r" \|\| ", " && "),
    ("arithmetic", r"(?<=[\w)\]]) \+ ", " - "),
    ("arithmetic", r"(?<=[\w)\]]) - ", " + "),
    ("arithmetic", r"(?<=[\w)\]]) \* (?=[\w(])", " + "),
    ("arithmetic", r" % ", " / "),
    ("bits", r" << ", " >> "),
    ("bits", r" >> ", " << "),
    ("bits", r"(?<=[\w)\]]) & ", " | "),
    ("bits", r" \| ", " & "),
    ("bits", r" \^ ", " | "),
    ("assignment", r" \+= ", " -= "),
    ("assignment", r" -= ", " += "),
    ("assignment", r" \|= ", " &= "),
    ("assignment", r" &= ", " |= "),
    ("step", r"\+\+", "--"),
    ("truth", r"\btrue\b", "false"),
    ("truth", r"\bfalse\b", "true"),
    ("negation", r"(?<=[( ])!(?=[\w(])", ""),
]
NUMBER = re.compile(r"(?<![\w.])(0x[0-9a-fA-F]+|\d+)(?=[uUlL]*\b)")
CONDITION = re.compile(r"\bif \((.*)\)( \{)?$")
STATEMENT = re.compile(
    r"^\s+(?:[\w\->.\[\]*()]+ (?:[-+|&^]|<<|>>)?= .*;|\w+\(.*\);"
    r"|[\w\->.\[\]*]+(?:\+\+|--);|continue;|break;)$"
)
DECLARATION = re.compile(
    r"^\s+(?:const |static )*(?:struct|enum|u?int\w*|size_t|bool) "
)
SKIP = re.compile(
    r"\bassert\(|_Static_assert|^\s*#|^\s*(?:/?\*)|__attribute__|prefetch"
    r"|uint8_t \**\w+\[[^\]]*\][,)]"  # an array's size in a list of parameters
)


@dataclass(frozen=True)
class Mutant:
    """One line of one file, changed."""

    path: Path
    line: int
    operator: str
    before: str
    after: str

    def __str__(self) -> str:
        """Return the form in which survivors are printed and listed."""
        place = f"{self.path.name}:{self.line}"
        return f"{place}: {self.key.split(': ', 1)[1]}"

    def files(self) -> dict[Path, str]:
        """Return the text of the file that it changes."""
        lines = self.path.read_text().splitlines()
        lines[self.line - 1] = self.after
        return {self.path: "\n".join(lines) + "\n"}

    @property
    def key(self) -> str:
        """Name the mutant by its text, so that it survives moved lines."""
        before, after = self.before.strip(), self.after.strip()
        return f"{self.path.name}: {self.operator}: {before} -> {after}"


def code_of(line: str) -> str:
    """Return the line without its comment, or nothing where no mutant can be."""
    if SKIP.search(line):
        return ""
    return re.sub(r"\s*/\*.*$", "", line)


def changes(code: str) -> Iterator[tuple[str, str]]:
    """Yield every (operator, changed line)."""
    for operator, find, put in SWAPS:
        for hit in re.finditer(find, code):
            yield operator, code[: hit.start()] + put + code[hit.end() :]
    for hit in NUMBER.finditer(code):
        number = int(hit[1], 0)
        put = "0" if number == 1 else str(number + 1)
        yield "constant", code[: hit.start()] + put + code[hit.end() :]
    if (found := CONDITION.search(code)) and code.count("(") == code.count(")"):
        yield "condition", f"{code[: found.start()]}if (!({found[1]})){found[2] or ''}"
    if STATEMENT.match(code) and not DECLARATION.match(code):
        yield "deletion", re.sub(r"\S.*", ";", code)


def mutants(path: Path) -> list[Mutant]:
    """Return every mutant of a file."""
    found = []
    inside_comment = False
    inside_check = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        was_inside = inside_comment
        inside_comment = ("/*" in line or was_inside) and "*/" not in line
        if line.startswith(("#ifdef SYNCACHE_SELFCHECK", "#endif")):
            inside_check = line.startswith("#ifdef")
        code = "" if was_inside or inside_check else code_of(line)
        if not code.startswith((" ", "\t")):
            continue  # prototypes and declarations at file level
        found += [
            Mutant(path, number, operator, code, after)
            for operator, after in changes(code)
        ]
    return found


def run(
    *command: str | Path, seconds: int = 300, loaded: Mapping[str, str] | None = None
) -> bool:
    """Return whether a command succeeds in time; `loaded` is more environment.

    The time is the processor's, so that other work beside it kills no mutant; of the
    clock's it may take ten times as much.
    """
    limited = ("sh", "-c", f'ulimit -t {seconds}; exec "$@"', "sh")
    try:
        done = subprocess.run(
            [*limited, *(str(part) for part in command)],
            env=os.environ | (loaded or {}),
            check=False,
            capture_output=True,
            timeout=10 * seconds,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


class Bench:
    """The library and its tests compiled once; a mutant recompiles one file.

    Tests are programs that load the library when they run, so a mutant is linked once
    and not once for each test.
    """

    def __init__(self, build: Path) -> None:
        """Compile everything unchanged."""
        self.build = build
        self.cc = os.environ.get("CC", "gcc")
        sources = [p for room in COMPILED for p in sorted((CSRC / room).glob("*.c"))]
        self.objects = {p: build / f"{p.parent.name}-{p.stem}.o" for p in sources}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            made = all(pool.map(lambda job: self.compile(*job), self.objects.items()))
            made = made and self.link(self.objects, build)
            made = made and all(pool.map(self.link_test, [*UNITS, *DIFFERENTIAL[:1]]))
        if not made:
            sys.exit("mutate: the unchanged sources do not compile")
        self.package = Package(build / "package")
        self.reach = Reach()

    def learn(self, room: str) -> None:
        """See which programs run which lines of a room; without gcov, guess."""
        where = self.build / "counted"
        where.mkdir()
        own = {
            p: where / o.name for p, o in self.objects.items() if p.parent.name == room
        }
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            made = all(pool.map(lambda job: self.compile(*job, *COUNTED), own.items()))
        if made and self.link(self.objects | own, where, "--coverage"):
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                programs = list(self.programs(next(iter(own))))
                self.reach.measure(where, own.values(), programs)

    def compile(
        self, source: Path, target: Path, *more: str, room: Path | None = None
    ) -> bool:
        """Compile one file beside the headers of its room."""
        place = ("-iquote", str(room or source.parent))
        return run(self.cc, *FLAGS, "-fPIC", *more, *place, "-c", source, "-o", target)

    def link(self, objects: Mapping[Path, Path], where: Path, *more: str) -> bool:
        """Make the library that tests load from a folder."""
        words = (self.cc, *more, "-shared", *objects.values())
        return run(*words, "-o", where / "libsyncache.so")

    def program(self, test: Path) -> Path:
        """Return where the program of a test is; the twin's files are one."""
        return self.build / f"{test.parent.name}-{test.stem}"

    def link_test(self, test: Path) -> bool:
        """Compile a unit, or the differential run."""
        files = DIFFERENTIAL if test in DIFFERENTIAL else [test]
        places = ("-iquote", str(CORE), "-iquote", str(ROOT / "tests" / "c"))
        library = (f"-L{self.build}", "-lsyncache")
        words = (self.cc, *FLAGS, "-O0", *places, *files, *library)
        return run(*words, "-o", self.program(test))

    def programs(self, changed: Path) -> Iterator[tuple[Path, list[str]]]:
        """Yield (program, arguments) of the tests, the likeliest killer first."""
        room, own = changed.parent.name, f"test_{changed.stem}"
        near = {f"test_{p.stem}" for p in changed.parent.glob("*.c")}
        below = {
            f"test_{p.stem}"
            for other in COMPILED[: COMPILED.index(room)]
            for p in (CSRC / other).glob("*.c")
        }
        units = [p for p in UNITS if p.stem not in below - near]
        units.sort(key=lambda p: (p.stem != own, p.stem not in near))
        likely = 1 if units[0].stem == own else 0
        for unit in units[:likely]:
            yield self.program(unit), []
        if room == "core":
            yield self.program(DIFFERENTIAL[0]), [STEPS]
        for unit in units[likely:]:
            yield self.program(unit), []

    def survives(
        self, texts: dict[Path, str], line: int | None = None, python: bool = True
    ) -> bool:
        """Return whether no test notices that these files have these texts.

        `line` is the only one that differs; `python` is whether to ask its tests, too.

        A mutant that the plain tests leave alive is run again with the changed files
        under the sanitizers, as `make test` has them.
        """
        with tempfile.TemporaryDirectory(dir=self.build) as where:
            for path, text in texts.items():
                # Quoted includes of this directory are found by -iquote.
                (Path(where) / path.name).write_text(
                    text.replace('#include "../', f'#include "{CSRC}/')
                )
            return (
                self.passes(texts, Path(where), (), line)
                and (not texts or self.passes(texts, Path(where), SANITIZERS, line))
                and all(
                    self.package.passes(path, Path(where))
                    for path in texts
                    if python and path.parent.name in TESTS
                )
            )

    def passes(
        self,
        paths: Iterable[Path],
        where: Path,
        sanitizers: tuple[str, ...],
        line: int | None,
    ) -> bool:
        """Compile the changed files in `where`; return whether all tests pass."""
        objects = dict(self.objects)
        for path in paths:
            objects[path] = where / f"{path.stem}.o"
            if not self.compile(
                where / path.name, objects[path], *sanitizers, room=path.parent
            ):
                return False
        if not self.link(objects, where, *sanitizers):
            return False
        loaded = {"LD_LIBRARY_PATH": str(where)}
        if sanitizers:  # its runtime has to come before all else
            loaded["LD_PRELOAD"] = self.runtime()
        changed = next(iter(paths), CORE / "input.c")
        asked = None if line is None else self.reach.of(changed.name, line)
        return all(
            run(program, *arguments, seconds=SECONDS, loaded=loaded)
            for program, arguments in self.programs(changed)
            if asked is None or program in asked
        )

    def runtime(self) -> str:
        """Return the path of AddressSanitizer's runtime."""
        command = [self.cc, "-print-file-name=libasan.so"]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        return found.stdout.strip()


def chosen(room: str, count: int, seed: int, stem: str | None) -> list[Mutant]:
    """Return a seeded sample over all files of a room, or all of one file."""
    paths = sorted((CSRC / room).glob("*.c"))
    if stem is None:
        paths = [p for p in paths if p.stem != "selfcheck"]
    else:
        paths = [p for p in paths if p.stem == stem]
    pool = [mutant for path in paths for mutant in mutants(path)]
    if count == 0 or count >= len(pool):
        return pool
    return random.Random(seed).sample(pool, count)


def equivalents() -> set[str]:
    """Return the keys of the mutants that are explained as equivalent."""
    if not EQUIVALENT.exists():
        return set()
    lines = EQUIVALENT.read_text().splitlines()
    return {line for line in lines if line and not line.startswith(("#", " "))}


def judge(
    bench: Bench, sample: list[Mutant], minutes: float, python: bool
) -> Counter[str]:
    """Print the survivors as they are found; return how many had which fate.

    Mutants whose turn does not come in time have none.
    """
    known = equivalents()
    end = time.monotonic() + 60 * minutes
    fates: Counter[str] = Counter()

    def one(mutant: Mutant) -> None:
        if time.monotonic() >= end:
            return
        if mutant.key in known:
            fates["equivalent"] += 1
        elif not bench.survives(mutant.files(), mutant.line, python):
            fates["killed"] += 1
        else:
            fates["survived"] += 1
            print(mutant, flush=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, sample))
    return fates


def seeded() -> int:
    """Put in every seeded fault; print what became of each."""
    with tempfile.TemporaryDirectory() as build:
        bench = Bench(Path(build))
        if not bench.survives({}):
            sys.exit("mutate: the tests fail on the unchanged core")
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            alive = list(pool.map(lambda f: bench.survives(f.files()), FAULTS))
    for fault, lives in zip(FAULTS, alive, strict=True):
        print(f"{'SURVIVED' if lives else 'caught':9} {fault.name}")
    return 1 if any(alive) else 0


def main() -> int:
    """Run the sample and print the survivors and the rate."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=500, help="0: all of them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--room", choices=ROOMS, default="core", help="a part of csrc")
    parser.add_argument("--file", metavar="STEM", help="only csrc/ROOM/STEM.c")
    parser.add_argument("--minutes", type=float, default=60, help="then it ends")
    parser.add_argument("--c", action="store_true", help="ask no Python test")
    parser.add_argument("--list", action="store_true", help="print, run nothing")
    parser.add_argument(
        "--faults", action="store_true", help="put in those of seeded_faults.py instead"
    )
    options = parser.parse_args()
    if options.faults:
        return seeded()
    sample = chosen(options.room, options.count, options.seed, options.file)
    if options.list:
        print(*sample, sep="\n")
        return 0
    with tempfile.TemporaryDirectory() as build:
        bench = Bench(Path(build))
        if not bench.survives({}):
            sys.exit("mutate: the tests fail on the unchanged core")
        bench.learn(options.room)
        if options.room in TESTS and not options.c:
            bench.package.compile()
            untouched = next(iter(sorted((CSRC / options.room).glob("*.c"))))
            if not bench.survives({untouched: untouched.read_text()}):
                sys.exit("mutate: the tests fail on the unchanged sources")
        fates = judge(bench, sample, options.minutes, not options.c)
    rate = fates["killed"] / max(1, fates["killed"] + fates["survived"])
    print(
        f"{options.file or options.room}: {fates.total()} of {len(sample)} mutants, "
        f"{fates['killed']} killed, {fates['equivalent']} equivalent, "
        f"{fates['survived']} survived: {rate:.1%} (seed {options.seed})"
    )
    return 0 if rate >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
