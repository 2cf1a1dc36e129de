"""The keyring file of a command: its reading, and its change in a running one.

`KeySource` reads a file, sealed or not, and puts its keys into an engine, all or
nothing.  `KeyWatch` does so again whenever the file has changed: a thread looks at it
and unseals it beside the packet loop, which finds the keys ready.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Protocol

from ..keyring import DerivedKeyring, Keyring, KeyringError
from ..succession import check
from . import Failure, files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..attempts import Counted
    from ..conn import Conn
    from ..sysctl import Sysctl

LOOK_SECONDS = 0.5  # between looks at the file
OFFSET_TRIES = 5
STEP_SECONDS = 0.1  # of the wall clock; less does not matter
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
    """Return the wall clock minus the monotonic one, now.

    Of several tries the one that nothing came between: a process that is put aside
    between the two clocks would be wrong by so much, and the skew of a group is small.
    """
    best, error = 0.0, float("inf")
    for _ in range(OFFSET_TRIES):
        before = time.monotonic()
        wall = wall_clock()
        after = time.monotonic()
        if after - before < error:
            best, error = wall - (before + after) / 2, after - before
    return best


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
        files.replace(path, [text.encode()])
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

    def check(self, sysctl: Sysctl) -> None:
        """Make sure that the tunables are the group's; those of a file are free."""

    def watch(self, wake: Callable[[], object] = lambda: None) -> KeyWatch:
        """Begin to watch the file."""
        return KeyWatch(self, wake)

    def of_shard(self, index: int) -> KeySource:
        """Return the file watched by one of several processes of this machine."""
        del index
        return self

    def look(self) -> tuple[int, int, int] | None:
        """Return a fingerprint of the file; None: it does not exist."""
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
        """Put keys that were read into an engine; its earlier cookies stay good."""
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
        """Give an engine the keys that the thread has read, and log a line."""
        if self.ended:
            return
        keys, self._ready = self._ready, None
        if keys is not None:
            self._source.keys = keys
            self.put(engine)
            newest = keys.masters[-1]
            write(f"keyring: read again; {newest!r} is the newest key\n")
        said, self._said = self._said, None
        if said is not None:
            write(f"keyring: {said}; the keys in force stay\n")

    def beside(
        self,
        counted: Callable[[], Counted | None],
        block: Callable[[Sequence[str]], object] | None,
    ) -> None:
        """Be told who counts SYNs, and how to block networks.

        A keyring needs neither.
        """

    def admit(self, conn: Conn) -> bool:
        """Return whether a completed handshake may become a connection."""
        del conn
        return True

    def put(self, engine: Engine) -> None:
        """Put the keys in force into an engine."""
        engine.rekey(self._source.keys)

    @property
    def ended(self) -> bool:
        """Whether `close` was called: nothing is taken any more."""
        return self._end.is_set()

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return self._ready is not None or self._said is not None

    def close(self) -> None:
        """End the thread."""
        self._end.set()
        self._thread.join()

    def look(self) -> None:
        """Read the file if it has changed, or if the wall clock was set."""
        source = self._source
        seen = source.look()
        known = self._ready or source.keys
        stepped = abs(wall_offset() - known.wall_offset) > STEP_SECONDS
        if seen is None or (seen == source.seen and not stepped):
            return
        source.seen = seen
        try:
            self._ready = source.read()
        except Failure as failure:
            self._said = str(failure)
        self._wake()

    def _work(self) -> None:
        while not self._end.wait(LOOK_SECONDS):
            self.look()
