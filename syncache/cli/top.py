"""`syncache top`: running processes, live in a terminal.

Rates and their history, tables and their limits, losses of the links, who is asked for
connections and by whom, the state and since when, the last alarms.  It asks the control
sockets every few seconds, each a question of a few kilobytes, and draws only the lines
that have changed.  Elsewhere: the questions (`top_data`), how
it looks (`top_view`), the keys (`top_app`).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import Failure, needs
from .top_data import Sockets, added
from .top_view import View, frame

if TYPE_CHECKING:
    from .top_data import Source

EVERY = 2.0
EVERY_MIN = 0.2
EVERY_MAX = 86400


# The marks of a picture where there is no UTF-8.
ASCII = str.maketrans("▁▂▃▄▅▆▇█←→", "_.,-=+*#<>")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache top",
        description="Show running processes live: rates, tables, links, the most "
        "asked and the most asking, the last alarms.",
    )
    p.add_argument(
        "--socket",
        metavar="PATH",
        action="append",
        default=[],
        help="of a process, as given to its --control, or of all its shards; may be "
        "repeated [$SYNCACHE_SOCKET]",
    )
    p.add_argument(
        "--fleet",
        metavar="CONF",
        nargs="?",
        const="",
        help="instead: the members of a group (syncache fleet); without CONF by the "
        "environment",
    )
    p.add_argument(
        "--every",
        metavar="SECONDS",
        type=float,
        default=EVERY,
        help="how often it is asked [%(default)s]",
    )
    p.add_argument("--once", action="store_true", help="print one picture, and end")
    return p


def run(options: argparse.Namespace) -> int:
    """Show the processes until the user ends it."""
    if not EVERY_MIN <= options.every <= EVERY_MAX:
        span = f"{EVERY_MIN} to {EVERY_MAX} seconds"
        raise Failure(f"--every is {span}, not {options.every:g}")
    with contextlib.closing(source_of(options)) as source:
        return show(options, source)


def show(options: argparse.Namespace, source: Source) -> int:
    """Show what a source has, once or until the user ends it."""
    seen = source.poll()
    if all(one.top is None for one in seen):
        raise Failure("; ".join(one.error for one in seen))
    if options.once:
        size = shutil.get_terminal_size()
        for line in frame(added(seen), View(of=len(seen)), size.columns, size.lines):
            print(plain("".join(text for text, _ in line).rstrip()))
        return 0
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure("it needs a terminal; --once prints one picture without")
    if not sys.stderr.isatty():  # textual draws there
        raise Failure("the standard error has to be the terminal too, without 2>")
    if os.environ.get("TERM") == "dumb":
        raise Failure("TERM=dumb places no text; --once prints one picture without")
    try:
        from .top_app import Top
    except ImportError:
        raise needs("top", "textual") from None
    Top(source, seen, options.every).run()
    return 0


def plain(text: str) -> str:
    """Return a line as the standard output can have it: without UTF-8 in ASCII."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(ASCII)
    return text


def source_of(options: argparse.Namespace) -> Source:
    """Return the processes to show."""
    if options.fleet is not None:
        if options.socket:
            raise Failure("show processes by --socket, or a group by --fleet, not both")
        from .top_fleet import Fleet

        return Fleet(Path(options.fleet) if options.fleet else None)
    paths = options.socket or [os.environ.get("SYNCACHE_SOCKET", "")]
    if not all(paths):
        raise Failure(
            "say which process: --socket PATH, as given to its --control; or --fleet"
        )
    return Sockets(paths)
