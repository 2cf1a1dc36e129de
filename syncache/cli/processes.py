"""The processes behind the path of a control socket: one, or the shards of one.

Contents: `expanded`, which finds the sockets, and `Processes`, which asks all of them
and adds up the answers.  Elsewhere: the questions (`control.Client`), rates and
samples of many processes (`top_data`).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from .. import Sysctl
from ..control import Client, ControlError

if TYPE_CHECKING:
    from ..halfopen import HalfOpen

SHARDS_MAX = 256


def expanded(path: str) -> list[str]:
    """Return the sockets of a path: itself, or those of the shards, `PATH.0` ..."""
    if Path(path).exists():
        return [path]
    shards: list[str] = []
    while len(shards) < SHARDS_MAX and Path(f"{path}.{len(shards)}").exists():
        shards.append(f"{path}.{len(shards)}")
    return shards or [path]


class Processes:
    """Asks the processes behind a path as if they were one.

    Its methods raise as `Client.request` does.

    Args:
        path: As it was given to `--control`.
    """

    def __init__(self, path: str) -> None:
        self._clients = [Client(name) for name in expanded(path)]

    def stats(self) -> dict[str, int]:
        """Return every counter by name, added up."""
        total: Counter[str] = Counter()
        for client in self._clients:
            total.update(client.request("stats"))
        return dict(total)

    def half_open(self) -> list[HalfOpen]:
        """Return the half-open connections, the oldest first."""
        found = [each for client in self._clients for each in client.half_open()]
        return sorted(found, key=lambda one: -one.age)

    def get(self, name: str) -> int | str:
        """Return the value of a tunable; of a count the sum.

        Raises:
            ValueError: the processes differ.
        """
        values: list[int | str] = [
            client.request("get", name=name) for client in self._clients
        ]
        numbers = [value for value in values if isinstance(value, int)]
        known = Sysctl()
        is_count = name in known and known.describe(name).settable == "never"
        if is_count and numbers:
            return sum(numbers)
        if len(set(values)) > 1:
            listed = ", ".join(str(value) for value in values)
            raise ValueError(f"{name}: the shards have {listed}: set it to one value")
        return values[0]

    def set(self, name: str, value: str) -> tuple[int | str, int | str]:
        """Change a tunable of all; return the old value of the first, and the new."""
        changed: list[tuple[int | str, int | str]] = []
        for client in self._clients:
            old, new = client.request("set", name=name, value=value)
            changed.append((old, new))
        return changed[0]


def only(path: str) -> Client:
    """Return the one process behind a path.

    Raises:
        ControlError: it is several.
    """
    names = expanded(path)
    if len(names) > 1:
        raise ControlError(f"{path}: this is {len(names)} shards: ask {names[0]} ...")
    return Client(names[0])
