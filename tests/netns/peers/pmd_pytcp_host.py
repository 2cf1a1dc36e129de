"""pmd-pytcp on the TUN device tun0, which is there: `pmd_pytcp_host.py FOLDER HOW`.

It is 198.18.0.2, installed in FOLDER, and echoes on port 7, `shielded` by our adapter
or `plain`.  Ends with its standard input, and then writes how
many connections were accepted.
"""

from __future__ import annotations

import asyncio
import os
import sys

FOLDER, HOW = sys.argv[1:]
sys.path.insert(0, FOLDER)

from pmd_net_addr import Ip4IfAddr  # noqa: E402
from pmd_pytcp import socket, stack  # noqa: E402
from pmd_pytcp.stack import lifecycle  # noqa: E402

from syncache.adapters.pytcp import install  # noqa: E402


async def echo(one):
    while data := await one.recv(65536):
        await one.send(data)
    one.close()


async def bound(address):
    """A listening socket, once the address is known to be nobody else's."""
    for _ in range(200):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.bind((address, 7))
        except OSError:
            await asyncio.sleep(0.05)
        else:
            listener.listen()
            return listener
    sys.exit(f"{address} is not there after ten seconds")


async def main():
    lifecycle.init(
        **stack.initialize_interface__tun("tun0"),
        ip4_host=Ip4IfAddr("198.18.0.2/24"),
        ip4_dhcp=False,
        ip6_support=False,
    )
    adapter = install(stack) if HOW == "shielded" else None
    await lifecycle.start()
    listener = await bound("198.18.0.2")
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    ended.add_done_callback(lambda _: end(adapter))
    print("ready", flush=True)
    tasks = []
    while True:
        one, _ = await listener.accept()
        tasks.append(asyncio.create_task(echo(one)))


def end(adapter):
    print(adapter.engine.stats.accepts if adapter else 0, flush=True)
    os._exit(0)


asyncio.run(main())
