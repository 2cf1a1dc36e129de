"""A SYN-flood defence that any TCP stack can import: SYN cache and SYN cookies.

An IP packet and the time go in; a verdict and at most one reply packet come out.
"""

from __future__ import annotations

# `_core` looks for this: an unrelated package of PyPI installs the same name.
__distribution__ = "tcp-syncache"

from .sysctl import Sysctl
from .tunables import Knob

__all__ = ["Knob", "Sysctl"]
