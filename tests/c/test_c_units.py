"""
Run the C units under AddressSanitizer and UndefinedBehaviorSanitizer.

Each tests/c/test_<stem>.c is one program and one test here.  The core is compiled into
an archive, so a unit links what it names and nothing else; a unit itself is compiled
without optimisation, which would take three times as long, and without the checks of
pointers for which AddressSanitizer stands in (`sanitized.OWN`).  tests/differential
links it, too: random steps which the engine and its naive twin both take.  Programs are
kept until a source changes, because `make test` runs them once for each instruction set
level.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from levels import share
from sanitized import (
    FLAGS,
    OWN,
    ROOT,
    SOURCES,
    archive,
    compiler,
    folder,
    make,
    run,
)

UNITS = sorted((ROOT / "tests" / "c").glob("test_*.c"))
# These choose kernels at run time; all others take the scalar ones.
ISA_UNITS = ("batch", "burst", "flood", "isa", "offload", "quick", "table")
DIFFERENTIAL = sorted((ROOT / "tests" / "differential").glob("*.c"))
STEPS = 200_000

Made = subprocess.CompletedProcess[str] | Path


@pytest.fixture(scope="session")
def programs() -> Iterator[dict[Path, Future[Made]]]:
    """Every unit, being compiled: its program, or the compiler's complaint.

    A test waits for its own program only, within its own limit of time.
    """
    cc, library = compiler(), archive()

    def link_one(unit: Path) -> Made:
        target = folder() / unit.stem
        return make(target, cc, *FLAGS, *OWN, unit, library, "-o") or target

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
def test_engine_and_its_twin_agree_on_random_steps() -> None:
    """Verdicts, replies, counters and listings are equal after every step."""
    follow = folder() / "follow"
    failed = make(follow, compiler(), *FLAGS, *DIFFERENTIAL, archive(), "-o")
    assert failed is None, failed.stdout
    done = run(follow, str(share(STEPS)))
    assert done.returncode == 0, done.stdout


def test_units_are_found() -> None:
    """An empty glob would pass as silently as a good run."""
    found = {unit.stem.removeprefix("test_") for unit in UNITS}
    assert found.issuperset(("wire", *ISA_UNITS))
    assert "wire" in {source.stem for source in SOURCES}
