"""Tests of `KeyFeed`: which keys an engine is given, and when again."""

from __future__ import annotations

import pytest

from syncache import Keyring
from syncache._core.keyfeed import UINT64_MASK, KeyCalls, KeyFeed
from syncache.keyring import Master

LIFETIME = 32_000


class Engine:
    """Counts epochs as C does, and remembers what it was told."""

    def __init__(self):
        self.keys: dict[int, bytes] = {}
        self.start = (0, 0)
        self.told: list[int] = []

    def set_key(self, epoch, key):
        self.told.append(epoch)
        self.keys[epoch] = key

    def set_epoch(self, epoch, start_ms):
        self.start = (epoch, start_ms)

    def epoch(self, now_ms, number):
        epoch, start = self.start
        begun = (now_ms - start & UINT64_MASK) // LIFETIME
        number[0] = (start + (begun + 1) * LIFETIME) & UINT64_MASK
        return epoch + begun


CALLS = KeyCalls(Engine.set_key, Engine.set_epoch, Engine.epoch)


@pytest.mark.parametrize("late", [0, 1, LIFETIME - 1])
def test_own_keys_are_given_one_by_one(late):
    """A ring of its own has one key at a time, and says when the next is due."""
    engine, feed = Engine(), KeyFeed(CALLS, [0], Keyring.from_seed(b"seed"))
    assert LIFETIME == feed.renew(engine, 0, LIFETIME)
    assert 2 * LIFETIME == feed.renew(engine, LIFETIME + late, LIFETIME)
    assert [0, 1] == engine.told
    assert Keyring.from_seed(b"seed").key(1, LIFETIME) == engine.keys[1]


def test_shared_keys_come_with_their_neighbours():
    """Others' cookies of the epoch before and after may arrive."""
    keys = Keyring.derived((Master(1, 0, bytes(32)),), wall_offset=LIFETIME / 100)
    engine, feed = Engine(), KeyFeed(CALLS, [0], keys)
    due = feed.renew(engine, 0, LIFETIME)
    assert [8, 9, 10, 11] == engine.told
    assert (10, 0) == engine.start
    feed.renew(engine, due, LIFETIME)
    assert [8, 9, 10, 11, 12] == engine.told


def test_engine_that_slept_gets_the_key_before_the_last():
    """A machine whose clock is late by the skew may make cookies with it still."""
    keys = Keyring.derived((Master(1, 0, bytes(32)),), wall_offset=LIFETIME / 100)
    engine, feed = Engine(), KeyFeed(CALLS, [0], keys)
    feed.renew(engine, 0, LIFETIME)
    engine.told.clear()
    feed.renew(engine, 5 * LIFETIME, LIFETIME)
    assert [13, 14, 15, 16] == engine.told


def test_first_epoch_has_no_neighbour_before_it():
    """There is no epoch -1."""
    engine, feed = Engine(), KeyFeed(CALLS, [0], Keyring.fixed((b"a" * 16, b"b" * 16)))
    feed.renew(engine, 5, LIFETIME)
    assert [0, 1] == engine.told
    assert (0, 5) == engine.start


def test_clock_behind_the_epoch_wraps_as_c_does():
    """An epoch may have begun before the engine's clock was zero."""
    keys = Keyring.derived((Master(1, 0, bytes(32)),), wall_offset=1.0)
    engine, feed = Engine(), KeyFeed(CALLS, [0], keys)
    assert LIFETIME - 1000 == feed.renew(engine, 0, LIFETIME)
    assert (0, -1000 & UINT64_MASK) == engine.start


def test_key_that_is_too_short_never_reaches_c():
    """C reads 16 bytes wherever it is pointed."""
    engine, keys = Engine(), Keyring.ephemeral()
    keys.key = lambda epoch, lifetime_ms: bytes(15)
    with pytest.raises(ValueError, match="15 bytes is too small"):
        KeyFeed(CALLS, [0], keys).renew(engine, 0, LIFETIME)
    assert [] == engine.told
