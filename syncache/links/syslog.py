"""Syslog: one line of text as one datagram, in the form of RFC 5424.

Contents: the header and the socket, UDP or Unix.  Elsewhere: the lines, which
are those of `syncache.alerts`, and what folds them.  A log that cannot be reached does
not stop what is logged: messages are counted as lost.
"""

from __future__ import annotations

import errno
import os
import socket
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from .link import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..alerts import Message

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
APP_MAX, HOST_MAX = 48, 255


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Syslog:
    """Sends messages to a syslog daemon.

    Args:
        target: A path of a Unix datagram socket (it has a slash), or `HOST[:PORT]`,
            `[IPV6]:PORT`.
        facility: One of `FACILITIES`.
        app: The name that the log shows.
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
        clock: Callable[[], datetime] = _now,
    ) -> None:
        if facility not in FACILITIES:
            known = ", ".join(FACILITIES)
            raise LinkError(f"syslog has no facility {facility!r}; there are {known}")
        self.sent = self.lost = 0
        self._facility = FACILITIES[facility]
        self._clock = clock
        name = _printable(socket.gethostname(), HOST_MAX)
        self._names = f"{name} {_printable(app, APP_MAX)} {os.getpid()}"
        try:
            self._socket = _connect(target)
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"no syslog at {target}: {reason}"
            raise LinkError(message, error.errno) from None
        self._socket.setblocking(False)

    def send(self, message: Message) -> None:
        """Send a message; if that is not possible now it is lost, and counted."""
        try:
            self._socket.send(self.datagram(message))
        except OSError:
            self.lost += 1
        else:
            self.sent += 1

    def datagram(self, message: Message) -> bytes:
        """Return a message with its header (RFC 5424 section 6)."""
        priority = 8 * self._facility + message.severity
        time = self._clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        name = message.mnemonic or NIL
        head = f"<{priority}>1 {time} {self._names} {name} {NIL}"
        return f"{head} {message}".encode()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


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
