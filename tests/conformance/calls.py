"""The application's side of a script: socket calls on a Stack.

File descriptors are the script's own numbers.  A call returns an int, or the name of
an errno.  Options that only a kernel has (SO_REUSEADDR, TCP_NODELAY) are taken and
ignored.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .world import PORT

if TYPE_CHECKING:
    from collections.abc import Callable

    from .script import Call, Script
    from .world import World

DEFAULT_TOS = 0x48
DEFAULT_TTL = 61
LISTENER_OPTIONS: dict[str, str] = {
    "SO_RCVBUF": "rcv_window",
    "TCP_MAXSEG": "mss_max",
    "IP_TTL": "hop_limit",
    "IPV6_UNICAST_HOPS": "hop_limit",
    "IP_TOS": "tos",
    "IPV6_TCLASS": "tos",
}


LINGER = "linger"
# What getsockopt() can be asked: the others say nothing of a connection's behaviour.
ASKED_OPTIONS = ("SO_ERROR", "TCP_MAXSEG", "TCP_NODELAY")
ERRORS = {"ECONNRESET": 54, "ETIMEDOUT": 60}  # FreeBSD's numbers


class Sockets:
    """File descriptors of one script."""

    def __init__(self, world: World, script: Script) -> None:
        self.world = world
        self.script = script
        self.files: dict[int, Any] = {}
        self.options: dict[int, dict[str, Any]] = {}
        self.tos = DEFAULT_TOS
        self.ttl = DEFAULT_TTL
        self.listener: Any = None
        self.last: Any = None
        self.backlog = 0
        self.impatient = False  # the socket was made with SOCK_NONBLOCK
        self.patient: set[int] = set()  # descriptors whose calls may block

    def default_listener(self) -> None:
        """Listen as the script's head says."""
        options: dict[str, Any] = {}
        for name, value in self.script.listener.items():
            self._listener_option(options, name, value)
        self.listener = self._listen(self.script.backlog, options)

    def call(self, step: Call) -> int | str:
        """Make one call; the first argument of a script's call is its descriptor."""
        if step.args[:1] == ("case",):
            return self._case_call(step.name)
        if step.name == "socket":
            fd = step.result if isinstance(step.result, int) else 3
            self.files[fd], self.options[fd] = None, {}
            self.impatient = "SOCK_NONBLOCK" in str(step.args)
            return fd
        handlers: dict[str, Callable[..., int | str]] = {
            "bind": lambda fd, *_: 0,
            "listen": self._listen_call,
            "accept": lambda fd, *_: self._accept(step.result),
            "close": self._close,
            "read": self._read,
            "recv": self._read,
            "recvfrom": self._read,
            "write": self._write,
            "send": self._write,
            "sendto": self._write,
            "shutdown": self._shutdown,
            "setsockopt": self._setsockopt,
            "getsockopt": self._getsockopt,
            "ioctl": self._ioctl,
            "fcntl": lambda fd, *args: self._fcntl(fd, args, step.result),
        }
        if step.name not in handlers:
            raise ValueError(f"no such call: {step.name}()")
        return handlers[step.name](*step.args)

    def _case_call(self, name: str) -> int | str:
        """Act for a case file, which names no descriptors."""
        if name == "accept":
            connection = self.listener.accept()
            self.last = connection or self.last
            return 0 if connection else "EAGAIN"
        if name == "close_listener":
            self.listener.close()
            return 0
        if name in ("close", "abort"):
            getattr(self.last, name)()
            return 0
        raise ValueError(f"no such application call: {name!r}")

    def _listener_option(self, out: dict[str, Any], name: str, value: Any) -> None:
        if name in LISTENER_OPTIONS:
            out[LISTENER_OPTIONS[name]] = value
        elif name == "TCP_NOOPT":
            out["options"] = not value
        elif name == "TCP_FASTOPEN" and value:
            # FreeBSD's rule: refused once more than half the backlog is pending.
            out["fastopen"] = self.script.backlog // 2 + 1
        elif name == "TCP_MD5SIG":
            key = self.script.md5_secret.encode()
            out["md5_keys"] = {self.world.peer: key} if value else {}

    def _listen(self, backlog: int, options: dict[str, Any]) -> Any:
        self.backlog = backlog
        options = {name: value for name, value in options.items() if name != LINGER}
        self.tos = options.setdefault("tos", DEFAULT_TOS)
        self.ttl = options.setdefault("hop_limit", DEFAULT_TTL)
        self.world.listening = True
        return self.world.stack.listen(
            PORT, self.world.local, backlog=backlog, **options
        )

    def _listen_call(self, fd: int, backlog: int) -> int:
        self.files[fd] = self._listen(max(backlog, 1), self.options[fd])
        self.listener = self.files[fd]
        return 0

    def _accept(self, result: object) -> int | str:
        connection = self.listener.accept()
        if connection is None:
            return "EAGAIN"
        fd = result if isinstance(result, int) else max(self.files) + 1
        self.files[fd] = self.last = connection
        if not self.impatient:
            self.patient.add(fd)
        return fd

    def _close(self, fd: int) -> int:
        file = self.files.pop(fd)
        lingers = self.options.get(fd, {}).get(LINGER)
        if file is not None and lingers and file in self.world.accepted:
            file.abort()
        elif file is not None:
            file.close()
        return 0

    def _fcntl(self, fd: int, args: tuple[Any, ...], result: object) -> int:
        if args[:1] == ("F_SETFL",):
            self.patient.discard(fd)
            if "O_NONBLOCK" not in str(args[1:]):
                self.patient.add(fd)
        return result if isinstance(result, int) else 0

    def _read(self, fd: int, *arguments: Any) -> int | str:
        connection = self.files[fd]
        if connection is self.listener:
            return "ENOTCONN"
        size = arguments[1] if len(arguments) > 1 else arguments[0]
        data = connection.read(size)
        if data:
            return len(data)
        if id(connection) in self.world.errors:
            return self._pending_error(connection)
        return 0 if id(connection) in self.world.ended else "EAGAIN"

    def _write(self, fd: int, *arguments: Any) -> int | str:
        """Write; what a blocking socket has no room for yet is written later."""
        connection = self.files[fd]
        if id(connection) in self.world.errors:
            return self._pending_error(connection)
        if connection.state.name == "CLOSED":
            return "EPIPE"
        size: int = arguments[1] if len(arguments) > 1 else arguments[0]
        taken: int = connection.write(bytes(size))
        if taken < size and fd in self.patient:
            self.world.unwritten.append((connection, size - taken))
            return size
        return taken or "EAGAIN"

    def _pending_error(self, connection: Any) -> str:
        """Return how the connection ended, which one call is told."""
        error = self.world.errors.pop(id(connection))
        self.world.ended.add(id(connection))
        return next(name for name, number in ERRORS.items() if number == error)

    def _shutdown(self, fd: int, how: object) -> int:
        if how not in ("SHUT_RD", 0):
            self.files[fd].close()
        return 0

    def _setsockopt(
        self, fd: int, _level: object, name: str, value: Any, *_: Any
    ) -> int:
        options = self.options.setdefault(fd, {})
        self._listener_option(options, name, value)
        if name == "SO_LINGER":
            options[LINGER] = re.sub(r"\s", "", str(value)) == "{onoff=1,linger=0}"
        if name == "TCP_NODELAY" and self.files[fd] in self.world.accepted:
            self.files[fd].nodelay = bool(value)
        if self.files[fd] is not None and self.files[fd] is self.listener:
            # Options that are set behind listen() hold for later connections.
            self.listener.close()
            self.files[fd] = self.listener = self._listen(self.backlog, options)
        return 0

    def _ioctl(self, fd: int, name: str, value: object) -> int | str:
        """Compare how much may be read; an answer names how much there is."""
        if name not in ("SIOCINQ", "FIONREAD"):
            raise ValueError(f"no such request: {name}")
        found = self.files[fd].info.unread
        return 0 if found == value else f"{name} {found}"

    def _getsockopt(
        self, fd: int, _level: object, name: str, value: Any, *_: Any
    ) -> int | str:
        """Compare with what the script expects; an answer names what is there."""
        connection = self.files[fd]
        found: Any = value
        if name == "SO_ERROR":
            found = self.world.errors.pop(id(connection), 0)
        elif name == "TCP_MAXSEG" and connection in self.world.accepted:
            found = connection.info.mss
        elif name == "TCP_NODELAY" and connection in self.world.accepted:
            found = connection.nodelay
        wanted = ERRORS.get(value, value)
        return 0 if found == wanted else f"{name} {found}"
