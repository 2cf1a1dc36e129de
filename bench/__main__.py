"""Comparisons by name: what a packet costs us, and what it costs others.

    python -m bench                     every comparison, about eight minutes
    python -m bench --quick             those in memory, below 50 s
    python -m bench --list              names of figures and families
    python -m bench NAME ...            some families or figures
        --json FILE --pictures FOLDER --repeats N
    python -m bench --counts [--write]  instructions under callgrind, gated; counts.py

Arms of a family are measured by turns, pinned to one processor.  A figure is the median
of the ratios of pairs, with the smallest and the largest; one that misses its goal is
marked SHORT.  Comparisons on the wire need root, for they make network namespaces.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from . import counts, established, machine, memory, offload, shielded, wired, xdp_time
from .figure import (
    Family,
    Result,
    Runs,
    compare,
    measure,
    table_of_arms,
    table_of_results,
)
from .wire import WireError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

REPEATS = 9


def main() -> int:
    """Run what was asked for."""
    options = arguments()
    if options.counts:
        with tempfile.TemporaryDirectory() as folder:
            program = counts.build(Path(folder))
            return counts.gate(counts.count(program, Path(folder)), write=options.write)
    everything = (
        *memory.FAMILIES,
        *wired.FAMILIES,
        *shielded.FAMILIES,
        *xdp_time.FAMILIES,
        *offload.FAMILIES,
        *established.FAMILIES,
    )
    if options.list:
        print(listing(everything))
        return 0
    chosen = choose(everything, options.names, quick=options.quick)
    runs, results = run(chosen, options.repeats)
    report(results)
    if options.json:
        written = document(chosen, runs, results)
        options.json.write_text(json.dumps(written, indent=1) + "\n")
    if options.pictures:
        from . import pictures

        pictures.draw(options.pictures, runs, wired.CROWDS)
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--counts", action="store_true")
    parser.add_argument("--write", action="store_true", help="expect today's counts")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats is at least 1")
    return options


def listing(families: Sequence[Family]) -> str:
    """Lay out the names."""
    lines = []
    for family in families:
        lines.append(f"{family.name} ({family.group}, {family.unit})")
        lines += [
            f"  {figure.name:32}{figure.goal or ''!s:>9}  {figure.what}"
            for figure in family.figures
        ]
    return "\n".join(lines)


def choose(
    families: Sequence[Family], names: Sequence[str], *, quick: bool
) -> list[Family]:
    """Return the families that were named, or that hold a figure that was."""
    known = {name for f in families for name in (f.name, *(x.name for x in f.figures))}
    unknown = sorted(set(names) - known)
    if unknown:
        sys.exit(f"no such comparison: {', '.join(unknown)}; --list names them")
    wanted = set(names) or known
    chosen = [
        family
        for family in families
        if wanted & {family.name, *(figure.name for figure in family.figures)}
        and not (quick and family.group != "memory")
    ]
    if not chosen:
        sys.exit("nothing of these is in memory: leave out --quick")
    return chosen


def run(
    families: Sequence[Family], repeats: int
) -> tuple[dict[str, Runs], list[Result]]:
    """Measure family by family; a wire that this machine cannot have is said."""
    runs: dict[str, Runs] = {}
    results: list[Result] = []
    for family in families:
        print(f"{family.name}", flush=True)
        try:
            with place(family), family.enter() as arms:
                warm = family.group == "memory"
                turns = family.turns(repeats)
                runs[family.name] = measure(arms, turns, warm=warm)
        except WireError as error:
            print(f"  left out: {error}")
            continue
        print(table_of_arms(family.unit, runs[family.name]))
        drawn = [compare(f, family.unit, runs[family.name]) for f in family.figures]
        found = [result for result in drawn if result is not None]
        if found:
            print(table_of_results(found), flush=True)
        results += found
    return runs, results


def place(family: Family) -> AbstractContextManager[None]:
    """Stay on one processor, unless the family has both under its command."""
    return machine.pinned() if family.group == "memory" else nullcontext()


def report(results: Sequence[Result]) -> None:
    """Say which figures fall short of their goals."""
    short = [result.figure.name for result in results if result.reached is False]
    reached = sum(result.reached is True for result in results)
    print(f"{reached} goals reached, {len(short)} short: {', '.join(short) or 'none'}")


def document(
    families: Sequence[Family], runs: dict[str, Runs], results: Sequence[Result]
) -> dict[str, object]:
    """Return what `--json` writes."""
    units = {family.name: family.unit for family in families}
    arms = {
        name: {"unit": units[name], "values": values} for name, values in runs.items()
    }
    figures = [result.to_json() for result in results]
    return {
        **machine.describe(),
        "figures": figures,
        "arms": arms,
        "connect_ms": wired.summary(),
    }


if __name__ == "__main__":
    sys.exit(main())
