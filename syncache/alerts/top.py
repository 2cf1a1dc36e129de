"""Names and how often each occurred, in bounded memory."""

from __future__ import annotations

from heapq import nlargest
from itertools import islice
from operator import itemgetter
from typing import Generic, TypeVar

Name = TypeVar("Name")

TOP_MAX = 50_000  # names that are counted at one time


class Top(Generic[Name]):
    """Counts names; where there are too many, those that are rare are forgotten."""

    def __init__(self) -> None:
        self._counts: dict[Name, int] = {}
        self.forgotten = 0

    def add(self, name: Name, number: int = 1) -> None:
        """Count one name."""
        counts = self._counts
        if name in counts:
            counts[name] += number
            return
        counts[name] = number
        if len(counts) > TOP_MAX:
            self._forget()

    def _forget(self) -> None:
        """Keep the more frequent half, and of those that are level the older ones."""
        counts, size = self._counts, TOP_MAX // 2
        level = sorted(counts.values(), reverse=True)[size - 1]
        kept = {name: number for name, number in counts.items() if number > level}
        if len(kept) < size:
            equal = ((n, number) for n, number in counts.items() if number == level)
            kept.update(islice(equal, size - len(kept)))
        self.forgotten += len(counts) - len(kept)
        self._counts = kept

    def most(self, number: int) -> list[tuple[Name, int]]:
        """Return the most frequent ones, with their numbers."""
        return nlargest(number, self._counts.items(), key=itemgetter(1))

    def __len__(self) -> int:
        return len(self._counts) + self.forgotten


def address(end: str) -> str:
    """Return the address of `10.0.0.5:80`, `[2001:db8::5]:80` or `2001:db8::5`."""
    if end.startswith("["):
        return end[1:].partition("]")[0]
    host, colon, _ = end.rpartition(":")
    # One colon: a port; more without brackets: IOS writes a port behind IPv6 too.
    return host if colon and host.count(":") in {0, 7} else end
