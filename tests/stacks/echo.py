"""A kernel's echo server on all addresses: `echo.py PORT '{"mptcp": true, ...}'`.

With `md5` the segments of the clients of `make peers` are signed.
"""

from __future__ import annotations

import json
import socket
import sys
import threading

from exchange import sign

IPPROTO_MPTCP = 262
CLIENTS = ("198.18.0.1", "fd00:18::1")


def echo(peer):
    """Send everything back, and close when the client has ended."""
    with peer:
        try:
            while data := peer.recv(65536):
                peer.sendall(data)
        except OSError:
            pass


def main(port, options):
    """Serve until killed."""
    protocol = IPPROTO_MPTCP if options.get("mptcp") else 0
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    if options.get("fastopen"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 64)
    if "mss" in options:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, options["mss"])
    if "md5" in options:
        for client in CLIENTS:
            sign(listener, client, options["md5"])
    listener.bind(("::", port))
    listener.listen(1024)
    print("ready", flush=True)
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=echo, args=(peer,), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
