"""syncache/cli/state.py: spliced connections in a file, which never stops the start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from syncache import Intercept, Sysctl, flow_state
from syncache.acl import AccessList, permit
from syncache.cli import Failure
from syncache.cli.state import SESSIONS_MAX, State
from tests.conformance.shield import Shield


@pytest.fixture
def shield():
    """A shield with a thousand spliced connections: several slices."""
    made = Shield()
    for number in range(1000):
        made.client, made.p = made.other(number), None
        made.established()
    return made


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state"


def begin(path, engine, every=5.0):
    """Begin as the command does; what it says."""
    lines = []
    state = State(engine, path, every, lines.append)
    state.load(0.0)
    return state, lines


def fresh():
    return Intercept(acl=AccessList("100", [permit(dport=80)]), seed=b"another seed")


def test_connections_are_written_for_the_owner_and_taken_up_again(shield, path):
    """Mode 0600, nothing is left beside it, and the next start says how many."""
    state, lines = begin(path, shield.engine)
    state.close(shield.now)
    assert [] == lines
    assert 0o600 == path.stat().st_mode & 0o777
    assert [path] == list(path.parent.iterdir())
    engine = fresh()
    state, lines = begin(path, engine)
    state.close(0.0)
    assert 1000 == len(engine.connections())
    assert lines[0].startswith(f"1000 of 1000 connections of {path} go on; those of")


def test_slices_of_many_turns_are_what_one_export_is(shield, path):
    """A turn takes out a bounded part; the file is that of the time it began."""
    state, _ = begin(path, shield.engine)
    import syncache.cli.state as module

    turns = 0
    before, module.SLICES_A_TURN = module.SLICES_A_TURN, 1
    try:
        state.turn(0.0)
        while state.wait(0.0) == 0:
            state.turn(0.0)
            turns += 1
    finally:
        module.SLICES_A_TURN = before
    state.close(0.0)
    assert 1000 // 256 + 1 == turns
    assert shield.engine.export_state(0.0) == path.read_bytes()


def test_state_is_written_when_it_is_due(shield, path):
    """At the start, and every few seconds from then on."""
    state, _ = begin(path, shield.engine)
    state.turn(0.0)
    assert state.wait(0.0) > 0  # all in one turn
    state.turn(4.9)
    wait(state)
    assert 4.0 == state.wait(1.0)
    path.unlink()
    state.turn(4.9)
    wait(state)
    assert not path.exists()
    state.turn(5.0)
    wait(state)
    assert path.exists()
    state.close(5.0)


def wait(state):
    """Let the thread write what it was given."""
    while state._file.busy:
        os.sched_yield()


def other_version(data):
    return data.replace(b"-splices 1 ", b"-splices 9 ", 1)


UNUSABLE = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[:-1],
    "header alone": lambda data: data[:30],
    "other version": other_version,
    "garbage": lambda data: os.urandom(5000),
    "text": lambda data: b"anything\n",
    "longer": lambda data: data + b"x",
}


@pytest.mark.parametrize("spoil", UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_state_is_set_aside_with_one_line(shield, path, spoil):
    """The box starts, and writes a new one; the old one can be looked at."""
    data = spoil(shield.engine.export_state(0.0))
    path.write_bytes(data)
    engine = fresh()
    state, lines = begin(path, engine)
    state.close(0.0)
    (line,) = lines
    assert line.startswith(f"{path} cannot be used (")
    assert line.endswith(f"): it is now {path}.bad\n")
    assert data == Path(f"{path}.bad").read_bytes()
    assert b"" == flow_state.unpack(path.read_bytes())


def test_more_than_any_state_can_have_is_not_read(path):
    """A sparse file of a terabyte takes neither memory nor time."""
    with path.open("wb") as file:
        file.truncate(2**40)
    sysctl = Sysctl()
    sysctl[SESSIONS_MAX] = 1024
    engine = Intercept(sysctl, acl=None)
    state, lines = begin(path, engine)
    state.close(0.0)
    assert f"it has more than {flow_state.size(1024)} bytes" in lines[0]


def what_is(path):
    """Return what a look at a file leaves as it is."""
    found = path.lstat()
    return found.st_mode, found.st_ino, found.st_mtime_ns


@pytest.mark.parametrize(
    "make",
    [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/null")],
    ids=["directory", "pipe", "device"],
)
def test_what_is_no_file_stays_and_nothing_is_kept(path, make):
    """Opening a pipe that nobody writes does not wait."""
    make(path)
    before = what_is(path)
    state, lines = begin(path, fresh())
    state.close(0.0)
    assert 1 == len(lines)
    assert "nothing is kept there" in lines[0]
    assert before == what_is(path)
    assert [path] == list(path.parent.iterdir())


def test_state_that_others_can_write_is_not_believed(shield, path):
    """It could make connections."""
    path.write_bytes(shield.engine.export_state(0.0))
    path.chmod(0o666)
    engine = fresh()
    state, lines = begin(path, engine)
    state.close(0.0)
    assert "others can write it" in lines[0]
    assert [] == engine.connections()


def test_folder_or_interval_that_cannot_be_is_said_at_the_start(tmp_path):
    """A mistyped path would lose every connection years later."""
    with pytest.raises(Failure, match="there is no folder"):
        State(fresh(), tmp_path / "nowhere" / "state", 5.0, print)
    with pytest.raises(Failure, match="is a number of seconds, not 0"):
        State(fresh(), tmp_path / "state", 0.0, print)
