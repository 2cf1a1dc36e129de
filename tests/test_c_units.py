"""
Run the C units under AddressSanitizer and UndefinedBehaviorSanitizer.

Each tests/c/test_<stem>.c is one program and one test here.  The core is compiled once
a session into an archive, so a unit links what it names and nothing else.  So is
tests/differential: random steps which the engine and its naive twin both take.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UNITS = sorted((ROOT / "tests" / "c").glob("test_*.c"))
DIFFERENTIAL = sorted((ROOT / "tests" / "differential").glob("*.c"))
STEPS = "200000"
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
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core as a static library with sanitizers."""
    build = tmp_path_factory.mktemp("core")
    cc = compiler()

    def compile_one(source: Path) -> Path:
        target = build / f"{source.parent.name}-{source.stem}.o"
        done = run(cc, *FLAGS, "-c", source, "-o", target)
        assert done.returncode == 0, done.stdout
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, SOURCES))
    library = build / "libcore.a"
    done = run("ar", "rcs", library, *objects)
    assert done.returncode == 0, done.stdout
    return library


@pytest.fixture(scope="session")
def programs(
    archive: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[Path, subprocess.CompletedProcess[str] | Path]:
    """Every unit compiled: its program, or what the compiler said."""
    build = tmp_path_factory.mktemp("units")
    cc = compiler()

    def link_one(unit: Path) -> subprocess.CompletedProcess[str] | Path:
        target = build / unit.stem
        done = run(cc, *FLAGS, unit, archive, "-o", target)
        return target if done.returncode == 0 else done

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(UNITS, pool.map(link_one, UNITS), strict=True))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_c_unit_passes_under_sanitizers(
    unit: Path, programs: dict[Path, subprocess.CompletedProcess[str] | Path]
) -> None:
    """No expectation fails, and no sanitizer speaks up."""
    program = programs[unit]
    if isinstance(program, subprocess.CompletedProcess):
        pytest.fail(program.stdout)
    done = run(program)
    assert done.returncode == 0, done.stdout


def test_engine_and_its_twin_agree_on_random_steps(
    archive: Path, tmp_path: Path
) -> None:
    """Verdicts, replies, counters and listings are equal after every step."""
    follow = tmp_path / "follow"
    done = run(compiler(), *FLAGS, *DIFFERENTIAL, archive, "-o", follow)
    assert done.returncode == 0, done.stdout
    done = run(follow, STEPS)
    assert done.returncode == 0, done.stdout


def test_units_are_found() -> None:
    """An empty glob would pass as silently as a good run."""
    assert "test_wire" in {unit.stem for unit in UNITS}
    assert "wire" in {source.stem for source in SOURCES}
