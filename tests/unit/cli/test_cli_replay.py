"""A capture through an engine, second by second."""

from __future__ import annotations

import pytest

from syncache import Inspection, Segment
from syncache.cli.replay import GAP_S, Replay
from syncache.links import capture
from syncache.links.link import LinkError


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


def test_a_capture_from_its_end_to_its_beginning_has_no_span(write):
    """The engine's clock stays at the first packet."""
    run = Replay(Inspection(seed=bytes(16)), write([10.0, 9.0, 5.0]))
    assert [10.0] == [time for time, _ in run.seconds()]
    assert (10.0, 0.0) == (run.last, run.span)


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
