"""syncache/cli/metrics_fleet.py: the members of a group in Prometheus's words."""

from __future__ import annotations

import re

import pytest

from syncache.cli import main
from syncache.cli.metrics_fleet import FleetSamples
from syncache.fleet import conf
from syncache.fleet.member import Member
from syncache.fleet.record import Record
from syncache.fleet.store import Store

LABEL = r'[a-z]+="[a-z0-9-]+"'
LINE = re.compile(rf"syncache_fleet_[a-z_]+\{{{LABEL}(,{LABEL})*\}} -?\d+(\.\d+)?")


@pytest.fixture
def place(fleet_conf, capsys):
    """A group, and two members that have published themselves."""
    assert 0 == main(["fleet", "init", str(fleet_conf)])
    capsys.readouterr()
    for name, rate in (("edge-1", 5.0), ("edge-2", 7.5)):
        chosen = conf.Conf.read(fleet_conf, {"SYNCACHE_FLEET_NAME": name})
        member = Member(chosen, Store(chosen))
        report = Record(name=name, time=0, state="cookies", rates={"syn": rate})
        member.report(report)
        member.turn()
        member.close()
    return fleet_conf


def test_each_member_has_its_numbers(place, tmp_path):
    """Families together, each with its type once."""
    out = tmp_path / "fleet.prom"
    words = ["--fleet", str(place), "--textfile", str(out), "--every", "0"]
    assert 0 == main(["metrics", *words])
    lines = out.read_text().splitlines()
    rows = [line for line in lines if not line.startswith("#")]
    assert [] == [row for row in rows if not LINE.fullmatch(row)]
    kinds = [line for line in lines if line.startswith("# TYPE")]
    assert len(kinds) == len(set(kinds))
    web = 'group="web",member="edge-'
    for row in (
        'syncache_fleet_up{group="web"} 1',
        'syncache_fleet_members{group="web"} 2',
        f'syncache_fleet_member_rate{{{web}1",kind="syn"}} 5.0',
        f'syncache_fleet_member_rate{{{web}2",kind="syn"}} 7.5',
        f'syncache_fleet_member_state{{{web}2",state="cookies"}} 1',
        f'syncache_fleet_member_state{{{web}2",state="calm"}} 0',
        f'syncache_fleet_member_version{{{web}2"}} 1',
        f'syncache_fleet_member_wrong{{{web}2"}} 0',
    ):
        assert row in rows


def test_server_that_is_away_is_a_number(place, server):
    """A scrape goes on."""
    found = FleetSamples(place)
    server.close()
    assert [("syncache_fleet_up", "gauge", {"group": "web"}, "0")] == list(found)


def test_conf_that_is_none_is_one_line(tmp_path, capsys):
    words = ["--fleet", str(tmp_path / "none"), "--textfile", str(tmp_path / "out")]
    assert 1 == main(["metrics", *words])
    error = capsys.readouterr().err
    assert (1, True) == (error.count("\n"), "No such file" in error)
