"""syncache/alarms.py: what is said without being asked, as a function of counters."""

from __future__ import annotations

import pytest

from syncache.alarms import (
    COOKIES_ALONE,
    EVICTED,
    EVICTED_ALSO,
    NAMED_MAX,
    QUIET_SECONDS,
    RECENT_MAX,
    Alarms,
    response,
)
from syncache.attempts import Asked, Counted


def counted(*asked, rest=0, prefixes=900):
    rows = [Asked(address, port, syns, prefixes) for address, port, syns in asked]
    total = sum(row.syns for row in rows) + rest
    return Counted(total, prefixes, rows, [])


FLOOD = counted(("192.0.2.1", 80, 40_000))
CALM = counted()


class World:
    """Looks once a second; counters are added up."""

    def __init__(self):
        self.alarms = Alarms()
        self.now = 100.0
        self.counters = {}
        self.look()

    def look(self, attempts=CALM, **arguments):
        counters = {
            n: arguments.pop(n) for n in [*arguments] if n not in {"tables", "paused"}
        }
        for name, grown in counters.items():
            self.counters[name] = self.counters.get(name, 0) + grown
        found = self.alarms.look(
            self.now, dict(self.counters), counted=attempts, **arguments
        )
        self.now += 1.0
        kinds = [alarm.kind for alarm in found]
        assert len(kinds) == len(set(kinds))  # one of a kind
        assert all("\n" not in alarm.text for alarm in found)
        return found


@pytest.fixture
def world():
    made = World()
    names = "accepts completed cookie_only_synacks requests verdict_drop_blocked"
    names += " cookie_bad_mac sc_zonefail evicted link_kernel_dropped syn_acks"
    made.look(**dict.fromkeys(names.split(), 0))
    return made


def test_flood_is_said_when_it_begins_and_when_it_is_over(world):
    """Where, how many, from how many prefixes, what is done, who notices what."""
    (begun,) = world.look(FLOOD, cookie_only_synacks=40_000)
    assert begun.text == (
        "SYN flood on 192.0.2.1:80: 40,000 SYNs in 1 s from about 900 prefixes; "
        "answered with SYN cookies, nothing is stored; honest clients notice nothing "
        "but a rounded MSS and window scale"
    )
    assert begun.facts["syns_a_second"] == 40_000
    for _ in range(9):
        assert [] == world.look(FLOOD, cookie_only_synacks=40_000)
    assert ["192.0.2.1:80"] == world.alarms.floods
    said = [world.look() for _ in range(int(QUIET_SECONDS))]
    assert [[]] * (len(said) - 1) == said[:-1]
    (over,) = said[-1]
    assert over.text == (
        "the SYN flood on 192.0.2.1:80 is over: 400,000 SYNs in 10 s, "
        "40,000 a second at most"
    )
    assert [] == world.alarms.floods
    assert [begun, over] == list(world.alarms.recent)


def test_look_that_is_late_says_of_how_many_seconds_it_is(world):
    """A process that was stopped: SYNs and prefixes are of the same time."""
    world.now += 3
    (begun,) = world.look(FLOOD)
    assert "40,000 SYNs in 4 s from about 900 prefixes" in begun.text
    assert begun.facts["syns_a_second"] == 10_000


def test_flood_that_grows_to_four_times_what_was_told_is_told_again(world):
    """It begins in a part of a second, so the first line is too small."""
    (begun,) = world.look(counted(("192.0.2.1", 80, 1220)))
    assert "flood on 192.0.2.1:80: 1,220 SYNs" in begun.text
    (grown,) = world.look(FLOOD, cookie_only_synacks=40_000)
    assert grown.text.startswith(
        "SYN flood on 192.0.2.1:80 goes on: 40,000 SYNs in 1 s from about 900 prefixes;"
        " answered with SYN cookies, "
    )
    assert ("flood", True) == (grown.kind, grown.facts["goes_on"])
    assert not begun.facts["goes_on"]
    assert [] == world.look(counted(("192.0.2.1", 80, 150_000)))
    assert [] == world.look(FLOOD)


def test_flood_that_is_answered_otherwise_is_told_again_after_a_while(world):
    """Not for each turn of the table; nor once more for the same answer."""
    assert "there is room" not in world.look(FLOOD, syn_acks=9)[0].text
    said = [world.look(FLOOD, cookie_only_synacks=9) for _ in range(30)]
    assert [[]] * 9 == said[:9]
    (changed,) = said[9]
    assert " goes on: 40,000 SYNs" in changed.text
    assert "answered with SYN cookies" in changed.text
    assert [[]] * 20 == said[10:]


def test_busy_port_is_no_flood(world):
    """Whose handshakes are completed."""
    busy = counted(("192.0.2.1", 80, 9000))
    assert [] == world.look(busy, accepts=8500)
    assert [] == world.look(busy, completed=8500)
    assert [] == world.look(counted(("192.0.2.1", 80, 400)))


def test_flood_beside_a_busy_port_names_the_flooded_one(world):
    """What is completed counts for the busy one and excuses nobody else."""
    both = counted(("192.0.2.1", 80, 5000), ("2001:db8::1", 25, 40_000))
    (begun,) = world.look(both, accepts=4900)
    assert "flood on [2001:db8::1]:25: 40,000 SYNs" in begun.text


def test_many_ports_are_one_line(world):
    """Some named, the rest counted; and a flood over all ports has a name too."""
    ports = [("192.0.2.1", port, 5000) for port in range(1, 9)]
    (begun,) = world.look(counted(*ports))
    assert f" and {len(ports) - NAMED_MAX} more: 40,000 SYNs" in begun.text
    (more,) = world.look(counted(*ports, rest=30_000))
    assert "flood on many addresses and ports: 30,000 SYNs" in more.text


@pytest.mark.parametrize(
    ("counters", "words"),
    [
        ({"verdict_drop_blocked": 9}, "SYNs beyond the limit of a destination"),
        ({"evicted": 9}, "the oldest half-open entries make room"),
        ({"syn_acks": 9}, "answered here, the servers see completed handshakes alone"),
        ({}, "counted and passed on"),
    ],
)
def test_what_is_done_follows_the_counters(world, counters, words):
    """So that the line is true of every engine and mode."""
    assert words in world.look(FLOOD, **counters)[0].text


def test_table_is_said_at_four_fifths_when_full_and_when_there_is_room(world):
    """Each once, and not again for a number that goes up and down."""

    def at(count, **counters):
        found = world.look(tables={"half-open": (count, 1000)}, **counters)
        return [alarm.text.partition(";")[0] for alarm in found]

    assert [] == at(790)
    assert ["table: 800 of 1,000 half-open: 80 %"] == at(800)
    assert [] == at(790)
    assert [] == at(810)
    assert ["table: 1,000 of 1,000 half-open: full"] == at(1000)
    assert [] == at(900)
    assert [] == at(1000)
    assert ["table: room again: 599 of 1,000 half-open"] == at(599)
    assert ["table: 999 of 1,000 half-open: 99 %"] == at(999)
    assert ["table: 999 of 1,000 half-open: full"] == at(999, sc_zonefail=1)


def test_losses_of_a_link_are_said_at_once_and_then_every_ten_seconds(world):
    """How many, and of which link."""
    (first,) = world.look(link_kernel_dropped=7)
    assert "the ring was full: 7 (link)" in first.text
    said = [world.look(link_kernel_dropped=7) for _ in range(10)]
    assert 1 == sum(map(len, said))
    (again,) = said[-1]
    assert "70 (link)" in again.text


def test_answers_without_a_way_out_are_said_unless_they_are_few(world):
    """Sources to which no route leads: the flood costs more than it has to."""
    assert [] == world.look(link_send_failed=49)
    (first, full) = world.look(link_send_failed=1200, link_kernel_dropped=1)[::-1]
    assert ("unsent", "losses") == (first.kind, full.kind)
    assert "could not leave: 1,200 (link); no route" in first.text
    assert [] == world.look(link_send_failed=1200)


def test_cookies_refused_more_than_usual_are_said_with_the_reason(world):
    """What is usual is not, and one reason is said once a minute."""
    assert [] == world.look(cookie_bad_mac=40)
    (said,) = world.look(cookie_bad_mac=1000)
    assert "1,000 a second (4 is usual): the numbers are not of our keys" in said.text
    assert [] == [alarm for _ in range(58) for alarm in world.look(cookie_bad_mac=1000)]
    assert [] == world.look(cookie_bad_mac=1100)  # it has become usual


def test_state_is_the_worst_and_has_a_beginning(world):
    """In one word, for a status line."""
    began = world.now
    world.look(cookie_only_synacks=1)
    assert ("cookies", began) == (world.alarms.state, world.alarms.since)
    world.look(cookie_only_synacks=1)
    assert began == world.alarms.since
    world.look(paused=True)
    assert "paused" == world.alarms.state
    world.look(hosts_blocked=1)
    assert "blocked" == world.alarms.state
    world.look(aggressive=1)
    assert "aggressive" == world.alarms.state


def test_memory_is_bounded(world):
    """Whatever happens for how long."""
    for number in range(500):
        world.look(counted((f"10.0.{number % 256}.1", number + 1, 40_000)))
    assert len(world.alarms.floods) <= 32
    assert len(world.alarms.recent) <= RECENT_MAX


def at_port(syns):
    return counted(("192.0.2.1", 80, syns))


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize(
    ("completed", "seconds", "limit"),
    [(0, 1.0, 500), (100, 1.0, 700), (0, 2.0, 1000), (300, 0.5, 850)],
)
def test_flood_begins_at_its_limit_and_lasts_down_to_half(
    world, everywhere, completed, seconds, limit
):
    """500 SYNs a second, and twice what is completed; of one port, or of all."""

    def look(syns):
        world.now += seconds - 1
        attempts = counted(rest=syns) if everywhere else at_port(syns)
        return world.look(attempts, accepts=completed)

    assert [] == look(limit - 1)
    (begun,) = look(limit)
    assert round(limit / seconds) == begun.facts["syns_a_second"]
    began = world.now - 1
    assert [] == look(limit // 2)  # it still goes on
    last = world.now - 1
    while world.now + seconds - 1 < last + QUIET_SECONDS:
        assert [] == look(limit // 2 - 1)
    (over,) = look(limit // 2 - 1)
    assert limit + limit // 2 == over.facts["syns"]
    assert round(last - began + seconds) == over.facts["seconds"]
    assert round(limit / seconds) == over.facts["syns_a_second_max"]


@pytest.mark.parametrize(("syns", "told"), [(3999, False), (4000, True)])
def test_flood_of_four_times_what_was_told_is_another_line(world, syns, told):
    """Not one packet earlier."""
    assert 1 == len(world.look(at_port(1000)))
    assert told == bool(world.look(at_port(syns)))


@pytest.mark.parametrize(("count", "over"), [(600, False), (599, True)])
def test_table_has_room_again_below_three_fifths(world, count, over):
    """Between there and four fifths nothing is said."""
    world.look(tables={"x": (800, 1000)})
    assert over == bool(world.look(tables={"x": (count, 1000)}))


@pytest.mark.parametrize("name", ["sc_cacheoverflow", "sc_zonefail", "table_full"])
def test_table_that_turns_somebody_away_is_full(world, name):
    """Whatever the count; but not one that was far from full."""
    world.look(tables={"x": (799, 1000)}, **{name: 0})
    assert [] == world.look(tables={"x": (799, 1000)}, **{name: 1})
    world.look(tables={"x": (800, 1000)})
    (full,) = world.look(tables={"x": (800, 1000)}, **{name: 1})
    assert full.text.startswith("table: 800 of 1,000 x: full; counted and passed")
    assert {"x": [800, 1000]} == full.facts


@pytest.mark.parametrize(("rate", "said"), [(49, 0), (50, 1)])
def test_few_refused_cookies_are_no_matter(world, rate, said):
    """50 a second are."""
    assert said == len(world.look(cookie_bad_mac=rate))


@pytest.mark.parametrize(("rate", "said"), [(399, 0), (400, 1)])
def test_refused_cookies_count_from_four_times_what_is_usual(world, rate, said):
    """Each second has a tenth of the weight in that."""
    world.look(cookie_bad_mac=1000)  # 100 is usual from now on
    world.now += 60 - 1
    assert said == len(world.look(cookie_bad_mac=60 * rate))


@pytest.mark.parametrize(("later", "said"), [(59.0, 0), (60.0, 1)])
def test_reason_of_refused_cookies_is_said_once_a_minute(world, later, said):
    """A second one in the meantime has a line of its own."""
    assert 1 == len(world.look(cookie_bad_mac=1000))
    assert 1 == len(world.look(cookie_no_key=1000))
    world.now += later - 2
    assert said == len(world.look(cookie_bad_mac=1_000_000))


def test_losses_of_several_links_are_one_line(world):
    """Those of each since it was told; a quiet link is forgotten and told at once."""
    (first,) = world.look(outside_kernel_dropped=3, inside_kernel_dropped=4)
    assert "3 (outside), 4 (inside);" in first.text
    assert {"outside": 3, "inside": 4} == first.facts
    for _ in range(9):
        assert [] == world.look(outside_kernel_dropped=1)
    (again,) = world.look(outside_kernel_dropped=1)
    assert {"outside": 10} == again.facts
    for _ in range(20):
        assert [] == world.look()
    assert {"inside": 2} == world.look(inside_kernel_dropped=2)[0].facts


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *((name, "answered with SYN cookies") for name in COOKIES_ALONE),
        *((name, "the oldest half-open") for name in (*EVICTED, *EVICTED_ALSO)),
        ("requests", "counted and passed on"),
        ("accepts", "there is room"),
    ],
)
def test_one_packet_tells_the_response(name, words):
    """Of each counter that shows it; of none is the table's."""
    assert words in response({name: 1})[0]
    if name != "requests":
        assert response({name: 0})[0] == response({})[0]
