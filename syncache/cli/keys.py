"""The keyring file of a command: its reading, and its change in a running one.

`KeySource` reads a file, sealed or not, and puts its keys into an engine, all or
nothing.  `KeyWatch` does so again whenever the file has changed: a thread looks at it
and unseals it beside the packet loop, which finds the keys ready.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Protocol

from ..keyring import DerivedKeyring, Keyring, KeyringError, fingerprint
from ..succession import check
from ..textfile import read_bytes
from ..tunables import KNOBS
from . import Failure, files
from .patience import attended
from .wall import Wall

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..attempts import Counted
    from ..conn import Conn
    from ..keyring import Master
    from ..sysctl import Sysctl

LOOK_SECONDS = 0.5  # between looks at the file
CLOSE_SECONDS = 5.0  # a keyring is unsealed in less
OFFSET_TRIES = 5
SAID_MAX = 8  # lines that wait to be written
PASSPHRASE_BYTES_MAX = 64 * 1024
GATE = "net.inet.tcp.syncache.x.cookie_gate"
SKEW = "net.inet.tcp.syncache.x.clock_skew_ms"
# The window scale that a middlebox of a group tells, and what gives it to a stack.
GROUP_WSCALE = 7
BUFFER, GROUP_BUFFER = "kern.ipc.maxsockbuf", 4_194_304


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
        mode = attended(path, path.stat).st_mode & 0o777
        secret = attended(path, lambda: read_bytes(path, PASSPHRASE_BYTES_MAX))
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None
    if mode & 0o077:
        raise Failure(f"{path} is open to others (mode {mode:04o}): chmod 600 {path}")
    secret = secret.rstrip(b"\r\n")
    if not secret:
        raise Failure(f"{path} holds no passphrase: it is empty")
    return secret


def read_keyring(
    path: Path, passphrase: Path | None, offset: float | None = None
) -> DerivedKeyring:
    """Read a keyring file, with the wall clock of now, or as `offset` has it.

    Raises:
        Failure: it cannot be used; one line says why.
    """
    secret = read_passphrase(passphrase)
    try:
        return attended(
            path,
            lambda: Keyring.from_file(
                path,
                wall_offset=wall_offset() if offset is None else offset,
                passphrase=secret,
            ),
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
        self.seen = attended(path, self.look)
        self.keys = self.first()
        self.wall = Wall(self.keys.wall_offset)
        self.skew = int(KNOBS[SKEW].default) / 1000  # between clocks, in seconds
        self.aside = False  # keys of this machine alone are in force

    def first(self) -> DerivedKeyring:
        """Return the keys to begin with.

        Raises:
            Failure: the file cannot be used.
        """
        return read_keyring(self.path, self._passphrase)

    @property
    def settings(self) -> list[str]:
        """Tunables that follow from the keys, for a preset to be followed by.

        A group's cookie may come back to a machine that did not make it, so each takes
        cookies at any time, and tells the same window scale, which is under the MAC.
        """
        if not self.keys.group:
            return []
        return [f"{GATE}=always", f"{BUFFER}={GROUP_BUFFER}"]

    @property
    def wscale(self) -> int | None:
        """The window scale that a group's machines tell; None: there is no group."""
        return GROUP_WSCALE if self.keys.group else None

    def check(self, sysctl: Sysctl) -> None:
        """Make sure that the tunables are the group's; those of a file are free."""
        self.skew = int(sysctl[SKEW]) / 1000

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
        keys = read_keyring(self.path, self._passphrase, self.wall.offset)
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
        """Put keys that were read into an engine; its earlier cookies stay good.

        With a wrong clock they would be those of another time: cookies are made for
        this machine alone, with keys of its own, until the clock is right.
        """
        self.keys = keys
        engine.rekey(keys.aside() if self.aside else keys)


def since(master: Master) -> str:
    """Spell when a key begins to be in force: UTC, in whole seconds."""
    if master.begins == 0:
        return "always"
    try:
        moment = datetime.fromtimestamp(int(master.begins), timezone.utc)
    except (OverflowError, ValueError, OSError):
        return f"second {int(master.begins)}"
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


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
        self._said: deque[str] = deque(maxlen=SAID_MAX)
        self._looking = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def take(self, engine: Engine, write: Callable[[str], object]) -> None:
        """Give an engine the keys that the thread has read, and log a line."""
        if self.ended:
            return
        source = self._source
        keys, self._ready = self._ready, None
        if keys is not None and keys.masters != source.keys.masters:
            newest = keys.masters[-1]
            name = f"key {newest.number}, {fingerprint(newest.secret)}"
            write(f"keyring: read again; the newest is {name}, from {since(newest)}\n")
        if keys is not None or self.refuses != source.aside:
            source.aside = self.refuses
            source.give(engine, keys or source.keys)
        while self._said:
            write(f"keyring: {self._said.popleft()}\n")

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

    @property
    def refuses(self) -> bool:
        """Whether our wall clock is not to be believed."""
        return self._source.wall.doubt is not None

    @property
    def ended(self) -> bool:
        """Whether `close` was called: nothing is taken any more."""
        return self._end.is_set()

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return (
            self._ready is not None
            or bool(self._said)
            or self.refuses != self._source.aside
        )

    def close(self) -> None:
        """End the thread; one that a disk holds up is left behind."""
        self._end.set()
        self._thread.join(CLOSE_SECONDS)

    def look(self) -> None:
        """Read the file if it has changed, and see whether the wall clock was set."""
        with self._looking:
            told = self._look_at_clock()
            told |= self._look_at_file()
        if told:
            self._wake()

    def _look_at_file(self) -> bool:
        source = self._source
        seen = source.look()
        if seen is None or seen == source.seen:
            return False
        source.seen = seen
        try:
            self._ready = source.read()
        except Failure as failure:
            self._said.append(f"{failure}; the keys in force stay")
        return True

    def _look_at_clock(self) -> bool:
        wall, doubt = self._source.wall, self._source.wall.doubt
        moved = wall.look(
            wall_offset(), time.monotonic(), self.skew, self.others_agree()
        )
        if moved:
            self._ready = (self._ready or self._source.keys).at(wall.offset)
        if wall.doubt != doubt:
            self.doubted(wall.doubt)
        return moved or wall.doubt != doubt

    @property
    def skew(self) -> float:
        """By how many seconds the wall clock may be set without a doubt."""
        return self._source.skew

    def others_agree(self) -> bool | None:
        """Whether others say that our wall clock is right; None: nobody says."""
        return None

    def doubted(self, step: float | None) -> None:
        """Tell that the wall clock was set by so many seconds; None: that is over."""
        self._said.append(
            "the clock is believed again" if step is None else doubt_of(step)
        )

    def _work(self) -> None:
        while not self._end.wait(LOOK_SECONDS):
            self.look()


def doubt_of(step: float) -> str:
    """Return the words about a wall clock that was set."""
    return (
        f"ALARM: the wall clock was set by {step:+.1f} s: cookies are good at this "
        "machine alone until it is back, or believed"
    )
