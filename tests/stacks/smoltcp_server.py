"""smoltcp as an echo server: `smoltcp_server.py ADDRESS ADDRESS`, on any port.

It is the one inside mitmproxy_rs, which takes a TUN device and ends whatever TCP is
routed to it.  Prints "ready", and serves until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
import types

from routed import route

# The module of its other modes, which a wheel for another Python lacks.
sys.modules.setdefault("mitmproxy_linux", types.ModuleType("mitmproxy_linux"))

import mitmproxy_rs  # noqa: E402


async def echo(stream) -> None:
    """Send everything back, and close when the client has ended."""
    while data := await stream.read(65536):
        stream.write(data)
        await stream.drain()
    stream.close()
    await stream.wait_closed()


async def main(addresses) -> None:
    """Serve."""
    device = await mitmproxy_rs.tun.create_tun_interface(echo, echo, "routed0")
    for address in addresses:
        route(address, device.tun_name())
    print("ready", flush=True)
    await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
