"""Tests of the life of master keys: epochs, rotation, retirement, what may follow."""

from __future__ import annotations

import pytest

from syncache import Keyring
from syncache.keyring import DerivedKeyring, KeyringError, Master
from syncache.succession import check, epoch_at, retired, rotated

LIFETIME = 32


def ring(*masters, group="web"):
    return DerivedKeyring(masters, wall_offset=0, group=group)


@pytest.mark.parametrize(
    ("wall", "expected"), [(0, 0), (0.5, 32), (31.9, 32), (32, 32), (32.001, 64)]
)
def test_epoch_at_is_the_first_one_not_before(wall, expected):
    """A key comes into force with an epoch, and never before its time."""
    assert expected == epoch_at(wall, LIFETIME)


def test_rotated_adds_a_key_of_the_next_number_after_the_lead():
    """Others have the lead to get it; until then nothing changes."""
    before = ring(Master.generate(7))
    after = rotated(before, 1000.5, lifetime=LIFETIME, lead=60)
    assert [7, 8] == [master.number for master in after.masters]
    begins = after.masters[1].begins
    assert 0 == begins % LIFETIME
    assert 1060.5 <= begins < 1060.5 + LIFETIME
    epoch = begins // LIFETIME
    ms = LIFETIME * 1000
    assert before.key(epoch - 1, ms) == after.key(epoch - 1, ms)
    assert before.key(epoch, ms) != after.key(epoch, ms)
    assert (before.group, before.ts_key()) == (after.group, after.ts_key())


def test_rotated_twice_within_the_lead_keeps_both_in_order():
    """Times never fall, so the second comes into force no earlier than the first."""
    once = rotated(ring(Master.generate(1)), 1000, lifetime=LIFETIME, lead=600)
    twice = rotated(once, 1001, lifetime=LIFETIME, lead=0)
    assert [1, 2, 3] == [master.number for master in twice.masters]
    assert once.masters[1].begins == twice.masters[2].begins


def test_retired_key_is_deleted_two_lifetimes_and_the_skew_after_its_successor():
    """No sooner: its last cookie lives so long."""
    both = ring(Master.generate(1), Master.generate(2, 320))
    over = 320 + 2 * LIFETIME + 1
    for wall, numbers in ((over - 0.1, [1, 2]), (over, [2])):
        left = retired(both, wall, lifetime=LIFETIME, skew=1)
        assert numbers == [master.number for master in left.masters]
    assert both.ts_key() == left.ts_key()


def test_retired_keeps_the_only_key():
    """A keyring has one."""
    only = ring(Master.generate(1))
    assert only.masters == retired(only, 1e9, lifetime=LIFETIME).masters


def test_check_lets_rotations_and_retirements_follow():
    """And anything may follow keys that were drawn."""
    before = ring(Master.generate(1), Master.generate(2))
    check(before, before)
    check(before, before.with_master(Master.generate(3)))
    check(before, before.with_masters(before.masters[1:]))
    check(None, before)
    check(Keyring.ephemeral(), before)


def test_check_refuses_what_would_lose_cookies():
    """Another group, an older file, another key under a known number."""
    first, second = Master.generate(1), Master.generate(2)
    before = ring(first, second)
    for after, message in (
        (ring(first, second, group="db"), "group db, and web is in force"),
        (ring(first, second, group=""), r"group \(none\), and web"),
        (ring(first), "newest key is 1, and 2 is known"),
        (ring(first, Master.generate(2)), "key 2 is another one"),
    ):
        with pytest.raises(KeyringError, match=message) as caught:
            check(before, after)
        assert "\n" not in str(caught.value)
