"""The keyring file of a command: its options, its reading, its change in a running one.

`KeySource` reads a file, sealed or not, and puts its keys into an engine, all or
nothing.  `KeyWatch` does so again whenever the file has changed: a thread looks at it
and unseals it beside the packet loop, which finds the keys ready.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..keyring import DerivedKeyring, Keyring, KeyringError
from ..succession import check
from . import Failure

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

LOOK_SECONDS = 0.5  # between looks at the file
PASSPHRASE_BYTES_MAX = 64 * 1024
GATE = "net.inet.tcp.syncache.x.cookie_gate"


class Engine(Protocol):
    """Whoever makes cookies: Syncache, Intercept, Inspection."""

    def rekey(self, keys: Keyring) -> None:
        """Take keys from another keyring."""


def wall_clock() -> float:
    """Return seconds since 1970."""
    return datetime.now(timezone.utc).timestamp()


def wall_offset() -> float:
    """Return the wall clock minus the monotonic one, now."""
    return wall_clock() - time.monotonic()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a keyring to a command's parser."""
    parser.add_argument(
        "--keyring",
        metavar="FILE",
        type=Path,
        help="cookie keys that other machines and later runs have too (syncache key); "
        "read again when it changes",
    )
    parser.add_argument(
        "--passphrase", metavar="FILE", type=Path, help="what unseals the keyring"
    )


def source(options: argparse.Namespace) -> KeySource | None:
    """Read the keyring that the options ask for; None: keys are drawn.

    Raises:
        Failure: it cannot be used.
    """
    if options.keyring is None:
        if options.passphrase is not None:
            raise Failure("--passphrase needs --keyring, the file that it unseals")
        return None
    return KeySource(options.keyring, options.passphrase)


def read_passphrase(path: Path | None) -> bytes | None:
    """Read a file of a passphrase or key; the end of its last line does not count.

    Raises:
        Failure: it cannot be read, others can, or there is nothing in it.
    """
    if path is None:
        return None
    try:
        mode = path.stat().st_mode & 0o777
        with path.open("rb") as file:
            secret = file.read(PASSPHRASE_BYTES_MAX + 1).rstrip(b"\r\n")
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None
    if mode & 0o077:
        raise Failure(f"{path} is open to others (mode {mode:04o}): chmod 600 {path}")
    if not 0 < len(secret) <= PASSPHRASE_BYTES_MAX:
        raise Failure(f"{path} holds no passphrase: it has {len(secret)} bytes")
    return secret


def read_keyring(path: Path, passphrase: Path | None) -> DerivedKeyring:
    """Read a keyring file, with the wall clock of now.

    Raises:
        Failure: it cannot be used; one line says why.
    """
    try:
        return Keyring.from_file(
            path, wall_offset=wall_offset(), passphrase=read_passphrase(passphrase)
        )
    except KeyringError as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None


def write_keyring(path: Path, text: str) -> None:
    """Put a file in place, whole and on the disk; its owner stays.

    Raises:
        Failure: it cannot be written.
    """
    try:
        # Made with mode 0600, in the same folder so that it can take the place over.
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=path.name, delete=False, encoding="utf-8"
        ) as file:
            beside = Path(file.name)
            try:
                file.write(text)
                file.flush()
                with contextlib.suppress(FileNotFoundError):
                    owner = path.stat()
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
                os.fsync(file.fileno())
                beside.replace(path)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None


class KeySource:
    """A keyring file, and the keys of it that are in force.

    Raises:
        Failure: the file cannot be used.
    """

    def __init__(self, path: Path, passphrase: Path | None = None) -> None:
        self.path = path
        self._passphrase = passphrase
        self.seen = self.look()
        self.keys = read_keyring(path, passphrase)

    @property
    def settings(self) -> list[str]:
        """Tunables that follow from the keys, for a preset to be followed by.

        A group's cookie may come back to a machine that did not make it, so each takes
        cookies at any time.
        """
        return [f"{GATE}=always"] if self.keys.group else []

    def look(self) -> tuple[int, int, int] | None:
        """Return what changes with the file; None: it does not exist."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self) -> DerivedKeyring:
        """Read the file again; nothing changes yet.

        Raises:
            Failure: it cannot be used, or not in the place of what is in force.
        """
        keys = read_keyring(self.path, self._passphrase)
        try:
            check(self.keys, keys)
        except KeyringError as error:
            raise Failure(f"{self.path}: {error}") from None
        return keys

    def reload(self, engine: Engine) -> None:
        """Read the file again into a running engine, all or nothing.

        Raises:
            Failure: as `read`; the keys in force stay in force.
        """
        self.give(engine, self.read())

    def give(self, engine: Engine, keys: DerivedKeyring) -> None:
        """Put keys that were read into an engine; it redeems what it made before."""
        engine.rekey(keys)
        self.keys = keys


class KeyWatch:
    """Reads a keyring file again when it changes, in a thread.

    Args:
        source: The file.
        wake: Called by the thread when there is something to take.
    """

    def __init__(
        self, source: KeySource, wake: Callable[[], object] = lambda: None
    ) -> None:
        self._source = source
        self._wake = wake
        self._ready: DerivedKeyring | None = None
        self._said: str | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def take(self, engine: Engine, write: Callable[[str], object]) -> None:
        """Give an engine what the thread has read, and write a line about it."""
        if self._end.is_set():
            return
        keys, self._ready = self._ready, None
        if keys is not None:
            self._source.give(engine, keys)
            newest = keys.masters[-1]
            write(f"keyring: read again; {newest!r} is the newest key\n")
        said, self._said = self._said, None
        if said is not None:
            write(f"keyring: {said}; the keys in force stay\n")

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return self._ready is not None or self._said is not None

    def close(self) -> None:
        """End the thread."""
        self._end.set()
        self._thread.join()

    def look(self) -> None:
        """Read the file if it is another one than before."""
        seen = self._source.look()
        if seen in {self._source.seen, None}:
            return
        self._source.seen = seen
        try:
            self._ready = self._source.read()
        except Failure as failure:
            self._said = str(failure)
        self._wake()

    def _work(self) -> None:
        while not self._end.wait(LOOK_SECONDS):
            self.look()
