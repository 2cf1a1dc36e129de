"""Where a link's work runs, and how urgently.

Receiving has two parts: the driver's (NAPI), which the kernel runs as it likes, and
ours.  Where the first outranks the second on one CPU, a flood leaves it nothing: every
packet is received and none is answered (receive livelock, docs/links.md).  The remedies
are a CPU of our own, a higher priority than the driver's part, or busy polling.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .link import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable

INTERFACES = Path("/sys/class/net")
PROCESSES = Path("/proc")


class Schedule:
    """CPU and priority of the calling thread, and of the driver's part below it.

    Args:
        name: The interface.
        cpu: To run on; None leaves it.
        priority: SCHED_FIFO, 1 to 99; None leaves it.  Linux grants real-time
            threads 95 % of a CPU.
        threaded_napi: Have the driver's part run in kernel threads, on the same CPU
            and at half the priority.

    Raises:
        LinkError: Something of it is not possible here; nothing is changed.
    """

    def __init__(
        self,
        name: str,
        *,
        cpu: int | None = None,
        priority: int | None = None,
        threaded_napi: bool = False,
    ) -> None:
        self._name = name
        self._undo: list[Callable[[], object]] = []
        try:
            if cpu is not None:
                self._pin(cpu)
            if priority is not None:
                self._raise_to(priority)
            if threaded_napi:
                self._thread_napi(cpu, priority)
        except BaseException:
            self.restore()
            raise

    def restore(self) -> None:
        """Undo the changes, in reverse order."""
        while self._undo:
            with suppress(OSError):
                self._undo.pop()()

    def _pin(self, cpu: int) -> None:
        before = os.sched_getaffinity(0)
        try:
            os.sched_setaffinity(0, {cpu})
        except (OSError, ValueError, OverflowError):
            have = ", ".join(map(str, sorted(before)))
            raise LinkError(f"cannot run on CPU {cpu}: there are {have}") from None
        self._undo.append(lambda: os.sched_setaffinity(0, before))

    def _raise_to(self, priority: int) -> None:
        policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) else "out of range"
            message = (
                f"cannot run at priority {priority}: {why}: it is between 1 and 99, "
                "and needs root (CAP_SYS_NICE) or `ulimit -r`"
            )
            raise LinkError(message, getattr(error, "errno", None)) from None
        self._undo.append(lambda: os.sched_setscheduler(0, policy, parameters))

    def _thread_napi(self, cpu: int | None, priority: int | None) -> None:
        """Switch on threaded NAPI unless it is, and put its threads below ours."""
        folder = INTERFACES / self._name
        try:
            index = int((folder / "ifindex").read_text("ascii"))
            if index != socket.if_nametoindex(self._name):
                raise FileNotFoundError
            setting = folder / "threaded"
            before = setting.read_text("ascii")
            if before.strip() == "0":
                setting.write_text("1", "ascii")
                self._undo.append(lambda: setting.write_text(before, "ascii"))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not this namespace's"
            message = (
                f"cannot switch on threaded NAPI: {folder}: {why}: in a namespace of "
                "your own mount sysfs anew; veth has NAPI only with `ethtool -K "
                f"{self._name} gro on` or XDP"
            )
            raise LinkError(message) from None
        for thread in napi_threads(self._name):
            if cpu is not None:
                os.sched_setaffinity(thread, {cpu})
            if priority is not None:
                below = os.sched_param(max(1, priority // 2))
                os.sched_setscheduler(thread, os.SCHED_FIFO, below)


def napi_threads(name: str) -> list[int]:
    """Return the ids of the kernel threads that receive for an interface."""
    found = []
    for file in PROCESSES.glob("[0-9]*/comm"):
        with suppress(OSError):  # it has ended
            if file.read_text().startswith(f"napi/{name}-"[:15]):
                found.append(int(file.parent.name))
    return sorted(found)
