"""The alarms of several processes of one service, in one line.

Each of them sends what its alarms would be made of to the process that started them,
once a second and without waiting; that one adds it up, and has the log write what
follows from the sums.  Elsewhere: the processes (`links.shard`), the alarms (`alarms`).
"""

from __future__ import annotations

import contextlib
import json
import math
import socket
from typing import TYPE_CHECKING

from ..alarms import TABLE_HIGH, TABLE_LOW, Alarm, Alarms
from ..attempts import Asked, Asking, Counted, added
from ..lookout import LOOK_SECONDS, Look
from . import Failure
from .output import Output, opened
from .sink import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

DATAGRAM_BYTES_MAX = 128 * 1024


def packed(look: Look) -> bytes:
    """Return a look as a datagram."""
    counters, counted, tables, paused = look
    rows = [[*row[:4], row.registers.hex()] for row in counted.asked]
    attempts = [*counted[:2], rows, counted.asking, counted.registers.hex()]
    return json.dumps([counters, attempts, tables, paused]).encode()


def unpacked(data: bytes) -> Look:
    """Return the look in a datagram."""
    counters, attempts, tables, paused = json.loads(data)
    total, prefixes, rows, asking, registers_of_all = attempts
    counted = Counted(
        total,
        prefixes,
        [
            Asked(address, port, syns, seen, bytes.fromhex(registers))
            for address, port, syns, seen, registers in rows
        ],
        [Asking(*row) for row in asking],
        bytes.fromhex(registers_of_all),
    )
    return Look(counters, counted, tables, paused)


class Sums:
    """The looks of several processes, added up once a second."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._last: dict[int, Look] = {}
        self._counted: list[Counted] = []
        self._alarms = Alarms()
        self._uneven: set[str] = set()
        self._due = 0.0
        self.rests = False  # nothing more to come but what is added

    def add(self, index: int, look: Look) -> None:
        """Take the look of a process."""
        self._last[index] = look
        self._counted.append(look.counted)

    def alarms(self, now: float) -> list[Alarm]:
        """Return the alarms; none before all have looked, or within a second."""
        if len(self._last) < self._count or now < self._due:
            return []
        if now >= self._due + LOOK_SECONDS:  # nobody had anything to say meanwhile
            self._alarms.rests(now - LOOK_SECONDS)
        self._due = now + LOOK_SECONDS
        self.rests = not self._counted and self._alarms.rests(now)
        if self.rests:
            return []
        counted, self._counted = added(self._counted), []
        counters: dict[str, int] = {}
        for look in self._last.values():
            for name, value in look.counters.items():
                counters[name] = counters.get(name, 0) + value
        return self._alarms.look(
            now,
            counters,
            counted=counted,
            tables=self._tables(),
            paused=any(look.paused for look in self._last.values()),
        )

    def _tables(self) -> dict[str, tuple[int, int]]:
        """Add up tables; one that is full while others are not is named as well."""
        found: dict[str, tuple[int, int]] = {}
        for look in self._last.values():
            for name, (count, limit) in look.tables.items():
                before = found.get(name, (0, 0))
                found[name] = (before[0] + count, before[1] + limit)
        return found | self._uneven_tables(found)

    def _uneven_tables(
        self, sums: Mapping[str, tuple[int, int]]
    ) -> dict[str, tuple[int, int]]:
        found = {}
        for index, look in sorted(self._last.items()):
            for name, (count, limit) in look.tables.items():
                of_shard = f"{name} of shard {index}"
                total, most = sums[name]
                if count >= TABLE_HIGH * limit and total < TABLE_LOW * most:
                    self._uneven.add(of_shard)
                if of_shard in self._uneven:
                    found[of_shard] = (count, limit)
                if count < TABLE_LOW * limit:  # said this once more
                    self._uneven.discard(of_shard)
        return found


class ShardAlarms:
    """The log lines of a service of several processes.

    Made before they are forked; `turn` and `close` are of the process that forks.
    """

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self._name, self._options = name, options
        kind = socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK
        self._pairs = [
            socket.socketpair(socket.AF_UNIX, kind) for _ in range(options.shards)
        ]
        self._sums = Sums(options.shards)
        self._stack = contextlib.ExitStack()
        self._output: Output | None = None
        self._is_begun = False

    def tell(self, index: int, look: Look) -> None:
        """Send the look of a process; called in it."""
        with contextlib.suppress(OSError):  # it does not read: the next one will do
            self._pairs[index][1].send(packed(look))

    @property
    def filenos(self) -> list[int]:
        """Descriptors that are readable when `turn` has something to take."""
        return [mine.fileno() for mine, _ in self._pairs]

    def turn(self, now: float, reloaded: bool) -> float:
        """Write the alarms; threads may be begun.

        Returns:
            In how many seconds it has to be called again at the latest.
        """
        if not self._is_begun:
            self._is_begun = True
            try:
                self._output = self._stack.enter_context(
                    opened(self._name, self._options)
                )
            except Failure as failure:  # the others have the same, and have said so
                say(f"{self._name}: {failure}; going on without alarms")
        if reloaded and self._output is not None:
            self._output.reopen()
        for index, (mine, _) in enumerate(self._pairs):
            with contextlib.suppress(OSError):
                while data := mine.recv(DATAGRAM_BYTES_MAX):
                    self._sums.add(index, unpacked(data))
        for alarm in self._sums.alarms(now):
            if self._output is not None:
                self._output.alarm(alarm)
        return math.inf if self._sums.rests else LOOK_SECONDS

    def write(self, text: str) -> None:
        """Write a line to the log."""
        if self._output is None:
            say(f"{self._name}: {text}")
        else:
            self._output.write(f"{text}\n")

    def close(self) -> None:
        """Write the last lines."""
        self._stack.close()
        for pair in self._pairs:
            for sock in pair:
                sock.close()
