"""What a handshake's last ACK costs until its `Connection` is there, in microseconds.

    python -m bench.accept

Processor time of the stack alone, from the burst to the accepted connection, 64 to a
burst.  Run it by turns in two trees to compare them: only ratios of one hour mean much.
One JSON line follows.
"""

from __future__ import annotations

import gc
import json
import platform
import statistics
import time

from syncache import Ring, Segment, Stack
from syncache.options import Mss, SackPermitted, Timestamps, WindowScale, encode
from syncache.segment import ACK, SYN

BURST = 64
ROUNDS = 60
OFFER = encode((Mss(1460), SackPermitted(), Timestamps(1, 0), WindowScale(7)))
OURS = "192.0.2.1"


class Accepting:
    """A stack with a listener, and peers that complete their handshakes."""

    def __init__(self) -> None:
        self.stack = Stack(OURS, {"kern.ipc.maxsockets": 100_000}, seed=bytes(16))
        self.listener = self.stack.listen(80, backlog=2 * BURST)
        self.rx, self.tx = Ring(BURST), Ring(BURST)
        self.now = 1000.0
        self.peers = 0

    def round(self) -> float:
        """Return the microseconds of an ACCEPT, of a burst of them."""
        self.now += 0.01
        acks = [self._ack(packet) for packet in self._answers()]
        self._take(acks)
        gc.collect()
        gc.disable()
        start = time.process_time()
        self.stack.burst(self.rx, self.tx, self.now)
        count = 0
        while self.listener.accept() is not None:
            count += 1
        while self.stack.next_event() is not None:
            pass
        spent = time.process_time() - start
        gc.enable()
        if count != BURST:
            raise RuntimeError(f"{count} of {BURST} handshakes were completed")
        for connection in self.stack.connections:
            connection.abort()
        self.stack.packets_to_send(self.now)
        return spent / BURST * 1e6

    def _take(self, packets: list[bytes]) -> None:
        self.rx.clear()
        self.tx.clear()
        for packet in packets:
            self.rx.push(packet)

    def _answers(self) -> list[Segment]:
        """Send SYNs of new peers; return the SYN-ACKs."""
        syns = []
        for _ in range(BURST):
            self.peers += 1
            peer = f"10.{self.peers >> 16}.{self.peers >> 8 & 255}.{self.peers & 255}"
            syn = Segment(
                src=peer,
                dst=OURS,
                sport=1024,
                dport=80,
                flags=SYN,
                seq=7,
                window=65_535,
                options_bytes=OFFER,
            )
            syns.append(syn.packet())
        self._take(syns)
        self.stack.burst(self.rx, self.tx, self.now)
        return [Segment.parse(bytes(self.tx[i])) for i in range(len(self.tx))]

    def _ack(self, answer: Segment) -> bytes:
        if answer.timestamps is None:
            raise RuntimeError("the SYN-ACK has no timestamps")
        stamps = Timestamps(2, answer.timestamps.tsval).encode()
        return Segment(
            src=answer.dst,
            dst=answer.src,
            sport=answer.dport,
            dport=80,
            flags=ACK,
            seq=8,
            ack=(answer.seq + 1) & 0xFFFFFFFF,
            window=512,
            options_bytes=b"\1\1" + stamps,
        ).packet()


def main() -> None:
    """Run the rounds; print a line for people and one for machines."""
    accepting = Accepting()
    spent = [accepting.round() for _ in range(ROUNDS)]
    median, least = statistics.median(spent), min(spent)
    print(f"accept {median:7.1f} us  least {least:.1f}")
    machine = {"machine": platform.machine(), "python": platform.python_version()}
    print(json.dumps({"bench": "accept", **machine, "us": median, "least_us": least}))


if __name__ == "__main__":
    main()
