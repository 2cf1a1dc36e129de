"""A DNS server that knows one address: `dns_server.py`; prints `ready` first.

It answers every question for an A record with 192.0.2.7, over IPv4 and IPv6.
"""

from __future__ import annotations

import socket
import struct

ANSWER = struct.pack(">HHHIH", 0xC00C, 1, 1, 60, 4) + bytes([192, 0, 2, 7])
HEADER, RESPONSE = 12, 0x8180


def question_end(query):
    """Where the first question ends."""
    at = HEADER
    while query[at]:
        at += 1 + query[at]
    return at + 5


def main():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", 53))
        print("ready", flush=True)
        while True:
            query, peer = sock.recvfrom(2000)
            try:
                question = query[HEADER : question_end(query)]
            except IndexError:
                continue
            head = query[:2] + struct.pack(">HHHHH", RESPONSE, 1, 1, 0, 0)
            sock.sendto(head + question + ANSWER, peer)


if __name__ == "__main__":
    main()
