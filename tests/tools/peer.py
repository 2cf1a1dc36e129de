"""A peer for tests: a small client TCP, written to be clear, not to be fast.

It shares no code with the TCP under test but `Segment`.  It sends with a fixed window,
goes back on a time-out, repeats on three duplicate ACKs, and acknowledges everything at
once; `sack=True` makes it report and take SACK blocks, `timestamps=True` use RFC 7323.
"""

from __future__ import annotations

from seq import add, diff

from syncache.options import (
    Mss,
    Sack,
    SackPermitted,
    Timestamps,
    WindowScale,
    encode,
)
from syncache.segment import ACK, FIN, PSH, RST, SYN, Segment

ADDRESSES = {4: ("192.0.2.1", "198.51.100.7"), 6: ("2001:db8::1", "2001:db8::7")}
RTO_MS = 300
WINDOW_MAX = 64 * 1024
SCALE = 4


class Peer:
    """One client connection; `outbox` holds the packets that it wants to send."""

    def __init__(
        self,
        *,
        family: int = 4,
        port: int = 40000,
        mss: int = 1460,
        sack: bool = True,
        timestamps: bool = True,
        isn: int = 0xFFFFF000,
    ) -> None:
        self.src, self.dst = ADDRESSES[family]
        self.port = port
        self.mss = mss - (12 if timestamps else 0)
        self.sack = sack
        self.timestamps = timestamps
        self.offer = mss
        self.isn = isn
        self.outbox: list[bytes] = []
        self.data = bytearray()  # to be sent, from isn + 1 on
        self.closing = False
        self.una = 0  # offsets from isn + 1
        self.nxt = 0
        self.received = bytearray()
        self.ahead: dict[int, bytes] = {}
        self.fin_at: int | None = None
        self.peer_closed = False
        self.established = False
        self.was_reset = False
        self.iss: int | None = None
        self.window = 0
        self.scale = 0
        self.ts_recent = 0
        self.dupacks = 0
        self.sacked: list[tuple[int, int]] = []  # of the last ACK
        self.due: float | None = None

    # Segments out.

    def connect(self, now: float) -> None:
        options = [Mss(self.offer), WindowScale(SCALE)]
        if self.sack:
            options.append(SackPermitted())
        self._emit(now, SYN, seq=self.isn, options=options)
        self.due = now + RTO_MS / 1000

    def send(self, data: bytes) -> None:
        self.data += data

    def finish(self) -> None:
        self.closing = True

    def _emit(self, now, flags, *, seq, payload=b"", options=()) -> None:
        options = list(options)
        if self.timestamps:
            tsval = int(now * 1000) & 0xFFFFFFFF
            options.append(Timestamps(tsval, self.ts_recent if flags & ACK else 0))
        if flags & ACK and self.sack and self.ahead:
            options.append(Sack(self._blocks()))
        window = WINDOW_MAX >> (0 if flags & SYN else SCALE)
        segment = Segment(
            src=self.src,
            dst=self.dst,
            sport=self.port,
            dport=80,
            seq=seq,
            ack=self._ack() if flags & ACK else 0,
            flags=flags,
            window=min(window, 0xFFFF),
            options_bytes=encode(tuple(options)),
            payload=payload,
        )
        self.outbox.append(segment.packet())

    def _ack(self) -> int:
        assert self.iss is not None
        return add(self.iss, 1 + len(self.received) + self.peer_closed)

    def _blocks(self) -> tuple[tuple[int, int], ...]:
        blocks: list[list[int]] = []
        for start in sorted(self.ahead):
            end = start + len(self.ahead[start])
            if blocks and start <= blocks[-1][1]:
                blocks[-1][1] = max(blocks[-1][1], end)
            else:
                blocks.append([start, end])
        base = add(self.iss or 0, 1)
        return tuple((add(base, a), add(base, b)) for a, b in blocks[:3])

    def pump(self, now: float) -> None:
        """Send what the window allows, and again what was lost."""
        if self.was_reset:
            return
        if self.due is not None and now >= self.due:
            self.due = now + RTO_MS / 1000
            if not self.established:
                self.connect(now)
                return
            self.nxt = self.una
            if self.una == self._end():
                self.due = None
        if self.established:
            self._pump_data(now)

    def _end(self) -> int:
        return len(self.data) + self.closing

    def _pump_data(self, now: float) -> None:
        window = min(self.window, WINDOW_MAX)
        while self.nxt < self._end() and self.nxt < self.una + max(window, 1):
            size = min(
                self.mss, len(self.data) - self.nxt, self.una + window - self.nxt
            )
            if size < 0 or (size == 0 and self.nxt < len(self.data)):
                size = 1 if window == 0 and self.nxt == self.una else 0
                if not size:
                    break
            if not any(a <= self.nxt < b for a, b in self.sacked):
                self._send_at(now, self.nxt, size)
            fin = self.closing and self.nxt + size == len(self.data)
            self.nxt += size + fin
            if self.due is None:
                self.due = now + RTO_MS / 1000

    def _send_at(self, now: float, place: int, size: int) -> None:
        last = place + size == len(self.data)
        flags = ACK | (PSH if last else 0) | (FIN if last and self.closing else 0)
        payload = bytes(self.data[place : place + size])
        self._emit(now, flags, seq=add(self.isn, 1 + place), payload=payload)

    # Segments in.

    def receive(self, packet: bytes, now: float) -> None:
        segment = Segment.parse(packet)
        assert segment.dport == self.port
        if segment.flags & RST:
            self.was_reset = True
            return
        if segment.timestamps:
            self.ts_recent = segment.timestamps.tsval
        if segment.flags & SYN:
            self._establish(segment, now)
            return
        if self.iss is None:
            return
        self._take_ack(segment, now)
        if segment.payload or segment.flags & FIN:
            self._take_data(segment)
            self._emit(now, ACK, seq=add(self.isn, 1 + self.nxt))

    def _establish(self, segment: Segment, now: float) -> None:
        if self.iss is None:
            self.iss = segment.seq
            self.scale = segment.wscale or 0
            self.timestamps = self.timestamps and segment.timestamps is not None
            self.sack = self.sack and segment.sack_permitted
            self.window = segment.window
            self.established = True
            self.due = None
        self._emit(now, ACK, seq=add(self.isn, 1 + self.nxt))

    def _take_ack(self, segment: Segment, now: float) -> None:
        self.window = segment.window << self.scale
        place = diff(segment.ack, add(self.isn, 1))
        first = add(self.isn, 1)
        blocks = segment.sack.blocks if segment.sack else ()
        self.sacked = [(diff(a, first), diff(b, first)) for a, b in blocks]
        if place > self.una:
            self.una = place
            self.nxt = max(self.nxt, place)
            self.dupacks = 0
            self.due = now + RTO_MS / 1000 if self.nxt > place else None
        elif place == self.una and self.nxt > place and not segment.payload:
            self.dupacks += 1
            if self.dupacks == 3:
                size = min(self.mss, len(self.data) - place)
                self._send_at(now, place, size)

    def _take_data(self, segment: Segment) -> None:
        assert self.iss is not None
        start = diff(segment.seq, add(self.iss, 1))
        if segment.flags & FIN:
            self.fin_at = start + len(segment.payload)
        if segment.payload:
            kept = self.ahead.get(start, b"")
            if len(segment.payload) > len(kept):
                self.ahead[start] = segment.payload
        for place in sorted(self.ahead):
            if place > len(self.received):
                break
            data = self.ahead.pop(place)
            self.received += data[len(self.received) - place :]
        if self.fin_at == len(self.received):
            self.peer_closed = True


class Wire:
    """A path between a stack and peers that loses, doubles, delays and reorders.

    Seeded; `rates` are the probabilities of loss, duplication and reordering.
    """

    def __init__(self, stack, rng, *, rates=(0.0, 0.0, 0.0), delay_ms=5) -> None:
        self.stack = stack
        self.rng = rng
        self.rates = rates
        self.delay = delay_ms / 1000
        self.peers: dict[int, Peer] = {}
        self.flights: list[tuple[float, int, bool, bytes]] = []
        self.number = 0

    def add(self, peer: Peer) -> Peer:
        self.peers[peer.port] = peer
        return peer

    def carry(self, packet: bytes, now: float, *, to_stack: bool) -> None:
        loss, duplicate, reorder = self.rates
        if self.rng.random() < loss:
            return
        for _ in range(2 if self.rng.random() < duplicate else 1):
            late = 3 * self.delay if self.rng.random() < reorder else 0
            self.number += 1
            self.flights.append(
                (now + self.delay + late, self.number, to_stack, packet)
            )

    def step(self, now: float) -> float:
        """Move packets and time to the next thing that happens; return that time."""
        for peer in self.peers.values():
            peer.pump(now)
            for packet in peer.outbox:
                self.carry(packet, now, to_stack=True)
            peer.outbox.clear()
        for packet in self.stack.packets_to_send(now):
            self.carry(packet, now, to_stack=False)
        deadlines = [peer.due for peer in self.peers.values() if peer.due is not None]
        deadlines += [flight[0] for flight in self.flights]
        due = self.stack.next_deadline()
        deadlines += [due] if due is not None else []
        now = max(now, min(deadlines, default=now + 1))
        arrived = sorted(flight for flight in self.flights if flight[0] <= now)
        self.flights = [flight for flight in self.flights if flight[0] > now]
        for _, _, to_stack, packet in arrived:
            if to_stack:
                self.stack.receive(packet, now)
            else:
                port = Segment.parse(packet).dport
                self.peers[port].receive(packet, now)
        if due is not None and due <= now:
            self.stack.handle_timer(now)
        return now
