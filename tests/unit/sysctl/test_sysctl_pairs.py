"""Tunables that come in pairs, and the number of their changes."""

from __future__ import annotations

import pytest

from syncache import Sysctl
from syncache.tunables import NOT_ABOVE

X = "net.inet.tcp.syncache.x."
FLOWS = ("net.inet.tcp.intercept.", "net.inet.inspect.")
# The lower one, and what of the higher one it may reach: times this, divided by that.
PAIRS = [
    ("net.inet.tcp.rexmit_min", "net.inet.tcp.rexmit_max", 1),
    ("net.inet.tcp.minmss", "net.inet.tcp.mssdflt", 1),
    ("net.inet.tcp.minmss", "net.inet.tcp.v6mssdflt", 1),
    (f"{X}clock_skew_ms", f"{X}cookie_lifetime", 500),
    ("net.inet.tcp.persmin", "net.inet.tcp.persmax", 1),
    *((f"{f}max_incomplete.low", f"{f}max_incomplete.high", 1) for f in FLOWS),
    *((f"{f}one_minute.low", f"{f}one_minute.high", 1) for f in FLOWS),
]


@pytest.mark.parametrize(("low", "high", "times"), PAIRS)
def test_lower_of_a_pair_reaches_the_higher_and_no_more(low, high, times):
    """Either may be the one that is set last, and both are named."""
    sysctl = Sysctl()
    top = 500
    sysctl.update({low: top * times, high: top})
    assert (top * times, top) == (sysctl[low], sysctl[high])
    for change in ({low: top * times + 1}, {high: top - 1}):
        with pytest.raises(ValueError, match="may not exceed") as refused:
            sysctl.update(change)
        assert low in str(refused.value)
        assert f"{high}, which is {change.get(high, top)}" in str(refused.value)
    assert (top * times, top) == (sysctl[low], sysctl[high])


@pytest.mark.parametrize("name", ["max_incomplete", "one_minute"])
def test_bound_of_0_is_above_every_other(name):
    """Where it means unlimited: such a low is not above a high that is so too."""
    low, high = (f"net.inet.inspect.{name}.{end}" for end in ("low", "high"))
    sysctl = Sysctl()
    with pytest.raises(ValueError, match=r"low is unlimited; it may not exceed .* 500"):
        sysctl[low] = 0
    sysctl[high] = 0
    sysctl[low] = 0
    sysctl[low] = 2**31 - 1
    with pytest.raises(ValueError, match="may not exceed"):
        sysctl[high] = 2**31 - 2
    sysctl[high] = 2**31 - 1


def test_every_pair_is_tried():
    """None stands in the tables untested."""
    assert {(low, high) for low, high, _ in PAIRS} == {
        (low, high) for low, _, high, _ in NOT_ABOVE
    }


def test_whoever_keeps_values_can_tell_that_one_changed():
    """By a number: it is another after each change."""
    sysctl = Sysctl()
    seen = [sysctl.changes]
    for value in (1, 2, 2):
        sysctl["net.inet.tcp.syncache.rexmtlimit"] = value
        seen.append(sysctl.changes)
    del sysctl["net.inet.tcp.syncache.rexmtlimit"]
    seen.append(sysctl.changes)
    assert len(seen) == len(set(seen))
