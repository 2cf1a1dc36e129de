"""The path of a Unix socket: made, checked before, and removed after.

Elsewhere: what is said on it (`control`).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_SECONDS = 1.0  # for a folder in which somebody else makes a socket
PATH_BYTES_MAX = 107  # of a Unix socket, unix(7)


class SocketPath:
    """A Unix socket at a path, of mode 0600, until `remove`; it listens.

    A socket that a dead process left there is replaced.  That it is one, and that ours
    listens, is one step for whoever else starts there.

    Args:
        path: Of the socket.

    Raises:
        FileExistsError: a living process answers there, or it is not a socket.
        OSError: the path cannot be made.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        _check_length(path)
        kind = socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self.socket = socket.socket(socket.AF_UNIX, kind)
        before = os.umask(0o177)
        try:
            with _alone(self._path.parent):
                remove_stale(self._path)
                self.socket.bind(str(self._path))
                self.socket.listen()
                self._made = _identity(self._path)
        except OSError as error:
            self.socket.close()
            why = error.strerror or str(error)
            raise type(error)(error.errno, why, str(path)) from None
        finally:
            os.umask(before)

    def remove(self) -> None:
        """Remove the path, unless it is by now another process's."""
        with contextlib.suppress(OSError), _alone(self._path.parent):
            if _identity(self._path) == self._made:
                self._path.unlink()


def stays(path: str | Path) -> bool:
    """Return whether this process, by now another user, may not remove a socket."""
    place = Path(path)
    try:
        folder, own = place.parent.stat(), place.lstat()
    except OSError:
        return False
    is_mine = os.geteuid() in {0, folder.st_uid, own.st_uid}
    if folder.st_mode & stat.S_ISVTX and not is_mine:
        return True
    return not os.access(place.parent, os.W_OK | os.X_OK)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others from making a socket in a folder, unless somebody does so for long.

    Any reader of a folder may lock it, so none of them may stop us.
    """
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # whatever it is, bind() will say it
        yield
        return
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _locked(fd) and time.monotonic() < deadline:
            time.sleep(LOCK_SECONDS / 100)
        yield
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def check_place(path: str | Path, *, is_ours: bool = False) -> None:
    """Refuse a path where no `SocketPath` could be made; nothing is made.

    Args:
        path: Of the socket.
        is_ours: A process may answer there: the one that is to be replaced.

    Raises:
        OSError: it says why.
    """
    _check_length(path)
    place = Path(path)
    folder = place.parent
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {folder}", str(path))
    if not (is_ours and place.is_socket() and not place.is_symlink()):
        is_stale(place)
    if why := unwritable(folder, os.W_OK | os.X_OK):
        raise OSError(why, os.strerror(why), str(path))


def unwritable(path: Path, mode: int = os.W_OK) -> int:
    """Return the error that writing there would be; 0 if there is none."""
    if os.access(path, mode):
        return 0
    fixed = os.statvfs(path).f_flag & os.ST_RDONLY
    return errno.EROFS if fixed else errno.EACCES


def _check_length(path: str | Path) -> None:
    if not str(path) or len(os.fsencode(Path(path))) > PATH_BYTES_MAX:
        text = f"the path of a socket has 1 to {PATH_BYTES_MAX} bytes"
        raise OSError(errno.ENAMETOOLONG, text, str(path))


def _identity(path: Path) -> tuple[int, int, int]:
    """Return the signs of a socket: a number that was freed may be given again."""
    found = path.lstat()
    return found.st_dev, found.st_ino, found.st_mtime_ns


def remove_stale(place: Path) -> None:
    """Remove a socket that nobody answers on; FileExistsError if somebody does."""
    if is_stale(place):
        place.unlink(missing_ok=True)


def is_stale(place: Path) -> bool:
    """Return whether there is a socket that nobody answers on.

    Raises:
        FileExistsError: somebody does, or it is something else.
    """
    try:
        kind = place.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(kind):
        raise FileExistsError(errno.EEXIST, "exists and is not a socket", str(place))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # the queue of a stopped process may be full
        try:
            probe.connect(str(place))
        except ConnectionRefusedError:
            return True
        except FileNotFoundError:  # it has just gone
            return False
        except BlockingIOError:
            pass
    raise FileExistsError(errno.EEXIST, "is in use by another process", str(place))
