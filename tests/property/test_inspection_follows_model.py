"""The engine and the hundred-line model of it agree after every step."""

from __future__ import annotations

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.conformance.inspect_pair import (
    CLIENTS,
    PORTS,
    SERVERS,
    TCP_STEPS,
    Pair,
    settings_of,
)

CLIENT = st.integers(0, CLIENTS - 1)
PORT = st.integers(0, PORTS - 1)
SERVER = st.integers(0, SERVERS - 1)
STEP = st.sampled_from(("request", "answer"))


class Inspected(RuleBasedStateMachine):
    """Segments, datagrams, echoes and time in any order."""

    @initialize(seed=st.integers(0, 2**32), family=st.sampled_from((4, 6)))
    def begin(self, seed, family):
        self.pair = Pair(settings_of(random.Random(seed)), family)

    @rule(step=st.sampled_from(TCP_STEPS), client=CLIENT, port=PORT, server=SERVER)
    def tcp(self, step, client, port, server):
        self.pair.tcp(step, client, port, server)

    @rule(client=CLIENT, port=PORT, server=SERVER)
    def handshake(self, client, port, server):
        for step in ("syn", "syn_ack", "ack"):
            self.pair.tcp(step, client, port, server)

    @rule(step=STEP, client=CLIENT, port=PORT, server=SERVER, dns=st.booleans())
    def datagram(self, step, client, port, server, dns):
        self.pair.datagram(step, client, port, server, dns=dns)

    @rule(step=STEP, client=CLIENT, port=PORT, server=SERVER)
    def ping(self, step, client, port, server):
        self.pair.ping(step, client, port, server)

    @rule(ms=st.one_of(st.integers(0, 3000), st.integers(0, 70_000)))
    def pass_time(self, ms):
        self.pair.pass_time(ms)

    @invariant()
    def both_tell_the_same(self):
        if hasattr(self, "pair"):
            self.pair.check()


Inspected.TestCase.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None
)
test_inspection_follows_model = Inspected.TestCase
