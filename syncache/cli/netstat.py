"""`syncache netstat`: what netstat(1) shows of the syncache, from a running process.

`-s` prints the counters in FreeBSD's words, and below them ours; `-a` lists the
half-open connections.  `--json` has the plain names, `--libxo json` the keys that
scripts for FreeBSD's netstat know, one of them misspelt there for good.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from .. import Reason, Stats
from ..control import Client, ControlError
from . import Failure

ROWS = 1000  # as many as a person scrolls through


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(prog="syncache netstat", description="netstat(1)")
    p.add_argument(
        "-s", action="count", default=0, help="counters; -ss: without zeroes"
    )
    p.add_argument("-a", action="store_true", help="half-open connections")
    p.add_argument(
        "--limit",
        metavar="N",
        type=int,
        default=ROWS,
        help="rows of -a, the oldest first [%(default)s]",
    )
    p.add_argument(
        "--socket",
        metavar="PATH",
        default=os.environ.get("SYNCACHE_SOCKET"),
        help="of the process, as given to `serve --control` [$SYNCACHE_SOCKET]",
    )
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
        raise Failure("say which process: --socket PATH, as given to `serve --control`")
    client = Client(options.socket)
    try:
        if options.a:
            print_half_open(client, options)
        if options.s or not options.a:
            print_counters(client.request("stats"), options)
            if not (options.json or options.libxo):
                print_shield(client, options)
    except ControlError as error:
        raise Failure(str(error)) from None
    return 0


def print_counters(counters: dict[str, int], options: argparse.Namespace) -> None:
    """Print the counters in the form asked for."""
    if options.json:
        print(json.dumps(counters, indent=1))
        return
    verdicts = {reason: counters.pop(reason.name) for reason in Reason}
    stats = Stats(**counters, verdicts=verdicts)
    if options.libxo:
        tree = {"statistics": {"tcp": {"syncache": stats.libxo()}}}
        print(json.dumps(tree, indent=1))
    else:
        print("tcp:")
        print(stats.netstat(options.profile, zeroes=options.s < 2), end="")


def print_shield(client: Client, options: argparse.Namespace) -> None:
    """Print what the programs of a shield counted, if the process is one."""
    try:
        counters = client.request("shield")["counters"]
    except ValueError:
        return
    print("shield:")
    for name, count in counters.items():
        if count or options.s < 2:
            print(f"\t{count} {name.replace('_', ' ')}")


def print_half_open(client: Client, options: argparse.Namespace) -> None:
    """List half-open connections, oldest first; report on stderr what is left out."""
    if options.limit < 1:
        raise Failure(f"--limit {options.limit}: a list has at least one row")
    count = client.request("get", name="net.inet.tcp.syncache.count")
    rows = client.request("half_open", limit=options.limit)
    print_rows(rows, as_json=options.json)
    if len(rows) >= options.limit and count > len(rows):
        print(
            f"syncache netstat: {len(rows)} of {count} half-open connections shown; "
            f"--limit {count} lists all of them",
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
