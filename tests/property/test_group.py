"""Machines of a group redeem each other's cookies: every engine at every other.

The machines are those of tools/group_machines.py; the shield's programs, which need a
kernel, are in tests/netns/test_shield_group.py.
"""

from __future__ import annotations

import itertools

import pytest
from group_machines import (
    CASES,
    ENGINES,
    ERRORS,
    LIFETIME,
    MASTERS,
    SKEW,
    WALL,
    handshake,
    segment,
)

from syncache import Segment
from syncache.keyring import DerivedKeyring, Master
from syncache.options import Timestamps
from syncache.segment import SYN


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("redeems", ENGINES)
@pytest.mark.parametrize("mints", ENGINES)
def test_cookie_of_one_machine_is_redeemed_at_another(mints, redeems, family):
    """At the edges of epochs, with all of the skew either way."""
    lost = []
    done = 0
    for error in ERRORS:
        one = ENGINES[mints](WALL - 5000.25, error)
        other = ENGINES[redeems](WALL - 77.5 - 5000, -error)
        wall, port = WALL, 2000
        for (at, delay), rich in itertools.product(CASES, (False, True)):
            wall += 4 * LIFETIME
            port += 1
            case = (error, at, delay, rich)
            done += 1
            if not handshake(one, other, wall + at, delay, family, port, rich):
                lost.append(case)
    assert ([], len(ERRORS) * 2 * len(CASES)) == (lost, done)


@pytest.mark.parametrize("redeems", ENGINES)
@pytest.mark.parametrize("mints", ENGINES)
def test_cookie_of_another_group_is_refused(mints, redeems):
    """The name is in every key."""
    one, other = (ENGINES[kind](WALL - 5000.25, 0.0) for kind in (mints, redeems))
    keys = DerivedKeyring(MASTERS, wall_offset=WALL - 5000.25, group="db")
    other.engine.rekey(keys)
    assert not handshake(one, other, WALL + 5, 0.1, 4, 2000, rich=True)


@pytest.mark.parametrize("redeems", ENGINES)
@pytest.mark.parametrize("mints", ENGINES)
def test_rotation_loses_no_handshake(mints, redeems):
    """Both have the new key before its time; each takes it in the same epoch."""
    one = ENGINES[mints](WALL - 5000.25, SKEW / 2)
    other = ENGINES[redeems](WALL - 9000, -SKEW / 2)
    port, begins = 3000, WALL + 320
    for number in range(2, 22):
        begins += 2 * LIFETIME
        for machine in (one, other):
            fresh = Master(number, begins, bytes([number]) * 32)
            machine.keys = machine.keys.with_master(fresh)
            machine.engine.rekey(machine.keys)
        for at in (-SKEW, -0.2, -0.001, 0.0, 0.2, SKEW):
            port += 1
            assert handshake(one, other, begins + at, 0.0, 4, port, rich=True)


def test_two_machines_have_one_clock_of_timestamps():
    """Whatever engine they run: a client sees one TSval that grows."""
    told = []
    for kind in ENGINES.values():
        machine = kind(WALL - 5000.25, 0.0)
        raw = Timestamps(1, 0).encode() + b"\1\1"
        syn = segment(4, 5000, seq=1, flags=SYN, options_bytes=raw)
        answer = Segment.parse(machine.syn(syn.packet(), WALL))
        told += [o.tsval for o in answer.options if type(o) is Timestamps]
    assert [told[0]] * len(ENGINES) == told


@pytest.mark.parametrize("step", [-300.0, -LIFETIME, -3.0, -0.4, 0.4, 3.0, 30.0, 300.0])
@pytest.mark.parametrize("kind", ENGINES)
def test_clock_that_is_set_loses_no_handshake(kind, step):
    """Neither one that is under way nor a later one of two machines, either way."""
    one, other = ENGINES[kind](WALL - 5000.25, -step), ENGINES[kind](WALL - 9000, 0.0)
    kept = []
    for number, (family, rich) in enumerate(itertools.product((4, 6), (False, True))):
        wall, port = WALL + 1000 * number, 6000 + number
        one.set_clock(-step)
        # A SYN before, so that the gate of a middlebox that was made anew is no matter.
        kept.append(handshake(one, one, wall, 0.1, family, port, rich))
        kept.append(
            handshake(
                one,
                one,
                wall + 1,
                0.1,
                family,
                port + 100,
                rich,
                between=lambda: one.set_clock(0.0),
            )
        )
        kept.append(handshake(one, other, wall + 2, 0.1, family, port + 200, rich))
        kept.append(handshake(other, one, wall + 3, 0.1, family, port + 300, rich))
    assert [True] * 16 == kept
