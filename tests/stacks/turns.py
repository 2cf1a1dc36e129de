"""One client, many small exchanges: `turns.py ADDRESS PORT '{"count": 300, ...}'`.

Prints the seconds that each took, as JSON.  Of `kind` "ping": a byte there and back on
one connection; "ready": a new connection each whose client has data ready (TCP Fast
Open's socket call), until the echo is there; "bulk": a new connection each that gets
`size` bytes back.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from contextlib import suppress

MSG_FASTOPEN = 0x20000000
SECONDS = 60
PAUSE = 0.002


def read(sock, size):
    """Read exactly so much."""
    while size > 0:
        got = sock.recv(min(size, 65536))
        if not got:
            raise ConnectionError(f"{size} bytes are missing")
        size -= len(got)


def connect(family, where):
    """Open a connection as usual."""
    sock = socket.socket(family)
    sock.settimeout(SECONDS)
    sock.connect(where)
    return sock


def pings(family, where, options):
    """Yield times of a byte there and back."""
    with connect(family, where) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(options["count"]):
            begin = time.perf_counter()
            sock.sendall(b"x")
            read(sock, 1)
            yield time.perf_counter() - begin
            time.sleep(PAUSE)


def ready(family, where, options):
    """Yield times of connections whose client has data ready."""
    for _ in range(options["count"]):
        with socket.socket(family) as sock:
            begin = time.perf_counter()
            # Blocking: it returns when the handshake is done, or the data sent.
            sock.sendto(b"x" * 100, MSG_FASTOPEN, where)
            sock.settimeout(SECONDS)
            read(sock, 100)
            yield time.perf_counter() - begin


def bulk(family, where, options):
    """Yield times of connections that get all their data back."""
    data = bytes(1000) * (options["size"] // 1000)
    for _ in range(options["count"]):
        begin = time.perf_counter()
        with connect(family, where) as sock:
            sent = got = 0
            sock.setblocking(False)
            while got < len(data):
                if time.perf_counter() - begin > SECONDS:
                    raise TimeoutError(f"{got} of {len(data)} bytes came back")
                with suppress(BlockingIOError):
                    sent += sock.send(data[sent:]) if sent < len(data) else 0
                try:
                    got += len(sock.recv(65536))
                except BlockingIOError:
                    time.sleep(0.0005)
        yield time.perf_counter() - begin


def main(address, port, words):
    """Print the times of one kind."""
    options = json.loads(words)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = {"ping": pings, "ready": ready, "bulk": bulk}[options["kind"]]
    print(json.dumps(list(kind(family, (address, int(port)), options))))


if __name__ == "__main__":
    main(*sys.argv[1:])
