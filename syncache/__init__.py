"""A SYN-flood defence that any TCP stack can import: SYN cache and SYN cookies.

An IP packet and the time go in; a verdict and at most one reply packet come out.
"""

from __future__ import annotations

# `_core` looks for this: an unrelated package of PyPI installs the same name.
__distribution__ = "tcp-syncache"

from .conn import Conn, Endpoint
from .cookies import Cookie, SynOptions
from .engine import Syncache
from .fourtuple import FourTuple
from .halfopen import HalfOpen
from .keyring import Keyring
from .ring import Checksum, Ring
from .segment import Segment
from .stats import Stats
from .sysctl import Sysctl
from .tunables import Knob
from .verdict import Kind, Reason, Verdict

__all__ = [
    "Checksum",
    "Conn",
    "Cookie",
    "Endpoint",
    "FourTuple",
    "HalfOpen",
    "Keyring",
    "Kind",
    "Knob",
    "Reason",
    "Ring",
    "Segment",
    "Stats",
    "SynOptions",
    "Syncache",
    "Sysctl",
    "Verdict",
]
