"""PyTCP 3.0.9 on a TUN or TAP device that is there: `pytcp_host.py DEVICE HOW`.

It is 198.18.0.2, on tap0 fd00:18::2 as well, and echoes on port 7, `shielded` by our
adapter or `plain`.  Ends with its standard input, and then writes how many connections
were accepted.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from net_addr import Ip4IfAddr, Ip6IfAddr
from pytcp import stack
from pytcp.runtime import socket

from syncache.adapters.pytcp import install

DEVICE, HOW = sys.argv[1:]


def echo(one):
    while data := one.recv(65536):
        one.send(data)
    one.close()


def accept(listener):
    while True:
        one, _ = listener.accept()
        threading.Thread(target=echo, args=(one,), daemon=True).start()


def bound(family, address):
    """A listening socket, once the address is known to be nobody else's."""
    for _ in range(400):
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.bind((address, 7))
        except OSError:
            time.sleep(0.05)
        else:
            listener.listen()
            return listener
    sys.exit(f"{address} is not there after twenty seconds")


ADDRESSES = {socket.AF_INET: "198.18.0.2"}
host = {"ip4_host": Ip4IfAddr("198.18.0.2/24"), "ip4_dhcp": False}
if DEVICE == "tap0":  # on a TUN device PyTCP 3.0.9 stumbles over IPv6
    ADDRESSES[socket.AF_INET6] = "fd00:18::2"
    device = stack.initialize_interface__tap(DEVICE)
    host |= {"ip6_host": Ip6IfAddr("fd00:18::2/64"), "ip6_gua_autoconfig": False}
else:
    device = stack.initialize_interface__tun(DEVICE)
    host["ip6_support"] = False
stack.init(**device, **host)
adapter = install(stack) if HOW == "shielded" else None
stack.start()
for family, address in ADDRESSES.items():
    listener = bound(family, address)
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
print(adapter.engine.stats.accepts if adapter else 0, flush=True)
os._exit(0)
