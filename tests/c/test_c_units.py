"""
Run the C units under AddressSanitizer and UndefinedBehaviorSanitizer.

Each tests/c/test_<stem>.c is one program and one test here.  The core is compiled into
an archive, so a unit links what it names and nothing else.  So is tests/differential:
random steps which the engine and its naive twin both take.  Programs are kept until a
source changes, because `make test` runs them once for each instruction set level.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "tests" / "c").glob("test_*.c"))
# These choose kernels at run time; all others take the scalar ones.
ISA_UNITS = ("batch", "burst", "flood", "isa", "offload", "quick", "table")
DIFFERENTIAL = sorted((ROOT / "tests" / "differential").glob("*.c"))
STEPS = "200000"
KEPT_SECONDS = 3600
ROOMS = ("core", "simd", "flow", "link")
SOURCES = [p for room in ROOMS for p in (ROOT / "csrc" / room).glob("*.c")]
FLAGS = [
    "-std=c11",
    "-g",
    "-O1",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wshadow",
    "-Wconversion",
    "-Wsign-conversion",
    "-Werror",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-DSYNCACHE_SELFCHECK",
    f'-DTEST_VECTORS="{ROOT / "tests" / "vectors"}"',
]


def compiler() -> str:
    """Return the C compiler, or fail with the command that installs one."""
    name = os.environ.get("CC", "gcc")
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"no C compiler {name!r}: apt-get install gcc, or set CC")
    return path


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command, its output and errors in one text."""
    return subprocess.run(
        [str(part) for part in command],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=300,
    )


@pytest.fixture(scope="session")
def folder() -> Path:
    """Where programs are kept for the next run, of another instruction set level."""
    digest = hashlib.sha256(repr([compiler(), FLAGS, UNITS, SOURCES]).encode())
    for room in ("csrc", "tests/c", "tests/differential"):
        for path in sorted((ROOT / room).rglob("*.[ch]")):
            digest.update(path.read_bytes())
    made = ROOT / "build" / "units" / digest.hexdigest()[:16]
    made.mkdir(parents=True, exist_ok=True)
    made.touch()
    for other in made.parent.iterdir():  # a run beside this one may need a young one
        if other.stat().st_mtime < made.stat().st_mtime - KEPT_SECONDS:
            shutil.rmtree(other, ignore_errors=True)
    return made


def make(target: Path, *command: str | Path) -> subprocess.CompletedProcess[str] | None:
    """Run a command that writes its last word, unless that is there; None: it is."""
    if target.exists():
        return None
    unfinished = target.with_name(f"{os.getpid()}-{target.name}")
    done = run(*command, unfinished)
    if done.returncode != 0:
        return done
    unfinished.rename(target)
    return None


@pytest.fixture(scope="session")
def archive(folder: Path) -> Path:
    """The core as a static library with sanitizers."""
    cc = compiler()

    def compile_one(source: Path) -> Path:
        target = folder / f"{source.parent.name}-{source.stem}.o"
        failed = make(target, cc, *FLAGS, "-c", source, "-o")
        assert failed is None, failed.stdout
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, SOURCES))
    library = folder / "libcore.a"
    if not library.exists():
        unfinished = folder / f"{os.getpid()}-libcore.a"
        done = run("ar", "rcs", unfinished, *objects)
        assert done.returncode == 0, done.stdout
        unfinished.rename(library)
    return library


Made = subprocess.CompletedProcess[str] | Path


@pytest.fixture(scope="session")
def programs(archive: Path, folder: Path) -> Iterator[dict[Path, Future[Made]]]:
    """Every unit, being compiled: its program, or the compiler's complaint.

    A test waits for its own program only, within its own limit of time.
    """
    cc = compiler()

    def link_one(unit: Path) -> Made:
        target = folder / unit.stem
        return make(target, cc, *FLAGS, unit, archive, "-o") or target

    pool = ThreadPoolExecutor(os.cpu_count())
    yield {unit: pool.submit(link_one, unit) for unit in UNITS}
    pool.shutdown(cancel_futures=True)


def parameter(unit: Path) -> object:
    """Return a unit as a parameter, marked if it depends on instructions."""
    marks = [pytest.mark.isa] if unit.stem.removeprefix("test_") in ISA_UNITS else []
    return pytest.param(unit, marks=marks, id=unit.stem)


@pytest.mark.parametrize("unit", [parameter(unit) for unit in UNITS])
def test_c_unit_passes_under_sanitizers(
    unit: Path, programs: dict[Path, Future[Made]]
) -> None:
    """No expectation fails, and no sanitizer speaks up."""
    program = programs[unit].result()
    if isinstance(program, subprocess.CompletedProcess):
        pytest.fail(program.stdout)
    done = run(program)
    assert done.returncode == 0, done.stdout


@pytest.mark.isa
def test_engine_and_its_twin_agree_on_random_steps(archive: Path, folder: Path) -> None:
    """Verdicts, replies, counters and listings are equal after every step."""
    follow = folder / "follow"
    failed = make(follow, compiler(), *FLAGS, *DIFFERENTIAL, archive, "-o")
    assert failed is None, failed.stdout
    done = run(follow, STEPS)
    assert done.returncode == 0, done.stdout


def test_units_are_found() -> None:
    """An empty glob would pass as silently as a good run."""
    found = {unit.stem.removeprefix("test_") for unit in UNITS}
    assert found.issuperset(("wire", *ISA_UNITS))
    assert "wire" in {source.stem for source in SOURCES}
