"""Install one wheel in a fresh venv of every Python of this machine, and use it.

    python tests/tools/try_wheel.py dist/*.whl

Prints one line a Python and exits 1 if one fails.  Looks on PATH and among pyenv's
versions; what is older than the wheel allows, or has no venv module, is passed over.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLDEST = (3, 10)
PROBE = (
    "import sys, venv, ensurepip; print(*sys.version_info[:3], sys.implementation.name)"
)


def pythons() -> dict[str, Path]:
    """Find an interpreter for each version that counts."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders += sorted(root.glob("versions/*/bin"))
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("python3.[0-9]*")):
            if not re.fullmatch(r"python3\.\d+", path.name):
                continue
            probe = subprocess.run(
                [path, "-c", PROBE], capture_output=True, text=True, check=False
            )
            *version, kind = probe.stdout.split() or ["?"]
            if kind == "cpython" and tuple(map(int, version[:2])) >= OLDEST:
                found.setdefault(".".join(version), path)
    return found


def example() -> str:
    """Return the first example of the README."""
    readme = (ROOT / "README.md").read_text()
    return re.search(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)[1]


def attempt(python: Path, wheel: Path) -> str:
    """Install and use the wheel; return what went wrong, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder, "venv", "bin", "python")
        for words in (
            [python, "-m", "venv", Path(folder, "venv")],
            [inside, "-m", "pip", "install", "-q", wheel],
            [inside, "-W", "error", "-c", example()],
            [inside, "-m", "syncache.cli", "sysctl", "-n", "net.inet.tcp.syncookies"],
        ):
            done = subprocess.run(
                words, cwd=folder, capture_output=True, text=True, check=False
            )
            if done.returncode:
                return done.stderr.strip().rpartition("\n")[2] or "failed"
    return ""


def main(wheel: Path) -> int:
    """Try every Python."""
    found = pythons()
    failures = 0
    for version, python in sorted(found.items()):
        trouble = attempt(python, wheel)
        failures += bool(trouble)
        print(f"Python {version}: {trouble or 'ok'}", flush=True)
    print(f"{len(found) - failures} passed, {failures} failed")
    return int(failures > 0 or not found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
