"""A disk that is full, a folder that is gone: a member's keys are in memory as well."""

from __future__ import annotations

import shutil

import pytest
from first_document import FIRST

from syncache.cli import files
from syncache.fleet.member import Member
from syncache.fleet.store import Store
from syncache.keyring import Keyring


@pytest.fixture
def pair(server, member_conf):
    """Two members, of which the first has made the group."""
    made = []
    for name in ("edge-1", "edge-2"):
        conf = member_conf(name, server.url)
        conf.keyring.parent.joinpath("kept").mkdir()
        moved = conf.keyring.parent / "kept" / "ring"
        conf = type(conf)(conf.group, conf.valkey, conf.key, moved, conf.name)
        made.append(Member(conf, Store(conf)))
    assert made[0].publish(FIRST)
    yield made
    for one in made:
        one.close()


def numbers(member):
    """The keys of the file that engines read."""
    conf = member.conf
    ring = Keyring.from_file(conf.keyring, wall_offset=0, passphrase=conf.secret())
    return [master.number for master in ring.masters]


def turn(member):
    member._write_due = 0.0
    member.turn()


def test_document_that_cannot_be_written_is_in_force_from_memory(pair, monkeypatch):
    """It is an alarm, and it is written when there is room again."""
    one, other = pair
    turn(other)
    one.publish(FIRST.rotated(1000, 60))

    def full(path, _):
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(files, "replace", full)
        turn(other)
        assert "No space left on device; keys in memory" in other.alarms["disk"]
        assert (2, True) == (other.document.version, other.unwritten)
        assert [1] == numbers(other)
    turn(other)
    assert ({}, False) == (other.alarms, other.unwritten)
    assert [1, 2] == numbers(other)


@pytest.mark.parametrize("name", ["ring", "ring.group", "."])
def test_file_that_was_deleted_is_written_again(pair, name):
    """With its folder, as soon as there is one."""
    one, _ = pair
    path = one.conf.keyring.parent / name
    if path.is_dir():
        shutil.rmtree(path)
        turn(one)
        assert "No such file" in one.alarms["disk"]
        path.mkdir()
    else:
        path.unlink()
    turn(one)
    assert {} == one.alarms
    assert [1] == numbers(one)
    assert FIRST == one.key_file.open(one.conf.sealed.read_bytes())


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_member_that_is_killed_between_its_files_has_both_later(
    pair, monkeypatch, calls
):
    """Whichever of them was written."""
    one, other = pair
    turn(other)
    one.publish(FIRST.rotated(1000, 60))
    replace, left = files.replace, [calls]

    def until_killed(path, parts):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        replace(path, parts)

    with monkeypatch.context() as patched:
        patched.setattr(files, "replace", until_killed)
        if calls < 2:
            with pytest.raises(KeyboardInterrupt):
                turn(other)
    again = Member(other.conf, Store(other.conf))
    turn(again)
    assert (2, {}) == (again.document.version, again.alarms)
    assert [1, 2] == numbers(again)
    again.close()


def test_who_only_looks_writes_nothing(pair):
    """`top` and `metrics` have no keyring."""
    one, _ = pair
    shutil.rmtree(one.conf.keyring.parent)
    looker = Member(one.conf, Store(one.conf), silent=True, keeps=False)
    turn(looker)
    assert (FIRST, {}) == (looker.document, looker.alarms)
    assert not one.conf.keyring.parent.exists()
    looker.close()


def test_member_that_leaves_with_a_full_disk_is_forgotten(pair, server):
    """It ended in an orderly way all the same."""
    one, _ = pair
    shutil.rmtree(one.conf.keyring.parent)
    turn(one)
    one.start()
    assert server.client().hexists("syncache:web:members", "edge-1")
    one.close()
    assert "disk" in one.alarms
    assert not server.client().hexists("syncache:web:members", "edge-1")
