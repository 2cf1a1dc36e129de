"""What bulk data costs in the stack, in MB/s of processor time and in ratios.

    python -m bench.bulk

One connection without a link: the peer's segments lie in a ring, ours are taken from
one, and only the time spent in the stack counts.  `super` are super-segments of up to
65,483 bytes, as a TUN device with offloads carries them; the baseline is the download
in segments of the MTU.  One JSON line follows.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from struct import Struct
from typing import TYPE_CHECKING

from syncache import Ring, Segment, Stack
from syncache.options import Mss, SackPermitted, Timestamps, WindowScale, encode
from syncache.ring import Checksum
from syncache.segment import ACK, SYN

if TYPE_CHECKING:
    from syncache import Connection

REPEATS = 9
SMALL = 10_000_000
LARGE = 100_000_000
MSS = 1448
SUPER_MAX = 65_483
SUPER = 45 * MSS
SCALE = 9
TICK = 0.0005
# In an IPv4 packet: total length, header checksum, TCP's seq, ack and window.
TOTAL, SUM, SEQ, ACKED, WINDOW = 2, 10, 24, 28, 34
HEADERS = 52
_SHORT = Struct("!H")
_LONG = Struct("!I")


class Bulk:
    """A stack, a connection, and rings in place of a link."""

    def __init__(self, segment_max: int) -> None:
        self.stack = Stack("192.0.2.1", seed=bytes(16))
        self.stack.segment_max = segment_max
        self.rx = Ring(64, 65_600)
        self.tx = Ring(64, 65_600)
        self.now = 1000.0
        self.spent = 0.0
        listener = self.stack.listen(80)
        ends = {"src": "192.0.2.2", "dst": "192.0.2.1", "sport": 40_000, "dport": 80}
        offer = (Mss(1460), SackPermitted(), Timestamps(1, 0), WindowScale(SCALE))
        syn = Segment(flags=SYN, window=65_535, options_bytes=encode(offer), **ends)
        self.stack.receive(syn.packet(), self.now)
        answer = Segment.parse(self.stack.packets_to_send(self.now)[0])
        self.iss = answer.seq
        assert answer.timestamps is not None
        # NOP NOP in front, as everyone lays the option out.
        stamps = b"\1\1" + Timestamps(2, answer.timestamps.tsval).encode()
        ack = Segment(
            seq=1,
            ack=(self.iss + 1) & 0xFFFFFFFF,
            flags=ACK,
            window=16_000,
            options_bytes=stamps,
            **ends,
        )
        self.packet = bytearray(ack.packet())
        self.stack.receive(bytes(self.packet), self.now)
        accepted = listener.accept()
        assert accepted is not None
        self.connection: Connection = accepted

    def turn(self, *, write: memoryview, read: int) -> int:
        """Let the stack take rx and fill tx; return the bytes that were read."""
        self.now += TICK
        start = time.process_time()
        while self.rx.next < len(self.rx):
            self.stack.burst(self.rx, self.tx, self.now)
        while self.stack.next_event() is not None:
            pass
        count = 0
        while data := self.connection.read(read):
            count += len(data)
        while write and self.connection.write(write):
            pass
        self.stack.handle_timer(self.now)
        self.stack.transmit(self.tx, self.now)
        self.spent += time.process_time() - start
        self.rx.clear()
        return count

    def download(self, total: int) -> float:
        """Send from the stack; the peer acknowledges every second segment."""
        data = memoryview(bytes(1 << 18))
        acked = 0
        while acked < total:
            self.turn(write=data, read=1)
            sent = [self.tx[index] for index in range(len(self.tx))]
            edges = [
                _LONG.unpack_from(packet, SEQ)[0] + len(packet) - HEADERS
                for packet in sent
            ]
            acked += sum(len(packet) - HEADERS for packet in sent)
            self.tx.clear()
            for edge in edges[1::2] + edges[len(edges) // 2 * 2 :]:
                _LONG.pack_into(self.packet, ACKED, edge & 0xFFFFFFFF)
                self.rx.push(self.packet, checksum=Checksum.VALID)
        return acked / self.spent / 1e6

    def upload(self, total: int, size: int) -> float:
        """Send to the stack, as much as its window takes."""
        packet = self.packet + bytes(size)
        _SHORT.pack_into(packet, TOTAL, len(packet))
        _SHORT.pack_into(packet, SUM, 0)
        words = sum(word for (word,) in _SHORT.iter_unpack(packet[:20]))
        words = (words & 0xFFFF) + (words >> 16)
        _SHORT.pack_into(packet, SUM, ~words & 0xFFFF)
        seq, edge, taken = 1, 65_536, 0
        scale = self.connection.info.rcv_wscale or 0
        while taken < total:
            while self.rx.free and seq + size <= edge:
                _LONG.pack_into(packet, SEQ, seq)
                gso_size = MSS if size > MSS else 0
                self.rx.push(packet, checksum=Checksum.VALID, gso_size=gso_size)
                seq += size
            taken += self.turn(write=memoryview(b""), read=1 << 18)
            for index in range(len(self.tx)):
                answer = self.tx[index]
                window = _SHORT.unpack_from(answer, WINDOW)[0] << scale
                edge = max(edge, _LONG.unpack_from(answer, ACKED)[0] + window)
            self.tx.clear()
        return taken / self.spent / 1e6


CASES = {
    "download": lambda: Bulk(0).download(SMALL),
    "upload": lambda: Bulk(0).upload(SMALL, MSS),
    "download_super": lambda: Bulk(SUPER_MAX).download(LARGE),
    "upload_super": lambda: Bulk(SUPER_MAX).upload(LARGE, SUPER),
}


def main() -> None:
    """Run the cases alternately; print a table and a line for machines."""
    speeds: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(REPEATS):
        for name, case in CASES.items():
            speeds[name].append(case())
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    for name, values in speeds.items():
        ratio = medians[name] / medians["download"]
        spread = f"{min(values):.0f}-{max(values):.0f}"
        print(f"{name:16} {medians[name]:7.0f} MB/s  {spread:>11}  {ratio:5.1f}x")
    machine = {"machine": platform.machine(), "python": platform.python_version()}
    print(json.dumps({"bench": "bulk", **machine, "mb_per_s": medians}))


if __name__ == "__main__":
    main()
