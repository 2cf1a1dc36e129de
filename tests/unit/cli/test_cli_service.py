"""syncache/cli/service.py: reload, status and end of a long-running command."""

from __future__ import annotations

import argparse
import os
import signal

import pytest

from syncache.cli import Failure
from syncache.cli.service import Service
from syncache.cli.signals import Signals


class World:
    """A service whose configuration is read by `prepare`."""

    def __init__(self, signals, monkeypatch):
        self.lines, self.calls = [], []
        self.told = []
        self.prepare = lambda: lambda: self.calls.append("apply")
        options = argparse.Namespace(user=None, group=None)
        self.service = Service(
            options,
            signals,
            self.lines.append,
            lambda: self.prepare(),  # noqa: PLW0108 - tests replace it
            lambda: self.calls.append("reopen"),
        )
        for name in ("ready", "reloading", "stopping", "status"):
            monkeypatch.setattr(
                self.service._notify, name, lambda *_, n=name: self.told.append(n)
            )

    def reload(self):
        os.kill(os.getpid(), signal.SIGHUP)
        self.service.turn(0.0)
        while self.service._thread is not None:
            self.service.turn(0.0)
            os.sched_yield()


@pytest.fixture
def world(monkeypatch):
    with Signals() as signals:
        yield World(signals, monkeypatch)


def test_sighup_reads_again_and_puts_it_in_force_in_the_loop(world):
    """Logs are opened again, the manager knows, a line says how long it took."""
    world.service.begin(lambda: "calm")
    world.reload()
    assert ["reopen", "apply"] == world.calls
    assert world.lines[0].startswith("configuration read again, in force within ")
    assert ["ready", "status", "reloading", "ready"] == world.told


@pytest.mark.parametrize("where", ["prepare", "apply"])
@pytest.mark.parametrize(
    "error",
    [
        Failure("x.conf:3: no such name"),
        ValueError("x.conf:3: no such name"),
        PermissionError("x.conf:3: no such name"),
    ],
)
def test_what_cannot_be_taken_is_one_line_and_changes_nothing(world, where, error):
    """Whichever half finds it; the manager learns that we are ready as before."""
    if where == "prepare" and not isinstance(error, Failure):
        error = Failure(str(error))

    def fail():
        raise error

    world.prepare = fail if where == "prepare" else lambda: fail
    world.service.begin(lambda: "calm")
    world.reload()
    assert ["configuration not taken: x.conf:3: no such name\n"] == world.lines
    assert "ready" == world.told[-1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_reload_that_fails_in_any_other_way_is_not_said_to_be_in_force(world):
    """A fault of ours; the service goes on as before."""

    def fail():
        raise RuntimeError

    world.prepare = fail
    world.service.begin(lambda: "calm")
    world.reload()
    assert ["configuration not taken: the files could not be read\n"] == world.lines
    assert "ready" == world.told[-1]


def test_file_that_is_gone_is_named(world):
    """Errors of the system have their path."""

    def fail():
        raise FileNotFoundError(2, "No such file or directory", "a.conf")

    world.prepare = fail
    world.service.begin(lambda: "calm")
    world.reload()
    assert ["configuration not taken: a.conf: No such file or directory\n"] == (
        world.lines
    )


def test_reloads_that_come_while_one_runs_are_one(world):
    """The last state of the files is what counts."""
    world.service.begin(lambda: "calm")
    for _ in range(5):
        os.kill(os.getpid(), signal.SIGHUP)
    world.reload()
    assert ["reopen", "apply"] == world.calls


def test_end_is_told(world):
    """At a signal to stop."""
    world.service.begin(lambda: "calm")
    assert not world.service.stopping
    os.kill(os.getpid(), signal.SIGTERM)
    assert world.service.stopping
    world.service.close()
    assert "stopping" == world.told[-1]
