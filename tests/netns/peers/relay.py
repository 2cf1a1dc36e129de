"""Both sides of a forwarder, and the forwarder: `relay.py '["role", arguments...]'`.

relay ONE OTHER WAY    forward frames between two interfaces until stdin ends; by
                       AF_XDP ("xdp"), or by AF_PACKET in blocks of so many bytes
tap NAME               look on until stdin ends; prints what was seen
serve ADDRESS SIZE     a kernel socket that sends SIZE bytes to one client
fetch ADDRESS          a kernel socket that reads them; prints their SHA-256
"""

from __future__ import annotations

import hashlib
import json
import select
import socket
import sys
from collections import Counter

from content import chunks

from syncache import Ring
from syncache.links.packet import Packet, relay
from syncache.links.xdp import Xdp

PORT = 8080
SLOT_SIZE = 65_600


def open_link(name, way):
    if way == "xdp":
        return Xdp(name, forward=True)
    return Packet(name, forward=True, block=way)


def forward(one, other, way):
    links = [open_link(name, way) for name in (one, other)]
    rx = Ring(64, SLOT_SIZE)
    print("ready", flush=True)
    while True:
        readable = select.select([*links, sys.stdin], [], [])[0]
        if sys.stdin in readable:
            break
        for source, target in (links, links[::-1]):
            while relay(source, target, rx):
                pass
    counts = [link.counts for link in links]
    for link in links:
        link.close()
    return counts


def tap(name):
    """Count the TCP packets by destination port."""
    link = Packet(name, tap=True)
    rx = Ring(64, SLOT_SIZE)
    seen = Counter()
    print("ready", flush=True)
    while sys.stdin not in select.select([link, sys.stdin], [], [])[0]:
        rx.clear()
        link.receive(rx)
        for i in range(len(rx)):
            if (packet := bytes(rx[i])) and packet[0] >> 4 == 4 and packet[9] == 6:
                seen["to" if packet[22:24] == PORT.to_bytes(2, "big") else "from"] += 1
    link.close()
    return seen


def serve(address, size):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, PORT), family=family) as listener:
        print("ready", flush=True)
        peer, _ = listener.accept()
        with peer:
            for chunk in chunks(size):
                peer.sendall(chunk)
    return {}


def fetch(address):
    digest = hashlib.sha256()
    with socket.create_connection((address, PORT), 10) as sock:
        while data := sock.recv(1 << 18):
            digest.update(data)
    return digest.hexdigest()


if __name__ == "__main__":
    role, *arguments = json.loads(sys.argv[1])
    roles = {"relay": forward, "tap": tap, "serve": serve, "fetch": fetch}
    print(json.dumps(roles[role](*arguments)))
