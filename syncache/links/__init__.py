"""Links: where packets come from and go to.

Each lives in a module of its own, so that importing one needs nothing of another:
`tun`, `packet`, `xdp`, `memory`, `pcap`, `impaired`; `shard` shares one's packets among
processes.
"""

from __future__ import annotations

from .link import Link, LinkError

__all__ = ["Link", "LinkError"]
