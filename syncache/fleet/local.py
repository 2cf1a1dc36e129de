"""A member's files: the group's document as it was in Valkey, and the keyring of it.

Several processes of one machine may write them, an agent for each command and the
operator's `syncache fleet`: they take turns, and an older version is not written over a
newer one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from typing import TYPE_CHECKING

from ..cli import files
from ..textfile import read_bytes
from .document import KIND
from .seal import SealError, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conf import Conf

LOCK_SECONDS = 3.0  # a writer needs milliseconds


def write(conf: Conf, message: bytes, version: int, keyring: str) -> None:
    """Write both, unless what is there is newer.

    Raises:
        OSError: the disk is full, or the folder is not to be written.
    """
    with _alone(conf.keyring):
        if version_here(conf.sealed) <= version:
            # In this order: who is stopped in between takes the document again.
            files.replace(conf.keyring, [keyring.encode()])
            files.replace(conf.sealed, [message])


def are_there(conf: Conf) -> bool:
    """Whether both files are on the disk."""
    return conf.sealed.exists() and conf.keyring.exists()


def version_here(path: Path) -> int:
    """Return the version of the copy that is on the disk; -1: there is none."""
    try:
        return version_of(KIND, read_bytes(path))
    except (FileNotFoundError, SealError):
        return -1


@contextlib.contextmanager
def _alone(keyring: Path) -> Iterator[None]:
    """Keep other processes of this machine from writing."""
    path = keyring.with_name(keyring.name + ".lock")
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(lock, path)
        yield
    finally:
        os.close(lock)


def _take(lock: int, path: Path) -> None:
    """Take the lock, in a bounded time: who has it may be stopped.

    Raises:
        TimeoutError: another process keeps it.
    """
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < end:
                time.sleep(0.01)
                continue
            why = "another process keeps it locked"
            raise TimeoutError(errno.ETIMEDOUT, why, str(path)) from None
        return
