"""
What mutation testing keeps below build/mutate: compiled files, and fates of mutants.

The unchanged library, its tests and what they reach are one folder, named by a digest
of all files that they are made from; the last KEPT of them stay.  Fates are lines of
one file, so that a run that ended goes on where it was: a killed mutant stays killed as
long as its file is the same, one that lives is asked again when a test has changed.

Not here: how files are compiled, and what a fate is (mutate.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "build" / "mutate"
KEPT = 4
KILLED = "killed"


def digest(*parts: str | Path) -> str:
    """Name these words, files and folders by what is in them."""
    total = hashlib.sha256()
    for part in parts:
        for path in sorted(files(part)) if isinstance(part, Path) else [part]:
            total.update(f"\0{path}\0".encode())
            if isinstance(path, Path):
                total.update(path.read_bytes())
    return total.hexdigest()[:16]


def files(place: Path) -> Iterable[Path]:
    """Return the sources in a folder, or the file itself."""
    if place.is_file():
        return [place]
    return [p for kind in ("c", "h", "py", "txt") for p in place.rglob(f"*.{kind}")]


@contextlib.contextmanager
def kept(name: str, make: Callable[[Path], None]) -> Iterator[Path]:
    """Hold a folder that `make` fills, unless an earlier run has."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        place = FOLDER / name
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "made").exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            make(place)
            (place / "made").touch()
        os.utime(place)
        fcntl.flock(lock, fcntl.LOCK_SH)
        drop_old()
        yield place


def drop_old() -> None:
    """Remove the folders that nobody holds, but for the last ones."""
    locks = [p for p in FOLDER.glob("*.lock") if p.with_suffix("").exists()]
    locks.sort(key=lambda p: p.with_suffix("").stat().st_mtime)
    for path in locks[:-KEPT]:
        with path.open() as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)


class Fates:
    """What became of which mutant, as far as that still holds."""

    def __init__(self, path: Path, tests: str) -> None:
        """Read a file of fates; `tests` names the tests that are asked now."""
        self.path, self.tests = path, tests
        self.fate: dict[str, str] = {}
        lines = path.read_text().splitlines() if path.exists() else []
        for mutant, fate, asked in map(str.split, lines):
            if fate == KILLED or asked == tests:
                self.fate[mutant] = fate

    def note(self, mutant: str, fate: str) -> None:
        """Write one down at once: the run may be ended at any time."""
        self.fate[mutant] = fate
        with self.path.open("a") as out:
            out.write(f"{mutant} {fate} {self.tests}\n")
