"""Syslog: one line of text as one datagram, in the form of RFC 5424.

Daemons read another form from the socket of their own machine: rsyslog's imuxsock and
journald take the version of RFC 5424 for the name of the program.  What libc writes
there has no host and no version, and is the `local` form here.

Contents: the header and the socket, UDP or Unix.  Elsewhere: the lines, which
are those of `syncache.alerts`, and what folds them.  A log that cannot be reached does
not stop what is logged: messages are counted as lost.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Protocol

from ..alerts.log_line import MONTH_NUMBER
from .link import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable

PORT_DIGITS = 5
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
AGAIN_SECONDS = 1.0  # between two looks for a daemon that is gone
# The daemon has ended, and its socket with it.
GONE = {
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EDESTADDRREQ,
    errno.ENOTCONN,
    errno.EPIPE,
}
# It may be there later: it, or the network, has not started yet.
LATER = {
    socket.EAI_AGAIN,  # of the DNS
    errno.ECONNREFUSED,
    errno.ENOENT,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.EMFILE,
    errno.ENFILE,
}


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
        patient: Go on without a daemon that is not there; `trouble` has the reason.
        clock: The wall clock, in UTC.

    Raises:
        LinkError: The target or the facility makes no sense, or no socket is there.

    A daemon that went away is looked for again, once a second at most.
    """

    def __init__(
        self,
        target: str,
        *,
        facility: str = "local0",
        app: str = "syncache",
        local: bool = False,
        patient: bool = False,
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
        self.trouble = ""
        self._socket: socket.socket | None = None
        self._again = 0.0  # when the daemon is looked for again
        self._place: tuple[int, object] | None = None
        try:
            self._place = _found(target)
            self._socket = _opened(*self._place)
        except OSError as error:
            self.trouble = str(_trouble(target, error))
            if not (patient and error.errno in LATER):
                raise _trouble(target, error) from None
            if self._place is None:
                threading.Thread(target=self._ask, args=[target], daemon=True).start()

    def _ask(self, target: str) -> None:
        """Ask for an address until the DNS answers: that takes seconds, so beside."""
        while self._place is None:
            time.sleep(AGAIN_SECONDS)
            with contextlib.suppress(OSError):
                self._place = _found(target)

    def send(self, message: Named, moment: datetime | None = None) -> bool:
        """Send a message; False if that is not possible now: it is lost, and counted.

        Args:
            message: The text, its severity and its name.
            moment: When it happened, in UTC; None: now.
        """
        data = self.datagram(message, moment)
        done = self._sent(data) or (self._is_back() and self._sent(data))
        self.sent += done
        self.lost += not done
        return done

    def _sent(self, data: bytes) -> bool:
        """Send it; without a socket if the daemon that we knew is gone."""
        if self._socket is None:
            return False
        try:
            self._socket.send(data)
        except OSError as error:
            if error.errno in GONE:
                self.close()
            return False
        return True

    def _is_back(self) -> bool:
        """Look for a daemon that is gone; True if it is there again."""
        now = time.monotonic()
        if self._socket is not None or now < self._again or self._place is None:
            return False
        self._again = now + AGAIN_SECONDS
        with contextlib.suppress(OSError):
            self._socket = _opened(*self._place)
        return self._socket is not None

    def datagram(self, message: Named, moment: datetime | None = None) -> bytes:
        """Return a message with its header (RFC 5424 section 6, or the local one)."""
        when = self._clock() if moment is None else moment
        if self._local:
            when = when.astimezone()
            month = MONTHS[when.month - 1].title()
            head = f"<{8 * self._facility + message.severity}>{month} {when.day:2}"
            text = f"{head} {when:%H:%M:%S} {self._local}: {message}"
        else:
            text = line(message, when, self._facility, self._names)
        return text.encode(errors="backslashreplace")

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def names(app: str) -> str:
    """Return the host, the application and the process, as they stand in a header."""
    host = _printable(socket.gethostname(), HOST_MAX)
    return f"{host} {_printable(app, APP_MAX)} {os.getpid()}"


def line(message: Named, moment: datetime, facility: int, who: str) -> str:
    """Return a message with its header (RFC 5424 section 6)."""
    time = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    head = f"<{8 * facility + message.severity}>1 {time} {who}"
    return f"{head} {_printable(message.mnemonic, NAME_MAX)} {NIL} {message}"


def check_target(target: str) -> None:
    """Refuse what names no place, without looking names up.

    Raises:
        OSError: it is neither a path nor HOST[:PORT].
    """
    if "/" not in target:
        _host_and_port(target)


def _found(target: str) -> tuple[int, object]:
    """Return family and place of a target; names are looked up here alone."""
    if "/" in target:
        return socket.AF_UNIX, target
    host, port = _host_and_port(target)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except UnicodeError:  # longer than 63 characters, or none of them
        raise OSError(errno.EINVAL, "it is not the name of a host") from None
    family, _, _, _, place = found[0]
    return family, place


def _trouble(target: str, error: OSError) -> LinkError:
    reason = error.strerror or str(error)
    return LinkError(f"no syslog at {target}: {reason}", error.errno)


def _opened(family: int, place: object) -> socket.socket:
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    made = socket.socket(family, kind)
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
    is_number = port.isascii() and port.isdecimal() and len(port) <= PORT_DIGITS
    if not is_number or not 0 < int(port) < 2**16:
        raise OSError(errno.EINVAL, f"{port!r} is not a port")
    if not host.strip("[]"):
        raise OSError(errno.EINVAL, "it names no host")
    return host.strip("[]"), int(port)


def _printable(text: str, size: int) -> str:
    """Return the text with the characters RFC 5424 admits in a header alone."""
    return "".join(c for c in text if "!" <= c <= "~")[:size] or NIL
