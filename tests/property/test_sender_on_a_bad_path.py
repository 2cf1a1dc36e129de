"""Our data arrives whole through losses, lies about SACK, and windows that move back.

The peer is a receiver by the book, but for what a seed makes it do: it shrinks its
window, closes it, reports blocks that it never had, forgets blocks that it had, sends
ACKs twice or not at all, and for a while nothing gets through.  Whatever it does, we
send no byte beyond an edge that we were told (RFC 9293 3.8.6), no segment above its
MSS, the same byte for the same number, and everything in the end, without a storm.

SYNCACHE_FUZZ_SEEDS=5000 pytest tests/property/test_sender_on_a_bad_path.py
"""

from __future__ import annotations

import pytest
from bad_path import BEGIN, MASK32, Path, content, seeds

SIZE = 60_000
MSS = 1000
LONGEST = 900.0  # of virtual seconds: back-off, persist timers and black holes


class Receiver:
    """A peer that takes data, and its moods."""

    def __init__(self, seed, family):
        self.path = path = Path(seed, family, self.hears)
        dice = path.dice
        self.data = content(SIZE)
        self.room = dice.choice([2_000, 8_000, 65_000])
        self.moods = {
            name
            for name in ("shrink", "close", "lie", "forget", "twice", "lazy")
            if dice.random() < 0.4
        }
        self.next, self.far = 1, set()  # numbers of whole bytes that came
        self.end = None
        self.told = 0  # the furthest edge that the stack can know of
        path.open(window=self.room, mss=MSS)
        self.told = 1 + (self.room >> path.shift << path.shift)
        if dice.random() < 0.5:
            path.silent_until = BEGIN + dice.random() * 20

    def hears(self, packet):
        """Take a segment, and mostly answer."""
        path, dice = self.path, self.path.dice
        at = (packet.seq - path.iss) & MASK32
        size = len(packet.payload)
        if size:
            assert size <= MSS
            assert at >= 1
            assert packet.payload == self.data[at - 1 : at - 1 + size]
            assert at + size <= max(self.told, self.next) + 1
            self.far.update(range(max(at, self.next), at + size))
        if "F" in packet.flags:
            assert at + size == SIZE + 1
            self.end = at + size
        while self.next in self.far:
            self.far.remove(self.next)
            self.next += 1
        if "forget" in self.moods and dice.random() < 0.05:
            self.far.clear()
        if size or "F" in packet.flags:
            if "lazy" not in self.moods or dice.random() < 0.5:
                self.answer()
            if "twice" in self.moods and dice.random() < 0.3:
                self.answer()
            # A receiver says sooner or later what it has.
            path.later(0.5, self.answer)

    def answer(self):
        """Acknowledge, with a window and blocks as the mood is."""
        path, dice = self.path, self.path.dice
        room = self.room
        if "shrink" in self.moods and dice.random() < 0.3:
            room = dice.randrange(room)
        if "close" in self.moods and dice.random() < 0.1:
            room = 0
            path.later(dice.random() * 3, self.answer)
        window = room >> path.shift
        ack = self.next
        if self.end is not None and self.next == self.end:
            ack += 1
        options = path.stamp()
        blocks = self.blocks() if path.sack else []
        if blocks:
            options.append(("sack", *(n for pair in blocks for n in pair)))
        packet = path.packet("A", 1, ack, window, options=options)
        path.send(packet)
        self.told = max(self.told, ack + (window << path.shift))

    def blocks(self):
        """Return up to three SACK blocks in numbers of the wire."""
        found, dice = [], self.path.dice
        for number in sorted(self.far):
            if found and found[-1][1] == number:
                found[-1][1] += 1
            else:
                found.append([number, number + 1])
        dice.shuffle(found)
        if "lie" in self.moods and dice.random() < 0.3:
            left = dice.randrange(-SIZE, 2 * SIZE)
            found.insert(0, [left, left + dice.randrange(-2000, 4000)])
        iss = self.path.iss
        return [
            ((iss + left) & MASK32, (iss + right) & MASK32) for left, right in found[:3]
        ]


@pytest.mark.parametrize("seed", seeds(24))
def test_all_data_arrives_whole_and_within_the_window(family, seed):
    peer = Receiver(seed, family)
    path, left = peer.path, [peer.data]

    def write():
        """Write what there is room for, in pieces of any size."""
        piece = path.dice.randrange(1, 20_000)
        taken = path.connection.write(left[0][:piece])
        left[0] = left[0][taken:]
        if left[0]:
            path.later(0.05, write)
        else:
            path.connection.close()

    write()
    assert path.run(BEGIN + LONGEST, lambda: peer.end is not None and peer.next > SIZE)
    assert path.packets < 40 * SIZE / MSS + 400
