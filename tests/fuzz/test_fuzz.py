"""What the fuzzers know already, replayed under sanitizers by any compiler.

Fuzzing itself is `make check fuzz-smoke`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from tidy import ROOT

FUZZ = ROOT / "tests" / "fuzz"
TARGETS = sorted(FUZZ.glob("fuzz_*.c"))
FLAGS = ["-std=c11", "-O1", "-g", "-fsanitize=address,undefined"]


@pytest.mark.parametrize("target", TARGETS, ids=lambda path: path.stem)
def test_known_inputs_find_nothing(target, tmp_path):
    """Every input of corpus and regressions keeps the target's invariant."""
    if shutil.which("cc") is None:
        pytest.fail("no C compiler: apt-get install gcc")
    inputs = [*FUZZ.glob(f"corpus/{target.stem}/*")]
    inputs += FUZZ.glob(f"regressions/{target.stem}/*")
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    names = ["core", "simd"] + ["flow"] * ("csrc/flow" in target.read_text())
    rooms = [ROOT / "csrc" / name for name in names]
    core = sorted(path for room in rooms for path in room.glob("*.c"))
    include = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc' / 'core'}"]
    program = tmp_path / "replay"
    words = ["cc", *FLAGS, "-fno-sanitize-recover=all", *include]
    words += [target, FUZZ / "replay.c", *core, "-o", program]
    subprocess.run(words, check=True)
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
