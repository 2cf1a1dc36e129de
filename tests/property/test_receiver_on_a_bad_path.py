"""A peer's data arrives whole, whatever pieces and order it comes in.

The peer sends pieces of any size, twice, overlapping, out of order, now and then beyond
the window, and its end before its data.  We acknowledge only what was sent, move no
number and no edge back (RFC 9293 3.8.6.2.1), report no block that was not sent, and the
application reads the same bytes, then the end.

SYNCACHE_FUZZ_SEEDS=5000 pytest tests/property/test_receiver_on_a_bad_path.py
"""

from __future__ import annotations

import pytest
from bad_path import BEGIN, IRS, MASK32, Path, content, seeds

from syncache import events
from tests.model import option

SIZE = 60_000
MSS = 1000
LONGEST = 900.0


class Sender:
    """A peer that sends its data again and again until all is acknowledged."""

    def __init__(self, seed, family):
        sysctl = {"net.inet.tcp.recvspace": [4096, 16384, 65536][seed % 3]}
        self.path = path = Path(seed, family, self.hears, sysctl=sysctl)
        self.data = content(SIZE)
        self.una, self.edge, self.sent = 1, 1, 1
        self.ack = self.right = 0  # as the stack has told them
        path.open(mss=MSS)
        path.leaves = self.told
        self.shift = path.connection.conn.rcv_wscale or 0
        path.later(0, self.go_on)

    def told(self, packet):
        """Take a segment that leaves: nothing in it moves back."""
        ack = (packet.ack - IRS) & MASK32
        edge = ack + (packet.window << self.shift)
        assert self.ack <= ack <= self.sent
        assert self.right <= edge
        self.ack, self.right = ack, edge
        blocks = next((o for o in option.decode(packet.options) if o[0] == "sack"), ())
        for number in blocks[1:]:
            assert 0 < (number - IRS) & MASK32 <= self.sent

    def hears(self, packet):
        """Take an ACK that came through."""
        ack = (packet.ack - IRS) & MASK32
        self.una = max(self.una, ack)
        self.edge = max(self.edge, ack + (packet.window << self.shift))

    def go_on(self):
        """Send some pieces, most of them new or not yet acknowledged."""
        path, dice = self.path, self.path.dice
        if self.una > SIZE + 1:
            return
        for _ in range(dice.randrange(1, 6)):
            at = dice.choice([self.una, self.una, self.sent, dice.randrange(1, SIZE)])
            at = min(max(1, at), SIZE + 1, self.sent)
            size = dice.choice([1, 10, 536, MSS])
            room = max(0, self.edge - at)
            if dice.random() < 0.9:
                size = min(size, room)
            piece = self.data[at - 1 : at - 1 + size]
            flags = "A"
            if at + len(piece) == SIZE + 1 and dice.random() < 0.7:
                flags = "AF"
            if not piece and flags == "A" and room:
                continue
            self.sent = max(self.sent, at + len(piece) + ("F" in flags))
            path.send(path.packet(flags, at, 1, 5000, payload=piece))
        path.later(dice.choice([0.0, 0.01, 0.1, 0.3]), self.go_on)


@pytest.mark.parametrize("seed", seeds(24))
def test_data_is_read_whole_and_no_number_moves_back(family, seed):
    peer = Sender(seed, family)
    path = peer.path
    got, ended = bytearray(), []

    def read():
        """Read now and then, as much as the mood is."""
        got.extend(path.connection.read(path.dice.choice([1, 700, 5_000, 100_000])))
        while (event := path.stack.next_event()) is not None:
            if isinstance(event, events.EndOfStream):
                ended.append(event)
        path.later(path.dice.choice([0.01, 0.1, 0.5]), read)

    read()
    assert path.run(BEGIN + LONGEST, lambda: bool(ended) and len(got) == SIZE)
    assert bytes(got) == peer.data
