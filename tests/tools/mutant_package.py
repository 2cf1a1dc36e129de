"""
The extension with one file of it changed, and the Python tests of that file's room.

`mutate.py` asks here about a mutant that the C tests leave alive: csrc/flow and
csrc/link are tested from Python as well, which links the whole extension.

Not here: which mutants there are, the C tests (mutate.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
# Beside the package itself, what tests read from the root of the project.
BESIDE = ("tests", "csrc", "docs", "bench", "findings", "pyproject.toml", "README.md")
TESTS = {
    "flow": (
        "tests/unit/middlebox/test_core_*.py",
        "tests/unit/middlebox/test_flow*.py",
        "tests/unit/middlebox/test_in*.py",
        "tests/unit/middlebox/test_bridge*.py",
        "tests/unit/middlebox/test_tap.py",
        "tests/property/test_intercept_follows_model.py",
        "tests/property/test_inspection_follows_model.py",
        "tests/property/test_intercept_honest_peers.py",
        "tests/property/test_bad_intercept.py",
        "tests/conformance/test_in*.py",
        "tests/unit/cli/test_cli_replay.py",
        "tests/conformance/test_rfc*.py",
        "tests/conformance/test_s*.py",
    ),
    "link": (
        "tests/unit/links",
        "tests/netns/test_packet.py",
        "tests/netns/test_tun.py",
        "tests/netns/test_xdp.py",
        "tests/netns/test_shield.py",
        "tests/netns/test_offload.py",
    ),
}
SECONDS = 120  # of processor time; ten times as many of the clock's


def tests_of(room: str) -> list[Path]:
    """Return the files of a room's Python tests, the likeliest killers first."""
    found = [p for name in TESTS.get(room, ()) for p in sorted(ROOT.glob(name))]
    return list(dict.fromkeys(found))


class Package:
    """The objects of the extension; a mutant replaces one and is linked anew."""

    def __init__(self, build: Path) -> None:
        """Compile the extension unchanged, below `build`."""
        self.build = build
        self.cc = os.environ.get("CC", "gcc")
        self.objects: dict[str, Path] = {}

    def compile(self) -> None:
        """Compile on first use: most mutants die before Python is asked."""
        if not (self.build / "compiled").exists():
            self.build_extension()
            (self.build / "compiled").touch()
        found = (self.build / "temp").rglob("*.o")
        self.objects = {f"{p.parent.name}/{p.stem}": p for p in found}

    def build_extension(self) -> None:
        """Make the objects of the extension."""
        subprocess.run(
            [
                *(sys.executable, "setup.py", "-q", "build_ext"),
                *("--build-temp", str(self.build / "temp")),
                *("--build-lib", str(self.build / "lib")),
            ],
            cwd=ROOT,
            env=os.environ | {"CFLAGS": "-O1 -w"},
            check=True,
        )

    def passes(self, changed: Path, where: Path) -> bool:
        """
        Return whether the Python tests pass with a changed file.

        `changed` is the file's place in the project; its text is that of
        `where / changed.name`.
        """
        room = changed.parent.name
        target = where / "changed.o"
        places = [f"-iquote{changed.parent}", f"-I{CSRC}"]
        flags = ["-O1", "-w", "-std=c11", "-fPIC", "-fvisibility=hidden"]
        if not self.calls(
            [self.cc, *flags, *places, "-c", where / changed.name, "-o", target]
        ):
            return False
        tree = where / "tree"
        self.lay_out(tree)
        replaced = self.objects | {f"{room}/{changed.stem}": target}
        made = tree / "syncache" / "_ffi.abi3.so"
        return self.calls(
            [self.cc, "-shared", *replaced.values(), "-o", made]
        ) and self.calls(
            [
                sys.executable,
                "-m",
                "pytest",
                "-x",
                "-q",
                "-n0",
                "-p",
                "no:cacheprovider",
            ]
            + [path.relative_to(ROOT) for path in tests_of(room)],
            tree,
        )

    def lay_out(self, tree: Path) -> None:
        """Make a tree of links whose package is its own."""
        package = tree / "syncache"
        package.mkdir(parents=True)
        for name in BESIDE:
            (tree / name).symlink_to(ROOT / name)
        for path in (ROOT / "syncache").iterdir():
            if path.suffix != ".so" and path.name != "__pycache__":
                (package / path.name).symlink_to(path)

    @staticmethod
    def calls(command: list[str | Path], folder: Path = ROOT) -> bool:
        """Return whether a command succeeds in time."""
        limited = ("sh", "-c", f'ulimit -t {SECONDS}; exec "$@"', "sh")
        try:
            done = subprocess.run(
                [*limited, *map(str, command)],
                cwd=folder,
                env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
                check=False,
                capture_output=True,
                timeout=10 * SECONDS,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0
