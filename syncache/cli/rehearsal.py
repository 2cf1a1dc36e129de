"""The demonstration's load on an in-memory link, in virtual time.

For machines whose kernel allows no network namespace.  The stack, the flood and the
clients' requests are those of the real demonstration; the clients are scripted here,
one segment after the other, so nothing is shown about a kernel's TCP or a device.
"""

from __future__ import annotations

import time
from struct import Struct
from typing import TYPE_CHECKING, Any

from .. import Ring, Segment, Sysctl
from ..events import EndOfStream, Readable
from ..options import Mss, encode
from ..ring import Checksum
from ..segment import ACK, FIN, PSH, RST, SYN
from ..stack import Stack
from .load import (
    BODY_BYTES,
    KERNEL,
    OURS,
    PORT,
    REQUEST_BYTES,
    body,
    sample,
)
from .report import Run

if TYPE_CHECKING:
    import argparse

TICK = 0.001
ALONE_SECONDS = 1.0
CLIENT_EVERY = 0.03
CLIENT_TIMEOUT = 3.0
SYN_AGAIN_SECONDS = 1.0
FIRST_PORT = 20_000
DESTINATION = slice(16, 20)  # of an IPv4 packet
KERNEL_BYTES = bytes(map(int, KERNEL.split(".")))
_SOURCE = Struct("!I")
_SUM = Struct("!H")
_PORT_TO_SEQ = Struct("!HHI")


class Client:
    """One scripted client: SYN, ACK with its request, ACKs, FIN."""

    def __init__(self, number: int, start: float) -> None:
        self.request = number.to_bytes(REQUEST_BYTES, "big")
        self.seen: dict[str, Any] = {"client": number, "start": start, "served": False}
        self.port = FIRST_PORT + number
        self._start = start
        self._syn_at = start
        self._got = b""
        self._next = 0  # what the server sends next
        self.over = False

    def speak(self, now: float) -> bytes | None:
        """Return a SYN if one is due; end when it was enough."""
        if now - self._start > CLIENT_TIMEOUT and not self.seen["served"]:
            self.over = True
            self.seen["error"] = "TimeoutError"
        if self.over or "connect_ms" in self.seen or now < self._syn_at:
            return None
        self._syn_at = now + SYN_AGAIN_SECONDS
        return Segment(
            src=KERNEL,
            dst=OURS,
            sport=self.port,
            dport=PORT,
            seq=self.port,
            flags=SYN,
            window=65535,
            options_bytes=encode((Mss(1460),)),
        ).packet()

    def hear(self, segment: Segment, now: float) -> list[bytes]:
        """Take a segment of the server's; return the answers."""
        if segment.flags & RST:
            self.over = True
            self.seen["error"] = "ConnectionResetError"
            return []
        if segment.flags & SYN:
            if "connect_ms" not in self.seen:
                self.seen["connect_ms"] = (now - self._start) * 1000
                self._next = segment.seq_end
            asks = segment.reply(ACK | PSH, window=65535, payload=self.request)
            return [segment.reply(ACK, window=65535).packet(), asks.packet()]
        if segment.flags & FIN and segment.seq == self._next:
            self.over = True
            return [segment.reply(ACK, window=65535).packet()]
        if segment.payload and segment.seq == self._next:
            self._got += segment.payload
            self._next = segment.seq_end
        if not segment.payload:
            return []
        flags = ACK
        if len(self._got) == BODY_BYTES:
            self.seen["served"] = self._got == body(self.request)
            self._got = b""
            flags |= FIN
        return [segment.reply(flags, ack=self._next, window=65535).packet()]


class Flood:
    """SYNs from all of 10/8, as flood.c makes them, a ring at a time."""

    def __init__(self) -> None:
        syn = Segment(
            src="10.0.0.0", dst=OURS, sport=0, dport=PORT, flags=SYN, window=64240
        )
        self._packet = bytearray(syn.packet())
        self._packet[10:12] = b"\0\0"
        words = range(0, 20, 2)
        self._base = sum(_SUM.unpack_from(self._packet, i)[0] for i in words)
        self._base -= _SUM.unpack_from(self._packet, 12)[0]
        self._count = 0
        self.ring = Ring(256, 128)

    def fill(self, count: int) -> int:
        """Fill the ring with at most `count` SYNs from new peers."""
        self.ring.clear()
        count = min(count, self.ring.free)
        packet = self._packet
        for _ in range(count):
            self._count += 1
            peer = self._count * 2_654_435_761 & 0xFFFFFF  # any order but 1, 2, 3
            _SOURCE.pack_into(packet, 12, 0x0A000000 | peer)
            total = self._base + 0x0A00 + (peer >> 16) + (peer & 0xFFFF)
            total = (total & 0xFFFF) + (total >> 16)
            _SUM.pack_into(packet, 10, ~(total + (total >> 16)) & 0xFFFF)
            _PORT_TO_SEQ.pack_into(packet, 20, 1024 + peer % 60000, PORT, self._count)
            self.ring.push(packet, checksum=Checksum.VALID)
        return count


class Server:
    """The stack, and an application's reaction to its events."""

    def __init__(self, settings: dict[str, int | str]) -> None:
        self.stack = Stack(OURS, Sysctl(settings))
        self.listener = self.stack.listen(PORT)
        self._tx = Ring(256, 128)
        self._got: dict[object, bytes] = {}

    def suffer(self, flood: Ring, now: float) -> None:
        """Take a ring of the flood; the answers lead nowhere."""
        while flood.next < len(flood):
            self._tx.clear()
            self.stack.burst(flood, self._tx, now)

    def serve(self, now: float) -> list[bytes]:
        """Answer complete requests; return the bytes for the clients."""
        while self.listener.accept() is not None:
            pass
        while (event := self.stack.next_event()) is not None:
            if isinstance(event, EndOfStream):
                event.connection.close()
            elif isinstance(event, Readable):
                connection = event.connection
                got = self._got.get(connection, b"") + connection.read(REQUEST_BYTES)
                self._got[connection] = got
                if len(got) == REQUEST_BYTES:
                    connection.write(body(got))
                    del self._got[connection]
        packets = self.stack.packets_to_send(now)
        return [p for p in packets if p[DESTINATION] == KERNEL_BYTES]


def rehearse(
    name: str, settings: dict[str, int | str], options: argparse.Namespace
) -> Run:
    """Play the load once."""
    server, flood = Server(settings), Flood()
    clients = [
        Client(number, ALONE_SECONDS + number * CLIENT_EVERY)
        for number in range(options.clients)
    ]
    end = max(options.seconds, clients[-1].seen["start"] + CLIENT_TIMEOUT + 0.1)
    samples, sent = [], 0
    for tick in range(int(end / TICK)):
        now = tick * TICK
        due = int(min(now, options.seconds) * options.rate) - sent
        while due > 0:
            count = flood.fill(due)
            server.suffer(flood.ring, now)
            sent, due = sent + count, due - count
        server.stack.handle_timer(now)
        visit(
            server, [c for c in clients if c.seen["start"] <= now and not c.over], now
        )
        if tick % 50 == 0:
            virtual = {"t": now, "wall": time.monotonic(), "waited": 0.0}
            samples.append(sample(server.stack) | virtual)
    return Run(
        name=name,
        clients=[client.seen for client in clients],
        samples=samples,
        cache_bytes=server.stack.syncache.memory_bytes,
        flood=(0.0, options.seconds),
        sent=sent,
        warm_up=2.0,
    )


def visit(server: Server, clients: list[Client], now: float) -> None:
    """Let clients and server exchange segments until both are silent."""
    by_port = {client.port: client for client in clients}
    for client in clients:
        if (syn := client.speak(now)) is not None:
            server.stack.receive(syn, now)
    while packets := server.serve(now):
        for packet in packets:
            segment = Segment.parse(packet)
            addressee = by_port.get(segment.dport)
            for answer in addressee.hear(segment, now) if addressee else ():
                server.stack.receive(answer, now)
