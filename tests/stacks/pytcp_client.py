"""pmd-pytcp as a client: `pytcp_client.py ADDRESS SOURCE`.

It lives on a TUN device; the kernel of the namespace routes between that and the wire.
Prints "ok" when 20,000 bytes have come back.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from pmd_net_addr import Ip4IfAddr
from pmd_pytcp import socket, stack

DEVICE = "pyt0"
SECONDS = 15


def run(*words):
    """Run a command of the namespace."""
    subprocess.run(words, check=True, capture_output=True)


async def exchange(address, source):
    """Connect, send all, end, read all."""
    device = stack.initialize_interface__tun(DEVICE)
    run("ip", "link", "set", DEVICE, "up")
    run("ip", "route", "replace", f"{source}/32", "dev", DEVICE)
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0")
    host = Ip4IfAddr(f"{source}/24")
    stack.init(**device, ip4_host=host, ip4_dhcp=False, ip6_support=False)
    await stack.start()
    await asyncio.sleep(0.5)
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    await sock.connect((address, 80))
    data = bytes(i % 251 for i in range(20_000))
    rest, got = data, b""
    while rest:
        rest = rest[await sock.send(rest) :]
    sock.shutdown(1)
    while piece := await sock.recv(65536):
        got += piece
    return "ok" if got == data else f"{len(got)} of {len(data)} bytes came back"


def main(address, source):
    """Give up after a while; its tasks do not end by themselves."""
    try:
        said = asyncio.run(asyncio.wait_for(exchange(address, source), SECONDS))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the result
        said = f"{type(error).__name__}: {error}"
    print(said, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
