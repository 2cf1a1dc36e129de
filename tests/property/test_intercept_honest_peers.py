"""An honest client and a live server, over links that lose, delay and duplicate.

Whatever becomes of single packets, beside a flood of SYNs from elsewhere: neither end
is reset, and once packets get through the request is answered.  The two ends are as
much of a TCP as that takes: one request, one answer, each sent again until it is
acknowledged, and a RST for what belongs to no connection.
"""

from __future__ import annotations

import heapq
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.shield import ACK, CLIENT, CPORT, PSH, RST, SERVER, SYN, Shield

REQUEST, ANSWER = b"request", b"answer"
BAD_UNTIL = 3.0
PATIENCE = 25.0


class Client:
    """Sends a SYN, then its request; asks about a closed window as Linux does."""

    def __init__(self, world):
        self.world, self.state, self.window = world, "SYN_SENT", 0
        self.wait, self.answered, self.reset = 1.0, False, False
        self.send()

    def send(self):
        """What there is to say now, and again later."""
        if self.answered or self.reset:
            return
        if self.state == "SYN_SENT":
            self.world.sends(CLIENT, SYN, dseq=0)
        elif self.window == 0:
            self.world.sends(CLIENT, ACK, dseq=0)
        else:
            self.world.sends(CLIENT, ACK | PSH, payload=REQUEST)
        self.world.later(self.wait, self.again, self.state)
        self.wait *= 2

    def again(self, state):
        """Its timer; that of another state is off."""
        if state == self.state:
            self.send()

    def receive(self, segment):
        """Take a segment, whose numbers count from what the SYN-ACK said."""
        if segment.flags & RST:
            self.reset = True
        elif self.state == "SYN_SENT":
            if segment.flags & SYN:
                self.state, self.wait, self.window = "OPEN", 0.2, segment.window
                self.world.p = segment.seq
                self.world.sends(CLIENT, ACK)
                self.world.later(self.wait, self.again, self.state)
        elif segment.flags & SYN:
            self.world.sends(CLIENT, ACK)
        else:
            opened = self.window == 0 and segment.window > 0
            self.window = segment.window
            self.answered |= segment.payload == ANSWER
            if opened:
                self.wait = 0.2
                self.send()


class Server:
    """Answers the request; what it knows nothing of, by a RST."""

    def __init__(self, world):
        self.world, self.state, self.reset = world, "LISTEN", False

    def repeat(self):
        """Its SYN-ACK, until that is acknowledged."""
        if self.state == "SYN_RCVD":
            self.world.sends(SERVER, SYN | ACK, dseq=0)
            self.world.later(1.0, self.repeat)

    def receive(self, segment):
        """Take a segment."""
        if segment.flags & RST:
            self.reset = True
        elif segment.flags & SYN:
            if self.state == "LISTEN":
                self.state = "SYN_RCVD"
                self.repeat()
        elif self.state == "LISTEN" or segment.ack != self.world.shield.s + 1:
            self.world.refuses(segment)
        else:
            self.state = "OPEN"
            answer = ANSWER if segment.payload == REQUEST else b""
            self.world.sends(SERVER, ACK, payload=answer, dack=1 + len(segment.payload))


class World:
    """Time, links, the engine, and a flood."""

    def __init__(self, random, shield):
        self.random, self.shield, self.p = random, shield, None
        self.events, self.order, self.strangers = [], count(), count(1)
        for _ in range(30):
            self.later(random.uniform(0, BAD_UNTIL), self.flood)
        self.server = Server(self)
        self.client = Client(self)

    def later(self, wait, action, *args):
        """Do it then."""
        when = self.shield.now + wait
        heapq.heappush(self.events, (when, next(self.order), action, args))

    def travels(self, action, *args):
        """One link: lost, late, twice, or as it should be."""
        bad = self.shield.now < BAD_UNTIL
        for _ in range(2 if bad and self.random.random() < 0.2 else 1):
            if not bad or self.random.random() > 0.3:
                late = self.random.random() if bad else 0
                self.later(0.001 + 0.3 * late**3, action, *args)

    def sends(self, side, flags, **members):
        """An end sends a segment."""
        shield = self.shield
        shield.p = self.p
        make = shield.from_client if side is CLIENT else shield.from_server
        self.travels(self.arrives, make(flags, **members), side)

    def refuses(self, segment):
        """The server's kernel does."""
        if segment.flags & ACK:
            number = segment.ack - self.shield.s
            self.sends(SERVER, RST, dseq=number, dport=segment.sport)

    def arrives(self, segment, side):
        """A segment at the engine."""
        self.leaves(self.shield.give(segment, side))

    def flood(self):
        """Another SYN, of a client that never comes back."""
        self.leaves(self.shield.many(1, first=next(self.strangers)))

    def leaves(self, sent):
        """What the engine sends; to others than these two it is lost."""
        for side, segment in sent:
            end = self.client if side is CLIENT else self.server
            if CPORT in {segment.sport, segment.dport}:
                self.travels(end.receive, segment)

    def run(self):
        """Until the answer is there, or patience ends."""
        while self.events and not self.client.answered:
            when, _, action, args = heapq.heappop(self.events)
            if when > PATIENCE:
                return
            for _, side, segment in self.shield.until(when):
                self.leaves([(side, segment)])
            action(*args)


@settings(max_examples=100, deadline=None)
@given(
    random=st.randoms(use_true_random=False),
    family=st.sampled_from((4, 6)),
    synack=st.sampled_from(("cache", "cookie", "auto")),
    learn_time=st.sampled_from((0, 60)),
)
def test_honest_client_is_served_whatever_the_links_do(
    random, family, synack, learn_time
):
    """Neither end is reset, and the answer comes once packets get through."""
    shield = Shield(
        family,
        synack=synack,
        learn_time=learn_time,
        max_incomplete__low=2,
        max_incomplete__high=4,
    )
    world = World(random, shield)
    world.run()
    assert (False, False, True) == (
        world.client.reset,
        world.server.reset,
        world.client.answered,
    )
