"""What the rigs of the kernel's programs have in common: their command line."""

from __future__ import annotations

import argparse
import random
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

SHOWN = 20


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
    with closing(rig()) as made:
        found = compare(made, random.Random(chosen.seed), chosen.count)
    for line in found[:SHOWN]:
        print(line)
    print(f"{chosen.count} {what}, {len(found)} differ")
    return int(bool(found))
