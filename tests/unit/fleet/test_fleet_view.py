"""Tests of `View`: what commands show of a group, without a trace."""

from __future__ import annotations

import pytest
from first_document import FIRST

from syncache.fleet import FleetError
from syncache.fleet.member import Member, wall_clock
from syncache.fleet.record import Record
from syncache.fleet.store import Store
from syncache.fleet.view import View


@pytest.fixture
def member(server, member_conf):
    one = Member(member_conf("edge-1", server.url), Store(member_conf("x", server.url)))
    assert one.publish(FIRST)
    yield one
    one.close()


def test_rows_have_what_each_member_published(member, member_conf, server):
    """And the faults in it; a record of nobody is only named."""
    report = Record(
        name="x",
        time=0,
        state="cookies",
        rates={"syn": 5.0},
        sources=(("203.0.113.0/24", 0.5),),
        targets=(("192.0.2.1", 1.0),),
    )
    member.report(report)
    member.turn()
    server.client().hset("syncache:web:members", "edge-9", b"nonsense")
    view = View(member_conf("watcher", server.url))
    seen = view.look()
    (row,) = seen.rows()
    assert row["name"] == "edge-1"
    assert abs(row.pop("seen")) < 60
    assert ["edge-9"] == seen.strange
    expected = {
        "state": "cookies",
        "rates": {"syn": 5.0},
        "sources": [["203.0.113.0/24", 0.5]],
        "targets": [["192.0.2.1", 1.0]],
        "wrong": [],
    }
    assert expected == {name: row[name] for name in expected}
    assert "lost" in View(
        member_conf("watcher", server.url), lambda: wall_clock() + 60
    ).look().wrong(seen.records[0])
    view.close()


def test_view_leaves_no_file_and_changes_nothing(member, member_conf, server):
    """Neither a keyring here, nor a document in a wiped Valkey."""
    conf = member_conf("watcher", server.url)
    view = View(conf)
    assert 1 == view.look().document.version
    server.client().flushall()
    assert 1 == view.look().document.version  # what was seen before
    assert not server.client().exists("syncache:web:keys")
    assert ["key"] == [path.name for path in conf.keyring.parent.iterdir()]
    view.close()


def test_no_group_and_no_server_are_one_line(member_conf, server):
    view = View(member_conf("watcher", server.url))
    with pytest.raises(FleetError, match="there is no group web"):
        view.look()
    server.close()
    with pytest.raises(FleetError, match="Valkey at"):
        view.look()
    view.close()
