"""Ports of loopback for programs that are told where to listen."""

from __future__ import annotations

import random
import socket

# Below those that the kernel gives to whoever asks for none, so that no other test
# gets it before the program does.
PLACES = range(20_000, 32_000)


def free(kind: int = socket.SOCK_STREAM) -> int:
    """Return a port that nobody has."""
    while True:
        port = random.choice(PLACES)
        with socket.socket(type=kind) as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
