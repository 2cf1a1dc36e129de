"""A running engine seen and steered from outside, over a Unix socket.

One JSON object a line in each direction.  A request has `op` and its arguments; the
answer has either `result`, or `error` (the kind, a Python exception's name) and
`message`.  The operations are

    get        name             the value of one tunable
    set        name, value      change it at once; [old, new]
    walk       prefix           {name: value} of a subtree
    stats                       every counter by name
    top        history, mark    `Lookout.snapshot`
    half_open                   lines with `rows`, the C structures in base64, in short
                                steps; then the result: engine, how many bytes
    sample     begin            rows alone: of a part of the table from `begin` on,
                                0 to 1, of whichever kind it has
    status                      pid, paused, number of entries

and of a middlebox engine instead of the last one, and of `half_open`

    status                      pid, engine, aggressive, sessions and their limit
    statistics                  what `show ... statistics` is made of
    configuration               the IOS configuration, as text
    shown            what       of inspection: `config` or `interfaces`, as text
    sessions                    lines with `rows`, the C structures in base64, in short
                                steps; then the result: engine, now, how many bytes

Elsewhere: who may connect.  The socket is made with mode 0600, so its directory
and its owner decide.  `Control.answer()` is a pure function of the engine and a line.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import errno
import json
import os
import socket
import time
from typing import TYPE_CHECKING, Any, cast

from . import flow_session, halfopen
from .control_socket import ControlServer
from .lookout import Lookout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .engine import Syncache
    from .flow_session import Session
    from .halfopen import HalfOpen
    from .inspection import Inspection
    from .intercept import Intercept
    from .socket_path import SocketPath
    from .sysctl import Sysctl

QUEUE_SECONDS = 0.01  # between two tries of a client
REPLY_BYTES_MAX = 64 * 1024 * 1024  # of one line that a client reads
SAMPLE_LOOK = 2048  # places of a table that one sample looks at
ERRORS: dict[str, type[Exception]] = {
    "KeyError": KeyError,
    "ValueError": ValueError,
    "PermissionError": PermissionError,
}


NOT_OURS = "not a control socket"
NAME_MAX = 40  # of a request's name in an error
COMMANDS = {"syncache": "serve", "inspection": "inspect"}  # by engine, if not its name


class ControlError(Exception):
    """The process could not be asked; the message says why, in one line."""


class Control:
    """Answers requests about one engine.

    Args:
        engine: Which.
        lookout: Of the engine's owner; None: one that sees counters alone.
        clock: That of the lookout.
    """

    _LISTS = "half_open"

    def __init__(
        self,
        engine: Syncache,
        lookout: Lookout | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._lookout = lookout or Lookout(engine)

    def answer(self, line: bytes) -> bytes:
        """Answer one line with one line; nothing in it can raise."""
        try:
            request = json.loads(line)
            operation = self._operation(str(request.pop("op")))
            reply = {"result": operation(**request)}
        except (KeyError, ValueError, PermissionError) as error:
            message = str(error.args[0]) if error.args else str(error)
            reply = {"error": kind_of(error), "message": message}
        except (AttributeError, TypeError, RecursionError, ArithmeticError) as error:
            reply = {"error": "ValueError", "message": f"no such request: {error}"}
        return json.dumps(reply).encode() + b"\n"

    def _operation(self, name: str) -> Callable[..., Any]:
        found = getattr(self, f"_do_{name}", None)
        if found is None:
            command = COMMANDS.get(self._lookout.kind, self._lookout.kind)
            raise ValueError(
                f"`{command}` has no {name[:NAME_MAX]!r}: `syncache netstat` shows "
                "its counters"
            )
        return cast("Callable[..., Any]", found)

    def replies(self, line: bytes) -> Iterator[bytes]:
        """Yield the lines that answer one; each is made in a short time."""
        if not _asks_for(self._LISTS, line):
            yield self.answer(line)
            return
        size = 0
        for part in self._slices():
            size += len(part)
            rows = base64.b64encode(part).decode()
            yield json.dumps({"rows": rows}).encode() + b"\n"
        kind = self._lookout.kind
        result = {"engine": kind, "now": self._clock(), "bytes": size}
        yield json.dumps({"result": result}).encode() + b"\n"

    def _slices(self, **arguments: Any) -> Iterator[bytes]:
        return self._engine.half_open_slices(**arguments)

    def _do_get(self, name: str) -> int | str:
        return self._engine.sysctl[name]

    def _do_set(self, name: str, value: str) -> list[int | str]:
        return list(assign(self._engine.sysctl, name, value))

    def _do_walk(self, prefix: str = "") -> dict[str, int | str]:
        sysctl = self._engine.sysctl
        return {knob.name: sysctl[knob.name] for knob in sysctl.walk(prefix)}

    def _do_stats(self) -> dict[str, int]:
        return self._lookout.counters(self._clock())

    def _do_top(self, history: bool = False, mark: int | None = None) -> dict[str, Any]:
        found = self._lookout.snapshot(self._clock(), history=history, mark=mark)
        return found | {"pid": os.getpid()}

    def _do_sample(self, begin: float = 0.0) -> dict[str, Any]:
        if not 0 <= begin < 1:
            raise ValueError(f"begin is from 0 to below 1, not {begin}")
        rows = next(self._slices(look=SAMPLE_LOOK, begin=begin), b"")
        kind = self._lookout.kind
        return {"engine": kind, "rows": base64.b64encode(rows).decode()}

    def _do_status(self) -> dict[str, Any]:
        count = self._engine.sysctl["net.inet.tcp.syncache.count"]
        return {"pid": os.getpid(), "paused": self._engine.paused, "count": count}


class FlowControl(Control):
    """Answers requests about an `Intercept` or an `Inspection`.

    Args:
        engine: Which.
        clock: Its time.
        links: Returns the links' counters, by name.
        lookout: Of the engine's owner; None: one that sees counters alone.
    """

    _LISTS = "sessions"

    def __init__(
        self,
        engine: Intercept | Inspection,
        clock: Callable[[], float] = time.monotonic,
        links: Callable[[], dict[str, int]] = dict,
        lookout: Lookout | None = None,
    ) -> None:
        self._flow = engine
        self._kind = type(engine).__name__.lower()
        super().__init__(
            cast("Syncache", engine), lookout or Lookout(engine, links), clock
        )

    def _slices(self, **arguments: Any) -> Iterator[bytes]:
        return self._flow.session_slices(**arguments)

    def _do_half_open(self) -> dict[str, Any]:
        raise ValueError(f"{self._kind} has sessions: `syncache show` lists them")

    def _do_status(self) -> dict[str, Any]:
        stats = self._do_stats()
        limit = self._flow.sysctl[LIMITS[self._kind]]
        return {
            "pid": os.getpid(),
            "engine": self._kind,
            "aggressive": bool(stats["aggressive"]),
            "half_open": stats["incomplete"],
            "established": stats["established"],
            "sessions_max": limit,
        }

    def _do_statistics(self) -> dict[str, Any]:
        now = self._clock()
        return dataclasses.asdict(self._flow.statistics(now)) | {"now": now}

    def _do_configuration(self) -> str:
        return self._flow.configuration()

    def _do_shown(self, what: str) -> str:
        flow: Any = self._flow
        made = {"config": "config", "interfaces": "interface_config"}.get(what)
        if made is None or not hasattr(flow, made):
            raise ValueError(f"{self._kind} has no {what}")
        return str(getattr(flow, made)())


LIMITS = {
    "intercept": "net.inet.tcp.intercept.sessions_max",
    "inspection": "net.inet.inspect.sessions_max",
}


def _asks_for(operation: str, line: bytes) -> bool:
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        return bool(json.loads(line).get("op") == operation)
    return False


def assign(sysctl: Sysctl, name: str, text: str) -> tuple[int | str, int | str]:
    """Set a tunable to the value of `text`; return the old and the new value."""
    old = sysctl[name]
    try:
        sysctl.load([f"{name}={text}"])
    except (KeyError, ValueError, PermissionError) as error:
        raise type(error)(error.args[0].removeprefix("line 1: ")) from None
    return old, sysctl[name]


def kind_of(error: Exception) -> str:
    """Name the exception class that the client will raise."""
    kinds = (name for name, kind in ERRORS.items() if isinstance(error, kind))
    return next(kinds, "ValueError")


async def start_control(
    path: str | Path | SocketPath,
    engine: Syncache,
    *,
    kind: type[Control] | None = None,
    lookout: Lookout | None = None,
) -> ControlServer:
    """Answer at `path` on the running event loop, until the server is closed.

    `kind` answers: a subclass of Control that knows more operations.  `lookout` is that
    of the engine's owner.

    Raises:
        FileExistsError: a living process answers there, or it is not a socket.
        OSError: the path cannot be made.
    """
    return ControlServer(path, (kind or Control)(engine, lookout))


class Client:
    """Asks a running process.

    Args:
        path: Of its control socket.
        timeout: Of each step of an answer, in seconds.
        keeps: One connection is kept for all requests, else each has its own; for who
            asks again and again, which then costs the process half as much.
    """

    def __init__(
        self, path: str | Path, timeout: float = 5.0, *, keeps: bool = False
    ) -> None:
        self._path = str(path)
        self._timeout = timeout
        self._keeps = keeps
        self._kept: socket.socket | None = None

    def close(self) -> None:
        """Close the connection that was kept."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def request(self, op: str, **arguments: object) -> Any:
        """Ask; return the result.

        Raises:
            KeyError, ValueError, PermissionError: the error of the process.
            ControlError: nobody answered.
        """
        line = json.dumps({"op": op, **arguments}).encode() + b"\n"
        reply = next(self._replies(line))
        if "error" in reply:
            raise ERRORS.get(reply["error"], ValueError)(reply["message"])
        return reply["result"]

    def sessions(self) -> tuple[list[Session], dict[str, Any]]:
        """Return the sessions of a middlebox engine, and its kind and time.

        Raises:
            ValueError, ControlError: as `request`.
        """
        parts, about = self._listed("sessions")
        return [each for part in parts for each in flow_session.read(part)], about

    def half_open(self) -> list[HalfOpen]:
        """Return the half-open connections of a SYN cache, the oldest first.

        Raises:
            ValueError, ControlError: as `request`.
        """
        parts, _ = self._listed("half_open")
        found = [each for part in parts for each in halfopen.read(part)]
        return sorted(found, key=lambda one: -one.age)

    def _listed(self, operation: str) -> tuple[list[bytes], dict[str, Any]]:
        """Return the parts of a list, as C has them, and the result behind them."""
        parts: list[bytes] = []
        line = json.dumps({"op": operation}).encode() + b"\n"
        for reply in self._replies(line):
            if "rows" not in reply:
                break
            parts.append(base64.b64decode(reply["rows"]))
        if "error" in reply:
            raise ERRORS.get(reply["error"], ValueError)(reply["message"])
        return parts, reply["result"]

    def _replies(self, line: bytes) -> Iterator[dict[str, Any]]:
        """Send a line; yield the answers to it, the last one without `rows`.

        Raises:
            ControlError: nobody answered, or not as a control socket does.
        """
        try:
            sock = self._asked(line)
            try:
                yield from self._answers(sock)
            finally:
                if sock is not self._kept:
                    sock.close()
        except OSError as error:
            raise ControlError(f"{self._path}: {error.strerror or error}") from None
        except (ValueError, RecursionError):
            raise ControlError(f"{self._path}: {NOT_OURS}") from None
        raise ControlError(f"{self._path}: the process has ended")

    def _answers(self, sock: socket.socket) -> Iterator[dict[str, Any]]:
        with sock.makefile("rb") as file:
            while answer := file.readline(REPLY_BYTES_MAX):
                reply = json.loads(answer)
                if not _is_reply(reply):
                    raise ControlError(f"{self._path}: {NOT_OURS}")
                if self._keeps and "rows" not in reply:
                    self._kept = sock
                yield reply

    def _asked(self, line: bytes) -> socket.socket:
        """Send a line on the connection that was kept, or else on a new one."""
        kept, self._kept = self._kept, None
        if kept is not None:
            try:
                kept.sendall(line)
                if kept.recv(1, socket.MSG_PEEK):
                    return kept
            except ConnectionError:
                pass
            except OSError:
                kept.close()
                raise
            kept.close()  # the process has ended it, or itself
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(self._timeout)
            self._connect(sock)
            sock.sendall(line)
        except BaseException:
            sock.close()
            raise
        return sock

    def _connect(self, sock: socket.socket) -> None:
        """Connect; while the queue of the process is full, wait."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                sock.connect(self._path)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise OSError(errno.EBUSY, "the process does not answer") from None
                time.sleep(QUEUE_SECONDS)
            else:
                return


def _is_reply(reply: object) -> bool:
    """Return whether a line is an answer, whole and of the right types."""
    if not isinstance(reply, dict):
        return False
    if "error" in reply:
        return isinstance(reply["error"], str) and "message" in reply
    return "result" in reply or isinstance(reply.get("rows"), str)
