"""I35 and more: any interleaving of packets and time, against the naive model.

After every step: the same packets went out, the same connections are in the same
states, the counts and the mode are the same; incomplete never exceeds high + 1, and
every connection has a timer.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.shield import (
    ACK,
    CLIENT,
    RST,
    SERVER,
    SYN,
    Shield,
    flags_of,
)
from tests.model.intercept import HALF_OPEN, Model

LOW, HIGH = 3, 5
# The count decides alone where the rate is beyond reach, and with it else.
RATES = ((LOW, 100_000), (6, 12))
CLIENTS = 10
KINDS = ("syn", "ack", "wrong_ack", "reset", "syn_ack", "refusal")


class Pair:
    """The engine and the model, and what each client knows."""

    def __init__(self, seed, rate):
        self.shield = Shield(
            seed=seed,
            synack="cache",
            learn_time=0,
            debug=0,
            max_incomplete__low=LOW,
            max_incomplete__high=HIGH,
            one_minute__low=rate[0],
            one_minute__high=rate[1],
        )
        self.model = Model((LOW, HIGH), rate)
        self.known = {}

    def place(self, client):
        """Let the shield's C be this client."""
        shield = self.shield
        shield.client, shield.p = shield.other(client), self.known.get(client)

    def segment(self, kind):
        """The packet of a step, and the side that it comes from."""
        shield = self.shield
        return {
            "syn": lambda: (shield.from_client(SYN, dseq=0), CLIENT),
            "ack": lambda: (shield.from_client(ACK), CLIENT),
            "wrong_ack": lambda: (shield.from_client(ACK, dack=7), CLIENT),
            "reset": lambda: (shield.from_client(RST), CLIENT),
            "syn_ack": lambda: (shield.from_server(SYN | ACK, dseq=0), SERVER),
            "refusal": lambda: (
                shield.from_server(RST | ACK, dseq=-shield.s),
                SERVER,
            ),
        }[kind]()

    def packet(self, kind, client):
        """One packet, to both; a client without an entry only ever sends a SYN."""
        model, now = self.model, round(self.shield.now * 1000)
        entry = model.entries.get(client)
        if kind != "syn" and (entry is None or entry.state == "CLOSING"):
            return
        if kind in {"syn_ack", "refusal"} and entry.state != "SYNSENT":
            return
        self.place(client)
        model.out = []
        model.advance(now)
        getattr(model, kind)(client, now)
        model.judge(now)
        sent = self.shield.give(*self.segment(kind))
        if self.shield.p is not None:
            self.known[client] = self.shield.p
        assert sorted(model.out) == sorted(flags_of(sent))

    def pass_time(self, ms):
        """Time goes on, stopping wherever the engine says that something is due."""
        model, shield = self.model, self.shield
        end = round(shield.now * 1000) + ms
        while True:
            due = shield.engine.next_deadline()
            now = end if due is None else min(max(round(due * 1000), 0), end)
            shield.now = max(shield.now, now / 1000)
            model.out = []
            model.advance(now)
            model.judge(now)
            shield.engine.handle_timer(now / 1000)
            assert sorted(model.out) == sorted(flags_of(shield.taken()))
            later = shield.engine.next_deadline()
            if now >= end and (later is None or later * 1000 > end):
                return

    def compare(self):
        """What stands in both."""
        model, shield = self.model, self.shield
        now = round(shield.now * 1000)
        rows = shield.engine.connections()
        found = {row.client.address: row.state.name for row in rows}
        assert {
            shield.other(client): entry.state for client, entry in model.entries.items()
        } == found
        told = shield.engine.statistics(shield.now)
        assert model.incomplete() == told.incomplete
        assert sum(state in HALF_OPEN for state in found.values()) == told.incomplete
        assert told.incomplete <= HIGH + 1
        assert model.rate(now) == told.one_minute
        assert model.aggressive == told.aggressive
        assert all(row.deadline is not None for row in rows)
        stats = shield.engine.stats()
        evicted = stats["ended_evicted_count"] + stats["ended_evicted_rate"]
        assert model.evicted == evicted


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(KINDS), st.integers(1, CLIENTS)),
        st.tuples(st.just("time"), st.sampled_from([1, 150, 499, 1000, 7777, 31_000])),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.binary(min_size=1, max_size=4), st.sampled_from(RATES))
def test_I35_any_interleaving_follows_the_model(steps, seed, rate):
    """The engine is the model, only faster."""
    pair = Pair(seed, rate)
    for kind, value in steps:
        if kind == "time":
            pair.pass_time(value)
        else:
            pair.packet(kind, value)
        pair.compare()
