"""The conformance cases with the core under clang's sanitizers: see `make sanitizers`.

    python tests/tools/sanitized_cases.py libcore.a clang-19 -fsanitize=... [FLAG ...]

The extension is linked with the core that the C units have been linked with; the flags
are those that it was compiled with.
"""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# In this order, so that it is the package under test that pytest finds.
TRY = "import sys, syncache, pytest; sys.exit(pytest.main(sys.argv[1:]))"
CASES = ["-q", "-p", "no:cacheprovider", ROOT / "tests/conformance/test_cases.py"]


def build(folder: Path, archive: str, compiler: list[str]) -> None:
    """Put the package with an instrumented extension into a folder."""
    kept_out = shutil.ignore_patterns("*.so", "__pycache__", "build")
    shutil.copytree(ROOT / "syncache", folder / "syncache", ignore=kept_out)
    made_by = runpy.run_path(str(ROOT / "csrc" / "build_ffi.py"))
    made_by["ffibuilder"].emit_c_code(str(folder / "_ffi.c"))
    words = [*compiler, "-std=c11", "-DSYNCACHE_SELFCHECK", "-O0", "-w", "-fPIC"]
    words += [f"-DPy_LIMITED_API={made_by['LIMITED_API']}", "-shared", "-shared-libsan"]
    words += [f"-I{sysconfig.get_paths()['include']}", f"-I{ROOT / 'csrc'}"]
    made = folder / "syncache" / "_ffi.abi3.so"
    subprocess.run([*words, folder / "_ffi.c", archive, "-o", made], check=True)


def main(archive: str, *compiler: str) -> int:
    """Run them; return pytest's exit code."""
    runtime = f"libclang_rt.asan-{os.uname().machine}.so"
    asked = [compiler[0], f"-print-file-name={runtime}"]
    found = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    with tempfile.TemporaryDirectory() as name:
        build(Path(name), archive, list(compiler))
        environment = {
            "LD_PRELOAD": found.strip(),
            "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter's own
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "PYTHONMALLOC": "malloc",  # every object is a block of its own
            "PYTHONPATH": name,
        }
        words = [sys.executable, "-c", TRY, *map(str, CASES)]
        done = subprocess.run(
            words, check=False, cwd=name, env=os.environ | environment
        )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
