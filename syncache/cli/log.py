"""`syncache log`: the alerts and the audit trail of log files, added up.

Reads the syslog files of routers, what the kernels of Linux and FreeBSD say of floods,
and our own output: attacks with their begin, end, targets and reason, sessions, dropped
packets, totals; as text, as JSON lines or as a picture.  Where there is an audit trail,
thresholds are proposed from it.  With `--follow` a file is read as it grows and each
alert is printed as it comes.
"""

from __future__ import annotations

import argparse
import bz2
import codecs
import contextlib
import gc
import gzip
import io
import json
import lzma
import os
import stat
import sys
import time
import zlib
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..alerts.log import LogBook
from ..alerts.log_line import HeaderReader
from . import Failure, one_line, unreadable
from .log_text import as_json, as_text, message_json, when
from .options import OF_FILES, check_outputs
from .replay import DAMAGED
from .report_log import page_of
from .report_traffic import save
from .sink import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..alerts.kernel import Sign
    from ..alerts.message import Message

LINE_BYTES_MAX = 64 * 1024
_CAPTURES = "d4c3b2a1 a1b2c3d4 4d3cb2a1 a1b23c4d 34cdb2a1 a1b2cd34 0a0d0d0a"
PEEK_LINES = 1000  # in which a file's first date is looked for
POLL_S = 0.5
PACKED: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
CAPTURES = {bytes.fromhex(magic) for magic in _CAPTURES.split()}
# What a damaged file makes of unpacking it; an OSError then has no number.
DAMAGES = (EOFError, lzma.LZMAError, zlib.error, OSError)
PIPES = {b"\x28\xb5\x2f\xfd": "zstdcat", b"\x04\x22\x4d\x18": "lz4cat"}

WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # as a Windows shell writes


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache log",
        epilog="Exit status: 0; 1: nothing was done, and one line says why; 3: a "
        "compressed file is damaged or cut short, and the lines before that count.",
        description="Add up the alerts and the audit trail of routers' logs and ours.",
    )
    p.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="log files, also compressed by gzip, bzip2 or xz; - is the standard input",
    )
    p.add_argument(
        "-F", "--follow", action="store_true", help="go on as the file grows"
    )
    p.add_argument("--json", action="store_true", help="JSON, one object a line")
    p.add_argument("--picture", metavar="FILE", type=Path, help="draw it over time")
    p.add_argument("--report", metavar="FILE", type=Path, help="write it as HTML page")
    p.add_argument(
        "--top", metavar="N", type=int, default=10, help="rows of a table [%(default)s]"
    )
    p.add_argument(
        "--year",
        type=int,
        help="of the first date without one [the latest that is not in the future]",
    )
    return p


def run(options: argparse.Namespace) -> int:
    """Read the logs and print their totals."""
    if options.top < 1:
        raise Failure(f"--top {options.top}: a table has at least one row")
    if options.year is not None and not 1970 <= options.year <= 9999:
        raise Failure(f"--year {options.year}: a year is 1970 to 9999")
    if options.follow and (len(options.files) != 1 or options.files == ["-"]):
        raise Failure("--follow takes one file")
    check_outputs(options, OF_FILES)
    if options.picture is not None:
        from .log_picture import plotter

        plotter()  # before an hour's reading, not after it
    reader = HeaderReader(today(), options.year)
    book = LogBook(reader, speaks=options.follow)
    status = 0
    try:
        if options.follow:
            watch(options, book, Path(options.files[0]))
        else:
            with uncollected():
                for name in ordered(options.files):
                    status = read(book, name, options.year) or status
    except IsADirectoryError as error:
        raise Failure(f"{unreadable(error)}; name the files in it") from None
    except OSError as error:
        raise unreadable(error, *options.files) from None
    show = as_json if options.json else as_text
    for line in show(book, options.top):
        print(line)
    if options.picture is not None:
        from .log_picture import draw

        draw(options.picture, book)
    if options.report is not None:
        save(page_of(book, options.top), options.report)
    return status


def read(book: LogBook, name: str, year: int | None) -> int:
    """Read one file from its beginning to its end; return an exit status.

    Of a compressed file that is damaged or cut short the lines before that count.
    """
    with opened(name) as file:
        book.reader = HeaderReader(changed(name), year if not book.lines else None)
        if first_bytes(file.buffer, 4) in CAPTURES:
            raise Failure(f"{name} is a capture: syncache inspect {name}")
        add, readline = book.add, file.readline
        try:
            while line := readline(LINE_BYTES_MAX):
                add(line)
        except DAMAGES as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            why = one_line(f"{name} is damaged: {error}")
            say(f"syncache log: {why}; the lines before that were used")
            return DAMAGED
        finally:
            book.finish()
    return 0


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Have Python look for no cycles: reading makes none, and a million objects."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def changed(name: str) -> float:
    """Return when a file was last written to, in seconds since 1970."""
    return today() if name == "-" else Path(name).stat().st_mtime


def today() -> float:
    """Return the wall clock, in seconds since 1970."""
    return datetime.now(timezone.utc).timestamp()


@contextlib.contextmanager
def opened(name: str) -> Iterator[io.TextIOWrapper]:
    """Open a log, compressed or not; bytes that are not text are replaced."""
    with contextlib.ExitStack() as stack:
        if name == "-":
            raw: IO[bytes] = sys.stdin.buffer
        else:
            file = stack.enter_context(Path(name).open("rb"))
            refuse_endless(name, file)
            head = file.peek(8)
            raw = file
            for magic, unpack in PACKED.items():
                if head.startswith(magic):
                    raw = stack.enter_context(unpack(file))
            for magic, program in PIPES.items():
                if head.startswith(magic):
                    raise Failure(f"unpack it: {program} {name} | syncache log -")
        wide = first_bytes(raw, 2) in WIDE
        encoding = "utf-16" if wide else "utf-8"
        text = io.TextIOWrapper(raw, encoding=encoding, errors="replace", newline="\n")
        try:
            yield text
        finally:
            text.detach()


def refuse_endless(name: object, file: IO[bytes]) -> None:
    """Raise Failure for a device as /dev/full is, which has no last line."""
    found = os.fstat(file.fileno())
    if not stat.S_ISCHR(found.st_mode) or file.isatty():
        return
    if found.st_rdev != Path(os.devnull).stat().st_rdev:
        raise Failure(f"{name} is a device: a log is a file, a pipe, or -")


def first_bytes(file: object, size: int) -> bytes:
    """Return the first bytes of a file, unread; none if it cannot tell them."""
    peek = getattr(file, "peek", None)
    with contextlib.suppress(*DAMAGES):
        return b"" if peek is None else bytes(peek(size)[:size])
    return b""


def ordered(names: list[str]) -> list[str]:
    """Return rotated logs by their first dates, `-` where it stands."""
    if "-" in names or len(names) == 1:
        return names
    return sorted(names, key=first_date)


def first_date(name: str) -> float:
    """Return the first date in a file, or when it was last written to."""
    reader = HeaderReader(changed(name))
    with opened(name) as file, contextlib.suppress(*DAMAGES):
        for _ in range(PEEK_LINES):
            header = reader.read(file.readline(LINE_BYTES_MAX))
            if header.time is not None and not header.uptime:
                return header.time
    return changed(name)


def watch(options: argparse.Namespace, book: LogBook, path: Path) -> None:
    """Read a file as it grows; print each alert as it comes, until interrupted."""
    with contextlib.suppress(KeyboardInterrupt):
        for line in follow(path):
            message = book.add(line)
            if message is not None:
                print(spoken(book, message, options), flush=True)


def spoken(book: LogBook, message: Message | Sign, options: argparse.Namespace) -> str:
    """Return an alert as one line."""
    if options.json:
        return json.dumps(message_json(book, message))
    return f"{when(book, book.now)} {message}"


def pause() -> bool:
    """Wait a moment; True means that the file is looked at again."""
    time.sleep(POLL_S)
    return True


def follow(path: Path, again: Callable[[], bool] = pause) -> Iterator[str]:
    """Yield the lines of a file as they are written, over rotations.

    A file that has another inode or has become shorter is read from its beginning; one
    that is gone is waited for.  `again` waits, and ends it by returning False.

    Raises:
        OSError: the file cannot be read, and has never been.
    """
    file = path.open("rb")
    part = b""
    try:
        refuse_endless(path, file)
        while True:
            data = file.readline(LINE_BYTES_MAX)
            part += data
            if data and (part.endswith(b"\n") or len(part) >= LINE_BYTES_MAX):
                yield part.decode("utf-8", "replace")
                part = b""
            if data:
                continue
            if not again():
                return
            with contextlib.suppress(FileNotFoundError, PermissionError):
                if is_another(path, file):
                    fresh = path.open("rb")  # perhaps it is gone again
                    rest = (part + file.read()).splitlines(keepends=True)
                    file.close()
                    file, part = fresh, b""
                    yield from (line.decode("utf-8", "replace") for line in rest)
    finally:
        file.close()


def is_another(path: Path, file: IO[bytes]) -> bool:
    """True if the name stands for another file now, or for one that was emptied."""
    named, held = path.stat(), os.fstat(file.fileno())
    if (named.st_dev, named.st_ino) != (held.st_dev, held.st_ino):
        return True
    return named.st_size < file.tell()
