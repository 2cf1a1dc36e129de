"""`syncache fleet` on a machine whose clock is wrong, or set meanwhile."""

from __future__ import annotations

import re

import pytest

from syncache.cli import fleet, main
from syncache.fleet import conf
from syncache.fleet.member import Member, wall_clock
from syncache.fleet.store import Store

HOUR = 3600.0


@pytest.fixture
def group(tmp_path, server, capsys):
    """Make a group; return the configurations of two members, the second at work."""
    paths = []
    for name, action in (("edge-1", "init"), ("edge-2", "join")):
        path = tmp_path / f"{name}.conf"
        path.write_text(
            f"group = web\nvalkey = {server.url}\nkey = {tmp_path}/fleet.key\n"
            f"keyring = {tmp_path}/{name}.ring\nname = {name}\n"
        )
        assert 0 == main(["fleet", action, str(path)])
        paths.append(path)
    chosen = conf.read(paths[1])
    member = Member(chosen, Store(chosen))
    member.turn()
    member.start()
    capsys.readouterr()
    yield paths
    member.close()


@pytest.fixture
def clock(monkeypatch):
    """Return a function that sets the wall clock of the commands."""

    def set_it(ahead):
        def wrong():
            return wall_clock() + ahead

        monkeypatch.setattr(fleet, "wall_clock", wrong)
        monkeypatch.setattr(Member.__init__, "__defaults__", (wrong,))

    return set_it


@pytest.mark.parametrize("ahead", [HOUR, 5.0, -HOUR, -5.0])
@pytest.mark.parametrize("action", ["rotate", "revoke"])
def test_machine_whose_clock_is_wrong_changes_no_key(
    group, clock, capsys, tmp_path, action, ahead
):
    """The others would change at a wrong time, or lose a key that is in use."""
    clock(ahead)
    new = tmp_path / "new.key"
    new.write_text("another secret of the group")
    new.chmod(0o600)
    words = ["--member", "edge-2", "--new-key", str(new)] if action == "revoke" else []
    assert 1 == main(["fleet", action, str(group[0]), "--no-wait", *words])
    error = capsys.readouterr().err
    assert (1, True) == (error.count("\n"), "our clock" in error)
    # What Valkey takes to answer comes off.
    assert re.search(r" [45]\.\d s ahead", error) or ahead != 5.0
    chosen = conf.read(group[0])
    assert 1 == len(Member(chosen, Store(chosen)).document.masters)


@pytest.mark.parametrize("ahead", [HOUR, 5.0])
def test_clock_of_valkey_alone_decides_nothing(group, clock, monkeypatch, ahead):
    """It lies, or nobody is at work."""
    monkeypatch.setattr(fleet, "members", lambda *_: ([], []))
    clock(ahead)
    assert 0 == main(["fleet", "rotate", str(group[0]), "--no-wait"])


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_clock_that_is_set_while_a_command_waits_changes_nothing(clock, step):
    """Neither hours more, nor a key that is deleted too soon."""
    steady = fleet.steady()
    before = steady()
    clock(step)
    fleet.wait_until(before + 0.01, steady)
    assert before < steady() < before + HOUR / 2
