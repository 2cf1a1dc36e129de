"""An interface as one process's own, and the remains of a killed process.

A claim is a locked file.  The lock ends with the process, however it ends; the file
holds the changes to undo, so that the next process can undo it.  Its name has the
network namespace and the index of the interface, neither of which comes again before
the machine is started anew, and then the folder is empty.  A process that has become
another user cannot remove its record, nor can one that is killed: records of nothing
to undo are removed by the next process that claims an interface.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import json
import os
import re
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .link import LinkError

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path("/run/syncache")
SO_NETNS_COOKIE = 71  # Linux 5.14
RECORD_BYTES_MAX = 64 * 1024
SWEPT_MAX = 1000  # records that one process looks at
RECORD = re.compile(r"i?[0-9a-f]+-[0-9]+")

Step = list[Any]  # a word and its arguments, as JSON


def namespace() -> str:
    """Name our network namespace as no other one ever is."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as sock:
        cookie = sock.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)
        return f"{struct.unpack('=Q', cookie)[0]:x}"
    return f"i{Path('/proc/self/ns/net').stat().st_ino:x}"


class Claim:
    """The right to use an interface, until `release` or the end of the process.

    Args:
        name: Of an interface that exists.

    Raises:
        LinkError: another process has it.
        OSError: there is no such interface.
    """

    def __init__(self, name: str) -> None:
        index = socket.if_nametoindex(name)
        folder = Path(os.environ.get("SYNCACHE_RUN") or FOLDER)
        self._path = folder / f"{namespace()}-{index}"
        self._fd = -1
        self.steps: list[Step] = []
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _held(folder, fcntl.LOCK_SH):
                self._fd = self._lock(name)
        except LinkError:
            raise
        except OSError:
            return  # no such folder can be: nobody remembers, nobody is kept out
        with contextlib.suppress(OSError), _held(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            _sweep(folder)
        self.steps = self._left()
        self._write()

    def _lock(self, name: str) -> int:
        while True:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            fd = os.open(self._path, flags, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(fd), self._path.stat()):
                    return fd
            except FileNotFoundError:
                pass  # its last owner removed it in between
            except BlockingIOError:
                owner = _read(fd).get("pid", "of an unknown number")
                os.close(fd)
                raise LinkError(
                    f"{name} is in use by process {owner}: stop that first",
                    errno.EBUSY,
                ) from None
            except OSError:
                os.close(fd)
                raise
            os.close(fd)

    def _left(self) -> list[Step]:
        steps = _read(self._fd).get("steps")
        if not isinstance(steps, list):
            return []
        return [step for step in steps if isinstance(step, list) and step]

    def record(self, steps: list[Step]) -> None:
        """Record the change to undo; call it before each change."""
        self.steps = steps
        self._write()

    def _write(self) -> None:
        if self._fd < 0:
            return
        record = {"pid": os.getpid(), "command": sys.argv[:2], "steps": self.steps}
        with contextlib.suppress(OSError):  # a full /run: as if there were none
            data = json.dumps(record).encode()
            os.pwrite(self._fd, data, 0)
            os.ftruncate(self._fd, len(data))

    def release(self) -> None:
        """Give it up; changes not yet undone stay on record."""
        if self._fd < 0:
            return
        if not self.steps:
            with contextlib.suppress(OSError):
                self._path.unlink()
        os.close(self._fd)
        self._fd = -1


@contextlib.contextmanager
def _held(folder: Path, lock: int) -> Iterator[None]:
    """Lock a folder: who sweeps it locks each record for a moment, as an owner does."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, lock)
        yield
    finally:
        os.close(fd)


def _sweep(folder: Path) -> None:
    """Remove records that nobody owns and that have nothing to undo."""
    records = (one for one in os.scandir(folder) if RECORD.fullmatch(one.name))
    for one in itertools.islice(records, SWEPT_MAX):
        with contextlib.suppress(OSError):
            fd = os.open(one.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _read(fd).get("steps") == []:
                    Path(one.path).unlink()
            finally:
                os.close(fd)


def _read(fd: int) -> dict[str, Any]:
    """Return a record; an empty one if it is none."""
    try:
        found = json.loads(os.pread(fd, RECORD_BYTES_MAX, 0))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
