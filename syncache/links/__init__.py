"""Links: where packets come from and go to.

Each lives in a module of its own, so that importing one needs nothing of another:
`tun`, `memory`, `pcap`, `impaired`.
"""

from __future__ import annotations

from .link import Link, LinkError

__all__ = ["Link", "LinkError"]
