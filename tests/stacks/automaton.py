"""Scapy's TCP automaton as a client: `automaton.py ADDRESS SOURCE INTERFACE`.

It has an address of its own, so that the kernel beside it does not reset its
connection.  Prints "ok" when five bytes have come back.
"""

from __future__ import annotations

import sys

from scapy.config import conf
from scapy.layers.inet import TCP_client
from scapy.packet import Raw

SECONDS = 5


def main(address, source, interface):
    """Connect, send, read."""
    conf.verb = 0
    conf.iface = interface
    client = TCP_client.tcplink(Raw, address, 80, srcip=source)
    client.send(Raw(b"hello"))
    answer = client.sniff(count=1, timeout=SECONDS)
    found = b"".join(bytes(packet[Raw]) for packet in answer if Raw in packet)
    print("ok" if found == b"hello" else f"{found!r} came back", flush=True)
    client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
