"""Bulk data of an established connection, with the shield's programs and without.

The gate is open, so that every segment to the server is looked at for a cookie, which
is the dearest case: as in a flood, and two key periods after.  One connection lasts as
long as the run; by turns the programs are put on and taken off, and the bytes that the
server reads in a moment are counted.  Many turns: the throughput of a pair has moods.

    python -m bench.established INTERFACE PORT    the server's end; told by a line each
    python -m bench.established ADDRESS           the other: sends all it can to PORT
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from syncache import Shield, Sysctl

from .figure import Family, Figure, Goal
from .wire import ATTACKING, CLIENTS, LISTENER, LISTENING, PORT, SERVER, WireError
from .wired import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .figure import Arms
    from .wire import Process

CHUNK = 1 << 18
SLICE, SLICES, SECONDS = 0.05, 4, 0.3
SETTLES = 10.0  # at most
TURNS_TIMES = 6
X = "net.inet.tcp.syncache.x."
OPEN = {X + "cookie_gate": "always", X + "shield.mode": "auto"}


class Reader:
    """Reads all that comes, and counts it."""

    def __init__(self, port: int) -> None:
        self.count = 0
        self._listener = socket.create_server((SERVER, port))
        print("ready", flush=True)
        self._sock, _ = self._listener.accept()
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        room = memoryview(bytearray(CHUNK))
        while got := self._sock.recv_into(room):
            self.count += got

    def rate(self) -> float:
        """Return the bytes of a moment, a second.

        The programs are loaded on the processor that receives, at its priority.  What
        the ring lost meanwhile is sent again only after a time-out, which is none of
        the programs' doing: data have to flow again first.
        """
        flowing, end = 0, time.monotonic() + SETTLES
        while flowing < SLICES and time.monotonic() < end:
            count = self.count
            time.sleep(SLICE)
            flowing = flowing + 1 if self.count > count else 0
        count, began = self.count, time.monotonic()
        time.sleep(SECONDS)
        return (self.count - count) / (time.monotonic() - began)


def serve(interface: str, port: int) -> None:
    """Measure with the programs or without, as each line says."""
    reader = Reader(port)
    for line in sys.stdin:
        with ExitStack() as stack:
            if line.strip() == "shield":
                shield = Shield(interface, Sysctl(OPEN), xdp="tc")
                stack.enter_context(shield).protect(port)
            print(reader.rate(), flush=True)


def send(address: str) -> None:
    """Send zeros for good."""
    room = bytes(CHUNK)
    with socket.create_connection((address, PORT)) as sock:
        while True:
            sock.sendall(room)


def measured(server: Process, arm: str) -> float:
    """Return the Gbit/s of one moment."""
    if server.stdin is None or server.stdout is None:
        raise WireError("no pipe")
    server.stdin.write(f"{arm}\n")
    server.stdin.flush()
    line = server.stdout.readline()
    if not line:
        raise WireError(f"the server ended: {server.communicate()[1]}")
    return float(line) * 8 / 1e9


@contextmanager
def bulk() -> Iterator[Arms]:
    """Lay the pair, and begin to send."""
    with wire() as made:
        me = (sys.executable, "-m", "bench.established")
        server = made.victim.start(LISTENER, LISTENING, *me, made.vv, PORT)
        client = made.attacker.start(CLIENTS, ATTACKING, *me, SERVER)
        with server, client:
            server.ready()
            yield {arm: partial(measured, server, arm) for arm in ("shield", "bare")}


def main(words: list[str]) -> None:
    """Do one of the ends."""
    if len(words) == 1:
        send(words[0])
    else:
        serve(words[0], int(words[1]))


FAMILIES = (
    Family(
        "shield_bulk",
        "Gbit/s",
        "wire",
        bulk,
        (
            Figure(
                "shield_established",
                "one connection's throughput, gate open: the shield against none",
                "shield",
                "bare",
                goal=Goal(0.98),
            ),
        ),
        times=TURNS_TIMES,
    ),
)


if __name__ == "__main__":
    main(sys.argv[1:])
