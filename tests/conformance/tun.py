"""The same scripts over a real TUN, in a network namespace of the program's own.

    script -> AF_PACKET -> kernel -> TUN -> stack
    stack  -> TUN -> kernel -> AF_PACKET -> script

Every packet crosses the kernel and the link as in earnest, byte for byte; an AF_PACKET
socket plays the network on the far side.  Time is still the player's, so that a script
takes no longer than its packets.  Needs root or user namespaces.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import syncache
from syncache.links.tun import Tun

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAME = "conform0"
INSIDE = "SYNCACHE_CONFORMANCE_NAMESPACE"
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
PATIENCE_S = 60.0
SLOTS = 64


def enter_namespace(arguments: Sequence[str]) -> None:
    """Start this program again in a network namespace that dies with it."""
    if INSIDE in os.environ:
        return
    command = ["unshare", "--net"]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    command += [sys.executable, "-m", "tests.conformance", *arguments]
    sys.stdout.flush()
    try:
        os.execvpe(command[0], command, os.environ | {INSIDE: "1"})
    except OSError as error:
        raise OSError(f"no unshare (apt-get install util-linux): {error}") from error


class Kernel:
    """The air of a TUN device: what is delivered goes through the kernel."""

    def __init__(self, link: Tun, wire: socket.socket) -> None:
        self.link = link
        self.wire = wire
        self.pending: list[bytes] = []

    def deliver(self, stack: syncache.Stack, packet: bytes, now: float) -> None:
        """Send a packet towards the TUN, and let the stack take what comes out."""
        protocol = ETH_P_IPV6 if packet[0] >> 4 == 6 else ETH_P_IP
        self.wire.sendto(packet, (NAME, protocol))
        rx, tx = syncache.Ring(SLOTS, 2048), syncache.Ring(SLOTS, 256)
        arrived = False
        while not arrived:
            self._wait(self.link.fileno(), "the TUN")
            self.link.receive(rx)
            arrived = any(bytes(rx[i]) == packet for i in range(len(rx)))
            stack.burst(rx, tx, now)
            rx.clear()
        self._send(tx)

    def collect(self, stack: syncache.Stack, now: float) -> list[bytes]:
        """Let the stack send, and return what reached the far side."""
        tx = syncache.Ring(SLOTS, 2048)
        while stack.transmit(tx, now):
            self._send(tx)
        sent, self.pending = self.pending, []
        return sent

    def _send(self, tx: syncache.Ring) -> None:
        wanted = [bytes(tx[i]) for i in range(len(tx))]
        if wanted:
            self.link.send(tx)
        tx.clear()
        for packet in wanted:
            self.pending.append(self._next_received())
            assert packet == self.pending[-1], "the kernel saw another packet"

    def _next_received(self) -> bytes:
        """Return the next packet that the kernel took from the TUN."""
        while True:
            self._wait(self.wire.fileno(), "the kernel")
            data, where = self.wire.recvfrom(65536)
            if where[2] != socket.PACKET_OUTGOING:
                return data

    def _wait(self, descriptor: int, who: str) -> None:
        if not select.select([descriptor], [], [], PATIENCE_S)[0]:
            raise TimeoutError(f"nothing came from {who} in {PATIENCE_S:g} s")


@contextmanager
def air() -> Iterator[Kernel]:
    """Set up a TUN and the far side's socket; both go away at the end."""
    link = Tun(NAME, ["198.18.0.1/30"], mtu=1500)
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    try:
        wire.bind((NAME, ETH_P_ALL))
        yield Kernel(link, wire)
    finally:
        wire.close()
        link.close()
