"""The commands of TCP Intercept in an IOS configuration.

ip tcp intercept list 100               no ip tcp intercept mode
ip tcp intercept mode watch             ip tcp intercept max-incomplete low 900
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .table import Entry, Pair, Single, commands, written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..acl import AccessList

INTERCEPT = "net.inet.tcp.intercept."
LIST = INTERCEPT + "list"
_PATH = ("ip", "tcp", "intercept")
TABLE: tuple[Entry, ...] = (
    Single((*_PATH, "list"), LIST),
    Single((*_PATH, "mode"), INTERCEPT + "mode"),
    Single((*_PATH, "drop-mode"), INTERCEPT + "drop_mode"),
    Single((*_PATH, "watch-timeout"), INTERCEPT + "watch_timeout"),
    Single((*_PATH, "finrst-timeout"), INTERCEPT + "finrst_timeout"),
    Single((*_PATH, "connection-timeout"), INTERCEPT + "connection_timeout"),
    Pair((*_PATH, "max-incomplete"), INTERCEPT + "max_incomplete"),
    Pair((*_PATH, "one-minute"), INTERCEPT + "one_minute"),
)
COMMANDS = commands(TABLE)


def configuration(values: Mapping[str, int | str], lists: Sequence[AccessList]) -> str:
    """Return the configuration of TCP Intercept that makes these values."""
    return "\n".join([*written(TABLE, values), *map(str, lists)])
