"""What a peer's SYN looks like: `first_syn.py INTERFACE SECONDS`.

The kernel leaves checksums to a card, so that nothing is verified here.

Prints as JSON, of the first SYN to port 80 that the interface sends or receives, its
options in order, window and scale, and when it was sent again, in seconds after it.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

from syncache.options import decode
from syncache.segment import ACK, SYN

PORT = 80
TIMES_MAX = 6
ETHERNET = 14


def spell(option):
    """Return a word for an option, and its number where that is the peer's choice."""
    name = type(option).__name__
    words = {
        "Mss": lambda: f"MSS {option.mss}",
        "WindowScale": lambda: f"WS {option.shift}",
        "SackPermitted": lambda: "SACK",
        "Timestamps": lambda: "TS",
        "FastOpen": lambda: "TFO",
    }
    if name in words:
        return words[name]()
    return f"option {getattr(option, 'kind', name)}"


def main(interface, seconds):
    """Listen for a while."""
    found, times = None, []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.bind((interface, 3))
        print("ready", flush=True)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready = select.select([sock, sys.stdin], [], [], left)[0]
            if sys.stdin in ready:
                break
            if sock not in ready:
                continue
            packet = sock.recv(65536)[ETHERNET:]
            start = 40 if packet[0] >> 4 == 6 else (packet[0] & 15) * 4
            if packet[6 if start == 40 else 9] != socket.IPPROTO_TCP:
                continue
            tcp = packet[start:]
            if tcp[2:4] != PORT.to_bytes(2, "big") or tcp[13] & (SYN | ACK) != SYN:
                continue
            if found is None:
                found = tcp
            if tcp[:8] == found[:8]:  # ports and sequence number
                times.append(time.monotonic())
    if found is None:
        return {}
    return {
        "options": [spell(o) for o in decode(found[20 : (found[12] >> 4) * 4])],
        "window": int.from_bytes(found[14:16], "big"),
        "again": [round(at - times[0], 1) for at in times[1:]][:TIMES_MAX],
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], float(sys.argv[2]))))
