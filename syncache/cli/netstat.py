"""`syncache netstat`: netstat(1)'s view of the syncache, from a running process.

`-s` prints the counters in FreeBSD's words, and below them ours; `-a` lists the
half-open connections.  `--json` has the plain names, `--libxo json` the keys that
scripts for FreeBSD's netstat know, one of them misspelt there for good.  `-w` prints a
line of rates every so many seconds.  Of `intercept` and `inspect` the counters have
their plain names.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from typing import Any

from .. import Reason, Stats
from ..control import ControlError
from ..lookout import RATES, rates_of
from ..stats import COUNTERS
from . import Failure
from . import options as opts
from .processes import Processes

HEADING_EVERY = 20  # lines
SECONDS_MAX = 86400
SHIELD = "shield_"  # before the names of its programs' counters
ROWS = 1000  # as many as a person scrolls through


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(prog="syncache netstat", description="netstat(1)")
    p.add_argument(
        "-s", action="count", default=0, help="counters; -ss: without zeroes"
    )
    p.add_argument("-a", action="store_true", help="half-open connections")
    p.add_argument(
        "-w", metavar="SECONDS", type=float, help="a line of rates every so often"
    )
    p.add_argument("-q", metavar="N", type=int, help="with -w: end after N lines")
    p.add_argument(
        "--limit",
        metavar="N",
        type=int,
        default=ROWS,
        help="rows of -a, the oldest first [%(default)s]",
    )
    opts.add_socket(p)
    p.add_argument(
        "--profile",
        choices=("syncache", "freebsd", "intime"),
        default="syncache",
        help="whose lines to print [%(default)s]",
    )
    form = p.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="plain names")
    form.add_argument("--libxo", choices=["json"], help="FreeBSD's names")
    return p


def run(options: argparse.Namespace) -> int:
    """Ask the process and print."""
    if not options.socket:
        raise Failure("say which process: --socket PATH, as given to its --control")
    if options.libxo and (options.a or options.w is not None):
        raise Failure("--libxo has the counters, -s, alone: --json has the rest")
    if options.json and options.a and options.s:
        raise Failure("--json prints one document: of -a or of -s")
    processes = Processes(options.socket)
    try:
        if options.w is not None:
            watch(processes, options.w, options.q, as_json=options.json)
            return 0
        if options.a:
            print_half_open(processes, options)
        if options.s or not options.a:
            print_counters(processes.stats(), options)
    except (ControlError, ValueError) as error:
        raise Failure(str(error)) from None
    return 0


def watch(
    processes: Processes, seconds: float, lines: int | None, *, as_json: bool = False
) -> None:
    """Print a line of rates every so many seconds, or an object each."""
    if lines is not None and lines < 1:
        raise Failure(f"-q {lines}: it ends after one line at least")
    if not 0 < seconds <= SECONDS_MAX:
        raise Failure(f"-w is up to {SECONDS_MAX} seconds, not {seconds:g}")
    before, began = processes.stats(), time.monotonic()
    printed = 0
    while lines is None or printed < lines:
        if printed % HEADING_EVERY == 0 and not as_json:
            print("".join(f"{name:>10}" for name in RATES))
        time.sleep(seconds)
        now, ended = processes.stats(), time.monotonic()
        rates = rates_of(before, now, ended - began)
        row = "".join(f"{rates[name]:>10}" for name in RATES)
        print(json.dumps(rates) if as_json else row, flush=True)
        before, began = now, ended
        printed += 1


def print_counters(counters: dict[str, int], options: argparse.Namespace) -> None:
    """Print the counters in the form asked for."""
    if options.json:
        print(json.dumps(counters, indent=1))
        return
    if "sc_added" not in counters:
        if options.libxo:
            raise Failure("FreeBSD has no names for its counters: --json has ours")
        for name, count in counters.items():
            if count or options.s < 2:
                print(f"\t{count} {name.replace('_', ' ')}")
        return
    verdicts = {reason: counters.pop(reason.name) for reason in Reason}
    named = {name: counters.pop(name) for name in COUNTERS}
    stats = Stats(**named, verdicts=verdicts)
    if options.libxo:
        tree = {"statistics": {"tcp": {"syncache": stats.libxo()}}}
        print(json.dumps(tree, indent=1))
    else:
        print("tcp:")
        print(stats.netstat(options.profile, zeroes=options.s < 2), end="")
        programs = {n: c for n, c in counters.items() if n.startswith(SHIELD)}
        print_shield(programs, zeroes=options.s < 2)
        for name, count in counters.items():  # of the link
            shown = options.profile == "syncache" and name not in programs
            if shown and (count or options.s < 2):
                print(f"\t{count} {name.replace('_', ' ')}")


def print_shield(programs: dict[str, int], *, zeroes: bool) -> None:
    """Print the counters of a shield's programs, if the process is one."""
    if programs:
        print("shield:")
    for name, count in programs.items():
        if count or zeroes:
            print(f"\t{count} {name.removeprefix(SHIELD).replace('_', ' ')}")


def print_half_open(processes: Processes, options: argparse.Namespace) -> None:
    """List half-open connections, oldest first; report omissions on stderr."""
    if options.limit < 1:
        raise Failure(f"--limit {options.limit}: a list has at least one row")
    found = processes.half_open()
    rows = [dataclasses.asdict(row) for row in found[: options.limit]]
    print_rows(rows, as_json=options.json)
    if len(found) > len(rows):
        print(
            f"syncache netstat: {len(rows)} of {len(found)} half-open connections "
            f"shown; --limit {len(found)} lists all of them",
            file=sys.stderr,
        )


def print_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print the half-open connections that the process returned."""
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'Local Address':42}{'Foreign Address':42}{'(state)':14}{'age':>8}")
    for row in rows:
        local = f"{row['laddr']}.{row['lport']}"
        foreign = f"{row['faddr']}.{row['fport']}"
        print(f"{local:42}{foreign:42}{'SYN_RCVD':14}{row['age']:8.1f}")
