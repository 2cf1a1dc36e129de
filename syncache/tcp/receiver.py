"""The receiving half of a connection: order, window, when to acknowledge, ECN echo.

Theory: RCV.ADV, the right edge that the peer has been told, never moves left.  The
buffer's limit starts at what the listener says and doubles whenever a whole window
arrived and the application kept up, so memory follows need.  An ACK is delayed until
the second segment at most, by bytes or by number (RFC 5681 4.2), and not at all for the
first full ones, by which a sender opens its congestion window.  Duplicates, which a
sender without SACK counts, are owed one by one, and each is told what came twice
(D-SACK, RFC 2883).

ECN: what we send is never ECT.  `classic` echoes CE until the peer says CWR (RFC 3168
6.1.3); `accurate` counts it in the three ACE bits (RFC 9768 3.2); `echo` is a
connection made from a cookie, which cannot know what its SYN-ACK said: the first ECT or
CE mark proves that ECN was negotiated, and it is classic from then on.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..segment import AE, CWR, ECE
from .reassembly import NOTHING_AHEAD, Reassembly

if TYPE_CHECKING:
    from collections.abc import Iterable

_SMALL = 512
_GATHERED_MAX = 4096
_CE = 3
# A flood of out-of-order segments draws at most this many ACKs at a time.
_ACKS_OWED_MAX = 64
_ACE_INITIAL = 5
# At the start full segments are acknowledged at once, as many as Linux does.
_QUICK = 16
_FULL = 536
# Windows are told in units of 2^scale: what rounding up may add to the buffer in all.
_ROUNDING_SHARE = 8


class Receiver:
    """Receive sequence variables, buffer and acknowledgement policy.

    `limit` bounds what the application has not read; `limit_max` what it may grow to;
    `sack`: the peer takes SACK options.
    """

    __slots__ = (
        "_ce_packets",
        "_chunks",
        "_duplicates",
        "_ece",
        "_quick",
        "_spoke",
        "_told",
        "_told_of",
        "_unacked",
        "_unacked_segments",
        "_window_end",
        "acks_owed",
        "deadline",
        "delack_ms",
        "discard",
        "ecn",
        "fin_seq",
        "irs",
        "last_ack_sent",
        "limit",
        "limit_max",
        "mss",
        "rcv_adv",
        "rcv_nxt",
        "reassembly",
        "sack",
        "size",
        "wscale",
    )

    def __init__(self, irs: int, window: int, wscale: int, mss: int) -> None:
        self.irs = irs
        self.rcv_nxt = irs + 1
        self.rcv_adv = irs + 1 + window
        self.last_ack_sent = irs + 1
        self.limit = window
        self.limit_max = window
        self.wscale = wscale
        self.mss = mss
        self.size = 0
        self.fin_seq: int | None = None
        self.discard = False
        self.delack_ms = 40
        self.acks_owed = 0
        self.deadline: int | None = None
        self.reassembly = NOTHING_AHEAD
        self.ecn: str | None = None
        self.sack = False
        self._chunks: deque[bytes | bytearray] = deque()
        self._unacked = 0
        self._unacked_segments = 0
        self._quick = _QUICK
        self._spoke = False
        self._duplicates: list[tuple[int, int]] = []
        self._window_end = self.rcv_adv
        self._ece = False
        self._ce_packets = _ACE_INITIAL
        self._told_of: tuple[int, int, int, int] | None = None
        self._told = 0

    # Data.

    @property
    def rcv_wnd(self) -> int:
        """The window that the peer was told and has not used."""
        return self.rcv_adv - self.rcv_nxt

    def take(
        self, seq: int, data: memoryview | bytes, now_ms: int, segments: int = 1
    ) -> int:
        """Take data that overlaps the window; return the bytes now in order."""
        end = seq + len(data)
        if end > self.rcv_adv:
            data = data[: self.rcv_adv - seq]
            end = self.rcv_adv
        if end <= self.rcv_nxt:
            self.came_twice(seq, end)
            self.owe_ack()
            return 0
        if seq > self.rcv_nxt:
            if self.reassembly is NOTHING_AHEAD:
                self.reassembly = Reassembly()
            self.came_twice(*self.reassembly.overlap(seq, end))
            self.reassembly.add(seq, data)
            self.owe_ack()
            return 0
        before = self.rcv_nxt
        if seq < before:
            self.came_twice(seq, before)
        elif self.reassembly.size:
            self.came_twice(*self.reassembly.overlap(before, end))
        self._deliver(bytes(data[before - seq :]))
        if self.reassembly.size:
            # RFC 5681 4.2: a filled hole is acknowledged at once.
            for piece in self.reassembly.take(self.rcv_nxt):
                self._deliver(piece)
            self.owe_ack()
        count = self.rcv_nxt - before
        self._unacked += count
        self._unacked_segments += segments
        second = self._unacked_segments > 1 or self._unacked >= 2 * self.mss
        at_once = second or not self.delack_ms or self._duplicates
        if at_once or self._is_quick(len(data)):
            self.owe_one_ack()
        elif self.deadline is None and not self.acks_owed:
            self.deadline = now_ms + self.delack_ms
        return 0 if self.discard else count

    def take_fin(self) -> None:
        """Count the peer's FIN, for which the window need not shrink."""
        self.rcv_nxt += 1
        self.rcv_adv += 1

    def came_twice(self, seq: int, end: int) -> None:
        """Tell the peer with the next ACK that it sent these bytes again."""
        if seq < end and self.sack:
            self._duplicates.append((seq, end))
            del self._duplicates[:-_ACKS_OWED_MAX]

    def _is_quick(self, size: int) -> bool:
        if self._quick == 0 or size < min(self.mss, _FULL):
            return False
        self._quick -= 1
        return True

    def _deliver(self, piece: bytes) -> None:
        count = len(piece)
        self.rcv_nxt += count
        if self.discard:
            return
        self.size += count
        chunks = self._chunks
        if count >= _SMALL:
            chunks.append(piece)
        elif (
            chunks
            and type(tail := chunks[-1]) is bytearray
            and len(tail) < _GATHERED_MAX
        ):
            tail += piece
        else:
            # Small pieces are gathered, so that objects never outweigh bytes.
            chunks.append(bytearray(piece))

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes in order, b"" if there are none."""
        chunks = self._chunks
        if not chunks or count <= 0:
            return b""
        taken: list[bytes | bytearray] = []
        rest = count
        while chunks and rest > 0:
            chunk = chunks.popleft()
            if len(chunk) > rest:
                chunks.appendleft(chunk[rest:])
                chunk = chunk[:rest]
            taken.append(chunk)
            rest -= len(chunk)
        self.size -= count - rest
        return bytes(taken[0]) if len(taken) == 1 else b"".join(taken)

    def release(self) -> None:
        """The application reads no more: input is discarded."""
        self.discard = True
        self._chunks.clear()
        self.size = 0

    def stop(self) -> None:
        """Forget reassembly and timers; data in order may still be read."""
        self.reassembly.clear()
        self._duplicates.clear()
        self.deadline = None
        self.acks_owed = 0

    # The window.

    def window_edge(self) -> int:
        """Return the right edge to announce now (RFC 9293 3.8.6.2.2)."""
        free = self.limit - self.size
        top = 0xFFFF << self.wscale
        edge = self.rcv_nxt + (min(max(free, 0), top) >> self.wscale << self.wscale)
        if edge - self.rcv_adv >= min(self.limit // 2, 2 * self.mss):
            return edge
        return self.rcv_adv

    def window_field(self) -> int:
        """Fix the window for a segment that leaves now; return the header's field."""
        of = self.rcv_nxt, self.rcv_adv, self.size, self.limit
        if of == self._told_of:
            return self._told
        self._spoke = True
        edge = self.window_edge()
        unit = 1 << self.wscale
        # Rounding up keeps the edge where the peer was told it is (RFC 7323 2.4).
        scaled = min(edge - self.rcv_nxt + unit - 1 >> self.wscale, 0xFFFF)
        told = self.rcv_nxt + (scaled << self.wscale)
        free = self.limit - self.size
        if told - self.rcv_nxt > free + self.limit // _ROUNDING_SHARE:
            # Rounding may not go on for ever; the edge that was told is still taken.
            scaled = min(edge - self.rcv_nxt >> self.wscale, 0xFFFF)
        self.rcv_adv = max(edge, self.rcv_nxt + (scaled << self.wscale))
        # The same again, as long as nothing comes or is read: where it moves no edge.
        self._told_of = of if self.rcv_adv == of[1] else None
        self._told = scaled
        return scaled

    def syn_window(self) -> int:
        """Return the window field of a SYN-ACK, which is never scaled."""
        return min(self.rcv_wnd, 0xFFFF)

    def window_opened(self) -> bool:
        """Tell whether the peer should hear of the room that reading has made.

        Room that no SYN-ACK can tell, whose window is not scaled, was there before.
        """
        if not self._spoke and self.rcv_wnd >= self.mss:
            return False
        gained = self.window_edge() - self.rcv_adv
        return gained > 0 and (
            gained >= self.limit // 2 or self.rcv_wnd < min(self.mss, self.limit // 2)
        )

    def tune(self) -> None:
        """Double the limit if a window's worth came and the application kept up."""
        if self.rcv_nxt < self._window_end:
            return
        if self.size <= self.limit // 4 and self.limit < self.limit_max:
            self.limit = min(2 * self.limit, self.limit_max)
        self._window_end = self.rcv_nxt + self.limit

    # Acknowledgement.

    def owe_ack(self) -> None:
        """Acknowledge at once, and once more for each call."""
        if self.acks_owed < _ACKS_OWED_MAX:
            self.acks_owed += 1

    def owe_one_ack(self) -> None:
        """Acknowledge at once; one ACK says it all."""
        self.acks_owed = max(self.acks_owed, 1)

    def acknowledged(self, *, with_data: bool, count: int = 1) -> None:
        """Note that segments with the present ACK left.

        A peer does not count a segment with data as a duplicate ACK (RFC 5681 2).
        """
        self.last_ack_sent = self.rcv_nxt
        self._unacked = self._unacked_segments = 0
        self.deadline = None
        if self.acks_owed and not (with_data and self.has_blocks):
            self.acks_owed = max(self.acks_owed - count, 0)

    @property
    def has_blocks(self) -> bool:
        """Whether there is anything to report in a SACK option."""
        return self.reassembly.size > 0 or bool(self._duplicates)

    def sack_blocks(self, count: int) -> Iterable[tuple[int, int]]:
        """Return the blocks to report: the one that came twice, once, then the newest.

        A duplicate above a hole is followed by the block that holds it (RFC 2018 4,
        RFC 2883 4).
        """
        if not self._duplicates:
            return self.reassembly.newest(count)
        twice = self._duplicates.pop(0)
        blocks = self.reassembly.newest(count)
        blocks.sort(key=lambda block: not block[0] <= twice[0] < block[1])
        return [twice, *blocks][:count]

    # ECN.

    def see_ecn(self, mark: int, flags: int, marked: int) -> None:
        """Take the IP header's ECN field, the TCP header's CWR, and the count of CE."""
        if self.ecn == "echo" and mark:
            self.ecn = "classic"
        if self.ecn == "classic":
            if flags & CWR:
                self._ece = False
            if mark == _CE:
                self._ece = True
        elif self.ecn == "accurate":
            self._ce_packets += marked

    def ecn_flags(self) -> int:
        """Return the flags with which a segment echoes congestion."""
        if self.ecn == "accurate":
            count = self._ce_packets
            ace = AE if count & 4 else 0
            return ace | (CWR if count & 2 else 0) | (ECE if count & 1 else 0)
        return ECE if self._ece else 0
