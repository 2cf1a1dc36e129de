"""TCP segments of an interface: `sniff.py '["s0", 80]'`; both directions, IPv4.

Prints "ready", and when its standard input ends a JSON list of the segments from or to
that port: seconds since the start, ends, flags, seq, ack, window, scale, payload bytes.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from struct import Struct

ETH_P_ALL = 3
ETHERNET = 14
TCP = 6
HEADER = Struct("!HHIIBBHHH")
KIND_WSCALE = 3


def wscale(options):
    """The window scale among the options of a SYN, or None."""
    while options and options[0] != 0:
        size = 1 if options[0] == 1 else options[1]
        if options[0] == KIND_WSCALE:
            return options[2]
        options = options[size:]
    return None


def segment(frame, port):
    """What a frame says, or None if it is none of that port's."""
    ip = frame[ETHERNET:]
    if frame[12:14] != b"\x08\x00" or ip[9] != TCP:
        return None
    size = (ip[0] & 15) * 4
    sport, dport, seq, ack, offset, flags, window, *_ = HEADER.unpack_from(ip, size)
    if port not in {sport, dport}:
        return None
    data = size + (offset >> 4) * 4
    return {
        "src": [socket.inet_ntoa(ip[12:16]), sport],
        "dst": [socket.inet_ntoa(ip[16:20]), dport],
        "flags": flags,
        "seq": seq,
        "ack": ack,
        "window": window,
        "wscale": wscale(ip[size + HEADER.size : data]) if flags & 2 else None,
        "payload": int.from_bytes(ip[2:4], "big") - data,
    }


def main(name, port):
    found = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        sock.bind((name, ETH_P_ALL))
        print("ready", flush=True)
        start = time.monotonic()
        while True:
            ready = select.select([sock, sys.stdin], [], [])[0]
            if sock in ready:
                said = segment(sock.recv(200), port)
                if said is not None:
                    found.append({"t": time.monotonic() - start} | said)
            elif sys.stdin in ready:
                break
    print(json.dumps(found))


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
