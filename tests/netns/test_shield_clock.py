"""Cookies under way while the clock of a shield, or the keys of its group, change.

The kernel runs the programs on packets that it is given (tools/shield_rig.py).  Needs
root itself.
"""

from __future__ import annotations

import os
import time
from contextlib import closing

import pytest
from shield_rig import TC_NEXT, WALL, XDP_PASS, XDP_TX, Rig
from test_shield_programs import answer, linux_syn, minted

from syncache import Keyring
from syncache._core import shield as core
from syncache.keyring import Master

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)


@pytest.fixture
def rig(programs):
    with closing(Rig(programs=programs, cookie_ts="off")) as made:
        yield made


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("change", ["forward", "back", "aside", "home"])
@pytest.mark.parametrize("period", [0, 1])
def test_cookie_outlives_a_change_of_the_clock(rig, family, change, period):
    """It is set, or nobody is to have this machine's keys for a while."""
    rig.retune(WALL + period * rig.lifetime, cookie_ts="off")
    keys = rig.keys
    if change == "home":
        rig.rekey(keys.aside())
    segment = linux_syn(rig, family)
    last = answer(segment, minted(rig, segment)).packet()
    others = {
        "forward": lambda: keys.at(keys.wall_offset + 7 * 3600),
        "back": lambda: keys.at(keys.wall_offset - 1000.5),
        "aside": keys.aside,
        "home": lambda: keys,
    }
    rig.rekey(others[change]())
    for expected in ("cookie_good", "cookie_bad"):
        rig.counters()
        rig.tc(last)
        rig.protect()
        assert expected in rig.counters()
        assert XDP_TX == rig.xdp(segment.packet()).verdict
        rig.put(former_ns=time.monotonic_ns())


def test_cookie_of_a_key_that_was_taken_out_is_none_any_more(rig):
    """Whatever the clock does: others may know it."""
    segment = linux_syn(rig, 4)
    last = answer(segment, minted(rig, segment)).packet()
    keys = rig.keys
    other = Keyring.derived((Master(2, 0, bytes(32)),), wall_offset=keys.wall_offset)
    rig.rekey(other)
    rig.counters()
    rig.tc(last)
    assert "cookie_bad" in rig.counters()


@pytest.mark.parametrize("family", [4, 6])
def test_cookie_grows_old_where_nobody_gives_keys(rig, family):
    """As those of a process that ended and left its programs, with an open gate."""
    rig.retune(WALL, cookie_ts="off", clock_skew_ms=0, cookie_gate="always")
    segment = linux_syn(rig, family)
    last = answer(segment, minted(rig, segment)).packet()
    for late in (1, 2, 3, 4, 5, 8):  # the slots are used again after four
        rig.age(late)
        rig.counters()
        rig.tc(last)
        rig.protect()
        counter = "cookie_good" if late == 1 else "cookie_bad"
        assert 1 == rig.counters()[counter], late


@pytest.mark.parametrize("family", [4, 6])
def test_slot_without_a_key_makes_and_takes_no_cookie(rig, family):
    """Anybody can make one of a key that was wiped; epoch 0 asks for those before."""
    parts = rig.config.parts
    parts.forget(set())
    wiped = parts._config.key[3]
    wiped.epoch = 3
    rig.put(epoch=3)
    segment = linux_syn(rig, family)
    forged = answer(segment, minted(rig, segment)).packet()
    wiped.epoch = core.NO_EPOCH
    rig.put(epoch=3)
    for give, passed in ((rig.xdp, XDP_PASS), (rig.skb, TC_NEXT)):
        rig.counters()
        assert passed == give(segment.packet()).verdict
        assert 1 == rig.counters()["no_key"]
    for epoch in (3, 4, 0):  # its own, the one behind it, and that of the first key
        if epoch != 3:
            parts.key(epoch, bytes(range(16)))
        rig.put(epoch=epoch)
        rig.counters()
        rig.tc(forged)
        assert {"ack": 1, "cookie_bad": 1} == rig.counters()
    parts.keep(time.monotonic_ns() + 10**12)  # nor when they are those of before
    rig.put(epoch=100)
    rig.tc(forged)
    assert {"ack": 1, "cookie_bad": 1} == rig.counters()
