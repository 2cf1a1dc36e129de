"""
No branch and no address depends on a key: tests/c/ctgrind.c under valgrind.

The keys are undefined memory there, so memcheck reports what depends on them.  Two
cases that leak on purpose show that it does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import needs
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "tests" / "c" / "ctgrind.c"
CORE = ROOT / "csrc" / "core"
STEMS = ("siphash", "syncookie", "secret", "md5", "wire", "wire_ip", "wire_sum")
SOURCES = [CORE / f"{stem}.c" for stem in (*STEMS, "wire_build", "wire_icmp")]
# valgrind's reader of debugging information knows DWARF 4 of every compiler.
FLAGS = ["-std=c11", "-gdwarf-4", "-O2"]
COMPILERS = [
    name for name in (os.environ.get("CC", "gcc"), "clang-19") if shutil.which(name)
]
REPORTED = 9


@pytest.fixture(scope="module", params=COMPILERS)
def program(request: pytest.FixtureRequest, tmp_path_factory) -> Path:
    """ctgrind.c with what it judges, as a compiler optimises it for use."""
    needs.need("valgrind")
    target = tmp_path_factory.mktemp("ctgrind") / "ctgrind"
    command = [request.param, *FLAGS, PROGRAM, *SOURCES, "-o", target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def judge(program: Path, case: str) -> subprocess.CompletedProcess[str]:
    """Run one case under memcheck."""
    return subprocess.run(
        ["valgrind", "-q", f"--error-exitcode={REPORTED}", program, case],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("case", ["siphash", "cookie", "secret", "md5"])
def test_key_decides_no_branch_and_no_address(program, case):
    """The hash, a cookie made and checked, keys that come and go, a signature."""
    done = judge(program, case)
    assert (0, "") == (done.returncode, done.stdout)


@pytest.mark.parametrize(
    ("case", "report"),
    [
        ("leak_branch", "Conditional jump or move depends on uninitialised"),
        ("leak_address", "Use of uninitialised value"),
    ],
)
def test_leak_is_reported(program, case, report):
    """What leaks on purpose is seen, so silence above means something."""
    done = judge(program, case)
    assert done.returncode == REPORTED
    assert report in done.stdout


def test_program_refuses_to_run_without_valgrind(program):
    """Nothing is marked there, and silence would pass."""
    done = subprocess.run([program, "cookie"], capture_output=True, check=False)
    assert done.returncode == 1


def test_a_compiler_was_found():
    """An empty list would pass as silently as a good run."""
    assert COMPILERS
