"""Data that arrived ahead of a hole.

Disjoint blocks sorted by sequence number, each a list of the pieces it came in.  The
window bounds the bytes and PIECES_MAX the objects, so tiny segments cannot make them
cost more than they carry.

See RFC 9293 3.10.7.4 (queueing out-of-order segments); RFC 2018 4 (order of blocks).
"""

from __future__ import annotations

from collections import deque
from itertools import islice

PIECES_MAX = 4096


class Block:
    """A contiguous run of bytes."""

    __slots__ = ("end", "pieces", "start")

    def __init__(self, start: int, piece: bytes) -> None:
        self.start = start
        self.end = start + len(piece)
        self.pieces: deque[bytes] = deque((piece,))


class Reassembly:
    """The out-of-order blocks above RCV.NXT."""

    __slots__ = ("_blocks", "_grown", "_pieces", "size")

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._grown: dict[Block, None] = {}  # the same, the one that grew last behind
        self._pieces = 0
        self.size = 0

    def __bool__(self) -> bool:
        """Is there a hole."""
        return bool(self._blocks)

    def add(self, seq: int, data: memoryview | bytes) -> None:
        """Keep the new part of the data; nothing if there are too many pieces."""
        if self._pieces >= PIECES_MAX:
            return
        end = seq + len(data)
        index = self._first_ending_at_or_after(seq)
        if index < len(self._blocks) and self._blocks[index].start <= seq:
            block = self._blocks[index]
            if block.end < end:
                self._append(block, bytes(data[block.end - seq :]))
        else:
            block = Block(seq, bytes(data))
            self._blocks.insert(index, block)
            self._pieces += 1
            self.size += len(data)
        self._absorb(index)
        self._grown.pop(block, None)
        self._grown[block] = None

    def overlap(self, start: int, end: int) -> tuple[int, int]:
        """Return the first range of these bytes that is there; an empty one if none."""
        index = self._first_ending_at_or_after(start + 1)
        if index == len(self._blocks):
            return end, end
        block = self._blocks[index]
        return min(max(start, block.start), end), min(end, block.end)

    def take(self, rcv_nxt: int) -> list[bytes]:
        """Return and forget the pieces that continue at `rcv_nxt`."""
        taken: list[bytes] = []
        while self._blocks and self._blocks[0].start <= rcv_nxt:
            block = self._blocks.pop(0)
            del self._grown[block]
            self._pieces -= len(block.pieces)
            self.size -= block.end - block.start
            for piece in block.pieces:
                start = block.start
                block.start += len(piece)
                if block.start > rcv_nxt:
                    taken.append(piece[rcv_nxt - start :] if rcv_nxt > start else piece)
                    rcv_nxt = block.start
        return taken

    def newest(self, count: int) -> list[tuple[int, int]]:
        """Return up to `count` blocks, the one that grew last first."""
        if len(self._blocks) == 1:
            return [(self._blocks[0].start, self._blocks[0].end)]
        last = islice(reversed(self._grown), count)
        return [(block.start, block.end) for block in last]

    def clear(self) -> None:
        """Forget everything."""
        self._blocks.clear()
        self._grown.clear()
        self._pieces = self.size = 0

    def _append(self, block: Block, piece: bytes) -> None:
        block.pieces.append(piece)
        block.end += len(piece)
        self._pieces += 1
        self.size += len(piece)

    def _absorb(self, index: int) -> None:
        """Join the blocks that the one at `index` has grown into."""
        block = self._blocks[index]
        while index + 1 < len(self._blocks):
            after = self._blocks[index + 1]
            if after.start > block.end:
                return
            del self._blocks[index + 1]
            del self._grown[after]
            self._join(block, after)

    def _join(self, block: Block, after: Block) -> None:
        """Put the pieces of a block behind those of the one that reaches it.

        The fewer move, so that data which comes backwards costs no more than other.
        """
        self._pieces -= len(after.pieces)
        self.size -= after.end - after.start
        while after.pieces and after.start < block.end:
            piece = after.pieces.popleft()
            after.start += len(piece)
            if after.start > block.end:
                self._append(block, piece[block.end - after.start :])
        self._pieces += len(after.pieces)
        if len(block.pieces) < len(after.pieces):
            block.pieces, after.pieces = after.pieces, block.pieces
            block.pieces.extendleft(reversed(after.pieces))
        else:
            block.pieces.extend(after.pieces)
        end = max(block.end, after.end)
        self.size += end - block.end
        block.end = end

    def _first_ending_at_or_after(self, seq: int) -> int:
        # Most data continues the topmost block.
        blocks = self._blocks
        if not blocks or blocks[-1].end < seq:
            return len(blocks)
        low, high = 0, len(blocks) - 1
        while low < high:
            middle = (low + high) // 2
            if blocks[middle].end < seq:
                low = middle + 1
            else:
                high = middle
        return low


# Every connection's until something comes early: `add` is for queues of one's own.
NOTHING_AHEAD = Reassembly()
