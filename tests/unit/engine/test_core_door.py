"""The calls that are methods in C: what they refuse, and that none of it is a crash."""

from __future__ import annotations

import copy
import inspect
import sys

import pytest
from test_core_bursting import rings

from syncache import Intercept, Ring, Segment, Syncache
from syncache._core import door
from syncache.conn import Numbers
from syncache.fourtuple import TUPLE_BYTES
from syncache.segment import SYN


@pytest.fixture
def engine():
    made = Syncache(seed=bytes(16))
    made.listen(80)
    return made


class Unmade(Ring):
    """A ring of somebody who forgot the base class."""

    def __init__(self) -> None:
        self.endpoints = []


class Looks:
    """An object with a ring's attributes."""

    cdata = None
    _ring = 1


@pytest.mark.parametrize("strange", [Unmade(), Looks(), None, 7, b"", Ring])
@pytest.mark.parametrize("side", ["rx", "tx"])
def test_what_is_no_ring_is_named_and_leaves_the_engine_free(engine, strange, side):
    """Memory is only read where a ring has some."""
    rx, tx = rings()
    with pytest.raises(TypeError, match="is not a Ring"):
        engine.burst(**{"rx": rx, "tx": tx, "now": 1.0, side: strange})
    assert 1 == engine.burst(rx=rx, tx=tx, now=1.0)


def test_ring_without_memory_is_not_cleared():
    """Nor is it anywhere else."""
    with pytest.raises(TypeError, match="is not a Ring"):
        Unmade().clear()
    with pytest.raises(TypeError, match="is not a Ring"):
        Ring.__new__(Ring).clear()


@pytest.mark.parametrize("core", [None, door.Door(), Intercept(acl=None)._core])
def test_what_has_no_engine_takes_no_burst(core):
    """The middlebox has bursts of its own."""
    with pytest.raises(TypeError, match="a core"):
        door.burst(core, *rings(), 1.0)
    with pytest.raises(TypeError, match="a core"):
        door.burst(core)


KEY = bytes(TUPLE_BYTES)
NUMBERS = Numbers(1, 2, 3, 4, 5, False, True)


@pytest.mark.parametrize("core", [None, door.Door(), Intercept(acl=None)._core])
def test_what_has_no_engine_is_not_polled_and_guards_nothing(core):
    """Nor is it with arguments that are missing."""
    tx = Ring(1)
    for call in (door.poll, door.guard):
        with pytest.raises(TypeError, match="a core"):
            call(core)
    with pytest.raises(TypeError, match="a core"):
        door.poll(core, tx, 1.0)
    with pytest.raises(TypeError, match="a core"):
        door.guard(core, KEY, NUMBERS)


@pytest.mark.parametrize(
    ("key", "numbers", "error"),
    [
        (KEY[1:], NUMBERS, TypeError),
        (bytearray(KEY), NUMBERS, TypeError),
        (KEY, NUMBERS[1:], TypeError),
        (KEY, list(NUMBERS), TypeError),
        (KEY, NUMBERS._replace(rcv_nxt=2**32), OverflowError),
        (KEY, NUMBERS._replace(snd_max=-1), OverflowError),
        (KEY, NUMBERS._replace(ts_recent="5"), TypeError),
    ],
)
def test_guard_with_wrong_values_leaves_the_engine_free(engine, key, numbers, error):
    """Whatever is wrong."""
    with pytest.raises(error):
        door.guard(engine._core, key, numbers)
    door.guard(engine._core, KEY, NUMBERS)  # of no connection: nothing happens


def test_poll_and_guard_wait_for_nobody(engine):
    """The token is one for all calls."""
    with engine._core:
        with pytest.raises(RuntimeError, match="in use by another call"):
            engine.poll(1.0, Ring(1))
        with pytest.raises(RuntimeError, match="in use by another call"):
            door.guard(engine._core, KEY, NUMBERS)
    with pytest.raises(ZeroDivisionError):
        engine.poll(Raises(1), Ring(1))
    assert 0 == engine.poll(1.0, Ring(1))


def test_ring_is_neither_copied_nor_pickled():
    """A copy would be the same memory."""
    with pytest.raises(TypeError):
        copy.copy(Ring(2))


class Clock(float):
    """A time that calls the engine while it is converted."""

    def ask(self, engine):
        self.engine = engine
        return self

    def __mul__(self, other):
        with pytest.raises(RuntimeError, match="in use by another call"):
            self.engine.burst(*rings(), 1.0)
        return float(self) * other


def test_call_within_a_call_is_refused_and_the_outer_one_goes_on(engine):
    """The token is taken before the time is asked for, and comes back once."""
    rx, tx = rings()
    assert 1 == engine.burst(rx, tx, Clock(1.0).ask(engine))
    assert 0 == engine.burst(rx, tx, 1.0)


class Raises(float):
    """A time that cannot be converted."""

    def __mul__(self, other):
        raise ZeroDivisionError


def test_error_of_a_time_comes_through_and_leaves_the_engine_free(engine):
    """Whatever the error is."""
    rx, tx = rings()
    with pytest.raises(ZeroDivisionError):
        engine.burst(rx, tx, Raises(1))
    assert 1 == engine.burst(rx, tx, 1.0)


def test_engine_closed_inside_a_call_stays_closed(engine):
    """The end of the outer call gives nothing back."""
    with engine._core as core:
        core.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.burst(*rings(), 1.0)
    with pytest.raises(RuntimeError, match="closed"), engine._core:
        raise AssertionError("nobody enters here")


@pytest.mark.parametrize("now", [0.0, 0.0004, 0.0005, 1.0005, 123456.7894999, 1e9])
def test_time_is_rounded_as_everywhere_else(engine, now):
    """A burst and a packet at the same time are at the same millisecond."""
    told = []
    engine._core._keys_until = float("inf")
    rx, tx = rings()
    engine.burst(rx, tx, now)
    told.append(engine.next_deadline())
    other = Syncache(seed=bytes(16))
    other.listen(80)
    syn = Segment(src="192.0.2.9", dst="192.0.2.1", sport=9, dport=80, flags=SYN)
    other.packet(syn.packet(), now)
    told.append(other.next_deadline())
    assert told[0] == told[1] is not None


def test_methods_in_c_say_what_they_take():
    """`help()` and editors ask for it."""
    assert "(self, /)" == str(inspect.signature(Ring.clear))
    assert "Forget every packet." == Ring.clear.__doc__


def test_rings_and_engines_leave_nothing_behind(engine):
    """Types in C count their references like others."""
    before = sys.getrefcount(door.Door), sys.getrefcount(door.Place)
    rx, tx = rings()
    held = sys.getrefcount(rx), sys.getrefcount(tx), sys.getrefcount(engine._core)
    for _ in range(100):
        engine.burst(rx, tx, 1.0)
        rx.clear()
        Ring(2)
        with engine._core:
            pass
        with pytest.raises(TypeError):
            engine.burst(rx, None, 1.0)
    after = sys.getrefcount(rx), sys.getrefcount(tx), sys.getrefcount(engine._core)
    assert held == after
    assert before == (sys.getrefcount(door.Door), sys.getrefcount(door.Place))
