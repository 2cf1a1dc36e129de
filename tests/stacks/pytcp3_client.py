"""PyTCP 3 as a client: `pytcp3_client.py ADDRESS SOURCE`.

As pytcp_client.py, but its sockets block, and it needs the Python of
tests/netns/pytcp/source.sh.  The last word is its result, since its log is around it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

from net_addr import Ip4IfAddr
from pytcp import stack
from pytcp.runtime import socket

DEVICE = "pyt0"
SECONDS = 15


def run(*words):
    """Run a command of the namespace."""
    subprocess.run(words, check=True, capture_output=True)


def exchange(address, source):
    """Connect, send all, end, read all."""
    device = stack.initialize_interface__tun(DEVICE)
    run("ip", "link", "set", DEVICE, "up")
    run("ip", "route", "replace", f"{source}/32", "dev", DEVICE)
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0")
    host = Ip4IfAddr(f"{source}/24")
    stack.init(**device, ip4_host=host, ip4_dhcp=False, ip6_support=False)
    stack.start()
    time.sleep(1.0)
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.connect((address, 80))
    data = bytes(i % 251 for i in range(20_000))
    rest, got = data, b""
    while rest:
        rest = rest[sock.send(rest) :]
    while len(got) < len(data) and (piece := sock.recv(65536)):
        got += piece
    sock.close()
    return "ok" if got == data else f"{len(got)} of {len(data)} bytes came back"


def main(address, source):
    """Give up after a while; its threads do not end by themselves."""
    said = [f"hung for {SECONDS} s"]

    def work():
        try:
            said[0] = exchange(address, source)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the result
            said[0] = f"{type(error).__name__}: {error}"

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(SECONDS)
    print(f"\n{said[0]}", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
