"""
Mutation testing of the Python packages: how many small faults do their tests notice?

    python tests/tools/mutate_python.py [--package tcp] [--file PATH] [--count 100]
                                        [--minutes 10] [--seed 1] [--list]

A mutant is one place of one module changed by one operator (python_mutants.py).  It is
killed if a test of the package notices.  The tests are collected once and run once to
see which of them call which function; then a child process is forked for each mutant
of a function, which puts the changed code in and runs the tests that call it, those of
the module's own file first.  A mutant outside of functions, or in one that no test
calls in this process, is asked about in a new process (mutant_module.py).  Tests over
SLOW seconds are left out, and a run of over a minute of processor time is a kill.

Survivors are printed as `file:line: operator: before -> after`; mutants_equivalent.txt
lists those that change nothing observable, which are left out of the rate.  Exit status
1 below 95 %.  Nothing is written below the project.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import ctypes
import gc
import os
import pickle
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType

import mutant_module
import pytest
from mutate import FLOOR, equivalents
from python_mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "syncache"
UNITS = {path.name: path for path in sorted((ROOT / "tests/unit").rglob("test_*.py"))}
# Tests beside those of tests/unit that are about a package.
MORE = {"tcp": ("tests/state_events",)}
SECONDS = 60  # of processor time, for one mutant
MEMORY = 4 << 30  # of addresses
PR_SET_PDEATHSIG = 1
SLOW = 2.0
NEAR = 12  # files at most for each module
QUIET = [
    *("-q", "-s", "--tb=no", "-m", "not netns and not slow"),
    *(f"-pno:{plugin}" for plugin in ("cacheprovider", "xdist", "cov")),
]


def packages() -> dict[str, list[Path]]:
    """Return the modules of each package; `top` are those beside the packages."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).parts
        found[parts[0] if parts[1:] else "top"].append(path)
    return found


def stem(path: Path) -> str:
    """Return a module's name as its test file has it."""
    parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return "_".join(part.strip("_") for part in parts)


def own_tests(path: Path) -> list[Path]:
    """Return the file of tests that is a module's own."""
    found = UNITS.get(f"test_{stem(path)}.py")
    return [] if found is None else [found]


def near_tests(path: Path) -> list[Path]:
    """Return the other files whose tests can notice a fault, the nearest first."""
    parts = path.relative_to(PACKAGE).parts
    package = parts[0].strip("_") if parts[1:] else stem(path)
    leaf = parts[-2] if parts[-1] == "__init__.py" and parts[1:] else path.stem
    name = re.escape(leaf)
    imports = re.compile(rf"\bimport\b[^\n]*\b{name}\b|\b{name} import")
    own = own_tests(path)
    units = sorted(
        (test for test in UNITS.values() if test not in own),
        key=lambda test: not test.name.startswith(f"test_{package}_"),
    )
    near = [test for test in units if imports.search(test.read_text())]
    beside = [
        test
        for test in units
        if test not in near
        and (test.name.startswith(f"test_{package}_") or test.parent.name == package)
    ]
    more = [
        test
        for place in MORE.get(package, ())
        for test in sorted((ROOT / place).glob("test_*.py"))
    ]
    return [*near[:NEAR], *(beside if package in MORE else beside[:NEAR]), *more]


def function_of(text: str, mutant: Mutant) -> tuple[str, int] | None:
    """Return name and first line of the outermost function that holds a mutant.

    None if it is in none, or in what runs when the function is defined.
    """
    raw = text.encode()
    starts = [0]
    for line in raw.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def find(node: ast.AST) -> tuple[str, int] | None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                body = child.body[0]
                begin = starts[body.lineno - 1] + body.col_offset
                end = starts[child.end_lineno - 1] + child.end_col_offset
                if begin <= mutant.begin and mutant.end <= end:
                    lines = [child.lineno, *(d.lineno for d in child.decorator_list)]
                    return child.name, min(lines)
            elif (found := find(child)) is not None:
                return found
        return None

    return find(ast.parse(text))


def codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and those inside."""
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from codes(inner)


def put_in(path: Path, function: tuple[str, int], text: str) -> bool:
    """Replace the code of a function of this process; return whether it is here."""
    made = [
        code
        for code in codes(compile(text, str(path), "exec", dont_inherit=True))
        if (code.co_name, code.co_firstlineno) == function
    ]
    gc.unfreeze()  # a module may have frozen what there was when it was imported
    here = [
        thing
        for thing in gc.get_objects()
        if isinstance(thing, FunctionType)
        and (thing.__code__.co_name, thing.__code__.co_firstlineno) == function
        and thing.__code__.co_filename == str(path)
    ]
    if len(made) != 1 or any(
        len(f.__code__.co_freevars) != len(made[0].co_freevars) for f in here
    ):
        return False
    for thing in here:
        thing.__code__ = made[0]
    return bool(here)


def forked(work: Callable[[], object], seconds: int = SECONDS) -> object:
    """Return the result of a function that a child process runs; None if it died."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            for fd in range(3):
                os.dup2(null, fd)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            result = pickle.dumps(work())
            with os.fdopen(write, "wb") as pipe:
                pipe.write(result)
        finally:
            os._exit(0)
    os.close(write)
    alarm = threading.Timer(10 * seconds, os.killpg, (child, signal.SIGKILL))
    alarm.start()
    with os.fdopen(read, "rb") as pipe:
        result = pipe.read()
    alarm.cancel()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return pickle.loads(result) if result else None


class Trial:
    """A plugin of pytest: it runs the collected tests once for each mutant."""

    def __init__(self, sample: list[Mutant], minutes: float, build: Path) -> None:
        """Judge these mutants, as many as there is time for."""
        self.sample = sample
        self.end = time.monotonic() + 60 * minutes
        self.build = build
        (build / "sitecustomize.py").write_text(mutant_module.hook())
        self.known = equivalents()
        self.killed = self.survived = self.explained = 0
        self.seconds: dict[int, float] = {}
        self.callers: dict[tuple[str, str, int], list[int]] = defaultdict(list)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of the loop over tests."""
        self.session = session
        learnt = forked(self.learn, 10 * SECONDS)
        if learnt is None:
            sys.exit("mutate: the tests end the process that runs them")
        called, self.seconds = learnt
        for index, functions in called.items():
            for function in functions:
                self.callers[function].append(index)
        for mutant in self.sample:
            if time.monotonic() >= self.end:
                break
            self.judge(mutant)
        return True

    def runs(self, index: int) -> bool:
        """Return whether a test passes, or is skipped."""
        item = self.session.items[index]
        before = self.session.testsfailed
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        return self.session.testsfailed == before

    def learn(self) -> tuple[dict[int, set], dict[int, float]]:
        """Return which functions each test calls, and what it takes; of good ones."""
        seen: set[CodeType] = set()

        def note(frame, _event, _argument):
            seen.add(frame.f_code)

        called, seconds = {}, {}
        for index in range(len(self.session.items)):
            seen.clear()
            begin = time.process_time()
            sys.setprofile(note)
            threading.setprofile(note)
            good = self.runs(index)
            sys.setprofile(None)
            seconds[index] = time.process_time() - begin
            if good and seconds[index] < SLOW:
                called[index] = {
                    (code.co_filename, code.co_name, code.co_firstlineno)
                    for code in seen
                    if code.co_filename.startswith(str(PACKAGE))
                }
        return called, seconds

    def judge(self, mutant: Mutant) -> None:
        """Run the tests; print a survivor."""
        path = ROOT / mutant.file
        before = path.read_text()
        text = mutant.apply(before)
        try:
            compile(text, mutant.file, "exec")
        except SyntaxError:
            return
        function = function_of(before, mutant)
        own = own_tests(path)
        tests = [] if function is None else self.callers[(str(path), *function)]
        tests = sorted(
            tests,
            key=lambda i: (self.session.items[i].path not in own, self.seconds[i]),
        )
        if tests:
            alive = forked(lambda: self.passes(path, function, text, tests))
        else:
            alive = self.passes_anew(path, text, [*own, *near_tests(path)])
        if not alive:
            self.killed += 1
        elif mutant.key in self.known:
            self.explained += 1
        else:
            self.survived += 1
            print(mutant, file=sys.__stdout__, flush=True)

    def passes(
        self, path: Path, function: tuple[str, int], text: str, tests: list[int]
    ) -> bool:
        """Change this process; return whether its tests pass."""
        changed = self.build / "changed.py"
        changed.write_text(text)
        os.environ |= mutant_module.environment(path, changed, self.build)
        if not put_in(path, function, text):
            return self.passes_anew(path, text, [*own_tests(path), *near_tests(path)])
        return all(self.runs(index) for index in tests)

    def passes_anew(self, path: Path, text: str, tests: list[Path]) -> bool:
        """Return whether tests pass in a new process that reads the changed text."""
        changed = self.build / "changed.py"
        changed.write_text(text)
        more = mutant_module.environment(path, changed, self.build)
        command = [sys.executable, "-m", "pytest", "-x", *QUIET, *map(str, tests)]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=os.environ | more,
                check=False,
                capture_output=True,
                timeout=10 * SECONDS,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def rate(self) -> float:
        """Return the share of the mutants that were killed, of those that could be."""
        return self.killed / max(1, self.killed + self.survived)


def chosen(paths: list[Path], count: int, seed: int) -> list[Mutant]:
    """Return a seeded sample over all these modules."""
    pool = [
        mutant
        for path in paths
        for mutant in mutants(str(path.relative_to(ROOT)), path.read_text())
    ]
    if count == 0 or count >= len(pool):
        return pool
    return random.Random(seed).sample(pool, count)


def main() -> int:
    """Run the sample and print the survivors and the rate."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--package", choices=sorted(packages()), default="tcp")
    parser.add_argument("--file", metavar="PATH", help="one module, whatever package")
    parser.add_argument("--count", type=int, default=100, help="0: all of them")
    parser.add_argument("--minutes", type=float, default=10, help="then it ends")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="print, run nothing")
    options = parser.parse_args()
    paths = packages()[options.package]
    if options.file is not None:
        paths = [Path(options.file).resolve()]
    sample = chosen(paths, options.count, options.seed)
    if options.list:
        print(*sample, sep="\n")
        return 0
    files = {test: None for path in paths for test in own_tests(path)}
    files |= {test: None for path in paths for test in near_tests(path)}
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as build:
        trial = Trial(sample, options.minutes, Path(build))
        with Path(os.devnull).open("w") as null, contextlib.redirect_stdout(null):
            pytest.main([*QUIET, *map(str, files)], plugins=[trial])
    done = trial.killed + trial.survived + trial.explained
    print(
        f"{options.file or options.package}: {done} of {len(sample)} mutants, "
        f"{trial.killed} killed, {trial.explained} equivalent, "
        f"{trial.survived} survived: {trial.rate():.1%} (seed {options.seed})"
    )
    return 0 if trial.rate() >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
