"""Files over HTTP/1.1, on any asyncio streams; h11 parses.

GET and HEAD serve a directory: files with their size and one byte range, folders as a
list of links.  PUT and POST store nothing: they answer with the SHA-256 and the size of
the body, which identifies an upload.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import html
import mimetypes
import os
import re
import time
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote, unquote_to_bytes

import h11

from .disk import SECONDS, Disk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

READ_BYTES = 256 * 1024
IDLE_SECONDS = 60.0  # without a request, or without progress of one
PROGRESS_BYTES = 1024  # of a body, while it comes or leaves
HEADER_SECONDS = 30.0  # from the first byte of a request to the end of its header
REQUEST_BYTES_MAX = 64 * 1024  # of a request line with its header fields
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
# Of dates, in no other language (RFC 9110 5.6.7).
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
ABSOLUTE = re.compile(r"https?://[^/?#]+", re.ASCII | re.IGNORECASE)
# No file is longer than 18 digits can say, and int() takes no number of thousands.
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


@dataclass
class Reply:
    """A response whose body may be a part of a file."""

    status: int
    body: bytes = b""
    kind: str = TEXT
    file: BinaryIO | None = None
    folder: str = ""  # whose share of the threads reads it
    start: int = 0
    size: int = -1  # -1: of `body`
    extra: list[tuple[str, str]] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return len(self.body) if self.size < 0 else self.size

    def close(self) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()


class FileServer:
    """Serves one directory; an instance is the callback of `start_server`.

    Threads make the calls on files.
    """

    def __init__(
        self,
        directory: Path,
        *,
        header_seconds: float = HEADER_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        disk_seconds: float = SECONDS,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._root = directory.resolve()
        self._disk = Disk(disk_seconds)
        self._header_seconds = header_seconds
        self._idle_seconds = idle_seconds
        self._wall = wall

    def close(self) -> None:
        """End the threads."""
        self._disk.close()

    async def __call__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer requests until the client or HTTP says that it is enough."""
        try:
            await self._converse(reader, writer)
        except (OSError, asyncio.TimeoutError, h11.LocalProtocolError):
            writer.transport.abort()
        except asyncio.CancelledError:  # the end, while a disk is waited for
            writer.transport.abort()
        except MemoryError:
            writer.transport.abort()
            raise  # the loop's owner hears of it
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=REQUEST_BYTES_MAX)
        while True:
            try:
                reply, with_body = await self._one(http, reader, writer)
            except h11.RemoteProtocolError as error:
                reply, with_body = Reply(error.error_status_hint), True
            if reply is None:
                return
            try:
                await self._send(http, writer, reply, with_body=with_body)
            finally:
                if reply.file is not None:
                    self._disk.later(reply.folder, reply.close)
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                return
            http.start_next_cycle()

    async def _one(
        self,
        http: h11.Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> tuple[Reply | None, bool]:
        """Read a request; return its reply (None: no more), whether with its body."""
        request: h11.Request | None = None
        digest, size = hashlib.sha256(), 0
        clock, ends, due = asyncio.get_running_loop().time, 0.0, 0
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                if http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(
                        status_code=100, headers=[], reason=phrase(100)
                    )
                    writer.write(http.send(go_on) or b"")
                wait = self._idle_seconds
                if request is None and http.trailing_data[0]:
                    ends = ends or clock() + self._header_seconds
                    wait = min(wait, ends - clock())
                elif request is not None:
                    if size >= due:
                        ends = clock() + self._idle_seconds
                        due = size + PROGRESS_BYTES
                    wait = ends - clock()
                try:
                    data = await asyncio.wait_for(reader.read(READ_BYTES), wait)
                except asyncio.TimeoutError:
                    if not ends or request is not None:
                        raise
                    late = "the header took too long"
                    raise h11.RemoteProtocolError(late, 408) from None
                http.receive_data(data)
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                digest.update(event.data)
                size += len(event.data)
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                reply = await self._answer(request, digest.hexdigest(), size)
                return reply, request.method != b"HEAD"
            else:  # closed, or nothing more to say
                return None, False

    async def _answer(self, request: h11.Request, digest: str, size: int) -> Reply:
        """Choose the answer to a complete request."""
        fields = [name for name, _ in request.headers]
        if b"content-length" in fields and b"transfer-encoding" in fields:
            # RFC 9112 6.3: somebody on the way may have read another request.
            return Reply(400, extra=[("connection", "close")])
        if request.method in {b"PUT", b"POST"}:
            return Reply(200, f"{digest} {size}\n".encode())
        if request.method not in {b"GET", b"HEAD"}:
            return Reply(405, extra=[("allow", "GET, HEAD, PUT, POST")])
        path = path_of(request.target.decode("ascii"))
        if not path.startswith("/") or "\0" in path:
            return Reply(400)
        folder = path.lstrip("/").partition("/")[0]
        try:
            reply = await self._disk.ask(
                folder, lambda: self._found(path, request), lambda late: late.close()
            )
        except PermissionError:
            return Reply(403)
        except (OSError, RuntimeError) as error:
            # A name too long; links in a circle.
            late = isinstance(error, OSError) and error.errno == errno.ETIMEDOUT
            return Reply(503 if late else 404)
        reply.folder = folder
        return reply

    def _found(self, path: str, request: h11.Request) -> Reply:
        """Answer with the folder or file that a path leads to."""
        place = (self._root / path.lstrip("/")).resolve()
        if not place.is_relative_to(self._root) or not place.exists():
            return Reply(404)
        if place.is_dir():
            if not path.endswith("/"):
                # One slash in front: behind two, a client would read a host.
                where = "/" + quote(os.fsencode(path.lstrip("/"))) + "/"
                return Reply(301, extra=[("location", where)])
            return Reply(200, listing(place, path), HTML)
        if not place.is_file():
            return Reply(404)
        return part(place, wanted_range(request))

    async def _send(
        self,
        http: h11.Connection,
        writer: asyncio.StreamWriter,
        reply: Reply,
        *,
        with_body: bool,
    ) -> None:
        fields = [
            ("date", date_of(self._wall())),
            ("content-length", str(reply.length)),
            ("content-type", reply.kind),
            *reply.extra,
        ]
        head = h11.Response(
            status_code=reply.status, headers=fields, reason=phrase(reply.status)
        )
        writer.write(http.send(head) or b"")
        if with_body:
            async for piece in self._pieces(reply):
                for part_ in (
                    http.send_with_data_passthrough(h11.Data(data=piece)) or ()
                ):
                    writer.write(part_)
                await self._drain(writer)
        writer.write(http.send(h11.EndOfMessage()) or b"")
        await self._drain(writer)

    async def _drain(self, writer: asyncio.StreamWriter) -> None:
        """Wait for room; raise TimeoutError if the client takes next to nothing.

        A slow client is none that stands still: it may take longer for one piece than
        it may be silent.
        """
        left = writer.transport.get_write_buffer_size()
        while True:
            try:
                await asyncio.wait_for(writer.drain(), self._idle_seconds)
            except asyncio.TimeoutError:
                before, left = left, writer.transport.get_write_buffer_size()
                if before - left < PROGRESS_BYTES:
                    raise
            else:
                return

    async def _pieces(self, reply: Reply) -> AsyncIterator[bytes]:
        """Yield the body."""
        if reply.file is None:
            yield reply.body
            return
        at, end = reply.start, reply.start + reply.size
        while at < end:
            piece = await self._read(
                reply.folder, reply.file, at, min(READ_BYTES, end - at)
            )
            if not piece:
                return
            at += len(piece)
            yield piece

    async def _read(self, folder: str, file: BinaryIO, at: int, count: int) -> bytes:
        """Read a part of a file: here what is in memory, else by a thread."""
        room = bytearray(count)
        call = partial(os.preadv, file.fileno(), [room], at)
        try:
            count = call(os.RWF_NOWAIT)
        except OSError:  # it is not in memory, or the file system cannot tell
            count = await self._disk.ask(folder, call)
        return bytes(memoryview(room)[:count])


def phrase(status: int) -> bytes:
    """Return the words that go with a status."""
    return HTTPStatus(status).phrase.encode()


def date_of(seconds: float) -> str:
    """Return a time since the epoch as HTTP writes it."""
    t = time.gmtime(seconds)
    day, month = DAYS[t.tm_wday], MONTHS[t.tm_mon - 1]
    return time.strftime(f"{day}, %d {month} %Y %H:%M:%S GMT", t)


def path_of(target: str) -> str:
    """Return the path of a request's target, "" if it has none.

    A target may be a whole URL, as it is sent to a proxy (RFC 9112 3.2.2): its host
    counts no more than the Host field does, and no path is the root's.
    """
    match = ABSOLUTE.match(target)
    path = target[match.end() if match else 0 :].partition("?")[0]
    # As the names of files are: any bytes.
    return os.fsdecode(unquote_to_bytes(path)) or "/" * (match is not None)


def wanted_range(request: h11.Request) -> str:
    """Return the Range field of a request, "" if it does not count.

    It is for GET alone (RFC 9110 14.2).  We tell no validator of a file, so whoever
    makes the range depend on one has a part of another file (13.1.5).
    """
    fields = dict(request.headers)
    if request.method != b"GET" or b"if-range" in fields:
        return ""
    return fields.get(b"range", b"").decode("latin-1")


def part(place: Path, wanted: str) -> Reply:
    """Open a file, at the one byte range of it that the client asked for."""
    file = place.open("rb", buffering=0)
    size = os.fstat(file.fileno()).st_size
    kind = mimetypes.guess_type(place.name)[0] or "application/octet-stream"
    match = RANGE.fullmatch(wanted)
    if match is None or match[0] == "bytes=-":
        accept = [("accept-ranges", "bytes")]
        return Reply(200, kind=kind, file=file, size=size, extra=accept)
    first, last = match[1], match[2]
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        file.close()
        return Reply(416, extra=[("content-range", f"bytes */{size}")])
    where = [("content-range", f"bytes {start}-{end}/{size}")]
    length = end - start + 1
    return Reply(206, kind=kind, file=file, start=start, size=length, extra=where)


def listing(place: Path, path: str) -> bytes:
    """Make a page of links."""
    names = sorted(p.name + "/" * p.is_dir() for p in place.iterdir())
    rows = "".join(
        f'<li><a href="{quote(os.fsencode(n))}">{html.escape(n)}</a>\n' for n in names
    )
    title = html.escape(path)
    page = f"<!doctype html><title>{title}</title><h1>{title}</h1><ul>\n{rows}</ul>\n"
    return page.encode(errors="replace")
