"""Descriptors that are written to, and never waited for where nobody reads.

Contents: files of an operator's choice opened for writing, whatever they turn out to
be; whole writes; the standard error, which may be closed, full or not read.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

STANDARD = (0, 1, 2)
STDERR = 2
SAY_SECONDS = 1.0  # how long a reader of the standard error may be waited for
# Errors that pass without a change of the command line: nothing optional stops for one.
PASSING = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.EFBIG,
    }
)


def open_append(path: Path, owner: tuple[int, int] | None = None) -> int:
    """Open a file at its end; it is made if there is none.

    Args:
        path: Of the file.
        owner: User and group of a file that is made: who will have to open it again.

    Raises:
        OSError: it cannot be opened.
    """
    if owner is not None:
        with contextlib.suppress(FileExistsError):
            descriptor = _open(path, os.O_APPEND | os.O_EXCL)
            with contextlib.suppress(OSError):  # a file system without users
                os.fchown(descriptor, *owner)
            return descriptor
    return _open(path, os.O_APPEND)


def open_fresh(path: Path) -> int:
    """Open a file that nobody else writes, and empty it.

    Raises:
        OSError: it cannot be opened; BlockingIOError: another process writes it.
    """
    import fcntl

    descriptor = _open(path, 0)
    try:
        if is_regular(descriptor):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_regular(descriptor: int) -> bool:
    """Return whether a descriptor is that of a file on a disk."""
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _open(path: Path, more: int) -> int:
    """Open without waiting for the reader of a pipe.

    A pipe is opened for reading too, so it has room until a reader comes, and between
    two readers.
    """
    flags = os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK | more
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISFIFO(path.stat().st_mode):
            return os.open(path, flags | os.O_RDWR, 0o640)
    return os.open(path, flags | os.O_WRONLY, 0o640)


def write_all(descriptor: int, data: memoryview) -> tuple[memoryview, OSError | None]:
    """Write all of it, however long a reader takes.

    Returns the bytes that were not written, and why.
    """
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            poller = select.poll()
            poller.register(descriptor, select.POLLOUT)
            poller.poll()
        except OSError as error:
            return data, error
    return data, None


def is_journal(descriptor: int) -> bool:
    """Return whether a descriptor is systemd's journal: $JOURNAL_STREAM names it."""
    with contextlib.suppress(OSError, ValueError):
        device, inode = map(int, os.environ.get("JOURNAL_STREAM", "").split(":"))
        found = os.fstat(descriptor)
        return (found.st_dev, found.st_ino) == (device, inode)
    return False


def warning(text: str) -> str:
    """Return a line for the standard error, with its severity if that is the journal.

    See sd-daemon(3); the journal takes it off again.
    """
    return f"<4>{text}" if is_journal(STDERR) else text


def say(text: str, seconds: float = SAY_SECONDS) -> None:
    """Write a warning to the standard error, unless nobody can read it.

    A reader that does not read is waited for so long, and no longer.
    """
    stream = sys.stderr
    text = warning(text)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        poller = select.poll()
        with contextlib.suppress(OSError, ValueError):  # a stream without descriptor
            poller.register(stream.fileno(), select.POLLOUT)
            if not poller.poll(seconds * 1000):
                return
        print(text, file=stream, flush=True)


def forget_errors() -> None:
    """Throw away what the standard error did not take.

    Python writes it again at its very end, and some versions then exit with status 120
    in place of the command's.
    """
    try:
        sys.stderr.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stderr.fileno())
            os.close(nowhere)
    except (ValueError, AttributeError):  # closed, or there is none
        return


def open_standard() -> None:
    """Have the descriptors 0 to 2 open, so that no file or socket becomes one.

    A process that is started without them would else write its warnings to whatever
    it opened first: a log, or a network interface.
    """
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                made = os.open(os.devnull, os.O_RDWR)
                if made != number:
                    os.dup2(made, number)
                    os.close(made)
    # Python has none of a descriptor that was closed at its start.
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
