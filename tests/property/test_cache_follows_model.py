"""The engine and the model, driven side by side by Hypothesis.

Invariant: whatever the packets, the clock, the tunables and the stack's answers, both
give the same verdict, the same reply bytes, the same counters and the same entries.

The model is tests/model: dictionaries and lists, written from the specification.
"""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from levels import share

from tests.property.twins import IRS, PEERS, Twins

pytestmark = pytest.mark.isa

OFFERS = (
    (("mss", 1460),),
    (),
    (("mss", 0),),
    (("mss", 8960), ("ws", 14)),
    (("mss", 1400), ("nop",), ("ws", 3), ("sack_ok",)),
    (("mss", 1460), ("sack_ok",), ("ts", 100, 0), ("ws", 7)),
    (("mss", 1380), ("ts", 0xFFFFFFF0, 0)),
)
TUNABLES: dict[str, tuple[int | str, ...]] = {
    "net.inet.tcp.syncookies": (0, 1),
    "net.inet.tcp.syncookies_only": (0, 1),
    "net.inet.tcp.syncache.rexmtlimit": (0, 1, 3, 12),
    "net.inet.tcp.syncache.rst_on_sock_fail": (0, 1),
    "net.inet.tcp.rexmit_initial": (200, 1000, 3000),
    "net.inet.tcp.rexmit_slop": (0, 200),
    "net.inet.tcp.rexmit_max": (64000, 2000),
    "net.inet.tcp.ecn.enable": (0, 2, 3),
    "net.inet.tcp.rfc1323": (0, 1, 2, 3),
    "net.inet.tcp.sack.enable": (0, 1),
    "net.inet.tcp.tolerate_missing_ts": (0, 1),
    "net.inet.tcp.insecure_rst": (0, 1),
    "net.inet.tcp.ack_war_cnt": (5, 0, 1),
    "net.inet.tcp.blackhole": (0, 1, 2, 3),
    "net.inet.ip.path_mtu_discovery": (0, 1),
    "net.inet.tcp.syncache.x.pause_age_ms": (1000, 100),
    "net.inet.tcp.syncache.x.ecn_in_cookie": (0, 1),
    "net.inet.tcp.syncache.x.dupsyn_limit": (8, 0, 1),
    "net.inet.tcp.syncache.x.cookie_ts": ("check", "off", "require"),
    "net.inet.tcp.syncache.x.failcookie_rst": (0, 1),
    "net.inet.tcp.syncache.x.secmod": (0, 7),
}
BOOT: dict[str, tuple[int | str, ...]] = {
    "net.inet.tcp.syncache.hashsize": (1, 4),
    "net.inet.tcp.syncache.bucketlimit": (1, 2, 5),
    "net.inet.tcp.syncache.cachelimit": (3, 100),
    "net.inet.tcp.syncache.x.pause_policy": ("age", "bucket", "none"),
    "net.inet.tcp.syncache.x.cookie_gate": ("endpoint", "bucket", "always"),
    "net.inet.tcp.syncache.x.cookie_layout": ("wide", "freebsd", "mss"),
    "net.inet.tcp.syncache.x.cookie_lifetime": (32, 15, 4),
    "net.inet.tcp.syncache.x.offer_timeout": (5, 0),
    "net.inet.tcp.syncache.x.overflow": ("evict", "evict", "drop-new"),
    "net.inet.tcp.syncache.x.replay_entries": (65536, 0),
}
STEPS_MS = (0, 4, 100, 1000, 1000, 2200, 5000, 15_000, 33_000, 300_000, 10**9)

peers = st.integers(0, PEERS - 1)
families = st.sampled_from((4, 4, 6))
windows = st.sampled_from((0, 1000, 65535))
payloads = st.sampled_from((b"", b"", b"data"))


class Machine(RuleBasedStateMachine):
    """Every rule acts on both twins, which compare what comes out."""

    twins: Twins

    @initialize(
        boot=st.fixed_dictionaries({k: st.sampled_from(v) for k, v in BOOT.items()}),
        preset=st.sampled_from((None, None, "freebsd", "intime")),
        known_max=st.sampled_from((64, 64, 2)),
    )
    def start(self, boot, preset, known_max):
        self.twins = Twins(boot, preset, known_max)

    @rule(
        peer=peers,
        family=families,
        opts=st.sampled_from(OFFERS),
        window=windows,
        isn=st.sampled_from((IRS, IRS, IRS + 77, 0xFFFFFFFF)),
        flags=st.sampled_from(("S", "S", "S", "SEW", "SEWN", "SE", "SF", "SPU")),
        mark=st.integers(0, 3),
        payload=payloads,
        lost=st.sampled_from((False,) * 7 + (True,)),
    )
    def syn(self, peer, family, opts, window, isn, flags, mark, payload, lost):
        self.twins.syn(
            peer,
            family,
            opts=opts,
            lost=lost,
            window=window,
            seq=isn,
            flags=flags,
            tos=mark,
            payload=payload,
        )

    @rule(
        peer=peers,
        family=families,
        window=windows,
        payload=payloads,
        dseq=st.sampled_from((0, 0, 0, 0, 0, -1, 1, 65534, 65535)),
        dack=st.sampled_from((0, 0, 0, 0, 0, -1, 1, 256)),
        ts=st.sampled_from((None, "fresh", "fresh", "stale", "odd")),
        old=st.integers(0, 3),
        flags=st.sampled_from(("A", "A", "AP", "AF")),
    )
    def ack(self, peer, family, window, payload, dseq, dack, ts, old, flags):
        self.twins.ack(
            peer,
            family,
            window=window,
            payload=payload,
            flags=flags,
            off=(dseq, dack),
            ts=ts,
            old=old,
        )

    @rule(
        peer=peers,
        family=families,
        dseq=st.sampled_from((0, 0, -1, 1, 1000, 65534, 65535)),
        flags=st.sampled_from(("R", "R", "RA", "SR")),
    )
    def rst(self, peer, family, dseq, flags):
        self.twins.rst(peer, family, dseq=dseq, flags=flags)

    @rule(
        peer=peers,
        family=families,
        flags=st.sampled_from(("", "F", "U", "SA", "SAF", "P")),
    )
    def odd(self, peer, family, flags):
        self.twins.odd(peer, family, flags=flags)

    @rule(peer=peers, family=families, dseq=st.sampled_from((0, 0, 0, 1)))
    def icmp(self, peer, family, dseq):
        self.twins.icmp(peer, family, dseq)

    @rule(step=st.sampled_from(STEPS_MS))
    def clock(self, step):
        self.twins.clock(step)

    @rule()
    def next_deadline(self):
        self.twins.clock_to_deadline()

    @rule(back=st.sampled_from((1, 5000)))
    def clock_goes_back(self, back):
        self.twins.clock_back(back)

    @rule(name=st.sampled_from(sorted(TUNABLES)), choice=st.integers(0, 11))
    def tune(self, name, choice):
        values = TUNABLES[name]
        self.twins.tune(name, values[choice % len(values)])

    @precondition(lambda self: self.twins.offers)
    @rule(ok=st.sampled_from((True, True, False)), which=st.integers(0, 63))
    def answer_offer(self, ok, which):
        self.twins.answer(which, ok=ok)

    @precondition(lambda self: self.twins.established)
    @rule(which=st.integers(0, 63))
    def close(self, which):
        self.twins.close(which)

    @rule(number=st.integers(0, 1))
    def toggle_listener(self, number):
        self.twins.toggle_listener(number)

    @invariant()
    def same_state(self):
        if hasattr(self, "twins"):
            self.twins.compare()


Machine.TestCase.settings = settings(
    max_examples=share(150),
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
TestCacheFollowsModel = Machine.TestCase
