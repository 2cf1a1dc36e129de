"""A SYN-flood defence that any TCP stack can import: SYN cache and SYN cookies.

An IP packet and the time go in; a verdict and at most one reply packet come out.
"""

from __future__ import annotations

# `_core` looks for this: an unrelated package of PyPI installs the same name.
__distribution__ = "tcp-syncache"

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
from .knob import Knob
from .listener import Listener
from .ring import Ring
from .segment import Segment
from .stack import Stack
from .stats import Stats
from .sysctl import Sysctl
from .tcp.state import State
from .verdict import Kind, Reason, Verdict

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
