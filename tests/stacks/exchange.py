"""A kernel's client: `exchange.py ADDRESS PORT '{"size": 20000, ...}'`.

Connects, sends `size` bytes, shuts its side down and reads until the end; prints "ok"
if what came back is what was sent, else what was wrong.  Options: `count` of clients
at once, `mss` of the socket, `mptcp`, `fastopen`, `md5` and its key.
"""

from __future__ import annotations

import json
import resource
import selectors
import socket
import struct
import sys
import time

SECONDS = 10
IPPROTO_MPTCP = 262
TCP_MD5SIG = 14
MSG_FASTOPEN = 0x20000000


def sign(sock, address, key):
    """Have the segments to and from an address signed (RFC 2385)."""
    text = f"::ffff:{address}" if sock.family == socket.AF_INET6 else address
    text = address if ":" in address else text
    if sock.family == socket.AF_INET6:
        where = struct.pack("=HHI16s", sock.family, 0, 0, socket.inet_pton(10, text))
    else:
        where = struct.pack("=HH4s", sock.family, 0, socket.inet_aton(text))
    size = len(key.encode())
    told = struct.pack("=128sBBHi80s", where, 0, 0, size, 0, key.encode())
    sock.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, told)


def begin(address, port, options):
    """Return a socket that is connecting, and what of the data went with its SYN."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    protocol = IPPROTO_MPTCP if options.get("mptcp") else 0
    sock = socket.socket(family, socket.SOCK_STREAM, protocol)
    if "mss" in options:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, options["mss"])
    if "md5" in options:
        sign(sock, address, options["md5"])
    if options.get("fastopen"):
        # Blocking until the SYN is sent; with a cookie the data goes with it.
        sent = sock.sendto(options["data"], MSG_FASTOPEN, (address, port))
        sock.setblocking(False)
        return sock, sent
    sock.setblocking(False)
    sock.connect_ex((address, port))
    return sock, 0


def turn(sock, state, events, data):
    """Send and read as far as it goes; return "" while there is more, or the end."""
    if events & selectors.EVENT_WRITE:
        if state[0] < len(data):  # all of it may have gone with the SYN
            state[0] += sock.send(data[state[0] :])
        if state[0] == len(data):
            sock.shutdown(socket.SHUT_WR)
            return "sent"
    if events & selectors.EVENT_READ:
        got = sock.recv(65536)
        state[1].extend(got)
        if got:
            return ""
        return "ok" if state[1] == data else f"{len(state[1])} bytes came back"
    return ""


def exchange(address, port, options):
    """Run all clients; return the first fault, and of many how many had one, or ok."""
    options["data"] = data = bytes(i % 251 for i in range(options.get("size", 20000)))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    waiting, count, failed = selectors.DefaultSelector(), options.get("count", 1), []
    both = selectors.EVENT_READ | selectors.EVENT_WRITE
    for _ in range(count):
        sock, sent = begin(address, port, options)
        waiting.register(sock, both, [sent, bytearray()])
    end = time.monotonic() + SECONDS
    while waiting.get_map():
        if time.monotonic() > end:
            return f"{len(waiting.get_map())} not served within {SECONDS} s"
        for key, events in waiting.select(0.1):
            try:
                said = turn(key.fileobj, key.data, events, data)
            except BlockingIOError:
                continue
            except OSError as error:
                said = error.strerror
            if said == "sent":
                waiting.modify(key.fileobj, selectors.EVENT_READ, key.data)
            elif said:
                failed += [said] if said != "ok" else []
                waiting.unregister(key.fileobj)
                key.fileobj.close()
    if failed and count > 1:
        return f"{len(failed)} of {count}: {failed[0]}"
    return failed[0] if failed else "ok"


if __name__ == "__main__":
    address, port, words = sys.argv[1:]
    print(exchange(address, int(port), json.loads(words)))
