"""Tests of inspection's tunables: Cisco's names, defaults, bounds and pairs."""

import pytest

from syncache import Sysctl
from syncache.tunables import KNOBS
from syncache.tunables.inspect import INSPECT

INSPECTION = "net.inet.inspect."
PAIR = INSPECTION + "one_minute."


@pytest.mark.parametrize(
    ("name", "default", "legal"),
    [
        ("tcp.synwait_time", 30, (1, 2147483)),
        ("tcp.finwait_time", 5, (1, 2147483)),
        ("tcp.idle_time", 3600, (1, 2147483)),
        ("udp.idle_time", 30, (1, 2147483)),
        ("dns_timeout", 5, (1, 2147483)),
        ("icmp.idle_time", 10, (1, 2147483)),
        ("max_incomplete.low", 400, (0, 2147483647)),
        ("max_incomplete.high", 500, (0, 2147483647)),
        ("one_minute.low", 400, (0, 2147483647)),
        ("one_minute.high", 500, (0, 2147483647)),
        ("tcp.max_incomplete_host", 50, (0, 2147483647)),
        ("tcp.block_time", 0, (0, 35791)),
        ("alert", 1, (0, 1)),
        ("audit_trail", 0, (0, 1)),
        ("hashtable_size", 1024, (1024, 8192)),
        ("aggressive_evict", "nobody", ("per-new", "sweep", "nobody")),
        ("block_action", "cookie", ("drop", "cookie", "intercept", "evict")),
        ("block_clears", 0, (0, 1)),
        ("count_icmp", 0, (0, 1)),
        ("udp_halfopen_max_age", 0, (0, 2147483)),
        ("calm_check_interval", 1, (1, 3600)),
    ],
)
def test_inspection_default_and_bounds_are_the_original_ones(name, default, legal):
    """An operator who sets nothing gets what the manual says."""
    knob = KNOBS[INSPECTION + name]
    assert (default, legal) == (knob.default, knob.legal)


def test_every_tunable_belongs_to_inspection():
    """No other engine is handed one of them."""
    assert {"inspect"} == {knob.engine for knob in INSPECT}
    assert all(knob.name.startswith(INSPECTION) for knob in INSPECT)


def test_classic_preset_is_the_default_but_for_what_harms_honest_clients():
    """It writes out what holds anyway, and the block and the evictions of IOS."""
    sysctl = Sysctl()
    sysctl.preset("cbac-classic")
    changed = {
        name.removeprefix(INSPECTION): sysctl[name]
        for name in sysctl
        if sysctl[name] != Sysctl()[name]
    }
    assert {
        "block_action": "drop",
        "block_clears": 1,
        "aggressive_evict": "per-new",
        "tcp.stray_limit": 0,
        "tcp.silent_max": 0,
    } == changed


def test_modern_preset_limits_nothing():
    """Both pairs and the host limit are unlimited, and nothing else differs."""
    sysctl = Sysctl()
    sysctl.preset("cbac-modern")
    changed = {name for name in sysctl if sysctl[name] != Sysctl()[name]}
    tcp = "tcp.max_incomplete_host", "tcp.stray_limit", "tcp.silent_max"
    limits = "max_incomplete.low", "max_incomplete.high", *tcp
    expected = {INSPECTION + name for name in limits} | {PAIR + "low", PAIR + "high"}
    assert expected == changed
    assert {0} == {sysctl[name] for name in changed}


def test_low_above_high_is_refused_unless_high_is_unlimited():
    """A pair changes together; 0 bounds nothing."""
    sysctl = Sysctl()
    with pytest.raises(ValueError, match="may not exceed"):
        sysctl[PAIR + "low"] = 501
    sysctl.update({PAIR + "low": 700, PAIR + "high": 0})
    assert (700, 0) == (sysctl[PAIR + "low"], sysctl[PAIR + "high"])
    with pytest.raises(ValueError, match="may not exceed"):
        sysctl[PAIR + "high"] = 699
    sysctl[PAIR + "low"] = 0
    # Aggressive mode would never end: no number is below 0.
    with pytest.raises(ValueError, match=r"low is unlimited; it may not exceed"):
        sysctl[PAIR + "high"] = 699
