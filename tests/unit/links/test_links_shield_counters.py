"""syncache/links/shield_counters.py: what the programs count, under other names."""

from __future__ import annotations

from syncache import Reason
from syncache._core import shield as core
from syncache.links.shield_counters import processors, stats_of


def test_counters_have_the_engines_names():
    """Where there is one of the same meaning."""
    counters = dict.fromkeys(core.COUNTERS, 0)
    counters |= {"synack": 5, "syn": 7, "ack": 9, "redeemed": 3, "bad_checksum": 2}
    counters |= {
        "again": 50,
        "replayed": 1,
        "elsewhere": 2,
        "queue_full": 4,
        "no_key": 6,
    }
    stats = stats_of(counters)
    assert (5, 5, 16, 3) == (
        stats.sc_sendcookie,
        stats.sndacks,
        stats.rcvtotal,
        stats.accepts,
    )
    assert (6, 1, 4, 6) == (
        stats.sc_recvcookie,
        stats.replayed,
        stats.listendrop,
        stats.cookie_no_key,
    )
    assert 5 == stats.verdicts[Reason.REPLY_SYN_COOKIE]
    assert 2 == stats.verdicts[Reason.DROP_CHECKSUM]


def test_there_is_at_least_one_processor():
    assert 1 <= processors()
