"""syncache/fleet/twin.py: two members of one name."""

from __future__ import annotations

import time

from syncache.fleet.member import Member
from syncache.fleet.record import Record, kind_of
from syncache.fleet.seal import Sealer
from syncache.fleet.store import Store
from syncache.fleet.twin import Life

SEALER = Sealer("web", b"a secret of the group")


def record(life, wall):
    made = Record(name="edge-1", time=wall, life=life)
    return SEALER.seal(made.kind, made.encode())


def test_record_of_another_life_that_is_newer_is_a_twins():
    """One of a previous life, replayed or left behind, is not."""
    life = Life()
    life.begin(100.0)
    life.begin(200.0)
    assert life.number != Life().number

    def is_twin(sealed):
        return life.is_twin("edge-1", sealed, SEALER)

    assert is_twin(record(life.number + 1, 150.0)) is True
    assert is_twin(record(life.number + 1, 99.0)) is False
    assert is_twin(record(life.number, 150.0)) is False
    assert is_twin(b"a lie") is None
    assert is_twin(SEALER.seal(kind_of("edge-1"), b"{}")) is None


def test_name_that_two_members_have_is_an_alarm_until_one_leaves(server, member_conf):
    """At both: each sees what the other has written over its own."""
    conf = member_conf("edge-1", server.url)
    one, other = (Member(conf, Store(conf), time.time) for _ in range(2))

    def turns():
        for member in (one, other, one, other):
            member._clock_due = 0.0
            member.turn()

    turns()
    assert ["name"] == [*one.alarms] == [*other.alarms]
    assert "another member is called edge-1 too" in one.alarms["name"]
    other.close()
    for _ in range(2):
        one._clock_due = 0.0
        one.turn()
    assert {} == one.alarms
    one.close()
