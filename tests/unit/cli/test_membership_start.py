"""Commands that start as members: with a server that stalls, a file that is spoiled."""

from __future__ import annotations

import threading
from pathlib import Path

import needs
import pytest
from valkey_server import ValkeyServer

from syncache import Keyring
from syncache.cli import files, main, membership
from syncache.fleet import conf
from syncache.fleet.member import Member


@pytest.fixture
def place(tmp_path, capsys):
    """A member's configuration, of a group that was made."""
    try:
        server = ValkeyServer(tmp_path)
    except FileNotFoundError as error:
        needs.lacks(str(error))
    path, folder = tmp_path / "fleet.conf", tmp_path / "kept"
    folder.mkdir()
    path.write_text(
        f"group = web\nvalkey = {server.url}\nkey = {tmp_path}/key\n"
        f"keyring = {folder}/ring\nname = edge-1\n"
    )
    assert 0 == main(["fleet", "init", str(path)])
    capsys.readouterr()
    yield path
    server.close()


def full(path, _):
    raise OSError(30, "Read-only file system", str(path))


class Taker:
    """An engine that notes what it is given."""

    def __init__(self):
        self.given = []

    def stats(self):
        names = "requests", "cookies_sent", "cookies_redeemed", "aggressive"
        return dict.fromkeys(names, 0)

    def rekey(self, ring):
        self.given.append(ring)


def test_start_does_not_wait_for_an_answer_that_never_comes(place, monkeypatch):
    """A name server may be as slow: the keys on the disk are in force meanwhile."""
    free = threading.Event()
    monkeypatch.setattr(membership, "START_SECONDS", 0.05)
    monkeypatch.setattr(Member, "turn", lambda _: free.wait())
    source = membership.FleetSource(place)
    free.set()
    assert [1] == [master.number for master in source.keys.masters]


@pytest.mark.parametrize("spoil", ["cut", "lost", "open", "old", "locked"])
@pytest.mark.parametrize("writable", [True, False])
def test_start_with_a_spoiled_keyring_has_the_groups_keys(
    place, monkeypatch, spoil, writable
):
    """It is written again; in a folder that is read-only, memory is as good."""
    ring = Path(conf.read(place).keyring)
    if spoil == "cut":
        ring.write_bytes(ring.read_bytes()[:40])
    elif spoil == "lost":
        ring.unlink()
    elif spoil == "open":
        ring.chmod(0o644)
    elif spoil == "locked":
        secret = conf.read(place).secret()
        keys = Keyring.from_file(ring, wall_offset=0, passphrase=secret)
        keys.save(ring, passphrase=b"somebody else's")
    else:
        before = ring.read_bytes()
        assert 0 == main(["fleet", "rotate", str(place), "--no-wait"])
        ring.write_bytes(before)
    with monkeypatch.context() as patched:
        if not writable:
            patched.setattr(files, "replace", full)
        source = membership.FleetSource(place)
    expected = [1, 2] if spoil == "old" else [1]
    assert expected == [master.number for master in source.keys.masters]
    assert ("disk" in source.member.alarms) is not writable
    if writable:
        membership.FleetSource(place)
        assert source.keys.masters == source.read().masters


def test_keyring_of_another_group_is_not_written_over(place, tmp_path):
    """Two groups of one machine with one file are a mistake."""
    ring = Path(conf.read(place).keyring)
    ring.write_text(ring.read_text())
    other = tmp_path / "other.conf"
    other.write_text(place.read_text().replace("group = web", "group = db"))
    (tmp_path / "kept" / "ring.group").unlink()
    kept = ring.read_bytes()
    assert 1 == main(["fleet", "join", str(other)])
    assert kept == ring.read_bytes()


def test_key_that_cannot_be_written_reaches_the_engine(place, monkeypatch):
    """A group that goes on to the next key has this member with it."""
    source = membership.FleetSource(place)
    watch, engine = source.watch(), Taker()
    try:
        monkeypatch.setattr(files, "replace", full)
        member = source.member
        member.publish(member.following().rotated(0.0, 60.0))
        watch.look()
        watch.take(engine, lambda _: None)
    finally:
        watch.close()
    assert [1, 2] == [master.number for master in engine.given[-1].masters]
