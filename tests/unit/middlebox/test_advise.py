"""The advisor's arithmetic: percentiles, what looks like an attack, proposals."""

from __future__ import annotations

import pytest

from syncache._core.inspect import Sample
from syncache.advise import (
    QUANTILE,
    Samples,
    Span,
    WhatIf,
    advise,
    age_ms,
    attacks,
    handshake_percentile,
    percentile,
)
from syncache.inspection import Inspection
from syncache.ios.config import read

NO_AGES = [0] * 64


def samples(*rows):
    """Samples of one a second: half-open, a minute's requests, the host's."""
    return [
        Sample(1000.0 + i, count, 0, 0, rate, False, host, "")
        for i, (count, rate, host) in enumerate(rows)
    ]


def test_equal_samples_in_a_row_are_one():
    """It stands for their seconds; a different one begins anew."""
    kept = Samples()
    for sample in samples(*steady(5), *steady(3, count=11)):
        kept.add(sample)
    assert [(1004.0, 10, 5), (1007.0, 11, 3)] == [
        (each.time, each.incomplete, each.seconds) for each in kept.all()
    ]


def test_memory_of_samples_is_bounded_and_keeps_the_highest():
    """Where there are more, two become one; no second and no peak is lost."""
    kept = Samples(most=8)
    for sample in samples(*((i % 7, 100 + i, i % 5) for i in range(1000))):
        kept.add(sample)
    found = kept.all()
    assert len(found) <= 8
    assert 1000 == sum(each.seconds for each in found)
    assert (6, 1099, 4) == tuple(
        max(getattr(each, name) for each in found)
        for name in ("incomplete", "one_minute", "host_count")
    )
    assert [each.time for each in found] == sorted(each.time for each in found)


def test_runs_of_samples_advise_as_single_seconds_do():
    """Also where an attack's margin cuts into one."""
    rows = [*steady(400), *steady(5, 900, 900, 90), *steady(300)]
    rows += [*steady(9, 12, 120), *steady(200)]
    kept = Samples()
    for sample in samples(*rows):
        kept.add(sample)
    assert len(kept.all()) == 5
    assert advise(samples(*rows), NO_AGES) == advise(kept.all(), NO_AGES)


def steady(seconds=600, count=10, rate=100, host=2):
    return [(count, rate, host)] * seconds


@pytest.mark.parametrize(
    ("at", "value"), [(0, 1), (50, 50), (95, 95), (99.9, 100), (100, 100)]
)
def test_percentiles_are_values_that_were_measured(at, value):
    """Of 1 to 100."""
    assert value == percentile(range(1, 101), at)


def test_a_percentile_of_nothing_is_zero():
    """There is nothing to exceed."""
    assert 0 == percentile([], 50)


def test_ages_are_the_upper_bounds_of_their_counters():
    """Four to an octave, exact below 4 ms."""
    assert [1, 2, 3, 4, 5, 6, 7, 8, 10] == [age_ms(i) for i in range(9)]
    assert 48 == age_ms(17)  # 40 to 47 ms


def test_handshake_percentiles_come_from_the_counters():
    """90 of 5 ms, 10 of 100 ms."""
    ages = list(NO_AGES)
    ages[5], ages[22] = 90, 10
    assert (6, 112) == (
        handshake_percentile(ages, 50),
        handshake_percentile(ages, QUANTILE),
    )
    assert 0 == handshake_percentile(NO_AGES, 50)


def test_steady_traffic_is_no_attack():
    """Nor is a busy quarter of an hour."""
    assert [] == attacks(samples(*steady(), *steady(300, 25, 240, 5)))


@pytest.mark.parametrize("row", [(1000, 100, 2), (10, 9000, 2), (10, 100, 400)])
def test_any_of_the_three_quantities_shows_an_attack(row):
    """With a minute's margin on both sides."""
    spans = attacks(samples(*steady(), row, row, *steady()))
    assert [Span(1540.0, 1661.0)] == spans


def test_attacks_near_one_another_are_one_span():
    """Their margins meet."""
    flood = (5000, 9000, 2)
    spans = attacks(samples(*steady(300), flood, *steady(100), flood, *steady(300)))
    assert 1 == len(spans)


def test_a_span_ends_with_the_samples():
    """An attack from the first second on."""
    (span,) = attacks(samples((5000, 9000, 2), *steady()))
    assert Span(1000.0, 1060.0) == span


def test_a_proposal_lies_above_all_that_was_clean():
    """Half again the 99.9th percentile, and never below the highest."""
    rows = [*steady(2000, 100, 1000, 20), (190, 1900, 38), *steady(2000, 100, 1000, 20)]
    advice = advise(samples(*rows), NO_AGES)
    assert (190, 209) == advice.max_incomplete
    assert (1900, 2090) == advice.one_minute
    assert 42 == advice.host
    steady_one = advise(samples(*steady(600, 100, 1000, 20)), NO_AGES)
    assert ((120, 150), (1200, 1500), 30) == (
        steady_one.max_incomplete,
        steady_one.one_minute,
        steady_one.host,
    )


def test_a_silent_site_gets_thresholds_that_make_no_noise():
    """The least that is ever proposed."""
    advice = advise(samples(*steady(600, 0, 0, 0)), NO_AGES)
    assert ((20, 25), (60, 75), 13) == (
        advice.max_incomplete,
        advice.one_minute,
        advice.host,
    )


def test_attacks_are_left_out_and_named_unless_all_is_asked_for():
    """The operator can object."""
    rows = samples(*steady(), (5000, 9000, 900), *steady())
    advice = advise(rows, NO_AGES)
    assert 1 == len(advice.left_out)
    assert 1201 - 121 == advice.seconds
    assert any("left out as an attack: 121 s" in line for line in advice.text())
    everything = advise(rows, NO_AGES, everything=True)
    assert everything.max_incomplete[1] > 5000
    assert () == everything.left_out


@pytest.mark.parametrize("rows", [(), [(5000, 9000, 900)] + [(0, 0, 0)] * 2])
def test_nothing_to_measure_is_an_error(rows):
    """No sample, or nothing but an attack."""
    with pytest.raises(ValueError, match="nothing to measure"):
        advise(samples(*rows), NO_AGES)


@pytest.mark.parametrize(
    ("counter", "synwait"), [(None, 30), (5, 5), (48, 21), (60, 30)]
)
def test_synwait_is_twice_the_slowest_handshake(counter, synwait):
    """Between 5 s and the default."""
    ages = list(NO_AGES)
    if counter is not None:
        ages[counter] = 7
    assert synwait == advise(samples(*steady()), ages).synwait


def test_three_forms_say_the_same():
    """sysctl.conf and IOS lines make the same engine."""
    ages = list(NO_AGES)
    ages[20] = 9
    advice = advise(samples(*steady(700, 321, 4321, 43)), ages)
    one, two = Inspection(seed=bytes(16)), Inspection(seed=bytes(16))
    one.sysctl.load(advice.sysctl_conf())
    config = read(advice.ios())
    two.sysctl.assign(config.changes, config.places)
    assert one.config() == two.config()
    text = "\n".join(advice.text())
    assert "max-incomplete   low 386 high 482   (p99.9 321, highest 321)" in text
    assert "synwait-time     5 s   (p99.9 of 9 handshakes 80 ms)" in text


def test_a_short_measurement_says_so():
    """Ten minutes at least."""
    assert any(
        "that is short" in line for line in advise(samples(*steady(30)), NO_AGES).text()
    )
    long = advise(samples(*steady(600)), NO_AGES).text()
    assert not any("that is short" in line for line in long)
    assert any("no handshake was seen" in line for line in long)


def test_what_if_tells_spans_victims_and_losses():
    """As text, with their sums."""
    what_if = WhatIf(
        alerts=2,
        aggressive=[Span(10.0, 20.0), Span(30.0, 45.0)],
        still_aggressive=True,
        host_alerts=[12.0],
        evicted={"rate": 5, "host": 2},
        would_complete=3,
    )
    assert [
        "aggressive 2 times, 25 s in all: 10 to 20, 30 to 45, and still at the end",
        "host alerts 1, blocks 0",
        "half-open sessions deleted 7 (5 by rate, 2 by host)",
        "of them 3 would have completed",
    ] == what_if.text()
    assert "aggressive 0 times, 0 s in all" == WhatIf().text()[0]
    assert "half-open sessions deleted 0" == WhatIf().text()[2]
