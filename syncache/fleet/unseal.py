"""`KeyFile`: the key that a group's documents are sealed with, and its successor.

    fleet.key        in force
    fleet.key.next   takes over with the first document that it alone opens

A key file that was replaced by hand is found the same way.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ..cli import files
from . import FleetError
from .conf import read_secret
from .document import KIND, Document
from .seal import Sealer, SealError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conf import Conf

SEALERS_MAX = 4  # each has taken 0.1 s and 32 MB for a moment


class KeyFile:
    """The key of one member.

    Args:
        conf: Of the member.
        tell: Takes a line for the log.
        keeps: The successor may be renamed; else it is only read.

    Raises:
        FleetError: the key file cannot be used.
    """

    def __init__(
        self, conf: Conf, tell: Callable[[str], object], *, keeps: bool
    ) -> None:
        self._conf = conf
        self._tell = tell
        self._keeps = keeps
        self.secret = conf.secret()
        self.sealer = Sealer(conf.group, self.secret)
        self._sealers = {self.secret: self.sealer}

    def open(self, message: bytes) -> Document:
        """Open a document; with a key that has come since, if it has to be.

        Raises:
            SealError: no key opens it.
            FleetError: it is not understood.
        """
        try:
            return self._opened(self.sealer, message)
        except SealError:
            for path in (self._conf.key, self._conf.next_key):
                if self._try(path, message):
                    return self._opened(self.sealer, message)
            raise

    def _opened(self, sealer: Sealer, message: bytes) -> Document:
        version, body = sealer.open(KIND, message)
        return Document.decode(body, version, self._conf.group)

    def _try(self, path: Path, message: bytes) -> bool:
        """Change to a key file that opens a message."""
        try:
            secret = read_secret(path)
        except FleetError:
            return False
        if secret == self.secret:
            return False
        sealer = self.sealer_of(secret)
        try:
            sealer.open(KIND, message)
        except SealError:
            return False
        if path != self._conf.key and self._keeps:
            try:
                path.replace(self._conf.key)
            except OSError as error:
                raise FleetError(f"{path}: {error.strerror}") from None
        self.secret, self.sealer = secret, sealer
        self._tell(f"the key is another one from now on: {path}")
        return True

    def sealer_of(self, secret: bytes) -> Sealer:
        """Return what seals with a key, made once: a lie costs no second scrypt."""
        if secret not in self._sealers:
            while len(self._sealers) >= SEALERS_MAX:
                del self._sealers[next(iter(self._sealers))]
            self._sealers[secret] = Sealer(self._conf.group, secret)
        return self._sealers[secret]

    def announce(self, secret: bytes) -> None:
        """Put a key in place as the successor: what it seals can be opened from now on.

        Raises:
            FleetError: it cannot be written.
        """
        self._write(self._conf.next_key, secret)

    def change(self, secret: bytes) -> None:
        """Seal with another key from now on, and put it into the key file.

        Raises:
            FleetError: it cannot be written.
        """
        self._write(self._conf.key, secret)
        self.secret, self.sealer = secret, self.sealer_of(secret)
        with contextlib.suppress(FleetError, OSError):
            if read_secret(self._conf.next_key) == secret:
                self._conf.next_key.unlink()

    def _write(self, path: Path, secret: bytes) -> None:
        try:
            files.replace(path, [secret, b"\n"])
        except OSError as error:
            raise FleetError(f"{error.filename}: {error.strerror}") from None
