"""A kernel's client: `exchange.py ADDRESS PORT '{"size": 20000, ...}'`.

Connects, sends `size` bytes, shuts its side down and reads until the end; prints "ok"
if what came back is what was sent, else what was wrong.  Options: `count` of clients
at once, `mss` of the socket, `mptcp`, `fastopen`.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time

SECONDS = 10
IPPROTO_MPTCP = 262
MSG_FASTOPEN = 0x20000000


def begin(address, port, options):
    """Return a socket that is connecting, and what of the data went with its SYN."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    protocol = IPPROTO_MPTCP if options.get("mptcp") else 0
    sock = socket.socket(family, socket.SOCK_STREAM, protocol)
    if "mss" in options:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, options["mss"])
    if options.get("fastopen"):
        # Blocking until the SYN is sent; with a cookie the data goes with it.
        sent = sock.sendto(options["data"], MSG_FASTOPEN, (address, port))
        sock.setblocking(False)
        return sock, sent
    sock.setblocking(False)
    sock.connect_ex((address, port))
    return sock, 0


def exchange(address, port, options):
    """Run all clients; return what was wrong, or ok."""
    options["data"] = data = bytes(i % 251 for i in range(options.get("size", 20000)))
    waiting = selectors.DefaultSelector()
    both = selectors.EVENT_READ | selectors.EVENT_WRITE
    for _ in range(options.get("count", 1)):
        sock, sent = begin(address, port, options)
        waiting.register(sock, both, [sent, bytearray()])
    end = time.monotonic() + SECONDS
    while waiting.get_map():
        if time.monotonic() > end:
            return f"{len(waiting.get_map())} not served within {SECONDS} s"
        for key, events in waiting.select(0.1):
            sock, state = key.fileobj, key.data
            try:
                if events & selectors.EVENT_WRITE:
                    state[0] += sock.send(data[state[0] :])
                    if state[0] == len(data):
                        sock.shutdown(socket.SHUT_WR)
                        waiting.modify(sock, selectors.EVENT_READ, state)
                if events & selectors.EVENT_READ:
                    got = sock.recv(65536)
                    state[1].extend(got)
                    if got:
                        continue
                    if state[1] != data:
                        return f"{len(state[1])} of {len(data)} bytes came back"
                    waiting.unregister(sock)
                    sock.close()
            except BlockingIOError:
                continue
            except OSError as error:
                return error.strerror
    return "ok"


if __name__ == "__main__":
    address, port, words = sys.argv[1:]
    print(exchange(address, int(port), json.loads(words)))
