"""syncache/cli/key.py: keyring files made, shown, rotated and sealed."""

from __future__ import annotations

import re

import pytest

from syncache.cli import key, keys, main


@pytest.fixture
def run(capsys):
    """Run the command; return exit status, output and errors."""

    def call(*words):
        status = main(["key", *map(str, words)])
        out, err = capsys.readouterr()
        return status, out, err

    return call


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "passphrase"
    path.write_text("open sesame\n")
    path.chmod(0o600)
    return path


def test_init_makes_a_file_that_is_its_owners_alone(run, tmp_path):
    """And says which key it has without telling it."""
    path = tmp_path / "ring"
    status, out, _ = run("init", path, "--group", "web")
    ring = keys.read_keyring(path, None)
    assert (0, "web", 1) == (status, ring.group, len(ring.masters))
    assert 0o600 == path.stat().st_mode & 0o777
    assert re.search(r"key 1  [0-9a-f]{8}  in force   from always\n", out)
    assert ring.masters[0].secret.hex() not in out


def test_init_never_overwrites(run, tmp_path):
    """The keys of running machines are not lost by one word."""
    path = tmp_path / "ring"
    run("init", path)
    before = path.read_bytes()
    status, _, err = run("init", path)
    assert (1, 1, before) == (status, err.count("\n"), path.read_bytes())


def test_rotate_publishes_a_key_for_later(run, tmp_path):
    """Both are shown: the one in force and the one that follows."""
    path = tmp_path / "ring"
    run("init", path)
    status, out, _ = run("rotate", path, "--lead", 600)
    assert 0 == status
    assert re.search(r"key 1  \w+  in force   from always\n", out)
    assert re.search(r"key 2  \w+  published  from 20[0-9T:-]+Z\n", out)
    assert out == run("show", path)[1]


def test_rotate_deletes_what_is_retired(run, tmp_path):
    """Two lifetimes after its successor came into force."""
    path = tmp_path / "ring"
    run("init", path)
    ring = keys.read_keyring(path, None)
    second = key.Master.generate(2, int(keys.wall_clock()) - 100)
    ring.with_master(second).save(path)
    run("rotate", path)
    left = keys.read_keyring(path, None)
    assert [2, 3] == [master.number for master in left.masters]


def test_sealed_file_stays_sealed_over_a_rotation(run, tmp_path, secret):
    """Nothing of it is ever on the disk in clear."""
    path = tmp_path / "ring"
    run("init", path, "--passphrase", secret)
    assert "sealed" in path.read_text().splitlines()[0]
    assert 0 == run("rotate", path, "--passphrase", secret)[0]
    assert "sealed" in path.read_text().splitlines()[0]
    assert 2 == len(keys.read_keyring(path, secret).masters)
    status, _, err = run("show", path)
    assert (1, True) == (status, "a passphrase is needed" in err)


def test_seal_seals_a_plain_file_and_seals_it_anew(run, tmp_path, secret):
    """The old passphrase no longer opens it."""
    path, other = tmp_path / "ring", tmp_path / "other"
    other.write_text("close sesame")
    other.chmod(0o600)
    run("init", path)
    assert 0 == run("seal", path, "--passphrase", secret)[0]
    words = ["--old-passphrase", secret, "--passphrase", other]
    assert 0 == run("seal", path, *words)[0]
    assert 0 == run("show", path, "--passphrase", other)[0]
    assert 1 == run("show", path, "--passphrase", secret)[0]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["show", "{}"], "No such file"),
        (["rotate", "{}"], "No such file"),
        (["seal", "{}"], "seal needs --passphrase"),
        (["init", "{}", "--group", "a b"], "is not a group's name"),
        (["show", "{}", "--group", "web"], "--group is for init only"),
        (["init", "{}", "--old-passphrase", "x"], "--old-passphrase is for seal only"),
        (["rotate", "{}", "--lead", "nan"], "--lead 0 seconds to ten years"),
        (["rotate", "{}", "--lifetime", "0"], "--lifetime is 1 second or more"),
    ],
)
def test_operators_mistake_is_one_line(run, tmp_path, words, hint):
    """It says what to do, and no file is made."""
    path = tmp_path / "ring"
    status, out, err = run(*[word.format(path) for word in words])
    assert (1, "", 1) == (status, out, err.count("\n"))
    assert hint in err
    assert [] == list(tmp_path.iterdir())


def test_key_of_a_time_beyond_the_calendar_is_of_a_number():
    """A file may name any second."""
    late = key.Master(2, 9007199254740000, bytes(32))
    assert "second 9007199254740000" == keys.since(late)
