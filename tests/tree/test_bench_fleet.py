"""bench/fleet.py: the simulation is right where the answer is known."""

from __future__ import annotations

import pkgutil

import pytest

from bench import fleet

FOUND = fleet.Measured(
    idle=600.0, flood=6000.0, document=500, reach=[0.1], server=1e-4, write=0.2
)


def test_converge_of_one_member_is_a_round_trip_and_its_service():
    """And a half one for the answer."""
    had = fleet.converge(1, service=0.001, lost=0.0, rtt=0.02)
    assert [pytest.approx(0.031)] == had


def test_converge_of_many_is_the_servers_work():
    """It answers one after the other."""
    had = fleet.converge(1000, service=0.001, lost=0.0, rtt=0.0)
    assert 1000 == len(had)
    assert pytest.approx(1.0) == max(had)


def test_converge_with_lost_wake_ups_takes_a_round_longer_at_most():
    """Who was not woken asks by himself."""
    had = fleet.converge(500, service=0.0, lost=1.0, rtt=0.0)
    assert 0.9 < max(had) <= fleet.ROUND_SECONDS


def test_tables_have_a_row_for_each_size_and_each_flood():
    """Of numbers, whatever they are."""
    assert len(fleet.SIZES) + 2 == len(fleet.table(FOUND))
    rows = fleet.forged()
    assert "| 1,000,000 | one in 16.8 s |" == rows[2]
    assert "| 1,000,000,000 | 60 a second |" == rows[-1]


def test_scrypt_is_left_out_where_members_make_it():
    """A hundred agents of one process share one."""
    assert fleet.Sealer is pkgutil.resolve_name(fleet.SEALER)
