"""syncache/cli/keys.py: a keyring file, read and read again into engines that run."""

from __future__ import annotations

import pytest

from syncache import Inspection, Intercept, Syncache
from syncache.cli import Failure, keys
from syncache.keyring import DerivedKeyring, Master, fingerprint


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "ring"
    ring(Master.generate(1)).save(made)
    return made


def ring(*masters, group="web"):
    return DerivedKeyring(masters, wall_offset=0, group=group)


class Taker:
    """An engine that notes what it is given."""

    def __init__(self):
        self.numbers = []

    def rekey(self, given):
        self.numbers.append([master.number for master in given.masters])


def rotate(path):
    found = keys.read_keyring(path, None)
    found.with_master(Master.generate(found.masters[-1].number + 1)).save(path)


@pytest.mark.parametrize(
    "make",
    [
        Syncache,
        lambda keys: Intercept(acl=None, keys=keys),
        lambda keys: Inspection(keys=keys),
    ],
)
def test_reload_puts_new_keys_into_a_running_engine(path, make):
    """Each kind of engine takes them."""
    source = keys.KeySource(path)
    engine = make(keys=source.keys)
    rotate(path)
    source.reload(engine)
    assert [1, 2] == [master.number for master in source.keys.masters]
    engine.close()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_text("nonsense"), "first line"),
        (lambda path: path.chmod(0o644), "chmod 600"),
        (lambda path: path.unlink(), "No such file"),
        (lambda path: ring(Master.generate(1)).save(path), "key 1 is another one"),
        (lambda path: ring(Master.generate(0)).save(path), "older file"),
        (lambda path: ring(Master.generate(2), group="db").save(path), "group db"),
    ],
)
def test_reload_of_an_unusable_file_changes_nothing(path, spoil, message):
    """One line says why, and the keys in force stay in force."""
    source, taker = keys.KeySource(path), Taker()
    before = source.keys
    spoil(path)
    with pytest.raises(Failure, match=message) as caught:
        source.reload(taker)
    assert str(path) in str(caught.value)
    assert (before, []) == (source.keys, taker.numbers)


def test_watch_takes_a_file_that_changed_and_reports_it(path):
    """The thread reads, the owner of the engine takes."""
    source, taker, lines, woken = keys.KeySource(path), Taker(), [], []
    watch = keys.KeyWatch(source, lambda: woken.append(1))
    watch.look()
    assert not watch.waiting
    rotate(path)
    watch.look()
    assert (True, [1]) == (watch.waiting, woken)
    watch.take(taker, lines.append)
    assert ([[1, 2]], False) == (taker.numbers, watch.waiting)
    print_ = fingerprint(source.keys.masters[1].secret)
    line = f"keyring: read again; the newest is key 2, {print_}, from always\n"
    assert [line] == lines
    assert source.keys.masters[1].secret.hex() not in lines[0]
    watch.close()


def test_watch_says_once_what_is_wrong_with_a_file(path):
    """And goes on with what it has."""
    source, taker, lines = keys.KeySource(path), Taker(), []
    watch = keys.KeyWatch(source)
    path.write_text("nonsense")
    for _ in range(3):
        watch.look()
        watch.take(taker, lines.append)
    assert ([], 1) == (taker.numbers, len(lines))
    assert lines[0].endswith("; the keys in force stay\n")
    path.unlink()
    watch.look()
    assert not watch.waiting
    rotate_to = ring(*source.keys.masters, Master.generate(2))
    rotate_to.save(path)
    watch.look()
    watch.close()
    watch.take(taker, lines.append)
    assert [] == taker.numbers  # after the end nothing is taken


def test_watch_finds_a_change_between_the_first_read_and_its_start(path):
    """The file that was read is the one that counts."""
    source = keys.KeySource(path)
    rotate(path)
    watch = keys.KeyWatch(source)
    watch.look()
    assert watch.waiting
    watch.close()


@pytest.mark.parametrize("text", ["", "\n"])
def test_empty_passphrase_is_refused(tmp_path, text):
    """It would seal nothing."""
    path = tmp_path / "passphrase"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(Failure, match="holds no passphrase"):
        keys.read_passphrase(path)


def test_passphrase_open_to_others_is_refused(tmp_path):
    """As the keyring itself."""
    path = tmp_path / "passphrase"
    path.write_text("open sesame\n")
    path.chmod(0o640)
    with pytest.raises(Failure, match=f"chmod 600 {path}"):
        keys.read_passphrase(path)
    path.chmod(0o600)
    assert b"open sesame" == keys.read_passphrase(path)


def test_keyring_is_written_whole_and_leaves_nothing_beside_it(tmp_path):
    """A folder that is missing is one line."""
    path = tmp_path / "ring"
    for text in ("one", "another"):
        keys.write_keyring(path, text)
        assert (text, 0o600) == (path.read_text(), path.stat().st_mode & 0o777)
    assert [path] == list(tmp_path.iterdir())
    with pytest.raises(Failure, match="No such file"):
        keys.write_keyring(tmp_path / "none" / "ring", "one")


def test_wall_offset_is_that_of_the_try_that_nothing_came_between(monkeypatch):
    """A process that is put aside between two clocks reads them wrong."""
    ticks = iter([0.0, 5.0, 10.0, 10.001, 20.0, 27.0, 30.0, 33.0, 40.0, 44.0])
    walls = iter([1000.0, 1010.0, 1025.0, 1031.0, 1041.0])
    monkeypatch.setattr(keys.time, "monotonic", lambda: next(ticks))
    monkeypatch.setattr(keys, "wall_clock", lambda: next(walls))
    assert 1000.0 == pytest.approx(keys.wall_offset(), abs=0.001)
