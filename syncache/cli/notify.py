"""The service manager is told how things stand: sd_notify(3), without its library.

Datagrams to the socket that `$NOTIFY_SOCKET` names.  Nothing here waits or raises: a
manager that does not listen is not our concern.
"""

from __future__ import annotations

import collections
import math
import os
import socket
import time
from typing import TYPE_CHECKING

from ..plural import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET = "NOTIFY_SOCKET"
MICROSECONDS = 1_000_000
UNSENT_MAX = 8
UNSENT_SECONDS = 0.2  # between two attempts
EXTEND_SECONDS = 60  # by which a start that waits may take longer


class Notify:
    """The manager's socket; without one every call does nothing.

    Args:
        environment: Where its names are looked up; None: the process's.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        names = os.environ if environment is None else environment
        self._path = names.get(SOCKET, "")
        self._socket: socket.socket | None = None
        if self._path.startswith(("/", "@")):
            self._socket = socket.socket(
                socket.AF_UNIX,
                socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
            )
        self._every = _watchdog(names) if self._socket else None
        self._due = self._extend_due = 0.0
        self._status = ""
        # A manager whose queue is full must not miss that we are ready.
        self._unsent: collections.deque[bytes] = collections.deque(maxlen=UNSENT_MAX)

    @property
    def is_heard(self) -> bool:
        """Whether there is a manager to tell."""
        return self._socket is not None

    def ready(self, status: str) -> None:
        """Everything is open, or the changes have been taken over."""
        self._status = status
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` follows."""
        now = int(time.clock_gettime(time.CLOCK_MONOTONIC) * MICROSECONDS)
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Say in a few words how things stand, if that has changed."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def waiting(self, status: str, now: float) -> None:
        """Say that we wait for something, before we are ready or after."""
        self.status(status)
        if now >= self._extend_due:
            self._extend_due = now + EXTEND_SECONDS / 3
            self._send(f"EXTEND_TIMEOUT_USEC={EXTEND_SECONDS * MICROSECONDS}")
        self.alive(now)

    def alive(self, now: float) -> None:
        """Say that the loop turns, as often as the manager wants to hear it."""
        if self._unsent:
            self._flush()
        if self._every is not None and now >= self._due:
            self._due = now + self._every
            self._send("WATCHDOG=1")

    def wait(self, now: float) -> float:
        """Return in how many seconds `alive` is due at the latest."""
        if self._unsent:
            return UNSENT_SECONDS
        return math.inf if self._every is None else max(self._due - now, 0.0)

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> None:
        if self._socket is None:
            return
        text = "\n".join(line.replace("\n", " ") for line in lines)
        self._unsent.append(text.encode(errors="replace"))
        self._flush()

    def _flush(self) -> None:
        """Send what there is, in its order; keep what a full queue does not take."""
        assert self._socket is not None
        path = "\0" + self._path[1:] if self._path[0] == "@" else self._path
        while self._unsent:
            try:
                self._socket.sendto(self._unsent[0], path)
            except BlockingIOError:
                return
            except OSError:
                self._unsent.clear()
                return
            self._unsent.popleft()


class OfShards:
    """What the manager hears of several processes, from the one that it started."""

    def __init__(self, count: int) -> None:
        self._notify = Notify()
        self._status = f"{count} {plural(count, 'shard')}"
        self._is_ready = False

    def turn(self, reloaded: bool) -> float:
        """All of them work; they were told to read their files again, or not.

        Returns:
            In how many seconds it has to be called again at the latest.
        """
        if reloaded:
            self._notify.reloading()
        if reloaded or not self._is_ready:
            self._notify.ready(self._status)
            self._is_ready = True
        now = time.monotonic()
        self._notify.alive(now)
        return self._notify.wait(now)

    def close(self) -> None:
        """Say that the end has begun."""
        self._notify.stopping()
        self._notify.close()


def _watchdog(names: Mapping[str, str]) -> float | None:
    """Return how often the manager wants a sign of life; None: it does not."""
    try:
        microseconds = int(names.get("WATCHDOG_USEC", ""))
        if names.get("WATCHDOG_PID") and int(names["WATCHDOG_PID"]) != os.getpid():
            return None
    except ValueError:
        return None
    return microseconds / MICROSECONDS / 2 if microseconds > 0 else None
