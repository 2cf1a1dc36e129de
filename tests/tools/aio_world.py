"""For the tests of syncache.aio: a host on a wire in memory, and a hand at its far end.

    async with World() as world:
        server = await world.host.create_server(Recorder, 80)
        client = await world.connect()

The client does nothing by itself but put payload in order and acknowledge it, with the
window that it is told; everything else a test says.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
from typing import ClassVar

from syncache.aio import Host
from syncache.links.memory import pair
from syncache.options import Mss, WindowScale, encode
from syncache.ring import Ring
from syncache.segment import ACK, FIN, PSH, RST, SYN, Segment

OURS, PEER, PORT = "192.0.2.1", "192.0.2.2", 80
ISN = 1000
SECONDS = 30


def on_loop(test):
    """Run an async test in a loop of its own, for a bounded time."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 4 * SECONDS))

    return run


async def until(condition, seconds=SECONDS):
    """Let the loop turn until something is so."""
    for _ in range(int(seconds * 1000)):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came so")


async def quiet(turns=20):
    """Let the loop turn, for what must not happen."""
    for _ in range(turns):
        await asyncio.sleep(0.001)


class Recorder(asyncio.Protocol):
    """Keeps what it is told; `made` holds every one in order."""

    made: ClassVar[list[Recorder]] = []

    def __init__(self, *, keep_open=False):
        self.calls = []
        self.data = b""
        self.keep_open = keep_open
        self.made.append(self)

    def connection_made(self, transport):
        self.transport = transport
        self.calls.append("made")

    def data_received(self, data):
        self.data += data
        if self.calls[-1] != "data":
            self.calls.append("data")

    def eof_received(self):
        self.calls.append("eof")
        return self.keep_open

    def pause_writing(self):
        self.calls.append("pause")

    def resume_writing(self):
        self.calls.append("resume")

    def connection_lost(self, error):
        self.lost = error
        self.calls.append("lost")


class World:
    """A host with one address, and the wire's far end."""

    def __init__(self, *, slots=256, link=lambda link: link, **options):
        near, self.far = pair(slots=slots)
        self.link = link(near)
        self.host = Host(self.link, OURS, **options)
        self.clients = {}
        self.ports = itertools.count(4000)
        self.problems = []
        Recorder.made.clear()

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.problems.append(context))
        loop.add_reader(self.far.fileno(), self._take)
        return self

    async def __aexit__(self, *_):
        await self.host.aclose()
        asyncio.get_running_loop().remove_reader(self.far.fileno())
        self.far.close()

    async def connect(self, **options) -> Client:
        """Return a client whose handshake is complete."""
        client = self.client(**options)
        client.send(SYN, options=[Mss(1460), WindowScale(0)])
        await until(lambda: client.synchronized)
        client.send(ACK)
        return client

    def client(self, **options) -> Client:
        """Return a client that has sent nothing yet."""
        made = Client(self, next(self.ports), **options)
        self.clients[made.port] = made
        return made

    def inject(self, *packets):
        """Send packets to the host."""
        tx = Ring(max(len(packets), 1))
        for packet in packets:
            tx.push(packet)
        assert self.far.send(tx) == len(packets)

    def _take(self):
        rx = Ring(64)
        while self.far.receive(rx):
            for i in range(len(rx)):
                segment = Segment.parse(rx[i])
                if segment.dport in self.clients:
                    self.clients[segment.dport].take(segment)
            rx.clear()


class Client:
    """One connection from the far end; `segments` is all that came for it."""

    def __init__(self, world, port, *, window=65535, acks=True):
        self.world = world
        self.port = port
        self.window = window
        self.acks = acks  # acknowledges payload as it comes
        self.snd_nxt = ISN
        self.rcv_nxt = 0
        self.synchronized = False
        self.received = b""
        self.segments = []

    def send(self, flags, payload=b"", options=()):
        """Send one segment, numbered as comes next."""
        segment = Segment(
            src=PEER,
            dst=OURS,
            sport=self.port,
            dport=PORT,
            seq=self.snd_nxt,
            ack=self.rcv_nxt if flags & ACK else 0,
            flags=flags,
            window=self.window,
            options_bytes=encode(tuple(options)),
            payload=payload,
        )
        self.snd_nxt = segment.seq_end
        self.world.inject(segment.packet())

    def write(self, data):
        """Send data in segments of ordinary size."""
        for start in range(0, len(data), 1400):
            self.send(ACK | PSH, data[start : start + 1400])

    def take(self, segment):
        """Take a segment: note it, and what comes next after it."""
        self.segments.append(segment)
        if segment.flags & SYN:
            self.synchronized = True
            self.rcv_nxt = segment.seq_end
        elif segment.seq == self.rcv_nxt and segment.seg_len:
            self.received += segment.payload
            self.rcv_nxt = segment.seq_end
            if self.acks:
                self.send(ACK)

    @property
    def got_fin(self) -> bool:
        """Whether a FIN came."""
        return any(segment.flags & FIN for segment in self.segments)

    @property
    def got_reset(self) -> bool:
        """Whether a RST came."""
        return any(segment.flags & RST for segment in self.segments)

    @property
    def peer_window(self) -> int:
        """The window last announced; that of a SYN-ACK is not scaled."""
        syn_ack = next(s for s in self.segments if s.flags & SYN)
        last = self.segments[-1]
        return last.window << (0 if last is syn_ack else syn_ack.wscale or 0)
