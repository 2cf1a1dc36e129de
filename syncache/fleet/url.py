"""`Url`: where Valkey is, read and checked before a client sees it.

    valkey://USER:PASSWORD@HOST:PORT/DB      redis:// is the same
    valkeys://...?ssl_ca_certs=FILE          TLS; rediss:// is the same
    unix:///PATH?db=DB

A client takes options that change how answers are read or how long they may take, and
finds an unknown one only when it connects.  Here the options are those of a place and
of TLS, and no message repeats a part of a URL that may hold a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from . import FleetError

if TYPE_CHECKING:
    from collections.abc import Callable

FORM = "valkey://HOST:PORT/DB, valkeys://... or unix:///PATH"
SCHEME = re.compile(r"(valkeys?|rediss?|unix)://\S+")
WORD = re.compile(r"[a-z_]{1,32}")
PORT = 6379
PORT_MAX = 65535
_ESCAPES = "write / ? # [ in a password as %2F %3F %23 %5B"


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise ValueError("a number")
    return int(text)


def _file(text: str) -> str:
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"a file that can be read, and {path} is none")
    return text


def _folder(text: str) -> str:
    if not Path(text).is_dir():
        raise ValueError("a folder of certificates")
    return text


def _yes(text: str) -> bool:
    if text.lower() not in {"true", "yes", "1", "false", "no", "0"}:
        raise ValueError("true or false")
    return text.lower() in {"true", "yes", "1"}


def _requirement(text: str) -> str:
    if text not in {"none", "required"}:
        raise ValueError("required or none")
    return text


def _protocol(text: str) -> int:
    if text not in {"2", "3"}:
        raise ValueError("2 or 3")
    return int(text)


PLAIN: dict[str, Callable[[str], object]] = {
    "client_name": str,
    "password": str,
    "protocol": _protocol,
    "username": str,
}
OF_SOCKET = PLAIN | {"db": _number}
OF_TLS = PLAIN | {
    "ssl_ca_certs": _file,
    "ssl_ca_path": _folder,
    "ssl_cert_reqs": _requirement,
    "ssl_certfile": _file,
    "ssl_check_hostname": _yes,
    "ssl_keyfile": _file,
    "ssl_password": str,
}


@dataclass(frozen=True, slots=True)
class Url:
    """Where Valkey is.

    Attributes:
        kind: tcp, tls or unix.
        shown: The URL without names, passwords and options.
        settings: Arguments of the client's connection.
    """

    kind: str
    shown: str
    settings: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls, text: str) -> Url:
        """Read a URL.

        Raises:
            FleetError: it is none; one line says what is legal.
        """
        if not SCHEME.fullmatch(text):
            raise FleetError(f"valkey is {FORM}")
        if "#" in text:
            raise FleetError("write a # in valkey's password as %23")
        try:
            parts = urlsplit(text)
            port = parts.port  # its error repeats what may be a password
        except ValueError:
            raise FleetError(
                f"valkey is {FORM}, PORT is at most {PORT_MAX}; {_ESCAPES}"
            ) from None
        owner, _, place = parts.netloc.rpartition("@")
        if "@" in parts.query:
            raise FleetError(f"valkey is {FORM}; {_ESCAPES}")
        name, _, password = owner.partition(":")
        settings: dict[str, Any] = {}
        if name:
            settings["username"] = unquote(name)
        if password:
            settings["password"] = unquote(password)
        shown = f"{parts.scheme}://{place}{parts.path}"
        if parts.scheme == "unix":
            if place or parts.path.endswith("/"):
                raise FleetError("valkey's socket is unix:///PATH, with three /")
            settings |= {"path": unquote(parts.path)}
            settings |= _options(parts.query, OF_SOCKET)
            return cls("unix", shown, settings)
        settings |= {"host": unquote(parts.hostname or "localhost")}
        settings |= {"port": PORT if port is None else port}
        settings |= {"db": _database(parts.path)}
        if parts.scheme in {"valkeys", "rediss"}:
            # A certificate of some other host is no proof, whatever a client's default.
            settings |= {"ssl_check_hostname": True}
            settings |= _options(parts.query, OF_TLS)
            if settings.get("ssl_cert_reqs") == "none":
                settings |= {"ssl_check_hostname": False}
            return cls("tls", shown, settings)
        settings |= _options(parts.query, PLAIN)
        return cls("tcp", shown, settings)


def _database(path: str) -> int:
    try:
        return _number(path.strip("/") or "0")
    except ValueError:
        raise FleetError(
            "valkey's database is a number, as in valkey://HOST:PORT/0; "
            "write a / in its password as %2F"
        ) from None


def _options(query: str, legal: dict[str, Callable[[str], object]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in legal:
            # What is no word may be the rest of a password with a ? in it.
            which = f" {name}" if WORD.fullmatch(name) else ""
            more = "" if legal is OF_TLS else "; those of TLS need valkeys://"
            raise FleetError(
                f"valkey's URL has an unknown option{which}: there are "
                f"{', '.join(sorted(legal))}{more}"
            )
        try:
            found[name] = legal[name](value)
        except ValueError as error:
            raise FleetError(f"valkey's {name} is {error}") from None
    return found
