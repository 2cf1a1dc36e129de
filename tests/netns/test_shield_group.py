"""The shield's programs as a machine of a group, run on packets that they are given.

Every other engine redeems their cookies, and they those of every other, at the edges of
epochs and with all of the allowed skew; see tools/group_machines.py.  And who sends
their SYNs, for a fleet to know and to block.
"""

from __future__ import annotations

import itertools
import os
import time

import pytest
from group_machines import (
    CASES,
    ENGINES,
    LIFETIME,
    MASTERS,
    SKEW,
    TUNABLES,
    WALL,
    handshake,
)
from shield_rig import MODE, TC_DROP, TC_REDIRECT, WSCALE, XDP_DROP, XDP_TX
from test_shield_programs import linux_syn

from syncache import Sysctl
from syncache._core import shield as core
from syncache.keyring import DerivedKeyring
from syncache.links.link import LinkError
from syncache.links.shield_config import ShieldConfig
from syncache.links.shield_counters import processors
from syncache.links.shield_sources import ShieldSources

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)
LATE_SECONDS = 0.1  # less than the margin between the skew and the engine's
ERRORS = (-SKEW / 2, SKEW / 2 + 0.0004)
PLACES = {4: "203.0.113.0/24", 6: "2001:db8::/48"}
BLOCKS = {4: ["203.0.113.0/24", "2001:db8:1::/48"], 6: ["2001:db8::/48"]}


class KernelShield:
    """The programs, whose monotonic clock is the kernel's."""

    def __init__(self, rig, error, give):
        self.rig, self.error, self.port = rig, error, rig.port
        self._give = give
        shared = {name: TUNABLES[name] for name in TUNABLES if ".x." in name}
        self._sysctl = Sysctl(shared | {MODE: "always"})

    def _at(self, wall, act):
        """Do something at this time of the wall clock; again, if we were put aside."""
        while True:
            now = time.monotonic()
            offset = wall + self.error - now
            keys = DerivedKeyring(MASTERS, wall_offset=offset, group="web")
            self.rig.config = ShieldConfig(self._sysctl, keys, WSCALE, now)
            self.rig.write()
            found = act()
            if time.monotonic() - now < LATE_SECONDS:
                return found

    def syn(self, packet, wall):
        run = self._at(wall, lambda: self._give(packet))
        assert run.verdict in {XDP_TX, TC_REDIRECT}, self.rig.counters()
        return run.packet[14:]

    def ack(self, packet, wall):
        return bool(self._at(wall, lambda: self._redeem(packet)))

    def _redeem(self, packet):
        self.rig.counters()
        self.rig.tc(packet)
        counted = self.rig.counters()
        self.rig.protect()  # a test run has no listener to assign to: it was refused
        return counted.get("cookie_good") == 1 and "ts_refused" not in counted


def lost(one, other, family):
    """Return the cases in which a cookie of one is not redeemed by the other."""
    wall, port, found = WALL, 2000, []
    for (at, delay), rich in itertools.product(CASES, (False, True)):
        wall += 4 * LIFETIME
        port += 1
        if not handshake(one, other, wall + at, delay, family, port, rich):
            found.append((at, delay, rich))
    return found


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("give", ["xdp", "skb"])
@pytest.mark.parametrize("kind", ENGINES)
def test_programs_and_engines_redeem_each_others_cookies(rig, kind, give, family):
    """At the edges of epochs, with all of the skew either way."""
    for error in ERRORS:
        ours = KernelShield(rig, error, getattr(rig, give))
        theirs = [ENGINES[kind](WALL - 5000.25, -error, rig.port) for _ in range(2)]
        assert [] == lost(ours, theirs[0], family)
        assert [] == lost(theirs[1], ours, family)


@pytest.mark.parametrize("family", [4, 6])
def test_programs_redeem_the_cookies_of_programs(rig, family):
    """Two machines with shields."""
    for error in ERRORS:
        one = KernelShield(rig, error, rig.xdp)
        other = KernelShield(rig, -error, rig.skb)
        assert [] == lost(one, other, family)


@pytest.mark.parametrize("family", [4, 6])
def test_syns_of_blocked_networks_are_dropped_and_nothing_else(rig, family):
    """In XDP and in tc, with a template and without."""
    sources = ShieldSources(rig.object.maps, processors())
    syns = [linux_syn(rig, family), linux_syn(rig, family, options_bytes=b"")]
    for networks in (BLOCKS[family], [], BLOCKS[10 - family][-1:]):
        sources.block(networks)
        rig.config.is_blocking = sources.blocks
        rig.write()
        dropped = networks is BLOCKS[family]
        for syn in syns:
            rig.counters()
            assert (XDP_DROP if dropped else XDP_TX) == rig.xdp(syn.packet()).verdict
            assert (TC_DROP if dropped else TC_REDIRECT) == rig.skb(
                syn.packet()
            ).verdict
            assert (2 if dropped else 0) == rig.counters().get("blocked", 0)
    sources.block(BLOCKS[4])
    assert not ShieldSources(rig.object.maps, processors()).blocks  # of a pinned map


@pytest.mark.parametrize("family", [4, 6])
def test_sample_has_the_sources_of_answered_syns(rig, family):
    """One in 64 of them, by network, address and port."""
    sources = ShieldSources(rig.object.maps, processors())
    count = 64 * 40
    for seq in range(count):
        rig.xdp(linux_syn(rig, family, seq=seq).packet())
    counted = sources.counted()
    assert count / 4 < counted.total < 4 * count  # 40 are expected, at 6.3 a deviation
    assert [(PLACES[family], counted.total)] == counted.asking
    (asked,) = counted.asked
    assert (linux_syn(rig, family).dst, rig.port) == asked[:2]
    assert (0, [], []) == (
        sources.counted().total,
        sources.counted().asked,
        sources.counted().asking,
    )


def test_sample_is_bounded_however_many_there_were(rig):
    """The last ones are there."""
    sources = ShieldSources(rig.object.maps, processors())
    packets = [linux_syn(rig, 4, seq=seq).packet() for seq in range(1000)]
    for number in range(64 * 2 * core.SAMPLES * processors()):
        rig.xdp(packets[number % 1000])
    kept = core.SAMPLED * core.SAMPLES
    assert kept <= sources.counted().total <= kept * processors()


def test_networks_beyond_the_room_are_one_line(rig):
    """What is blocked by then stays."""
    sources = ShieldSources(rig.object.maps, processors())
    with pytest.raises(LinkError, match="no room for 65 networks"):
        sources.block([f"10.0.{number}.0/24" for number in range(65)])
    sources.block(())
    assert not sources.blocks
