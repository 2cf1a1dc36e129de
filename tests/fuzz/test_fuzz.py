"""What the fuzzers know already, replayed under sanitizers by any compiler.

Fuzzing itself is `make check fuzz-smoke`.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import sanitized
from tidy import ROOT

FUZZ = ROOT / "tests" / "fuzz"
TARGETS = sorted(FUZZ.glob("fuzz_*.c"))


@pytest.mark.parametrize("target", TARGETS, ids=lambda path: path.stem)
def test_known_inputs_find_nothing(target, tmp_path):
    """Every input of corpus and regressions keeps the target's invariant."""
    inputs = [*FUZZ.glob(f"corpus/{target.stem}/*")]
    inputs += FUZZ.glob(f"regressions/{target.stem}/*")
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    include = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc' / 'core'}"]
    program = sanitized.folder() / target.stem
    # `make check fuzz-smoke` compiles the targets for clang, which warns of less.
    words = [sanitized.compiler(), *sanitized.FLAGS, "-w", *include, target]
    words += [FUZZ / "replay.c", sanitized.archive(), "-o"]
    failed = sanitized.make(program, *words)
    assert failed is None, failed.stdout
    done = subprocess.run(
        [program, empty, *inputs],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert 0 == done.returncode, done.stderr
    assert f"{len(inputs) + 1} inputs\n" == done.stdout


def test_known_configurations_find_nothing():
    """The same for the one target in Python."""
    inputs = sorted(FUZZ.glob("corpus/fuzz_sysctl_conf/*"))
    done = subprocess.run(
        [sys.executable, FUZZ / "fuzz_sysctl_conf.py", "-runs=0", *inputs],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert 0 == done.returncode, done.stderr
    assert len(inputs) >= 3
