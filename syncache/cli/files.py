"""Files that replace one another whole: a reader sees the old one or the new one.

Contents: writing beside a file and renaming, and `StateFile`, which does it in
a thread of its own so that no disk holds up a packet loop.  Elsewhere: what the
bytes mean.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from .patience import patiently

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CLOSE_SECONDS = 5.0  # how long a disk may delay the end
PARTS_MAX = 256  # of one writev(2); the system's limit is 1024


def replace(path: Path, parts: Sequence[bytes], mode: int = 0o600) -> None:
    """Write a file beside `path`, have it reach the disk, and rename it.

    A symbolic link stays, and the file that it names is replaced, unless the link is
    another user's.

    Raises:
        OSError: it could not be written; `path` is as it was, with nothing beside it.
    """
    place = Path(os.path.realpath(path))
    _refuse_special(path)
    fresh = Path(f"{place}.new")
    try:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()  # a process that was killed left it
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(fresh, flags, mode)
        try:
            os.fchmod(descriptor, mode)
            _keep_owner(descriptor, place)
            for start in range(0, len(parts), PARTS_MAX):
                _write(descriptor, parts[start : start + PARTS_MAX])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.replace(place)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise type(error)(error.errno, error.strerror, str(path)) from None
    _sync_folder(place.parent)


def _refuse_special(path: Path) -> None:
    """Refuse to replace a folder, a device or a pipe.

    Raises:
        OSError: that is what the path names, or a loop of links, or the link of a user
            who may want to have another file overwritten.
    """
    with contextlib.suppress(FileNotFoundError):
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode) and found.st_uid not in {0, os.geteuid()}:
            raise OSError(errno.EPERM, "it is a link of another user", str(path))
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(kind):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def _keep_owner(descriptor: int, path: Path) -> None:
    """Give a file to the owner of the one whose place it takes, if we may."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        before = path.stat()
        os.fchown(descriptor, before.st_uid, before.st_gid)


def _write(descriptor: int, parts: Sequence[bytes]) -> None:
    """Write all of some parts."""
    views = [memoryview(part) for part in parts if part]
    while views:
        count = os.writev(descriptor, views)
        while views and count >= len(views[0]):
            count -= len(views.pop(0))
        if count:
            views[0] = views[0][count:]


def _sync_folder(folder: Path) -> None:
    """Have the rename reach the disk; some file systems cannot."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class StateFile:
    """The state that a process keeps over a restart; never a reason to stop or wait.

    Make it before the links are opened: its thread keeps the processor and the priority
    of the shell.  One thread calls the methods.

    Args:
        path: The file; its folder exists.
        warn: Called with one line about the failure.
        limit: Bytes; a file that is larger is not read.
    """

    def __init__(self, path: Path, warn: Callable[[str], object], limit: int) -> None:
        self.path = path
        self._warn = warn
        self._limit = limit
        self._wanted: Callable[[], Sequence[bytes]] | None = None
        self._error = ""
        self._warned = ""
        self._busy = False
        self._refused = False
        self._ending = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        self._claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if not _is_ours(self._claim, path):
            self._refused = True
            warn(f"{path} is in use by another process; nothing is kept there")

    def load(self) -> bytes | None:
        """Return the contents of the file; None if there is no usable file."""
        if self._refused:
            return None
        try:
            return patiently(self._read)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ETIMEDOUT:
                self._warn(f"{self.path} is not read: {error.strerror}")
                return None
            self.set_aside(error.strerror or str(error))
        except ValueError as error:
            self.set_aside(str(error))
        return None

    def set_aside(self, why: str) -> None:
        """Rename a file that cannot be used, and warn.

        A folder, a device or a pipe is left alone, and nothing is kept.
        """
        aside = Path(f"{self.path}.bad")
        try:
            if not self.path.is_file():
                self._refused = True
                self._warn(f"{self.path} cannot be used ({why}); nothing is kept there")
                return
            self.path.replace(aside)
        except OSError as error:
            self._warn(
                f"{self.path} cannot be used ({why}), nor be renamed to {aside.name}: "
                f"{error.strerror}"
            )
            return
        self._warn(f"{self.path} cannot be used ({why}): it is now {aside}")

    def save(self, make: Callable[[], Sequence[bytes]]) -> None:
        """Have the parts that `make` returns written by the thread.

        A request that has not begun is replaced.
        """
        if self._refused:
            return
        with self._changed:
            self._wanted = make
            self._changed.notify_all()

    @property
    def busy(self) -> bool:
        """True while a request waits or is written."""
        return self._busy or self._wanted is not None

    def report(self) -> None:
        """Warn of an error that the thread met, once, and of its end."""
        error = self._error
        if error == self._warned:
            return
        self._warned = error
        if error:
            self._warn(f"cannot write {error}; going on without it")
        else:
            self._warn(f"{self.path} is written again")

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Wait a while for the last request to be written."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join(seconds)
        self._claim.close()
        self.report()
        if self._thread.is_alive():
            self._warn(f"{self.path} is not written: the disk does not answer")

    def _read(self) -> bytes:
        # O_NONBLOCK: opening a pipe that nobody writes would wait for ever.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise ValueError("it is not a regular file")
            if found.st_mode & 0o022 or found.st_uid not in {0, os.geteuid()}:
                raise ValueError("others can write it")
            if found.st_size > self._limit:
                raise ValueError(f"it has more than {self._limit} bytes")
            parts = []
            while part := os.read(descriptor, self._limit):
                parts.append(part)
            return b"".join(parts)
        finally:
            os.close(descriptor)

    def _work(self) -> None:
        while True:
            with self._changed:
                while self._wanted is None:
                    if self._ending:
                        return
                    self._changed.wait()
                make, self._wanted, self._busy = self._wanted, None, True
            try:
                replace(self.path, make())
                self._error = ""
            except OSError as error:
                self._error = f"{self.path}: {error.strerror}"
            except MemoryError:
                self._error = f"{self.path}: {os.strerror(errno.ENOMEM)}"
            finally:
                self._busy = False


def _is_ours(claim: socket.socket, path: Path) -> bool:
    """Return whether no other process claims a file, and claim it until our end.

    The claim is a socket's name without a file, which ends with the process.  Where
    there can be none nobody is kept out.
    """
    try:
        folder = patiently(path.parent.stat)
        place = f"{folder.st_dev}:{folder.st_ino}:{path.name}"
        name = hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()
        claim.bind(f"\0syncache-state-{name}")
    except OSError as error:
        return error.errno != errno.EADDRINUSE
    return True
