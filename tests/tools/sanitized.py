"""The C core with sanitizers, compiled once for all tests that link it.

That are the C units, the fuzzers' targets and the extension of bad_input.py.  What is
made is kept until a source changes, because `make test` runs the units once for each
instruction set level.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEPT_SECONDS = 3600
ROOMS = ("core", "simd", "flow", "link")
SOURCES = [p for room in ROOMS for p in (ROOT / "csrc" / room).glob("*.c")]
FLAGS = [
    "-std=c11",
    "-g1",  # functions and lines, which is what a report prints
    "-Og",  # which takes two thirds of the time of -O1
    "-fPIC",  # for the extension of bad_input.py too
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
if "clang" not in os.environ.get("CC", "gcc"):
    # Functions that touch memory more often have it checked by calls: the same checks
    # in less code, which takes two thirds of the time to compile, and a run half as
    # long again, which costs less.
    FLAGS.append("--param=asan-instrumentation-with-call-threshold=10")
# What is added for a test itself, as opposed to the core that it tests: arithmetic is
# watched there as well, but a pointer only where it is used, by AddressSanitizer.  That
# takes two thirds of the time.
OWN = [
    "-O0",
    "-fno-sanitize=undefined",
    "-fsanitize=shift,signed-integer-overflow,integer-divide-by-zero,bounds,bool,enum",
    "-fno-sanitize-recover=all",
]
if "clang" not in os.environ.get("CC", "gcc"):
    OWN.append("--param=asan-instrumentation-with-call-threshold=0")
    if shutil.which("ld.gold"):  # a third of the time of ld
        OWN.append("-fuse-ld=gold")


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


@cache
def folder() -> Path:
    """Where programs are kept for the next run, of another instruction set level."""
    digest = hashlib.sha256(repr([compiler(), FLAGS, OWN, SOURCES]).encode())
    for room in ("csrc", "tests/c", "tests/differential", "tests/fuzz"):
        for path in sorted((ROOT / room).rglob("*.[ch]")):
            digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
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


@cache
def archive() -> Path:
    """Return the core as a static library: who links it links what it names.

    One process at a time makes it, the others find it.
    """
    library = folder() / "libcore.a"
    with Path(folder(), "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if library.exists():
            return library
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(_compile, SOURCES))
        unfinished = library.with_name(f"{os.getpid()}-{library.name}")
        done = run("ar", "rcs", unfinished, *objects)
        assert done.returncode == 0, done.stdout
        unfinished.rename(library)
    return library


def _compile(source: Path) -> Path:
    target = folder() / f"{source.parent.name}-{source.stem}.o"
    failed = make(target, compiler(), *FLAGS, "-c", source, "-o")
    assert failed is None, failed.stdout
    return target
