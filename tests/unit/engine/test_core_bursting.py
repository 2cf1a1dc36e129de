"""The burst of an engine: the token, the time, and the state after a refusal."""

from __future__ import annotations

import math

import pytest

from syncache import Ring, Segment, Syncache
from syncache.segment import SYN


@pytest.fixture
def engine():
    made = Syncache(seed=bytes(16))
    made.listen(80)
    return made


def rings():
    rx, tx = Ring(2), Ring(2)
    syn = Segment(src="192.0.2.9", dst="192.0.2.1", sport=9, dport=80, flags=SYN)
    rx.push(syn.packet())
    return rx, tx


def test_burst_takes_what_is_there_and_names_its_endpoints(engine):
    """The handshakes in the ring are those of this engine."""
    rx, tx = rings()
    assert 1 == engine.burst(rx, tx, 1.0)
    assert 1 == len(tx) == rx.next
    assert rx.endpoints is engine._endpoints


@pytest.mark.parametrize(
    ("now", "error"),
    [("soon", TypeError), (None, TypeError), (math.nan, ValueError)],
)
def test_time_that_is_none_is_said_and_leaves_the_engine_free(engine, now, error):
    """The next call finds neither a packet taken nor the engine in use."""
    rx, tx = rings()
    with pytest.raises(error, match="now is a"):
        engine.burst(rx, tx, now)
    assert 0 == len(tx) == rx.next
    assert 1 == engine.burst(rx, tx, 1.0)


@pytest.mark.parametrize("now", [-5.0, 0.0, 1e300, 7])
def test_every_finite_time_is_one(engine, now):
    """Before the clock's zero, beyond its end, a whole number."""
    rx, tx = rings()
    assert 1 == engine.burst(rx, tx, now)


def test_burst_inside_another_call_is_refused_and_changes_nothing(engine):
    """One call at a time; and none after the end."""
    rx, tx = rings()
    with engine._core, pytest.raises(RuntimeError, match="in use by another call"):
        engine.burst(rx, tx, 1.0)
    assert 0 == rx.next
    assert 1 == engine.burst(rx, tx, 1.0)
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.burst(rx, tx, 1.0)


def test_ring_is_not_its_own_answer(engine):
    """Replies would overwrite packets that are still to be read."""
    rx, _ = rings()
    with pytest.raises(ValueError, match="a ring of their own"):
        engine.burst(rx, rx, 1.0)


def test_ring_that_was_cleared_holds_nothing(engine):
    """No packet, none consumed, none passed; other fields stay."""
    rx, tx = rings()
    rx.push(b"\x45")
    engine.burst(rx, tx, 1.0)
    rx.clear()
    assert ([], 0, 0, 2) == (rx.passed, rx.next, len(rx), rx.free)
    assert 2048 == rx.slot_size
