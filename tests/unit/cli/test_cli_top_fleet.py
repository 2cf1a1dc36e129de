"""syncache/cli/top_fleet.py: a group in the picture of `top`."""

from __future__ import annotations

import pytest

from syncache.cli import main, top_fleet
from syncache.cli.top_data import added
from syncache.cli.top_fleet import Fleet
from syncache.fleet import conf
from syncache.fleet.member import Member, wall_clock
from syncache.fleet.record import Record
from syncache.fleet.store import Store


@pytest.fixture
def place(fleet_conf, capsys):
    assert 0 == main(["fleet", "init", str(fleet_conf)])
    capsys.readouterr()
    return fleet_conf


def publish(place, name, late=0.0, **fields):
    chosen = conf.Conf.read(place, {"SYNCACHE_FLEET_NAME": name})
    member = Member(chosen, Store(chosen), lambda: wall_clock() - late)
    member.report(Record(name=name, time=0, **fields))
    member.turn()
    member.close()


def test_once_shows_members_added_up(place, capsys, monkeypatch):
    """Rates, the worst state, and who sends to whom."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "30")
    sources, targets = (("203.0.113.0/24", 0.5),), (("192.0.2.1", 1.0),)
    publish(place, "edge-1", rates={"syn": 1000.0})
    publish(
        place,
        "edge-2",
        state="cookies",
        rates={"syn": 3000.0, "cookie": 2500.0},
        sources=sources,
        targets=targets,
    )
    assert 0 == main(["top", "--fleet", str(place), "--once"])
    out = capsys.readouterr().out
    for text in ("fleet web", "COOKIES", "203.0.113.0/24", "192.0.2.1"):
        assert text in out
    total = added(Fleet(place).poll())
    assert (4000, 2500) == (total.rates["syns"], total.rates["cookies"])
    assert 1500 == total.asking["203.0.113.0/24"][0]
    assert ["192.0.2.1"] == total.floods


def test_member_that_is_lost_does_not_answer(place):
    publish(place, "edge-1")
    publish(place, "edge-2", late=1000.0)
    one, other = Fleet(place).poll()
    assert one.top is not None
    assert (None, True) == (other.top, "lost for" in other.error)


def test_server_that_is_away_is_said_and_comes_back(place, server):
    """Nobody answers meanwhile."""
    publish(place, "edge-1")
    fleet = Fleet(place)
    assert ["edge-1"] == [one.name for one in fleet.poll() if one.top]
    server.close()
    assert [None] == [one.top for one in fleet.poll()]
    server.start()
    publish(place, "edge-1", state="cookies")
    (one,) = fleet.poll()
    assert "cookies" == one.top["state"]
    assert one.top["since"] < 60


def test_group_without_members_is_one_line(place, capsys):
    assert 1 == main(["top", "--fleet", str(place), "--once"])
    assert "no members yet" in capsys.readouterr().err
    assert 1 == main(["top", "--fleet", str(place), "--socket", "x", "--once"])
    assert "not both" in capsys.readouterr().err
    assert top_fleet.NAMES.keys() <= top_fleet.RATES.keys()
