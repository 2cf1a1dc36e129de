"""Bad packets for `Intercept`, from both sides, beside good handshakes through it.

A world has an engine that takes packets one by one and a twin that takes them in rings:
nothing may raise, no sanitizer may find anything, and what goes out, what is counted
and what is listed must be equal.  `bad_input.py --what intercept` runs it.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncache.segment import Segment

BATCH = 64
SERVERS = ("198.51.100.5", "2001:db8:2::5")
CLIENTS = ("192.0.2.{}", "2001:db8:1::{:x}")
LIMITS = {
    "sessions_max": 64,
    "hosts_max": 4,
    "profiles_max": 2,
    "headers_max": 2,
    "journal_max": 32,
    "max_incomplete.low": 10,
    "max_incomplete.high": 20,
    "one_minute.low": 200,
    "one_minute.high": 400,
    # The end of aggressive mode is looked for once a call; asked for less often than
    # once a second, it does not depend on how many packets a call has.
    "calm_check_interval": 2,
    "learn_time": 1,
    "debug": 1,
}
KINDS = (
    {"synack": "cache"},
    {"synack": "auto", "drop_mode": "random", "options": "client"},
    {"synack": "cookie", "bad_ack_rst": 1, "evict_rst": "always"},
    # Watched connections time out at the next call after aggressive mode began, and
    # that is sooner packet by packet; without a divisor it is the same time.
    {
        "mode": "watch",
        "watch_reset": "both",
        "drop_mode": "heaviest",
        "aggressive_divisor": 1,
    },
    {"options": "cisco", "unknown": "forward", "synack_window": 99, "wait_for_data": 1},
)


def worlds(seed: int) -> list[World]:
    """One world for each set of tunables."""
    return [World(kind, seed) for kind in KINDS]


class World:
    """One configuration: an engine, its twin, and two ends that talk through it."""

    def __init__(self, kind: dict[str, int | str], seed: int) -> None:
        from bad_packets import Source

        from syncache import Ring

        self.random = random.Random(f"{seed} {kind}")
        self.source = Source(self.random)
        self.now = 1000.0
        self.single, self.twin = (self._engine(kind, seed) for _ in range(2))
        self.rx = Ring(BATCH, 4096)
        self.txs = [(Ring(n, 256), Ring(n, 256)) for n in (4, 7, BATCH)]
        self.templates: list[tuple[int, bytes]] = []
        self.reasons: Counter[str] = Counter()

    @staticmethod
    def _engine(kind, seed):
        from syncache import AccessList, Intercept, Sysctl
        from syncache.acl import permit

        names = {f"net.inet.tcp.intercept.{n}": v for n, v in (LIMITS | kind).items()}
        acl = AccessList("100", [permit(dport=80)])
        return Intercept(Sysctl(names), acl=acl, seed=seed.to_bytes(16, "big"))

    def run(self, packets: int) -> None:
        """Take a round of packets, and time between them."""
        self._talk()
        pick = self.source.pick
        for _ in range(0, packets, BATCH):
            side = self.random.randrange(2)
            chosen = [pick(self.templates) for _ in range(BATCH)]
            # One in nine comes on the wrong side.
            here = [p for s, p in chosen if s == side or self.random.random() < 1 / 9]
            self._step(side, [self.source.mutate(packet) for packet in here])
            self.now += pick((0, 0, 0, 0.001, 0.02, 0.3, 1.1, -5))
        self._compare()
        self.now += pick((0, 3.5, 40, 5000))

    def _talk(self) -> None:
        """Conversations through the engine; their packets are the templates.

        Each third is left at its SYN; what comes next is a template all the same.
        """
        self.templates = []
        for number in range(1, 13):
            queue = [(0, self._syn(number))]
            for _ in range(12 if number % 3 else 1):
                if not queue:
                    break
                side, segment = queue.pop(0)
                packet = segment.packet()
                self.templates.append((side, packet))
                for to, out in self._step(side, [packet]):
                    queue += [(to, said) for said in self._answers(out)]
            self.templates += [(side, segment.packet()) for side, segment in queue]

    def _syn(self, number: int) -> Segment:
        from syncache.options import Mss, SackPermitted, Timestamps, WindowScale, encode
        from syncache.segment import SYN, Segment

        options = encode((Mss(1400), SackPermitted(), Timestamps(7, 0), WindowScale(7)))
        family = number % 2
        return Segment(
            src=CLIENTS[family].format(number),
            dst=SERVERS[family],
            sport=self.random.randrange(1024, 65536),
            dport=80,
            seq=self.random.getrandbits(32),
            flags=SYN,
            window=64240,
            options_bytes=self.source.pick((options, b"")),
        )

    def _answers(self, packet: bytes) -> list[Segment]:
        """What the end that gets a packet says to it."""
        from syncache.segment import ACK, FIN, PSH, SYN, Segment

        said = Segment.parse(packet)
        if said.flags & (SYN | ACK) == SYN:
            isn, options = self.random.getrandbits(32), said.options
            return [said.reply(SYN | ACK, seq=isn, window=512, options=options)]
        if said.flags & SYN:
            data = said.reply(ACK | PSH, window=99, payload=b"GET")
            return [said.reply(ACK, window=99), data]
        if said.payload:
            flags = self.source.pick((ACK | PSH, ACK | FIN))
            return [said.reply(flags, window=512, payload=b"OK")]
        return []

    def _step(self, side: int, batch: list[bytes]) -> list[tuple[int, bytes]]:
        """Give packets to both; what goes out must be the same."""
        for packet in batch:
            self.single.receive(packet, side, self.now)
        out = [(int(to), data) for to, data in self.single.packets_to_send(self.now)]
        assert sorted(out) == sorted(self._burst(side, batch))
        return out

    def _burst(self, side: int, batch: list[bytes]) -> list[tuple[int, bytes]]:
        """Give packets to the twin, in rings of any size."""
        from syncache.flow import verdict

        rx, txs = self.rx, self.source.pick(self.txs)
        rx.clear()
        for packet in batch:
            rx.push(packet)
        sent: list[tuple[int, bytes]] = []
        busy = True
        while busy:
            self.twin.burst(rx, side, *txs, self.now)
            sent += [(1 - side, bytes(rx[index])) for index in rx.passed]
            rx_done = rx.next == len(rx)
            busy = not rx_done or any(len(tx) for tx in txs)
            for to, tx in enumerate(txs):
                sent += [(to, bytes(tx[index])) for index in range(len(tx))]
                tx.clear()
        for index in range(len(rx)):
            self.reasons[verdict(rx, index).name] += 1
        return sent

    def _compare(self) -> None:
        """Counters, connections, events, and a state that survives a restart."""
        single, twin = self.single, self.twin
        assert single.stats(self.now) == twin.stats(self.now)
        assert single.connections() == twin.connections()
        assert single.next_deadline() == twin.next_deadline()
        for engine in (single, twin):
            while engine.next_event() is not None:
                pass
        state = single.export_state(self.now)
        assert state == twin.export_state(self.now)
