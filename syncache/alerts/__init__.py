"""The messages of inspection and TCP Intercept, as objects and as lines, both ways.

This is the public face of three modules: `message` has the messages, each an
object whose `str()` is its line; `parser` reads the lines of a router and ours;
`folder` keeps a flood of packets from becoming a flood of lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .folder import Folder
from .message import (
    ALERT_SEVERITY,
    AUDIT_SEVERITY,
    INFO,
    MINUTE,
    WARNING,
    AlertOff,
    AlertOn,
    BlockHost,
    Cause,
    DropPacket,
    HostAlert,
    InterceptOff,
    InterceptOn,
    Message,
    SessionStart,
    SessionStop,
    Share,
    UnblockHost,
)

if TYPE_CHECKING:
    from .parser import parse

__all__ = [
    "ALERT_SEVERITY",
    "AUDIT_SEVERITY",
    "INFO",
    "MINUTE",
    "WARNING",
    "AlertOff",
    "AlertOn",
    "BlockHost",
    "Cause",
    "DropPacket",
    "Folder",
    "HostAlert",
    "InterceptOff",
    "InterceptOn",
    "Message",
    "SessionStart",
    "SessionStop",
    "Share",
    "UnblockHost",
    "parse",
]


def __getattr__(name: str) -> object:
    """Return `parse`, whose patterns only readers of logs need compiled."""
    if name != "parse":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import parser

    return parser.parse
