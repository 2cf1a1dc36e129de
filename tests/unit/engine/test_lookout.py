"""syncache/lookout.py: an engine seen once a second."""

from __future__ import annotations

import json

import pytest

from syncache import AccessList, Inspection, Intercept, Ring, Syncache
from syncache.acl import permit
from syncache.lookout import HISTORY_LOOKS, RATES, STILL_SECONDS, Lookout, rates_of
from syncache.segment import SYN, Segment


def flood(lookout, count, take=lambda ring: None):
    """Show a lookout SYNs from as many prefixes."""
    ring = Ring(64)
    for number in range(count):
        syn = Segment(
            src=f"10.{number >> 8 & 255}.{number & 255}.1",
            dst="192.0.2.1",
            sport=1024,
            dport=80,
            flags=SYN,
        )
        ring.push(syn.packet())
        if len(ring) == 64 or number == count - 1:
            lookout.attempts.look(ring)
            take(ring)
            ring.clear()


def test_flooded_engine_raises_an_alarm_and_shows_who_is_asked():
    """From the rings to the line, through the engine's own counters."""
    engine = Syncache(seed=bytes(16))
    engine.listen(80, "192.0.2.1")
    lookout = Lookout(engine)
    tx = Ring(64)

    def take(ring):
        engine.burst(ring, tx, 0.5)
        tx.clear()

    assert [] == lookout.look(0.0)
    flood(lookout, 2000, take)
    assert [] == lookout.look(0.5)  # not due
    (alarm,) = lookout.look(1.0)
    assert "SYN flood on 192.0.2.1:80: 2,000 SYNs in 1 s" in alarm.text
    shown = lookout.snapshot(1.5, history=True)
    assert 2000 == shown["rates"]["syns"]
    assert [list(shown["rates"].values())] == shown["history"]
    assert ["192.0.2.1", 80, 2000] == shown["attempts"]["asked"][0][:3]
    assert shown["tables"]["half-open"][0] > 0
    assert ["192.0.2.1:80"] == shown["floods"]
    assert alarm.text == shown["alarms"][0]["text"]
    json.dumps(shown)


def test_alarm_of_a_look_that_a_snapshot_made_is_not_lost():
    """`syncache top` asks when it likes, and the log has the line all the same."""
    lookout = Lookout(Syncache(seed=bytes(16)))
    assert [] == lookout.look(0.0)
    flood(lookout, 2000)
    assert 1 == len(lookout.snapshot(1.0)["alarms"])
    (alarm,) = lookout.look(1.1)
    assert "flood" == alarm.kind
    assert [] == lookout.look(1.2)


@pytest.mark.parametrize("engine", [Intercept(acl=None), Inspection()])
def test_middlebox_has_its_sessions_and_thresholds(engine):
    """And the counters of its links."""
    lookout = Lookout(engine, lambda: {"outside_kernel_dropped": 7, "outside_sent": 1})
    shown = lookout.snapshot(1.0)
    assert {"sessions", "half-open", "a minute"} == set(shown["tables"])
    assert 7 == shown["links"]["outside_kernel_dropped"]
    assert "calm" == shown["state"]
    json.dumps(shown)


def test_tables_of_the_owner_are_shown():
    """Such as a stack's connections."""
    engine = Syncache(seed=bytes(16))
    lookout = Lookout(engine, tables=lambda: {"connections": (1, 2)})
    assert {"connections": (1, 2), "half-open": (0, 15360)} == (
        lookout.snapshot(1.0)["tables"]
    )


def test_history_is_bounded():
    """Two minutes."""
    lookout = Lookout(Syncache(seed=bytes(16)))
    for second in range(2 * HISTORY_LOOKS):
        lookout.look(float(second))
    assert HISTORY_LOOKS == len(lookout.snapshot(1e6, history=True)["history"])


def test_rates_add_up_the_counters_of_a_kind():
    """Whole names, and all that begin or end so."""
    now = {"requests": 10, "verdict_drop_a": 4, "verdict_drop_b": 2}
    now |= {"inside_kernel_dropped": 8, "sc_added_more": 99}
    rates = rates_of(dict.fromkeys(now, 0), now, 2.0)
    assert set(RATES) == set(rates)
    assert (5, 3, 4) == (rates["syns"], rates["dropped"], rates["ring-lost"])


def test_alerts_of_the_engine_are_among_the_last_alarms():
    """The newest first, whoever said it."""
    lookout = Lookout(Inspection())
    lookout.note(1.0, "alert_on", "getting aggressive")
    lookout.note(2.0, "alert_off", "calming down")
    alarms = lookout.snapshot(4.0)["alarms"]
    assert [("alert_off", 2.0), ("alert_on", 3.0)] == [
        (alarm["kind"], alarm["ago"]) for alarm in alarms
    ]


class Shield:
    """As much of one as is looked at."""

    def __init__(self):
        self.stats = Syncache(seed=bytes(16)).stats
        self.sysctl = {}


def test_shield_has_rates_and_a_state_but_no_table():
    """Its packets are the kernel's."""
    shown = Lookout(Shield()).snapshot(1.0)
    assert ("shield", {}, "calm") == (shown["engine"], shown["tables"], shown["state"])


def intercept(seed):
    return Intercept(acl=AccessList("all", [permit()]), seed=seed)


@pytest.mark.parametrize("make", [Syncache, intercept, Inspection])
def test_look_before_which_nothing_was_counted_reads_no_counters(make, monkeypatch):
    """And the history has its seconds all the same."""
    lookout = Lookout(make(seed=b"s" * 16))
    read = []
    ask = Lookout.counters
    monkeypatch.setattr(
        lookout, "counters", lambda now: read.append(now) or ask(lookout, now)
    )
    for now in range(3):
        assert [] == lookout.look(float(now))
    assert [0.0, 1.0] == read  # the first one has nothing to compare with
    assert lookout.rests
    assert [] == lookout.look(6.0)
    assert 2 == len(read)
    mark = lookout.snapshot(6.0, history=True)["mark"]
    assert {"mark": mark} == lookout.snapshot(7.0, mark=mark)
    assert 7 == len(lookout.snapshot(7.0, history=True)["history"])
    lookout.look(7.0 + STILL_SECONDS)  # limits may be others by now
    assert not lookout.rests
    assert mark != lookout.snapshot(7.0 + STILL_SECONDS, mark=mark)["mark"]


def test_flood_after_a_rest_is_told_a_second_after_it_began():
    """The seconds without packets do not thin it out."""
    engine = Syncache(seed=bytes(16))
    engine.listen(80, "192.0.2.1")
    lookout = Lookout(engine)
    for now in range(3):
        lookout.look(float(now))
    assert lookout.rests
    lookout.rouse(9.5)
    flood(lookout, 700, lambda ring: engine.burst(ring, Ring(64), 9.6))
    (alarm,) = lookout.look(10.5)
    assert "700 SYNs in 1 s" in alarm.text
    assert not lookout.rests
    assert [] == lookout.look(11.5)
    assert not lookout.rests  # its end has still to be told
    told = [alarm.kind for now in range(12, 19) for alarm in lookout.look(now + 0.5)]
    assert (["flood_over"], True) == (told, lookout.rests)
