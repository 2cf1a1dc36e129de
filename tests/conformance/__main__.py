"""Plays case files: python -m tests.conformance [--tun] FILE.json ..."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from . import cases, packetdrill
from .differences import DIFFERENCES
from .player import play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .script import Script
    from .world import Air


def main(arguments: Sequence[str] | None = None) -> int:
    """Play every script of every file; one line each, 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance")
    parser.add_argument(
        "files", nargs="+", type=Path, help="case files or .pkt scripts"
    )
    parser.add_argument("--tun", action="store_true", help="through a real TUN device")
    parser.add_argument("-v", "--verbose", action="store_true", help="say what differs")
    parser.add_argument("--topics", action="store_true", help="count by topic as well")
    options = parser.parse_args(arguments)
    try:
        scripts = [script for path in options.files for script in load(path)]
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    if options.tun:
        from . import tun

        try:
            tun.enter_namespace(sys.argv[1:] if arguments is None else arguments)
        except OSError as error:
            print(error, file=sys.stderr)
            return 1
        with tun.air() as air:
            return play_all(scripts, air, options)
    return play_all(scripts, None, options)


def load(path: Path) -> list[Script]:
    """Read a file in either language."""
    return [packetdrill.load(path)] if path.suffix == ".pkt" else cases.load(path)


def play_all(
    scripts: list[Script], air: Air | None, options: argparse.Namespace
) -> int:
    """Play, print a line for each script and the sum."""
    passed = failed = 0
    topics: Counter[tuple[str, str]] = Counter()
    for script in scripts:
        failures = play(script, air=air)
        if not failures:
            word = "pass"
            passed += 1
        elif script.name in DIFFERENCES:
            word = "differs"
        else:
            word = "fail"
            failed += 1
        topics[script.topic or "no topic", word] += 1
        print(word, script.name)
        if options.verbose:
            for text in [*script.notices, *failures]:
                print(f"    {text}")
            if word == "differs":
                print(f"    because {DIFFERENCES[script.name]}")
    if options.topics:
        for (topic, word), count in sorted(topics.items()):
            print(f"{topic}: {count} {word}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
