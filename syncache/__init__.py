"""A SYN-flood defence that any TCP stack can import: SYN cache and SYN cookies.

An IP packet and the time go in; a verdict and at most one reply packet come out.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .acl import AccessList
    from .conn import Conn, Endpoint
    from .connection import Connection
    from .cookies import Cookie, SynOptions
    from .engine import Syncache
    from .events import Accepted, Closed, EndOfStream, Event, Readable, Writable
    from .flow import Side
    from .fourtuple import FourTuple
    from .halfopen import HalfOpen
    from .inspection import Inspection
    from .intercept import Intercept
    from .keyring import Keyring
    from .links.shield import Shield
    from .listener import Listener
    from .ring import Ring
    from .segment import Segment
    from .stack import Stack
    from .stats import Stats
    from .sysctl import Sysctl
    from .tcp.state import State
    from .tunables.knob import Knob
    from .verdict import Kind, Reason, Verdict

# `_core` looks for this: an unrelated package of PyPI installs the same name.
__distribution__ = "tcp-syncache"

__all__ = [
    "Accepted",
    "AccessList",
    "Closed",
    "Conn",
    "Connection",
    "Cookie",
    "EndOfStream",
    "Endpoint",
    "Event",
    "FourTuple",
    "HalfOpen",
    "Inspection",
    "Intercept",
    "Keyring",
    "Kind",
    "Knob",
    "Listener",
    "Readable",
    "Reason",
    "Ring",
    "Segment",
    "Shield",
    "Side",
    "Stack",
    "State",
    "Stats",
    "SynOptions",
    "Syncache",
    "Sysctl",
    "Verdict",
    "Writable",
]

# Where each name lives: it is imported when it is first asked for, so that a host
# that needs the half-open side alone pays for nothing else.
_HOMES = {
    "Accepted": "events",
    "AccessList": "acl",
    "Closed": "events",
    "Conn": "conn",
    "Connection": "connection",
    "Cookie": "cookies",
    "EndOfStream": "events",
    "Endpoint": "conn",
    "Event": "events",
    "FourTuple": "fourtuple",
    "HalfOpen": "halfopen",
    "Inspection": "inspection",
    "Intercept": "intercept",
    "Keyring": "keyring",
    "Kind": "verdict",
    "Knob": "tunables.knob",
    "Listener": "listener",
    "Readable": "events",
    "Reason": "verdict",
    "Ring": "ring",
    "Segment": "segment",
    "Shield": "links.shield",
    "Side": "flow",
    "Stack": "stack",
    "State": "tcp.state",
    "Stats": "stats",
    "SynOptions": "cookies",
    "Syncache": "engine",
    "Sysctl": "sysctl",
    "Verdict": "verdict",
    "Writable": "events",
}


def __getattr__(name: str) -> object:
    """Import a public name, or a module of the package, at its first use."""
    if name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    full = f"{__name__}.{name}"
    if not name.startswith("_"):
        try:
            return import_module(full)
        except ModuleNotFoundError as error:
            if error.name != full:
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
