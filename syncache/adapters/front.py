"""The engine for a stack with its own connections: a lock, ports, timer, all calls."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from .. import Conn, Kind, Segment, Syncache, Sysctl
from ..engine import PortTakenError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from typing_extensions import Buffer

__all__ = ["Conn", "Front", "Host", "Segment", "Sysctl", "alone", "parts", "ports"]

IPV6 = 6
WAIT_MIN = 0.01
WAIT_MAX = 0.25


class Host(Protocol):
    """What a stack does itself.  `by` is what it gave to `segment()`."""

    def now(self) -> float:
        """Return the time, of the clock that its timestamps are made of."""

    def send(self, reply: Segment, by: Any) -> None:
        """Send a segment; `by` is None if it is the timer's.

        OSError or RuntimeError (no route, no buffers) says that it could not be sent.
        """

    def connect(self, conn: Conn, by: Any) -> bool:
        """Make the connection of a complete handshake; False: there is no room.

        One at a time; the segments that it gives to the host itself, such as the SYN,
        are the host's, should they come by `segment()`.
        """


def ports(tcp: Buffer) -> tuple[int, int]:
    """Return source and destination port of a TCP segment, 0 if it is cut short."""
    first = bytes(memoryview(tcp)[:4])
    return int.from_bytes(first[:2], "big"), int.from_bytes(first[2:], "big")


def parts(reply: Segment) -> tuple[bytes, bytes, bytes]:
    """Return source, destination and TCP part of a segment that the engine made.

    As they lie in its packet, which has no IP options.  A segment has its fields read
    by C, and for each such call a thread lets go of Python's lock: under a flood of a
    stack with a thread to send that is a tenth of all the time.
    """
    packet = reply.packet()
    first, size = (8, 16) if packet[0] >> 4 == IPV6 else (12, 4)
    second, end = first + size, first + 2 * size
    return packet[first:second], packet[second:end], packet[end:]


class Front:
    """The engine of a host that looks up its own connections, and its listeners.

    Args:
        host: called in the thread that calls this, and in that of the timer.
        sysctl: the tunables; the preset is `host` if None.
        endpoint: what `Syncache.listen()` is told of every port.
        ts_per_tuple: False: the host's timestamps are its clock, without an offset.

    Ports for which the engine has no room (`x.endpoint_max`) are the host's alone.

    Raises:
        ValueError: a value of `endpoint` is out of range.
        TypeError: `listen()` has no such word.
    """

    def __init__(
        self,
        host: Host,
        sysctl: Sysctl | None = None,
        *,
        endpoint: Mapping[str, Any] | None = None,
        ts_per_tuple: bool = True,
    ) -> None:
        if sysctl is None:
            (sysctl := Sysctl()).preset("host")
        self.engine = Syncache(sysctl, established_max=0, ts_per_tuple=ts_per_tuple)
        self._host, self._endpoint = host, dict(endpoint or {})
        self._ports, self._lock = set[int](), threading.RLock()
        self._connecting = self._closed = False
        self.unsent = 0  # segments that send() could not send
        self.engine.listen(1, **self._endpoint).close()  # now rather than by a packet

    def segment(self, src: bytes, dst: bytes, tcp: Buffer, by: Any = None) -> bool:
        """Take a segment for which the host has a listener, but no connection.

        Returns:
            Whether the host goes on with it: it is none of the engine's, or the host
            has its connection now.
        """
        _, port = ports(tcp)
        with self._lock:
            if self._connecting or self._closed:
                return True
            if port and port not in self._ports:
                self._ports.add(port)
                with suppress(RuntimeError, PortTakenError):  # no room, or listened on
                    self.engine.listen(port, **self._endpoint)
            verdict = self.engine.segment(src, dst, tcp, self._host.now())
            made = verdict.conn is not None and self._connect(verdict.conn, by)
        if verdict.conn is not None and not made:
            return False  # nor may the data of a SYN be acknowledged
        if verdict.reply is not None:
            if not self._send(verdict.reply, by):
                with self._lock:
                    if not self._closed:
                        self.engine.unsent(verdict.reply)
            return False
        return made or verdict.kind is Kind.PASS

    def _connect(self, conn: Conn, by: Any) -> bool:
        """Offer the host a connection; one that raises has not made it."""
        made, self._connecting = False, True
        try:
            made = bool(self._host.connect(conn, by))
        finally:
            self._connecting = False
            if not self._closed:
                self.engine.accepted(conn, ok=made)
        return made

    def _send(self, reply: Segment, by: Any) -> bool:
        """Send a segment; False: it could not be sent, and is lost."""
        try:
            self._host.send(reply, by)
        except (OSError, RuntimeError):  # as to many a spoofed source
            self.unsent += 1
            return False
        return True

    def run(self) -> float:
        """Send what is due; return after how many seconds to call it again."""
        with self._lock:
            if self._closed:
                return WAIT_MAX
            due, at = self.engine.poll(self._host.now()), self.engine.next_deadline()
        for packet in due:
            self._send(Segment.of_packet(packet), None)
        wait = WAIT_MAX if at is None else at - self._host.now()
        return min(max(wait, WAIT_MIN), WAIT_MAX)

    def close(self) -> None:
        """Wipe and give back the memory: every segment is the host's from now on.

        What `start()` has begun ends within WAIT_MAX seconds.
        """
        with self._lock:
            if not self._closed:
                self._closed = True
                self.engine.close()

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Call `run()` until `close()`: by the loop, or in a thread of its own.

        None: by the loop that this is called in, if there is one.
        """
        if loop is None and (asyncio := sys.modules.get("asyncio")):
            with suppress(RuntimeError):
                loop = asyncio.get_running_loop()
        if loop is not None:
            if not self._closed:
                loop.call_later(self._due(loop), self.start, loop)
            return
        threading.Thread(target=self._run, daemon=True).start()

    def _due(self, loop: asyncio.AbstractEventLoop | None) -> float:
        """Call `run()`; what the host raises is reported, and ends no timer."""
        try:
            return self.run()
        except Exception as error:  # noqa: BLE001 - whatever a host's send() raises
            if loop is not None:
                words = {"message": "a SYN-ACK could not be sent", "exception": error}
                loop.call_exception_handler(words)
            else:
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), None)))
            return WAIT_MAX

    def _run(self) -> None:
        while not self._closed:
            time.sleep(self._due(None))


def alone(handler: Any) -> Any:
    """Return a stack's own handler of segments.

    Raises:
        RuntimeError: it is a partial of another front's method, behind which a second
            front would never see a handshake.
    """
    owner = getattr(getattr(handler, "func", None), "__self__", None)
    if isinstance(owner, Front) and not owner._closed:
        raise RuntimeError("this stack has an adapter already; close() that one first")
    return handler
