"""Tests of the middlebox tunables: Cisco's names, defaults and pairs."""

import pytest

from syncache import Sysctl
from syncache.tunables import KNOBS
from syncache.tunables.flow import FLOW, FLOW_NOT_ABOVE

INTERCEPT = "net.inet.tcp.intercept."


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("list", ""),
        ("mode", "intercept"),
        ("drop_mode", "oldest"),
        ("watch_timeout", 30),
        ("finrst_timeout", 5),
        ("connection_timeout", 86_400),
        ("max_incomplete.low", 900),
        ("max_incomplete.high", 1100),
        ("one_minute.low", 900),
        ("one_minute.high", 1100),
        ("rexmt_initial_ms", 1000),
        ("rexmt_limit", 4),
        ("aggressive_divisor", 2),
        ("rate_method", "sliding"),
        ("evict_rst", "auto"),
        ("watch_reset", "server"),
        ("options", "learn"),
        ("reset_client_on_giveup", "validated"),
        ("synack", "cache"),
        ("unknown", "drop"),
        ("learn_time", 60),
    ],
)
def test_intercept_default_is_the_original_one(name, default):
    """An operator who sets nothing gets what the manual says."""
    assert default == Sysctl()[INTERCEPT + name]


@pytest.mark.parametrize("name", ["watch_timeout", "finrst_timeout"])
def test_seconds_end_where_signed_milliseconds_do(name):
    """The original's timers are 32-bit milliseconds."""
    knob = KNOBS[INTERCEPT + name]
    assert (1, 2_147_483) == knob.legal
    assert knob.to_c(2_147_483) < 2**31


@pytest.mark.parametrize("pair", ["max_incomplete", "one_minute"])
def test_pair_changes_in_one_transaction(pair):
    """A low above its high is refused with both values; equal is legal."""
    low, high = f"{INTERCEPT}{pair}.low", f"{INTERCEPT}{pair}.high"
    sysctl = Sysctl()
    with pytest.raises(ValueError, match=r"low is 1200.*high, which is 1000"):
        sysctl.update({low: 1200, high: 1000})
    assert (900, 1100) == (sysctl[low], sysctl[high])
    sysctl.update({low: 1200, high: 1200})
    assert (1200, 1200) == (sysctl[low], sysctl[high])


def test_every_knob_is_in_the_registry_and_of_a_middlebox():
    """The tables are joined, and no field goes to the half-open side."""
    assert set(FLOW) <= set(KNOBS.values())
    assert all(knob.engine != "syncache" for knob in FLOW)
    for low, _, high, _ in FLOW_NOT_ABOVE:
        assert KNOBS[low].default <= KNOBS[high].default


def test_preset_intercept_is_the_original():
    """The manual's numbers, and what the original knows nothing better than."""
    sysctl = Sysctl()
    sysctl.preset("intercept-article")
    sysctl.preset("intercept")
    assert {"mode": "intercept", "drop_mode": "oldest", "options": "cisco"} == {
        name: sysctl[INTERCEPT + name] for name in ("mode", "drop_mode", "options")
    }
    assert (900, 1100, 86_400) == (
        sysctl[INTERCEPT + "one_minute.low"],
        sysctl[INTERCEPT + "one_minute.high"],
        sysctl[INTERCEPT + "connection_timeout"],
    )


def test_preset_article_has_its_values():
    """1200/1500, an hour, random."""
    sysctl = Sysctl()
    sysctl.preset("intercept-article")
    for pair in ("max_incomplete", "one_minute"):
        ends = [sysctl[f"{INTERCEPT}{pair}.{end}"] for end in ("low", "high")]
        assert [1200, 1500] == ends
    assert 3600 == sysctl[INTERCEPT + "connection_timeout"]
    assert "random" == sysctl[INTERCEPT + "drop_mode"]
