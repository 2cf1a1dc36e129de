"""Statements I21 to I34 of the specification: thresholds, options, what is shown."""

from __future__ import annotations

import pytest

from syncache import Sysctl, ios
from syncache.flow_event import Kind
from syncache.options import Mss, SackPermitted, Timestamps, WindowScale
from tests.conformance.shield import (
    ACK,
    CLIENT,
    FULL_OPTIONS,
    RST,
    SERVER,
    SYN,
    I,
    Shield,
    flags_of,
    other_port,
    same_bytes,
)

# One threshold isolated by raising the other.
BY_COUNT = {"one_minute__high": 100_000}


def modes(shield):
    """The lines about aggressive mode since the last call."""
    return [line for line in shield.lines() if line.startswith("%TCP-6-INTERCEPT")]


def client_rst(shield, number):
    """Another client takes its SYN back."""
    reset = shield.from_client(RST, src=shield.other(number), sport=other_port(number))
    shield.give(reset, CLIENT)


def test_I21_aggressive_begins_when_the_count_exceeds_high(family):
    """At 1,100 calm, at 1,101 not; then each new SYN costs one entry."""
    shield = Shield(family, **BY_COUNT)
    shield.many(1100)
    assert (1100, 0, 1100) == shield.counts()
    assert not shield.engine.statistics().aggressive
    assert [] == modes(shield)
    shield.many(1, first=2000)
    assert 1101 == shield.counts()[0]
    assert shield.engine.statistics().aggressive
    (line,) = modes(shield)
    expected = "%TCP-6-INTERCEPT: getting aggressive, count (1101/1100) 1 min 1101"
    assert line.startswith(expected + " reason=incomplete limit=1100 value=1101")
    assert 0 == shield.count("ended_evicted_count")
    for further in range(1, 51):
        shield.many(1, first=3000 + further)
        assert further == shield.count("ended_evicted_count")
        assert 1101 == shield.counts()[0]
    assert [] == modes(shield)


def test_I22_calm_only_when_both_are_below_low(family):
    """Falling to 900 is not below 900, and the rate counts too."""
    shield = Shield(family, **BY_COUNT | {"one_minute__high": 1100})
    shield.tune(max_incomplete__high=900, one_minute__high=100_000)
    shield.many(901)
    assert shield.engine.statistics().aggressive
    client_rst(shield, 1)
    shield.until(shield.now + 2)
    assert 900 == shield.counts()[0]
    assert shield.engine.statistics().aggressive
    client_rst(shield, 2)
    shield.until(shield.now + 2)
    assert (899, 901) == (shield.counts()[0], shield.counts()[2])
    assert shield.engine.statistics().aggressive
    shield.tune(one_minute__low=901)
    shield.until(shield.now + 2)
    assert shield.engine.statistics().aggressive
    shield.tune(one_minute__low=902)
    shield.until(shield.now + 2)
    assert not shield.engine.statistics().aggressive
    assert "calming down, count (899/900) 1 min 901" in modes(shield)[-1]


def complete(shield, number, when):
    """One whole handshake of another client."""
    port, address = other_port(number), shield.other(number)
    ((_, answer),) = shield.give(
        shield.from_client(SYN, dseq=0, src=address, sport=port), CLIENT
    )
    shield.p = answer.seq
    shield.give(shield.from_client(ACK, src=address, sport=port), CLIENT)
    shield.give(shield.from_server(SYN | ACK, dseq=0, dst=address, dport=port), SERVER)
    assert when >= 0


def test_I23_rate_alone_makes_it_aggressive(family):
    """1,101 requests that all complete; calm when the sliding minute is below 900."""
    # All are of one prefix, and none says a word.
    shield = Shield(family, silent_max=0)
    for number in range(1, 1101):
        shield.until(number * 0.05)
        complete(shield, number, shield.now)
    assert (0, 1100, 1100) == shield.counts()
    assert not shield.engine.statistics().aggressive
    complete(shield, 1101, shield.now)
    assert shield.engine.statistics().aggressive
    begun = shield.now
    (line,) = modes(shield)
    assert "count (0/1100) 1 min 1101 reason=rate limit=1100 value=1101" in line
    while shield.engine.statistics().aggressive:
        assert shield.counts()[2] >= 900
        shield.until(shield.now + 0.5)
        shield.counts()
    assert shield.counts()[2] < 900
    # The 202 requests of the first 10 s have to leave the minute.
    assert 9 <= shield.now - begun <= 18
    assert "calming down, count (0/900) 1 min" in modes(shield)[0]


def test_I24_oldest_is_evicted_and_never_an_established_one(family):
    """Created at 1, 2, 3: the first goes, whatever established before it."""
    shield = Shield(
        family,
        **BY_COUNT | {"max_incomplete__low": 1, "max_incomplete__high": 2},
    )
    shield.established()
    for number in (1, 2, 3):
        shield.until(float(number) / 10)
        shield.many(1, first=number)
    assert shield.engine.statistics().aggressive
    shield.until(0.4)
    shield.many(1, first=4)
    assert ["ESTAB", "SYNRCVD", "SYNRCVD", "SYNRCVD"] == shield.states()
    clients = {row.client.address for row in shield.engine.connections()}
    assert shield.other(1) not in clients
    assert {shield.other(n) for n in (2, 3, 4)} <= clients


@pytest.mark.parametrize(
    ("options", "evicted"), [("learn", "SYNRCVD"), ("cisco", "SYNSENT")]
)
def test_I24_validated_clients_go_last(family, options, evicted):
    """Victims come from SYNRCVD; `cisco` takes the oldest of both."""
    shield = Shield(
        family,
        **BY_COUNT | {"max_incomplete__low": 1, "max_incomplete__high": 2},
        options=options,
    )
    shield.syn()
    shield.ack()
    for number in (1, 2, 3):
        shield.until(float(number) / 10)
        shield.many(1, first=number)
    # The third made it aggressive only if it is one more than high.
    assert shield.engine.statistics().aggressive
    shield.lines()
    shield.many(1, first=4)
    states = shield.states()
    expected = {"SYNRCVD": 1, "SYNSENT": 0}[evicted]
    assert expected == states.count("SYNSENT")


def test_I24_a_busy_minute_costs_no_validated_client(family):
    """By rate alone one in SYNSENT stays, for it would be reset."""
    shield = Shield(
        family,
        **BY_COUNT
        | {"one_minute__low": 1, "one_minute__high": 1, "max_incomplete__high": 2},
        max_incomplete__low=1,
    )
    shield.syn()
    shield.ack()
    for number in (1, 2):
        shield.many(1, first=number)
        assert ["SYNRCVD", "SYNSENT"] == sorted(shield.states())
    assert shield.engine.statistics().aggressive


def test_I25_random_eviction_is_fair(seed):
    """10,000 evictions from 100 equal entries: each place 50 to 160 times."""
    shield = Shield(
        drop_mode="random",
        seed=seed,
        **BY_COUNT | {"one_minute__high": 1_000_000},
        max_incomplete__low=50,
        max_incomplete__high=99,
    )
    shield.many(100)
    place = {row.client: n for n, row in enumerate(shield.engine.connections())}
    list(iter(shield.engine.next_event, None))
    hits = [0] * 100
    for number in range(101, 10_101):
        shield.many(1, first=number)
        told = list(iter(shield.engine.next_event, None))
        (gone,) = [event.client for event in told if event.kind is Kind.EVICTED]
        (new,) = [event.client for event in told if event.kind is Kind.NEW]
        hits[place[gone]] += 1
        place[new] = place.pop(gone)
    assert 10_000 == sum(hits)
    assert min(hits) >= 50
    assert max(hits) <= 160


def aggressive(family, **tunables):
    """A shield that is aggressive already."""
    low = {"max_incomplete__low": 1, "max_incomplete__high": 1}
    shield = Shield(family, **BY_COUNT | low | tunables)
    shield.many(2)
    assert shield.engine.statistics().aggressive
    return shield


def retransmissions(shield, until):
    """When C was sent SYN-ACKs again."""
    return [
        when
        for when, _, segment in shield.until(until)
        if segment.flags & SYN and segment.dst == shield.client
    ]


def test_I26_aggressive_halves_the_schedule(family):
    """0.5, 1.5, 3.5, 7.5, and over at 15.5 s."""
    shield = aggressive(family)
    shield.syn()
    assert [0.5, 1.5, 3.5, 7.5] == retransmissions(shield, 15.4)
    assert "SYNRCVD" in shield.states()
    shield.until(15.5)
    clients = {row.client.address for row in shield.engine.connections()}
    assert shield.client not in clients


def test_I26_entries_begun_before_keep_their_schedule(family):
    """Aggressive mode changes nothing for those who wait already."""
    low = {"max_incomplete__low": 1, "max_incomplete__high": 1}
    shield = Shield(family, **BY_COUNT | low)
    shield.syn()
    shield.many(1)
    assert shield.engine.statistics().aggressive
    assert [1.0, 3.0, 7.0, 15.0] == retransmissions(shield, 40.0)


def test_I27_schedule_begun_in_aggressive_mode_stays(family):
    """Calm at 2 s: 0.5, 1.5, 3.5, 7.5 all the same."""
    shield = aggressive(family)
    shield.syn()
    early = retransmissions(shield, 1.9)
    shield.tune(max_incomplete__low=500, max_incomplete__high=500)
    shield.tune(one_minute__low=500)
    late = retransmissions(shield, 15.4)
    assert not shield.engine.statistics().aggressive
    assert [0.5, 1.5, 3.5, 7.5] == early + late
    shield.until(15.6)
    clients = {row.client.address for row in shield.engine.connections()}
    assert shield.client not in clients


def test_I28_low_above_high_is_refused_in_one_call(family):
    """Both values stay; equal ones are legal; the engine follows at once."""
    shield = Shield(family)
    with pytest.raises(ValueError, match=r"1200.*1000"):
        shield.tune(max_incomplete__low=1200, max_incomplete__high=1000)
    sysctl = shield.engine.sysctl
    names = (I + "max_incomplete.low", I + "max_incomplete.high")
    assert [900, 1100] == [sysctl[name] for name in names]
    shield.tune(max_incomplete__low=1000, max_incomplete__high=1000)
    assert [1000, 1000] == [sysctl[name] for name in names]


@pytest.mark.parametrize(
    ("name", "value", "legal"),
    [
        ("drop_mode", "newest", "oldest, random"),
        ("mode", "drop", "intercept, watch"),
        ("connection_timeout", 0, "1 to 2147483"),
        ("watch_timeout", 2_147_484, "1 to 2147483"),
    ],
)
def test_I29_illegal_value_names_the_legal_ones(name, value, legal):
    """And changes nothing."""
    sysctl = Sysctl()
    before = sysctl[I + name]
    with pytest.raises(ValueError, match=legal):
        sysctl[I + name] = value
    assert before == sysctl[I + name]


def test_I30_removed_list_leaves_connections_translated(family):
    """Only new SYNs see that it is gone."""
    shield = Shield(family)
    shield.established()
    shield.engine.acl = None
    ((_, seen),) = shield.ack(dack=101)
    assert shield.s + 101 == seen.ack
    syn = shield.from_client(SYN, dseq=0, src=shield.other(1))
    assert same_bytes(syn, shield.give(syn, CLIENT), SERVER)


def test_I31_cisco_announces_and_offers_nothing_but_mss(family):
    """No scale, no SACK, no timestamps on either half."""
    shield = Shield(family, options="cisco")
    ((_, answer),) = shield.syn(options=FULL_OPTIONS)
    assert [Mss] == [type(option) for option in answer.options]
    ((_, syn),) = shield.ack()
    assert [Mss] == [type(option) for option in syn.options]


def learned(family, server, **tunables):
    """A shield that has seen S's options once."""
    shield = Shield(family, options="learn", **tunables)
    shield.established(client=FULL_OPTIONS, server=server)
    assert ["ESTAB"] == shield.states()
    shield.engine.acl = shield.engine.acl
    return shield


def next_client(shield):
    """C is another one now."""
    shield.client = shield.other(7)
    shield.c, shield.p = 5_000_000, None


def test_I32_different_scale_is_made_up_for(family):
    """Announced 7, real 5: a field of 512 reaches C as 128."""
    shield = learned(family, (Mss(1400), WindowScale(7)))
    next_client(shield)
    ((_, answer),) = shield.syn(options=(Mss(1460), WindowScale(9)))
    assert (7, 1400) == (answer.wscale, answer.mss)
    shield.ack()
    shield.syn_ack(options=(Mss(1400), WindowScale(5)))
    data = shield.from_server(ACK, window=512, payload=b"x")
    ((_, seen),) = shield.give(data, SERVER)
    assert 512 << 5 >> 7 == seen.window


def test_I32_learned_options_are_what_the_next_client_is_told(family):
    """S's own MSS, scale, SACK and timestamps; never more than C asked for."""
    server = (Mss(1400), SackPermitted(), Timestamps(5, 100), WindowScale(10))
    shield = learned(family, server)
    next_client(shield)
    ((_, answer),) = shield.syn(options=FULL_OPTIONS)
    assert (1400, 10, True) == (answer.mss, answer.wscale, answer.sack_permitted)
    assert answer.timestamps.tsecr == 100
    next_client(shield)
    shield.client = shield.other(8)
    ((_, plain),) = shield.syn(options=(Mss(1460),))
    assert (None, False, None) == (
        plain.wscale,
        plain.sack_permitted,
        plain.timestamps,
    )


def test_I33_connections_print_create_and_timeout(family):
    """Age 9.4 s in SYNRCVD: 9 s old, 5 s to the retransmission at 15."""
    shield = Shield(family)
    shield.syn()
    shield.until(9.4)
    text = ios.show_connections(shield.engine.connections(), shield.now)
    row = text.splitlines()[2]
    assert ["SYNRCVD", "00:00:09", "00:00:05", "I"] == row.split()[2:]


def test_I34_statistics_print_three_lines():
    """12 incomplete, 5 established, 120 requests in the last minute."""
    shield = Shield()
    for number in range(1, 104):
        shield.many(1, first=number)
        client_rst(shield, number)
    for number in range(200, 205):
        complete(shield, number, 0)
    shield.many(12, first=300)
    assert (
        "intercepting new connections using access-list 100\n"
        "12 incomplete, 5 established connections (total 17)\n"
        "1 minute connection request rate 2 requests/sec\n"
    ) == ios.show_statistics(shield.engine.statistics(shield.now))


def test_flags_of_names_what_goes_where():
    """A sanity check of the helper."""
    shield = Shield()
    assert ["C SA"] == flags_of(shield.syn())
