"""`Shield` without a kernel: counters, arguments.

What it does is in netns/test_shield.py.
"""

from __future__ import annotations

import pytest
from tidy import ROOT

from syncache import Reason
from syncache._core import shield as core
from syncache.links import LinkError
from syncache.links.shield import Shield, processors, stats_of


def test_counters_have_the_engines_names():
    """Where there is one of the same meaning."""
    counters = dict.fromkeys(core.COUNTERS, 0)
    counters |= {"synack": 5, "syn": 7, "ack": 9, "redeemed": 3, "bad_checksum": 2}
    counters |= {"again": 50, "replayed": 1, "queue_full": 4, "no_key": 6}
    stats = stats_of(counters)
    assert (5, 5, 16, 3) == (
        stats.sc_sendcookie,
        stats.sndacks,
        stats.rcvtotal,
        stats.accepts,
    )
    assert (4, 1, 4, 6) == (
        stats.sc_recvcookie,
        stats.replayed,
        stats.listendrop,
        stats.cookie_no_key,
    )
    assert 5 == stats.verdicts[Reason.REPLY_SYN_COOKIE]
    assert 2 == stats.verdicts[Reason.DROP_CHECKSUM]


def test_every_counter_is_explained():
    """By its name, in the page that says what passes."""
    page = (ROOT / "docs" / "shield.md").read_text()
    assert [] == [name for name in core.COUNTERS if f"`{name}`" not in page]


def test_there_is_at_least_one_processor():
    assert 1 <= processors()


def test_interface_that_is_not_there_is_one_line():
    with pytest.raises(LinkError, match="no interface syncache-none"):
        Shield("syncache-none")


def test_scale_that_is_none_is_refused():
    with pytest.raises(ValueError, match="wscale is 0 to 14, not 15"):
        Shield("lo", wscale=15)
