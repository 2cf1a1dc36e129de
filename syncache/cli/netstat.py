"""`syncache netstat`: what netstat(1) shows of the syncache, from a running process.

`-s` prints the counters in FreeBSD's words, and below them ours under their names; `-a`
lists the half-open connections.  `--json` has the plain names, `--libxo json` the keys
that scripts for FreeBSD's netstat know, one of them misspelt there for good.
"""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING, Any

from ..control import Client, ControlError
from . import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

# Counter, text for one, text for many, depth of indentation, key of libxo.
LINES = (
    ("sc_added", "syncache entry added", "syncache entries added", 1, "entries-added"),
    ("sc_retransmitted", "retransmitted", "retransmitted", 2, "retransmitted"),
    ("sc_dupsyn", "dupsyn", "dupsyn", 2, "duplicates"),
    ("sc_dropped", "dropped", "dropped", 2, "dropped"),
    ("sc_completed", "completed", "completed", 2, "completed"),
    ("sc_bucketoverflow", "bucket overflow", "bucket overflow", 2, "bucket-overflow"),
    ("sc_cacheoverflow", "cache overflow", "cache overflow", 2, "cache-overflow"),
    ("sc_reset", "reset", "reset", 2, "reset"),
    ("sc_stale", "stale", "stale", 2, "stale"),
    ("sc_aborted", "aborted", "aborted", 2, "aborted"),
    ("sc_badack", "badack", "badack", 2, "bad-ack"),
    ("sc_unreach", "unreach", "unreach", 2, "unreachable"),
    ("sc_zonefail", "zone failure", "zone failures", 2, "zone-failures"),
    ("sc_sendcookie", "cookie sent", "cookies sent", 1, "sent-cookies"),
    ("sc_recvcookie", "cookie received", "cookies received", 1, "receivd-cookies"),
    ("sc_spurcookie", "spurious cookie", "spurious cookies", 1, "spurious-cookies"),
    ("sc_failcookie", "failed cookie", "failed cookies", 1, "failed-cookies"),
)
# Counters that are no events of their own line.
SKIP = {name for name, *_ in LINES} | {"verdicts"}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(prog="syncache netstat", description="netstat(1)")
    p.add_argument(
        "-s", action="count", default=0, help="counters; -ss: without zeroes"
    )
    p.add_argument("-a", action="store_true", help="half-open connections")
    p.add_argument(
        "--socket",
        metavar="PATH",
        default=os.environ.get("SYNCACHE_SOCKET"),
        help="of the process, as given to `serve --control` [$SYNCACHE_SOCKET]",
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
            print_half_open(client.request("half_open"), as_json=options.json)
        if options.s or not options.a:
            print_counters(client.request("stats"), options)
    except ControlError as error:
        raise Failure(str(error)) from None
    return 0


def print_counters(stats: dict[str, Any], options: argparse.Namespace) -> None:
    """Print the counters in the form asked for."""
    if options.json:
        print(json.dumps(stats, indent=1))
    elif options.libxo:
        keys = {key: stats[name] for name, _, _, _, key in LINES[:-2]}
        tree = {"statistics": {"tcp": {"syncache": keys}}}
        print(json.dumps(tree, indent=1))
    else:
        print("\n".join(["tcp:", *lines(stats, zeroes=options.s < 2)]))


def lines(stats: dict[str, Any], *, zeroes: bool) -> Iterator[str]:
    """Yield the lines of `netstat -s`."""
    for name, one, many, depth, _ in LINES:
        count = stats[name]
        if count or zeroes:
            yield "\t" * depth + f"{count} {one if count == 1 else many}"
    for name, count in stats.items():
        if name not in SKIP and (count or zeroes):
            yield f"\t{count} {name}"


def print_half_open(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """List half-open connections, oldest first."""
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'Local Address':42}{'Foreign Address':42}{'(state)':14}{'age':>8}")
    for row in rows:
        local = f"{row['laddr']}.{row['lport']}"
        foreign = f"{row['faddr']}.{row['fport']}"
        print(f"{local:42}{foreign:42}{'SYN_RCVD':14}{row['age']:8.1f}")
