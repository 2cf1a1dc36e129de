"""Clients in a SYN flood whose log nobody reads, has no disk, or lost its reader.

    make floods-logs ARGS="[--engines A,B] [--families 4,6] [--rounds N] ..."

Each round runs the engine without its optional lines, and with all of them into a log
that is hurt in each way, in turn; so the rest of the machine disturbs all alike.  It
prints the medians of the rounds, and of the ratios within a round.  With `--real-time`
everything runs at a real-time priority, as it has to on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from namespace import PATIENCE, wait_until
from storms import COMMAND, LEAD, LINKS, Stormed, percentile, real_time, result

VERBOSE = {"intercept": "--debug", "inspect": "--audit"}
WAYS = ("quiet", "stalled", "full disk", "reader gone")
RATE = 40_000
EVERY_SECONDS = 0.02  # a client


def standard_output(way: str, folder: Path) -> tuple[int, int | None]:
    """Open a standard output, and the other end of it if there is one."""
    if way == "quiet":
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
    verbose = [] if way == "quiet" else [VERBOSE[engine]]
    control = folder / "control"
    words = [engine, *LINKS, *listed, *verbose, "--control", control]
    out, reader = standard_output(way, folder)
    with (
        (folder / "err").open("wb") as error,
        subprocess.Popen(
            made.us.command(*COMMAND, *words),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=error,
        ) as process,
    ):
        os.close(out)
        try:
            wait_until(control.exists)
            if way == "reader gone" and reader is not None:
                os.close(reader)
                reader = None
            flood = made.flood("syn", family, RATE, 2 * LEAD + count * EVERY_SECONDS)
            time.sleep(LEAD)
            served = result(made.crowd(family, count))["served_ms"]
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
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    served = dict.fromkeys(WAYS, count)
    for number in range(rounds):
        for way in WAYS if number % 2 == 0 else reversed(WAYS):
            with tempfile.TemporaryDirectory() as folder:
                made = Stormed(Path(folder))
                made.engine = engine
                try:
                    found = visited(made, engine, way, family, count)
                finally:
                    made.close()
            times[way].append(percentile(found, 99))
            served[way] = min(served[way], len(found))
    for way in WAYS:
        ratios = [a / b for a, b in zip(times[way], times["quiet"], strict=True)]
        print(
            f"{engine:10}IPv{family} {way:12}{served[way]:4} of {count} served at "
            f"least  p99 {statistics.median(times[way]):7.1f} ms, "
            f"{statistics.median(ratios):.2f} of the quiet one",
            flush=True,
        )


def main() -> None:
    """Both engines and families."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--engines", default=",".join(VERBOSE))
    parser.add_argument("--families", default="4,6")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--real-time", action="store_true")
    given = parser.parse_args()
    if given.real_time:
        real_time()
    for engine in given.engines.split(","):
        for family in map(int, given.families.split(",")):
            compared(engine, family, given.rounds, given.clients)


if __name__ == "__main__":
    main()
