"""Clients in a SYN flood whose log nobody reads, has no disk, or lost its reader.

    make floods-logs ARGS="[--engines A,B] [--families 4,6] [--rounds N] ..."

Each round runs the engine without its optional lines, and with all of them into a log
that is hurt in each way, in turn, and backwards in the next one; so the rest of the
machine disturbs all alike.  The way `quiet` runs twice a round: the ratio of the second
to the first one is the noise.  Of each way all clients of all rounds make one 99th
percentile; with some hundred clients a round it is a statistic and no single client's
bad luck.  Beside its ratio to that of the quiet runs is the median of the rounds' own
ratios, and the least and the most of these.  With `--real-time` everything runs at a
real-time priority, as it has to on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
import time
from itertools import chain
from pathlib import Path

from namespace import PATIENCE, listens, wait_until
from storms import COMMAND, LEAD, LINKS, Stormed, percentile, real_time, result

VERBOSE = {"intercept": "--debug", "inspect": "--audit"}
QUIET = ("quiet", "quiet again")
WAYS = (*QUIET, "stalled", "full disk", "reader gone", "read")
RATE = 40_000
EVERY_MS = 5  # a client


def standard_output(way: str, folder: Path) -> tuple[int, int | None]:
    """Open a standard output, and the other end of it if there is one."""
    if way in {*QUIET, "read"}:
        return os.open(folder / "out", os.O_WRONLY | os.O_CREAT), None
    if way == "full disk":
        return os.open("/dev/full", os.O_WRONLY), None
    reader, writer = os.pipe()
    return writer, reader


def visited(
    made: Stormed, engine: str, way: str, family: int, count: int
) -> list[float]:
    """Return the times of the clients that were served while a flood is on."""
    folder = made.folder
    listed = ["--list", made.acl] if engine == "intercept" else []
    verbose = [] if way in QUIET else [VERBOSE[engine]]
    control = folder / "control"
    words = [engine, *LINKS, *listed, *verbose, "--control", control]
    out, reader = standard_output(way, folder)
    with (
        (folder / "err").open("wb") as error,
        made.us.start(*COMMAND, *words, stdout=out, stderr=error) as process,
    ):
        os.close(out)
        try:
            wait_until(lambda: listens(control))
            if way == "reader gone" and reader is not None:
                os.close(reader)
                reader = None
            seconds = 2 * LEAD + count * EVERY_MS / 1000
            flood = made.flood("syn", family, RATE, seconds)
            time.sleep(LEAD)
            served = result(made.crowd(family, count, EVERY_MS))["served_ms"]
            result(flood)
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)
        finally:
            process.kill()
            if reader is not None:
                os.close(reader)
    return served


def compared(engine: str, family: int, rounds: int, count: int) -> None:
    """Run all ways in turn, and print a line for each."""
    times: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in WAYS if number % 2 == 0 else reversed(WAYS):
            with tempfile.TemporaryDirectory() as folder:
                made = Stormed(Path(folder))
                made.engine = engine
                try:
                    times[way].append(visited(made, engine, way, family, count))
                finally:
                    made.close()
    # Of both quiet runs: what the others are compared with.
    alone = [a + b for a, b in zip(*(times[way] for way in QUIET), strict=True)]
    base = percentile(list(chain(*alone)), 99)
    for way in WAYS[1:]:
        beside = times[QUIET[0]] if way in QUIET else alone
        ratios = [
            percentile(mine, 99) / percentile(other, 99)
            for mine, other in zip(times[way], beside, strict=True)
        ]
        pooled = list(chain(*times[way]))
        print(
            f"{engine:10}IPv{family} {way:12}"
            f"{min(map(len, times[way])):4} of {count} served at least  "
            f"p50 {percentile(pooled, 50):5.2f} p99 {percentile(pooled, 99):6.2f} ms, "
            f"{percentile(pooled, 99) / base:.2f} of {base:.2f}; rounds "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def main() -> None:
    """Both engines and families."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--engines", default=",".join(VERBOSE))
    parser.add_argument("--families", default="4,6")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--real-time", action="store_true")
    given = parser.parse_args()
    if given.real_time:
        real_time()
    for engine in given.engines.split(","):
        for family in map(int, given.families.split(",")):
            compared(engine, family, given.rounds, given.clients)


if __name__ == "__main__":
    main()
