"""Syslog: one line of text as one datagram, in the form of RFC 5424.

Daemons read another form from the socket of their own machine: rsyslog's imuxsock and
journald take the version of RFC 5424 for the name of the program.  What libc writes
there has no host and no version, and is the `local` form here.

Contents: the header and the socket, UDP or Unix.  Elsewhere: the lines, which
are those of `syncache.alerts`, and what folds them.  A log that cannot be reached does
not stop what is logged: messages are counted as lost.
"""

from __future__ import annotations

import errno
import os
import socket
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Protocol

from ..alerts.log_line import MONTH_NUMBER
from .link import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable

PORT = 514
# RFC 5424 table 1; an operator has these names from syslog.conf.
FACILITIES = {
    "kern": 0,
    "user": 1,
    "daemon": 3,
    "auth": 4,
    "syslog": 5,
    "authpriv": 10,
    **{f"local{i}": 16 + i for i in range(8)},
}
NIL = "-"
MONTHS = list(MONTH_NUMBER)
APP_MAX, HOST_MAX, NAME_MAX = 48, 255, 32


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Named(Protocol):
    """A text with what a header says of it."""

    @property
    def severity(self) -> int:
        """0 to 7, 0 the worst."""

    @property
    def mnemonic(self) -> str:
        """The name of its kind; may be empty."""


class Syslog:
    """Sends messages to a syslog daemon.

    Args:
        target: A path of a Unix datagram socket (it has a slash), or `HOST[:PORT]`,
            `[IPV6]:PORT`.
        facility: One of `FACILITIES`.
        app: The name that the log shows.
        local: In the form for a socket of this machine.
        clock: The wall clock, in UTC.

    Raises:
        LinkError: The target or the facility makes no sense, or no socket is there.
    """

    def __init__(
        self,
        target: str,
        *,
        facility: str = "local0",
        app: str = "syncache",
        local: bool = False,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        if facility not in FACILITIES:
            known = ", ".join(FACILITIES)
            raise LinkError(f"syslog has no facility {facility!r}; there are {known}")
        self.sent = self.lost = 0
        self._facility = FACILITIES[facility]
        self._clock = clock
        self._names = names(app)
        self._local = f"{_printable(app, APP_MAX)}[{os.getpid()}]" if local else ""
        try:
            self._socket = _connect(target)
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"no syslog at {target}: {reason}"
            raise LinkError(message, error.errno) from None
        self._socket.setblocking(False)

    def send(self, message: Named, moment: datetime | None = None) -> None:
        """Send a message; if that is not possible now it is lost, and counted.

        Args:
            message: The text, its severity and its name.
            moment: When it happened, in UTC; None: now.
        """
        try:
            self._socket.send(self.datagram(message, moment))
        except OSError:
            self.lost += 1
        else:
            self.sent += 1

    def datagram(self, message: Named, moment: datetime | None = None) -> bytes:
        """Return a message with its header (RFC 5424 section 6, or the local one)."""
        when = self._clock() if moment is None else moment
        if self._local:
            when = when.astimezone()
            month = MONTHS[when.month - 1].title()
            head = f"<{8 * self._facility + message.severity}>{month} {when.day:2}"
            return f"{head} {when:%H:%M:%S} {self._local}: {message}".encode()
        return line(message, when, self._facility, self._names).encode()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def names(app: str) -> str:
    """Return the host, the application and the process, as they stand in a header."""
    host = _printable(socket.gethostname(), HOST_MAX)
    return f"{host} {_printable(app, APP_MAX)} {os.getpid()}"


def line(message: Named, moment: datetime, facility: int, who: str) -> str:
    """Return a message with its header (RFC 5424 section 6)."""
    time = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    head = f"<{8 * facility + message.severity}>1 {time} {who}"
    return f"{head} {_printable(message.mnemonic, NAME_MAX)} {NIL} {message}"


def _connect(target: str) -> socket.socket:
    if "/" in target:
        return _opened(socket.AF_UNIX, target)
    host, port = _host_and_port(target)
    family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    return _opened(family, place)


def _opened(family: int, place: object) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        made.connect(place)  # type: ignore[arg-type]
    except BaseException:
        made.close()
        raise
    return made


def _host_and_port(target: str) -> tuple[str, int]:
    host, colon, port = target.rpartition(":")
    if not colon or host.endswith(":") or (":" in host and not host.startswith("[")):
        host, port = target, str(PORT)  # a bare name, IPv4 or IPv6 address
    if not port.isascii() or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise OSError(errno.EINVAL, f"{port!r} is no port")
    if not host.strip("[]"):
        raise OSError(errno.EINVAL, "it names no host")
    return host.strip("[]"), int(port)


def _printable(text: str, size: int) -> str:
    """Return the text with the characters RFC 5424 admits in a header alone."""
    return "".join(c for c in text if "!" <= c <= "~")[:size] or NIL
