"""A capture through an engine, second by second."""

from __future__ import annotations

import struct

import pytest

from syncache import Inspection, Ring, Segment
from syncache._core.block import milliseconds
from syncache.cli.replay import GAP_S, Replay, behind
from syncache.links import capture
from syncache.links.link import LinkError
from syncache.links.replay import CaptureReader


def syn(port):
    return Segment(
        src="192.0.2.1", dst="198.51.100.5", sport=port, dport=80, flags=2
    ).packet()


@pytest.fixture
def write(tmp_path):
    def write(times):
        path = tmp_path / "a.pcap"
        records = (capture.record(t, syn(i + 1)) for i, t in enumerate(times))
        path.write_bytes(capture.header(101, 65535) + b"".join(records))
        return path

    return write


def test_each_second_ends_once_with_what_was_due(write):
    """Packets at 10.5 and 13.0: the seconds that end are 11.5 and 12.5."""
    engine = Inspection(seed=bytes(16))
    run = Replay(engine, write([10.5, 13.0]))
    assert [(11.5, True), (12.5, True), (13.0, False)] == list(run.seconds())
    assert (2, 0, 10.5, 13.0) == (run.packets, run.skipped, run.first, run.last)
    assert 2 == engine.statistics().half_open


def test_years_without_packets_are_passed_over(write):
    """A damaged time costs no millions of seconds."""
    run = Replay(Inspection(seed=bytes(16)), write([10.0, 10.0 + 30 * GAP_S]))
    assert len(list(run.seconds())) < 5


def test_time_that_goes_back_counts_as_the_last(write):
    """Captures of several interfaces are not always in order."""
    run = Replay(Inspection(seed=bytes(16)), write([10.0, 9.0, 12.5]))
    assert [11.0, 12.0, 12.5] == [time for time, _ in run.seconds()]


def test_a_large_step_back_begins_anew_where_the_clock_stands(write):
    """A second apart before and behind it: no time is negative, none stands still."""
    run = Replay(Inspection(seed=bytes(16)), write([100.0, 101.0, 50.0, 51.0, 52.0]))
    ticks = list(run.seconds())
    assert [101.0, 102.0, 103.0] == [time for time, ended in ticks if ended]
    assert (103.0, 3.0, 51.0) == (run.last, run.span, run.shift)
    assert ["time steps back once, by 51 s at most"] == [
        note.partition(";")[0] for note in run.notes()
    ]


def test_a_capture_behind_a_later_one_meets_none_of_its_sessions(write):
    """Hours apart: all of the first has ended, and the gap is no time of either."""
    engine = Inspection(seed=bytes(16))
    run = Replay(engine, write([90_000.0, 90_001.0, 10.0, 11.0]))
    seconds = sum(ended for _, ended in run.seconds())
    assert seconds <= 4
    assert 2 == engine.statistics().half_open
    assert 2 <= run.span <= 3
    assert len(run.notes()) == 1


def test_a_step_before_the_first_packet_that_is_read_is_no_time(tmp_path):
    """What was skipped in front of it has no part in the span."""
    path = tmp_path / "a.pcap"
    records = capture.record(9e5, b"\0") + capture.record(10.0, syn(1))
    path.write_bytes(
        capture.header(101, 65535) + records + capture.record(12.0, syn(2))
    )
    run = Replay(Inspection(seed=bytes(16)), path)
    list(run.seconds())
    assert (2.0, 1) == (run.span, len(run.notes()))


@pytest.mark.parametrize("ms", range(999, 1100))
def test_the_millisecond_behind_a_time_is_no_matter_of_rounding(ms):
    """Of times today, which a float has to a ten-millionth of a second."""
    for time in (1_600_000_000 + ms / 1000, ms / 1000):
        assert round(time * 1000) + 1 == milliseconds(behind(time))


def test_packets_without_a_time_count_as_of_the_one_before(write):
    """A zero in the middle is no step back."""
    run = Replay(Inspection(seed=bytes(16)), write([1e9, 0.0, 1e9 + 1]))
    assert 1.0 == max(time for time, _ in run.seconds()) - 1e9
    assert ["1 packet has no time"] == [n.partition(",")[0] for n in run.notes()]


def test_packets_without_a_time_in_front_count_as_of_the_first_that_has_one(write):
    """Else it would be decades later than they are."""
    run = Replay(Inspection(seed=bytes(16)), write([0.0, 0.0, 1e9, 1e9 + 2]))
    assert 2 == sum(ended for _, ended in run.seconds())
    assert 2.0 == run.span


def test_a_capture_without_any_time_says_so(write):
    """All of it counts as of one instant."""
    run = Replay(Inspection(seed=bytes(16)), write([0.0] * 3))
    list(run.seconds())
    assert ["no packet has a time: all count as of one instant"] == run.notes()


def test_blocks_without_a_packet_are_named(tmp_path):
    """Of pcapng: custom blocks and journald's, which other programs number too."""
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    interface = struct.pack("<IIHHII", 1, 20, 101, 0, 0, 20)
    custom = struct.pack("<IIII", 0xBAD, 16, 0, 16)
    path = tmp_path / "a.pcapng"
    for number, begin in ((0, []), (1, ["1 block holds"]), (2, ["2 blocks hold"])):
        path.write_bytes(section + interface + custom * number)
        run = Replay(Inspection(seed=bytes(16)), path)
        list(run.seconds())
        assert begin == [note.partition(" no ")[0] for note in run.notes()]


@pytest.mark.parametrize("gap", [3600.0, GAP_S - 5])
def test_idle_seconds_come_as_one_number(write, gap):
    """They are equal, so a sample of one stands for all; their count is right."""
    engine = Inspection(seed=bytes(16))
    run = Replay(engine, write([10.0, 10.0 + gap]))
    ticks = list(run.seconds())
    assert gap == sum(ended for _, ended in ticks)
    assert len(ticks) < 60
    assert [] == run.notes()


def test_samples_of_runs_are_those_of_single_seconds(write):
    """Sampled second by second an engine gives the same numbers."""
    path = write([10.0, 10.2, 40.0, 300.0, 1000.5])
    engine = Inspection(seed=bytes(16))
    runs = {}
    for time, ended in Replay(engine, path).seconds():
        sample = engine.sample(time)
        for back in range(ended):
            runs[time - back] = sample[1:-1]
    other, rx = Inspection(seed=bytes(16)), Ring(16, 2048)
    reader = CaptureReader(path)
    reader.receive(rx)
    reader.close()
    for time, found in sorted(runs.items()):
        other.replay(rx, until=time)
        assert other.sample(time)[1:-1] == found
    assert 990 == len(runs)


def test_a_replay_up_to_a_time_that_has_passed_is_a_mistake(write):
    """It could never take anything."""
    engine, rx = Inspection(seed=bytes(16)), Ring(16, 2048)
    reader = CaptureReader(write([10.0, 20.0]))
    reader.receive(rx)
    reader.close()
    engine.replay(rx, until=15.0)
    with pytest.raises(ValueError, match=r"until=5.0 lies before .* clock, 10.0"):
        engine.replay(rx, until=5.0)


def test_a_late_packet_is_taken_at_the_clock_of_the_engine(write):
    """Up to its own time, not that of the clock."""
    engine, rx = Inspection(seed=bytes(16)), Ring(16, 2048)
    reader = CaptureReader(write([10.0, 9.5]))
    reader.receive(rx)
    reader.close()
    assert 2 == engine.replay(rx, until=10.001)
    assert 10.0 == engine.clock()


def test_an_empty_capture_has_no_seconds(write):
    """And no first packet."""
    run = Replay(Inspection(seed=bytes(16)), write([]))
    assert [] == list(run.seconds())
    assert run.first is None
    assert 0.0 == run.span


def test_what_cannot_be_read_raises(tmp_path):
    """One line, as all links do."""
    with pytest.raises(LinkError, match="No such file"):
        Replay(Inspection(seed=bytes(16)), tmp_path / "none")
