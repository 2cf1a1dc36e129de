"""What the rigs of the kernel's programs have in common: their command line.

A process on each processor takes its share.
"""

from __future__ import annotations

import argparse
import os
import random
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

SHOWN = 20


class Work(NamedTuple):
    """What all processes do together."""

    seed: int
    count: int
    cpus: list[int]


class Closed(Protocol):
    """Something that has to be closed."""

    def close(self) -> None: ...


def run(
    text: str | None,
    what: str,
    rig: Callable[[], Closed],
    compare: Callable[..., list[str]],
) -> int:
    """Compare as the command line says; return the exit status.

    Args:
        text: Description of the command.
        what: Is compared, so many of them.
        rig: Makes what is compared.
        compare: With the rig, a source of randomness and a number: what differs.
    """
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    cpus = sorted(os.sched_getaffinity(0))
    part = partial(share, rig, compare, Work(chosen.seed, chosen.count, cpus))
    with ProcessPoolExecutor(len(cpus), mp_context=get_context("fork")) as pool:
        found = [line for lines in pool.map(part, range(len(cpus))) for line in lines]
    for line in found[:SHOWN]:
        print(line)
    print(f"{chosen.count} {what}, {len(found)} differ")
    return int(bool(found))


def share(
    rig: Callable[[], Closed],
    compare: Callable[..., list[str]],
    work: Work,
    number: int,
) -> list[str]:
    """Compare one processor's share of the work; what differs."""
    os.sched_setaffinity(0, {work.cpus[number]})
    each, more = divmod(work.count, len(work.cpus))
    with closing(rig()) as made:
        chosen = random.Random(f"{work.seed}/{number}")
        return compare(made, chosen, each + (number < more))
