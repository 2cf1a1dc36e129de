"""
Mutation testing of csrc: how many small faults do the tests of a room notice?

    python tests/tools/mutate.py [--room core|flow|link] [--count 500] [--seed 1]
                                 [--file STEM,...] [--minutes 60] [--c] [--list]
                                 [--again]
    python tests/tools/mutate.py --faults

A mutant is one source line changed by one operator.  It is killed if it does not
compile, if a C unit (tests/c) that reaches the line (mutant_reach.py) fails, if the
differential run (tests/differential) finds the core and its naive twin in disagreement,
or, outside the core, if a Python test of its room fails (mutant_package.py; --c leaves
these out); a run far longer than that of the unchanged library is a kill.  Survivors
are printed as `file:line: operator: before -> after`.  mutants_equivalent.txt beside
this file lists those that change nothing observable, each with the reason; they are not
run, and left out of the rate.  Exit status 1 below 95 %.
Each file has its share of the sample, in an order that its seed and its text decide.
What is compiled and what became of each mutant are kept (mutant_kept.py): a run that
was ended goes on when it is started again, and --again asks about all of them anew.
--faults puts in those of seeded_faults.py, all of which have to be noticed.

Not here: which mutants there are (c_mutants.py), and the other tests of `make test`.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import pickle
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from c_mutants import Mutant, mutants
from mutant_kept import FOLDER, KILLED, Fates, digest, kept
from mutant_package import TESTS, Package, tests_of
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
SECONDS = 20  # of processor time, for one program
ALIVE, ALIVE_IN_C = "alive", "alive-in-c"
# What the unchanged library and its tests are made from.
MADE_FROM = (CSRC, ROOT / "tests/c", ROOT / "tests/differential", VECTORS)
FLOOR = 0.95


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
        """Take a folder that is empty, or was made by another."""
        self.build = build
        self.cc = os.environ.get("CC", "gcc")
        sources = [p for room in COMPILED for p in sorted((CSRC / room).glob("*.c"))]
        self.objects = {p: build / f"{p.parent.name}-{p.stem}.o" for p in sources}
        self.package = Package(build / "package")
        self.reach = Reach()

    def make(self) -> None:
        """Compile everything unchanged; every test has to pass."""
        build = self.build
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            made = all(pool.map(lambda job: self.compile(*job), self.objects.items()))
            made = made and self.link(self.objects, build)
            made = made and all(pool.map(self.link_test, [*UNITS, *DIFFERENTIAL[:1]]))
        if not made:
            sys.exit("mutate: the unchanged sources do not compile")
        if not self.survives({}):
            sys.exit("mutate: the tests fail on the unchanged sources")

    def learn(self, room: str) -> None:
        """See which programs run which lines of a room; without gcov, guess."""
        known = self.build / f"reach-{room}"
        if known.exists():
            self.reach = pickle.loads(known.read_bytes())
            return
        where = self.build / f"counted-{room}"
        where.mkdir(exist_ok=True)
        own = {
            p: where / o.name for p, o in self.objects.items() if p.parent.name == room
        }
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            made = all(pool.map(lambda job: self.compile(*job, *COUNTED), own.items()))
        if made and self.link(self.objects | own, where, "--coverage"):
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                programs = list(self.programs(next(iter(own))))
                self.reach.measure(where, own.values(), programs)
        known.write_bytes(pickle.dumps(self.reach))

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

    @contextlib.contextmanager
    def laid_out(self, texts: dict[Path, str]) -> Iterator[Path]:
        """Give a folder with these texts of these files."""
        with tempfile.TemporaryDirectory(dir=self.build) as where:
            for path, text in texts.items():
                # Quoted includes of this directory are found by -iquote.
                (Path(where) / path.name).write_text(
                    text.replace('#include "../', f'#include "{CSRC}/')
                )
            yield Path(where)

    def survives(self, texts: dict[Path, str], line: int | None = None) -> bool:
        """Return whether no C test notices that these files have these texts.

        `line` is the only one that differs.  A mutant that the plain tests leave alive
        is run again with the changed files under the sanitizers, as `make test` has
        them.
        """
        with self.laid_out(texts) as where:
            return self.passes(texts, where, (), line) and (
                not texts or self.passes(texts, where, SANITIZERS, line)
            )

    def survives_python(self, texts: dict[Path, str]) -> bool:
        """Return whether no Python test of the rooms of these files notices."""
        with self.laid_out(texts) as where:
            return all(
                self.package.passes(path, where)
                for path in texts
                if path.parent.name in TESTS
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
            run(
                program,
                *arguments,
                seconds=min(SECONDS, self.reach.limit(program)),
                loaded=loaded,
            )
            for program, arguments in self.programs(changed)
            if asked is None or program in asked
        )

    def runtime(self) -> str:
        """Return the path of AddressSanitizer's runtime."""
        command = [self.cc, "-print-file-name=libasan.so"]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        return found.stdout.strip()


def chosen(room: str, count: int, seed: int, stems: str | None) -> list[Mutant]:
    """Return a seeded sample, of every file of a room its share, or all of some."""
    paths = sorted((CSRC / room).glob("*.c"))
    if stems is None:
        paths = [p for p in paths if p.stem != "selfcheck"]
    else:
        paths = [p for p in paths if p.stem in stems.split(",")]
    pools = [mutants(path) for path in paths]
    total = sum(map(len, pools))
    if count == 0 or count >= total:
        return [mutant for pool in pools for mutant in pool]
    sample = []
    for path, pool in zip(paths, pools, strict=True):
        share = math.ceil(count * len(pool) / total - 0.5) or 1
        sample += random.Random(f"{seed} {path.stem}").sample(pool, share)
    random.Random(seed).shuffle(sample)  # one that ends early is a sample, too
    return sample


def equivalents() -> set[str]:
    """Return the keys of the mutants that are explained as equivalent."""
    if not EQUIVALENT.exists():
        return set()
    lines = EQUIVALENT.read_text().splitlines()
    return {line for line in lines if line and not line.startswith(("#", " "))}


def judge(
    bench: Bench, sample: list[Mutant], minutes: float, python: bool, fates: Fates
) -> Counter[str]:
    """Print the survivors as they are found; return how many had which fate.

    Mutants whose turn does not come in time have none.
    """
    known = equivalents()
    end = time.monotonic() + 60 * minutes
    counts: Counter[str] = Counter()

    def one(mutant: Mutant) -> None:
        if mutant.key in known:
            counts["equivalent"] += 1
            return
        last = ALIVE if python else ALIVE_IN_C
        fate = fates.fate.get(mutant.name)
        if fate is None and time.monotonic() < end:
            alive = bench.survives(mutant.files(), mutant.line)
            fate = ALIVE_IN_C if alive else KILLED
            fates.note(mutant.name, fate)
        if fate == ALIVE_IN_C and python and time.monotonic() < end:
            fate = ALIVE if bench.survives_python(mutant.files()) else KILLED
            fates.note(mutant.name, fate)
        if fate in (last, ALIVE):
            counts["survived"] += 1
            print(mutant, flush=True)
        elif fate == KILLED:
            counts["killed"] += 1

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, sample))
    return counts


def bench_of(place: Path) -> None:
    """Compile what `kept` keeps."""
    Bench(place).make()


def made_from() -> str:
    """Name what the kept folder is made from, the compiler and the way included."""
    tools = (Path(__file__), Path(__file__).with_name("mutant_reach.py"))
    return digest(os.environ.get("CC", "gcc"), *MADE_FROM, *tools)


def seeded() -> int:
    """Put in every seeded fault; print what became of each."""
    with kept(made_from(), bench_of) as build:
        bench = Bench(build)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            alive = list(pool.map(lambda f: bench.survives(f.files()), FAULTS))
    for fault, lives in zip(FAULTS, alive, strict=True):
        print(f"{'SURVIVED' if lives else 'caught':9} {fault.name}")
    return 1 if any(alive) else 0


def sampled(options: argparse.Namespace, sample: list[Mutant]) -> Counter[str]:
    """Ask about the mutants of a sample; return how many had which fate."""
    room, python = options.room, options.room in TESTS and not options.c
    path = FOLDER / f"fates-{room}.txt"
    if options.again:
        path.unlink(missing_ok=True)
    with kept(made_from(), bench_of) as build:
        bench = Bench(build)
        bench.learn(room)
        if python:
            bench.package.compile()
            untouched = next(iter(sorted((CSRC / room).glob("*.c"))))
            tried = build / f"python-{digest(*tests_of(room))}"
            if not tried.exists() and not bench.survives_python(
                {untouched: untouched.read_text()}
            ):
                sys.exit("mutate: the tests fail on the unchanged sources")
            tried.touch()
        fates = Fates(path, digest(build.name, *tests_of(room)))
        return judge(bench, sample, options.minutes, python, fates)


def main() -> int:
    """Run the sample and print the survivors and the rate."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=500, help="0: all of them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--room", choices=ROOMS, default="core", help="a part of csrc")
    parser.add_argument("--file", metavar="STEM,...", help="only these of csrc/ROOM")
    parser.add_argument("--minutes", type=float, default=60, help="then it ends")
    parser.add_argument("--c", action="store_true", help="ask no Python test")
    parser.add_argument("--again", action="store_true", help="forget earlier fates")
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
    fates = sampled(options, sample)
    rate = fates["killed"] / max(1, fates["killed"] + fates["survived"])
    print(
        f"{options.file or options.room}: {fates.total()} of {len(sample)} mutants, "
        f"{fates['killed']} killed, {fates['equivalent']} equivalent, "
        f"{fates['survived']} survived: {rate:.1%} (seed {options.seed})"
    )
    return 0 if rate >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
