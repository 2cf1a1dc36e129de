"""Files that an operator names, read within bounds of size and time.

A device that never ends, a pipe that nobody writes to and a file of gigabytes are
errors like a missing file: nobody waits for them, and no memory is filled.
"""

from __future__ import annotations

import codecs
import errno
import os
import select
import stat
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BYTES_MAX = 16 * 1024 * 1024  # far more than any router's configuration
PIPE_SECONDS = 5.0  # how long the writer of a pipe may take
READ_BYTES = 64 * 1024
_LATIN = {0xDC00 + byte: byte for byte in range(0x80, 0x100)}


def read_bytes(path: str | Path, limit: int = BYTES_MAX) -> bytes:
    """Return the contents of a file, or of a pipe that somebody writes to.

    Raises:
        OSError: it cannot be read, is too large, or its writer is too slow; it names
            the file.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    descriptor = os.open(path, flags)
    try:
        return _read(descriptor, limit)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None
    finally:
        os.close(descriptor)


def read_text(path: str | Path, limit: int = BYTES_MAX) -> str:
    """Return the text of a file, UTF-8 or, by its byte order mark, UTF-16.

    Bytes that are not UTF-8 are taken for ISO 8859-1, one by one: routers know nothing
    of encodings, so a file may hold both.

    Raises:
        OSError: as `read_bytes`.
    """
    data = read_bytes(path, limit)
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if wide:
        text = data.decode("utf-16", errors="replace")
    else:
        text = data.decode("utf-8-sig", errors="surrogateescape").translate(_LATIN)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read(descriptor: int, limit: int) -> bytes:
    found = os.fstat(descriptor)
    too_large = OSError(errno.EFBIG, f"it has more than {limit} bytes")
    if stat.S_ISREG(found.st_mode) and found.st_size > limit:
        raise too_large
    deadline = time.monotonic() + PIPE_SECONDS
    parts, size = [], 0
    while part := _next(descriptor, deadline):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise too_large
    if not size and stat.S_ISFIFO(found.st_mode):
        raise OSError(errno.ENODATA, "it is a pipe that nobody writes to")
    return b"".join(parts)


def _next(descriptor: int, deadline: float) -> bytes:
    """Return the next bytes; none at the end."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    while True:
        try:
            return os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0 or not poller.poll(left * 1000):
                text = f"no end of it within {PIPE_SECONDS:g} s"
                raise OSError(errno.ETIMEDOUT, text) from None
