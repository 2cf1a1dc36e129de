"""`Conf`: the settings of a fleet's member, from one file or the environment.

A file has `name = value` lines; `#` at the beginning or behind a space is a comment.
SYNCACHE_FLEET_GROUP and so on take precedence over the file.

    group   = web
    valkey  = valkey://192.0.2.10:6379/0     valkeys:// is TLS, unix:///path a socket
    key     = /etc/syncache/fleet.key        seals what leaves this machine
    keyring = /var/lib/syncache/web.ring     written by this member, read by its engines
    name    = edge-1                         of this member; the host's name if left out
    adopt   = yes                            an attack on others: cookies alone; no;
                                             block: and nothing from its top sources
    bloom   = yes                            refuse ACKs that another has redeemed; no
"""

from __future__ import annotations

import dataclasses
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..textfile import read_bytes, read_text
from . import FleetError
from .url import Url

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT = "SYNCACHE_FLEET_"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
COMMENT = re.compile(r"(?:^|\s)#")  # a password may have one
KEY_BYTES_MIN = 8
KEY_BYTES_MAX = 64 * 1024
FILE_BYTES_MAX = 64 * 1024
ENDS = (".group", ".lock", ".new", ".group.new")  # of what lies beside a keyring
FIELDS = ("group", "valkey", "key", "keyring", "name", "adopt", "bloom")


@dataclass(frozen=True, slots=True)
class Conf:
    """The configuration of a member; made by `read`."""

    group: str
    valkey: str = dataclasses.field(repr=False)  # it may hold a password
    key: Path
    keyring: Path
    name: str
    adopt: bool = False
    block: bool = False
    bloom: bool = False

    @classmethod
    def read(cls, path: Path | None, environment: Mapping[str, str]) -> Conf:
        """Read a file, then the environment.

        Raises:
            FleetError: something is missing or wrong; one line says which.
        """
        values = {} if path is None else _lines(path)
        for field in FIELDS:
            given = environment.get(ENVIRONMENT + field.upper())
            if given is not None:
                values[field] = given
        values.setdefault("adopt", "no")
        values.setdefault("bloom", "no")
        values.setdefault("name", socket.gethostname().partition(".")[0])
        missing = [field for field in FIELDS if not values.get(field)]
        where = "the environment" if path is None else str(path)
        if missing:
            raise FleetError(f"{where}: {', '.join(missing)} is missing")
        for field in ("group", "name"):
            if not NAME.fullmatch(values[field]):
                raise FleetError(
                    f"{where}: {values[field]!r} is not a {field}: letters, digits, "
                    "'.', '_' and '-', at most 63, the first a letter or digit"
                )
        try:
            Url.read(values["valkey"])
            _check_files(Path(values["key"]), Path(values["keyring"]))
        except FleetError as error:
            raise FleetError(f"{where}: {error}") from None
        if values["adopt"] not in {"yes", "no", "block"}:
            raise FleetError(
                f"{where}: adopt is yes, no or block, not {values['adopt']!r}"
            )
        if values["bloom"] not in {"yes", "no"}:
            raise FleetError(f"{where}: bloom is yes or no, not {values['bloom']!r}")
        return cls(
            values["group"],
            values["valkey"],
            Path(values["key"]),
            Path(values["keyring"]),
            values["name"],
            values["adopt"] != "no",
            values["adopt"] == "block",
            values["bloom"] == "yes",
        )

    @property
    def address(self) -> str:
        """Where Valkey is, without the password that a URL may hold."""
        return Url.read(self.valkey).shown

    @property
    def next_key(self) -> Path:
        """The key that takes over when a member is revoked."""
        return self.key.with_name(self.key.name + ".next")

    @property
    def sealed(self) -> Path:
        """Where the group's document stays, as it was in Valkey."""
        return self.keyring.with_name(self.keyring.name + ".group")

    def secret(self) -> bytes:
        """Read the key file.

        Raises:
            FleetError: it cannot be used.
        """
        return read_secret(self.key)


def read_secret(path: Path) -> bytes:
    """Read a key file or passphrase; the end of its last line does not count.

    Raises:
        FleetError: it cannot be read, others can read it, or it is too short.
    """
    try:
        mode = path.stat().st_mode & 0o777
        secret = read_bytes(path, KEY_BYTES_MAX).rstrip(b"\r\n")
    except OSError as error:
        raise FleetError(f"{path}: {error.strerror}") from None
    if mode & 0o077:
        raise FleetError(
            f"{path} is open to others (mode {mode:04o}): chmod 600 {path}"
        )
    if not KEY_BYTES_MIN <= len(secret) <= KEY_BYTES_MAX:
        raise FleetError(
            f"{path} is not a key: {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes, for "
            "example of `head -c 32 /dev/urandom | base64`"
        )
    return secret


def _check_files(key: Path, keyring: Path) -> None:
    """Make sure that no file of a member would take the place of another.

    Raises:
        FleetError: it would, or one of them cannot be the name of a file.
    """
    for name, path in (("key", key), ("keyring", keyring)):
        if "\0" in str(path) or not path.name:
            raise FleetError(f"{name} is the path of a file, not {str(path)!r}")
        if path.is_dir():
            raise FleetError(f"{name} is a file, and {path} is a folder")
    mine = {key, key.with_name(key.name + ".next")}
    kept = {keyring.with_name(keyring.name + end) for end in ("", *ENDS)}
    if {os.path.realpath(path) for path in mine} & {
        os.path.realpath(path) for path in kept
    }:
        raise FleetError(
            f"key and keyring are two files: {keyring} would take the place of {key}"
        )


def read(path: Path | None) -> Conf:
    """Read the configuration of this process.

    Raises:
        FleetError: something is missing or wrong.
    """
    return Conf.read(path, os.environ)


def _lines(path: Path) -> dict[str, str]:
    try:
        text = read_text(path, FILE_BYTES_MAX)
    except OSError as error:
        raise FleetError(f"{path}: {error.strerror}") from None
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        content = COMMENT.split(line, maxsplit=1)[0].strip()
        if not content:
            continue
        name, equals, value = (part.strip() for part in content.partition("="))
        if not equals or name not in FIELDS:
            raise FleetError(
                f"{path}:{number}: a line is NAME = VALUE, the names are "
                f"{', '.join(FIELDS)}"
            )
        if name in values:
            raise FleetError(f"{path}:{number}: {name} is given twice")
        values[name] = value
    return values
