"""asyncio on our own TCP: a host is a link and a stack that one event loop drives.

    host = Host(Tun("tun0", ["192.0.2.1/24"]), ["192.0.2.2"])
    await host.create_server(protocol_factory, 80)

`host` holds the loop's side, `server` and `transport` what asyncio's protocols see.
Nothing here is particular to a link; nothing here interprets segments.
"""

from __future__ import annotations

from .host import Host
from .server import Server
from .transport import Transport

__all__ = ["Host", "Server", "Transport"]
