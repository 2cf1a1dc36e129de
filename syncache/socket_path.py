"""The path of a Unix socket: made, checked before, and removed after.

Elsewhere: what is said on it (`control`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

PATH_BYTES_MAX = 107  # of a Unix socket, unix(7)


class SocketPath:
    """A Unix socket at a path, of mode 0600, until `remove`.

    A socket that a dead process left there is replaced.

    Args:
        path: Of the socket.

    Raises:
        FileExistsError: a living process answers there, or it is no socket.
        OSError: the path cannot be made.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        _check_length(path)
        kind = socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self.socket = socket.socket(socket.AF_UNIX, kind)
        before = os.umask(0o177)
        try:
            remove_stale(self._path)
            self.socket.bind(str(self._path))
            self._made = _identity(self._path)
        except OSError as error:
            self.socket.close()
            why = error.strerror or str(error)
            raise type(error)(error.errno, why, str(path)) from None
        finally:
            os.umask(before)

    def remove(self) -> None:
        """Remove the path, unless it is by now another process's."""
        with contextlib.suppress(OSError):
            if _identity(self._path) == self._made:
                self._path.unlink()


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


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


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
