"""Plays a folder of packetdrill scripts: python -m tests.conformance.suite FOLDER ...

A line for each script and reason, then the sums: scripts that were played, and of those
how many agree; scripts with a call that only an active side makes are counted apart.
For the public suites, which are not in this repository: clone one and give its folder.
`--linux` takes the settings that runners of suites for Linux make first.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import packetdrill
from .differences import PLAYED, UNPLAYABLE, reason_for
from .packetdrill_sysctl import read_shell
from .player import play

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .differences import Reason

TEMPLATE = Path(__file__).with_suffix(".md")
DEFAULTS, _ = read_shell("defaults.sh")
PLAYED_WORDS = ("agrees", "differs", "unexplained")


def main(arguments: Sequence[str] | None = None) -> int:
    """Play every script below the folders; 1 if one is neither read nor explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.suite")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--linux", action="store_true", help="with Linux's settings")
    parser.add_argument("-v", "--verbose", action="store_true", help="say what differs")
    options = parser.parse_args(arguments)
    counts: Counter[tuple[str, str]] = Counter()
    for path in scripts(options.folders):
        word, reason, text = judge(path, linux=options.linux)
        counts[word, reason.what if reason else ""] += 1
        print(word, path, f"({reason.what})" if reason else "")
        if options.verbose and text:
            print(f"    {text}")
    for line in summary(counts):
        print(line)
    return 1 if any(word in ("unread", "unexplained") for word, _ in counts) else 0


def scripts(folders: list[Path]) -> Iterator[Path]:
    """Yield the scripts below the folders; a file is itself."""
    for folder in folders:
        yield from sorted(folder.rglob("*.pkt")) if folder.is_dir() else [folder]


def judge(path: Path, *, linux: bool = False) -> tuple[str, Reason | None, str]:
    """Read and play one script; return a word, the reason, and the complaint."""
    try:
        script = packetdrill.load(path, linux=linux)
    except (OSError, ValueError) as error:
        reason = reason_for(str(error), UNPLAYABLE)
        return ("unplayable" if reason else "unread"), reason, str(error)
    if linux:
        for name, value in DEFAULTS:
            script.tunables.setdefault(name, value)
    failures = play(replace(script, open_end=True))
    if not failures:
        return "agrees", None, ""
    reason = reason_for(failures[0], PLAYED)
    return ("differs" if reason else "unexplained"), reason, failures[0]


def summary(counts: Counter[tuple[str, str]]) -> Iterator[str]:
    """Yield the sums, one reason a line."""
    for (word, what), number in sorted(counts.items()):
        yield f"{number:5} {word}{': ' if what else ''}{what}"
    total = sum(counts.values())
    played = sum(n for (word, _), n in counts.items() if word in PLAYED_WORDS)
    active = counts["unplayable", UNPLAYABLE[0].what]
    yield f"{played} of {total} played, {active} of them from the active side"


def page() -> str:
    """Return docs/packetdrill.md."""
    text = TEMPLATE.read_text(encoding="utf-8")
    for mark, reasons in (("@UNPLAYABLE@", UNPLAYABLE), ("@PLAYED@", PLAYED)):
        rows = [f"| {reason.what} | {reason.why} |" for reason in reasons]
        text = text.replace(mark, "\n".join(rows))
    return text


if __name__ == "__main__":
    sys.exit(main())
