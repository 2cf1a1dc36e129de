"""syncache/links/shield_counters.py: what the programs count, under other names."""

from __future__ import annotations

import pytest

from syncache import Reason
from syncache._core import shield as core
from syncache.links import shield_counters
from syncache.links.link import LinkError
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


def test_machine_without_sysfs_is_told(monkeypatch, tmp_path):
    """A container may have none."""
    monkeypatch.setattr(shield_counters, "POSSIBLE", tmp_path / "possible")
    ask = shield_counters.processors.__wrapped__
    with pytest.raises(LinkError, match="sysfs has to be mounted at /sys"):
        ask()
    for text, count in (("0\n", 1), ("0-3\n", 4), ("0,2-5\n", 6), ("0,7\n", 8)):
        shield_counters.POSSIBLE.write_text(text)
        assert count == ask()
