"""Tests of `Stats`: reading, differences, the text of netstat."""

from __future__ import annotations

import pytest

from syncache import Reason, Stats
from syncache.stats import COUNTERS

SIZE = len(COUNTERS) + len(Reason)
NUMBERED = Stats.of_counters(tuple(range(SIZE)))


def stats(**named):
    zero = Stats.of_counters((0,) * SIZE)
    return Stats(
        **{name: getattr(zero, name) for name in COUNTERS} | named, verdicts={}
    )


def test_counters_are_read_in_order():
    """The first is sc_added, verdicts follow the last."""
    last = list(COUNTERS)[-1]
    assert (0, len(COUNTERS) - 1) == (NUMBERED.sc_added, getattr(NUMBERED, last))
    assert len(COUNTERS) == NUMBERED.verdicts[Reason(0)]
    assert SIZE - 1 == NUMBERED.verdicts[Reason.DROP_RST_LIMIT]


def test_wrong_number_of_counters_raises():
    """A structure of another version is not read."""
    with pytest.raises(ValueError, match="zip"):
        Stats.of_counters((0,) * (SIZE + 1))


def test_delta_subtracts_everything():
    """What was counted since, verdicts included."""
    earlier = Stats.of_counters(tuple(range(SIZE)))
    later = Stats.of_counters(tuple(3 * i for i in range(SIZE)))
    expected = Stats.of_counters(tuple(2 * i for i in range(SIZE)))
    assert expected == later.delta(earlier)


def test_as_dict_has_every_counter_and_verdict():
    """Flat, by name."""
    flat = NUMBERED.as_dict()
    assert SIZE == len(flat)
    assert SIZE - 1 == flat["DROP_RST_LIMIT"]


FREEBSD = """\
\t0 syncache entries added
\t\t1 retransmitted
\t\t2 dupsyn
\t\t3 dropped
\t\t4 completed
\t\t5 bucket overflow
\t\t6 cache overflow
\t\t7 reset
\t\t8 stale
\t\t9 aborted
\t\t10 badack
\t\t11 unreach
\t\t12 zone failures
\t13 cookies sent
\t14 cookies received
\t15 cookies spurious
\t16 cookies failed
"""


def test_netstat_freebsd():
    """The block of netstat -s, words and tabs."""
    assert FREEBSD == NUMBERED.netstat("freebsd")


def test_netstat_intime():
    """4.x printed no cookies sent, and indented those received twice."""
    lines = FREEBSD.splitlines(keepends=True)[:13]
    assert "".join(lines) + "\t\t14 cookies received\n" == NUMBERED.netstat("intime")


def test_netstat_ours_follow_freebsds():
    """The default adds our own counters."""
    text = NUMBERED.netstat()
    assert text.startswith(FREEBSD)
    assert "\t25 evicted\n\t26 purged\n\t27 cookie only synacks\n" in text


def test_netstat_one_is_singular():
    """1 entry, 1 failure, 1 cookie."""
    text = stats(sc_added=1, sc_zonefail=1, sc_sendcookie=1).netstat("freebsd")
    for line in ("\t1 syncache entry added\n", "\t1 zone failure\n", "1 cookie sent\n"):
        assert line in text


def test_netstat_without_zeroes():
    """-ss leaves out what is zero."""
    assert "\t\t2 dupsyn\n" == stats(sc_dupsyn=2).netstat(zeroes=False)
    assert "\t3 evicted\n" == stats(evicted=3).netstat(zeroes=False)


def test_libxo_keys_are_freebsds():
    """Its spelling included."""
    keys = NUMBERED.libxo()
    assert 17 == len(keys)
    assert (0, 14) == (keys["entries-added"], keys["receivd-cookies"])
