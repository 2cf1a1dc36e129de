"""`--state`: the spliced connections of `syncache intercept`, kept over a restart.

They are taken out of the engine a slice at a time between packets, and written by the
thread of a `StateFile`.  Whatever is wrong with the file costs a line, never the start.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from .. import flow_state
from . import Failure
from .files import StateFile
from .patience import patiently

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from ..intercept import Intercept
    from ..links.offload import Offload

SESSIONS_MAX = "net.inet.tcp.intercept.sessions_max"
BUSY_SECONDS = 0.2  # between looks whether the last writing is over
SLICES_A_TURN = 8  # of 256 connections: far below a millisecond


def add_options(p: argparse.ArgumentParser) -> None:
    """Add the options of the state file."""
    p.add_argument(
        "--state",
        metavar="FILE",
        type=Path,
        help="keep spliced connections here over a restart",
    )
    p.add_argument(
        "--state-interval",
        metavar="SECONDS",
        type=float,
        default=5.0,
        help="how often they are written [%(default)s]",
    )
    p.add_argument(
        "--pin",
        metavar="DIR",
        type=Path,
        help="below /sys/fs/bpf, with --offload and --state: the numbers of what the "
        "kernel carries are there after a kill",
    )


class State:
    """Keeps an engine's connections in a file.

    Args:
        engine: Whose.
        path: The file.
        every: Seconds between two writings.
        write: Takes a line of the log.

    Raises:
        Failure: the folder of the file does not exist.
    """

    def __init__(
        self,
        engine: Intercept,
        path: Path,
        every: float,
        write: Callable[[str], object],
    ) -> None:
        _check(path, every)
        self._engine = engine
        self._every = every
        self._due = 0.0
        self._log = write
        limit = flow_state.size(int(engine.sysctl[SESSIONS_MAX]))
        self._file = StateFile(path, lambda line: write(line + "\n"), limit)
        self._slices: Iterator[bytes] | None = None
        self._parts: list[bytes] = []

    def load(self, now: float) -> None:
        """Take up the connections that the file holds."""
        path = self._file.path
        self._due = now
        data = self._file.load()
        if data is None:
            return
        if self._engine.pin:
            data = self._caught_up(self._engine.pin, data)
        try:
            taken, count = self._engine.import_state(data, now)
        except flow_state.StateError as error:
            self._file.set_aside(str(error))
            return
        self._log(
            f"{taken} of {count} connections of {path} go on; those of less than "
            f"{self._every:g} s before the end are lost\n"
        )

    def _caught_up(self, pin: Path, data: bytes) -> bytes:
        from ..links.link import LinkError
        from ..links.offload_pins import caught_up

        try:
            return caught_up(pin, data)
        except LinkError as error:
            self._log(f"{error}\n")
            return data

    def turn(self, now: float, offload: Offload | None = None) -> None:
        """Do a bounded part of the work that is due; nothing waits for a disk.

        Connections that the kernel carries (`offload`) are looked at first.
        """
        self._file.report()
        if self._slices is None:
            if now < self._due or self._file.busy:
                return
            if offload is not None and not offload.is_fresh(now):
                return
            self._due = now + self._every
            self._slices, self._parts = self._engine.export_splices(now), []
        for _ in range(SLICES_A_TURN):
            part = next(self._slices, None)
            if part is None:
                self._hand_over()
                return
            self._parts.append(part)

    def wait(self, now: float) -> float:
        """Return in how many seconds `turn` is due: at once for more of a look."""
        if self._slices is not None:
            return 0.0
        return BUSY_SECONDS if self._file.busy else max(self._due - now, 0.0)

    def end(self) -> None:
        """Close now."""
        self.close(time.monotonic())

    def close(self, now: float) -> None:
        """Write the connections a last time."""
        self._parts = list(self._engine.export_splices(now))
        self._hand_over()
        self._file.close()

    def _hand_over(self) -> None:
        parts = self._parts
        self._file.save(lambda: flow_state.parts(parts))
        self._slices, self._parts = None, []


def check_state(options: argparse.Namespace) -> None:
    """Check the options of the state file.

    Raises:
        Failure: there can be no such file.
    """
    if options.pin and not (options.offload and options.state):
        raise Failure("--pin is for --offload with --state")
    if options.state:
        _check(options.state, options.state_interval)


def _check(path: Path, every: float) -> None:
    try:
        is_there = patiently(path.parent.is_dir)
    except OSError:  # it may answer later
        is_there = True
    if not is_there:
        raise Failure(f"--state {path}: there is no folder {path.parent}")
    if not every > 0:
        raise Failure(f"--state-interval is a number of seconds, not {every:g}")
