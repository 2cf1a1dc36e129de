"""syncache/cli/shard_alarms.py: several processes speak with one voice."""

from __future__ import annotations

import argparse
import json

import pytest

from syncache.attempts import Asked, Asking, Attempts, Counted
from syncache.cli import shard_alarms
from syncache.cli.shard_alarms import ShardAlarms, Sums, packed, unpacked
from syncache.lookout import Look
from syncache.ring import Ring
from syncache.segment import SYN, Segment

CALM = Counted(0, 0, [], [])
QUIET = Look({"accepts": 1}, CALM, {}, False)


def syns(attempts, prefixes, count):
    """Count SYNs from so many networks."""
    ring = Ring(64)
    for number in range(count):
        high, low = divmod(number % prefixes, 256)
        syn = Segment(
            src=f"10.{high}.{low}.1", dst="192.0.2.1", sport=1, dport=80, flags=SYN
        )
        ring.push(syn.packet())
        if len(ring) == 64:
            attempts.look(ring)
            ring.clear()
    attempts.look(ring)
    return attempts.take()


def flooded(count, prefixes=900):
    asked = [Asked("192.0.2.1", 80, count, prefixes)]
    return Look({"accepts": 1}, Counted(count, prefixes, asked, []), {}, False)


def begun(count):
    """Sums of processes that have all looked once."""
    sums = Sums(count)
    for index in range(count):
        assert [] == sums.alarms(0.5)  # not before all have
        sums.add(index, QUIET)
    assert [] == sums.alarms(1.0)
    return sums


def test_look_is_the_same_behind_the_socket():
    """With what the sketches have seen, and names of any kind."""
    counted = syns(Attempts(b"seed"), 300, 1000)
    assert 256 == len(counted.registers)
    look = Look({"a": 2**64, "b": 0}, counted, {"half-open": (1, 2)}, True)
    again = unpacked(packed(look))
    assert (look.counters, look.counted, look.paused) == (
        again.counters,
        again.counted,
        again.paused,
    )
    assert {"half-open": [1, 2]} == again.tables
    assert QUIET == unpacked(packed(QUIET))


def test_flood_that_is_small_at_each_is_one_line_of_all():
    """Three times 300 SYNs a second; also where one comes late, or twice."""
    sums = begun(3)
    for index in range(3):
        sums.add(index, flooded(300))
    (alarm,) = sums.alarms(2.0)
    assert "flood" == alarm.kind
    assert "SYN flood on 192.0.2.1:80: 900 SYNs in 1 s" in alarm.text
    assert [] == sums.alarms(2.5)  # not due
    sums.add(0, QUIET)
    kinds = [alarm.kind for now in range(3, 12) for alarm in sums.alarms(now)]
    assert ["flood_over"] == kinds


def test_silence_of_all_is_no_reason_to_look_and_thins_out_no_flood():
    """They send nothing while nothing is counted; what comes then is of a second."""
    sums = begun(2)
    sums.add(0, QUIET)
    sums.alarms(2.0)
    assert not sums.rests
    sums.alarms(3.0)
    assert sums.rests
    sums.add(0, flooded(300))
    sums.add(1, flooded(300))
    (alarm,) = sums.alarms(30.0)
    assert "600 SYNs in 1 s" in alarm.text
    assert not sums.rests


def test_networks_that_several_have_seen_are_counted_once():
    """The sketches have one secret."""
    looks = [syns(Attempts(b"secret"), 800, 2000) for _ in range(2)]
    sums = begun(2)
    for index, counted in enumerate(looks):
        sums.add(index, Look({"accepts": 1}, counted, {}, False))
    (alarm,) = sums.alarms(2.0)
    assert 4000 == alarm.facts["syns_a_second"]
    assert 600 < alarm.facts["prefixes"] < 1000


def with_table(*counts):
    return [
        Look({"accepts": 1}, CALM, {"half-open": (count, 100)}, False)
        for count in counts
    ]


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((85, 83), ["168 of 200 half-open"]),
        ((85, 10), ["85 of 100 half-open of shard 0"]),
        ((70, 75), []),
    ],
)
def test_table_is_that_of_all_unless_one_alone_is_full(counts, said):
    """And it is said once that there is room again."""
    sums = begun(2)
    found = []
    for now, level in ((2.0, counts), (3.0, counts), (4.0, (5, 5)), (5.0, (5, 5))):
        for index, look in enumerate(with_table(*level)):
            sums.add(index, look)
        found += sums.alarms(now)
    assert [kind for kind in ("table", "table_over") if said] == [a.kind for a in found]
    for words in said:
        assert words in found[0].text


def options(tmp_path):
    return argparse.Namespace(
        shards=2,
        log=tmp_path / "log",
        log_format="json",
        syslog=None,
        user=None,
        facility="local0",
    )


def test_line_is_written_by_the_process_that_forks(tmp_path):
    """One that does not read for a while is no trouble to the others."""
    alarms = ShardAlarms("syncache serve", options(tmp_path))
    for _ in range(1000):
        alarms.tell(0, QUIET)
    alarms.tell(1, QUIET)
    alarms.turn(1.0, False)
    for index in range(2):
        alarms.tell(index, flooded(20_000))
    alarms.turn(2.0, True)
    alarms.close()
    (line,) = (tmp_path / "log").read_text().splitlines()
    entry = json.loads(line)
    assert ("flood", 40_000) == (entry["kind"], entry["syns_a_second"])


def test_log_that_cannot_be_opened_ends_nothing(tmp_path, capsys):
    """The processes go on without these lines."""
    given = options(tmp_path)
    given.log = tmp_path / "none" / "log"
    alarms = ShardAlarms("syncache serve", given)
    alarms.turn(1.0, False)
    alarms.turn(2.0, True)
    alarms.close()
    assert 1 == capsys.readouterr().err.count("going on without alarms")


def test_datagram_holds_the_most_that_there_is():
    """Of every row, with every register, and far more counters than there are."""
    full = bytes([255]) * 256
    rows = [Asked("f" * 39, 65535, 2**63, 2**40, full)] * 16
    asking = [Asking("f" * 43, 2**63)] * 16
    counters = {f"{'n' * 40}{n}": 2**63 for n in range(500)}
    data = packed(Look(counters, Counted(2**63, 2, rows, asking, full), {}, False))
    assert len(data) < shard_alarms.DATAGRAM_BYTES_MAX
