"""syncache/cli/service.py: reload, status and end of a long-running command."""

from __future__ import annotations

import argparse
import errno
import os
import select
import signal
import sys
import threading

import pytest

from syncache.cli import Failure, service
from syncache.cli.log_form import INFO, WARNING
from syncache.cli.patience import attended
from syncache.cli.service import LATE, RELOAD_SECONDS, TURN_SECONDS, Service
from syncache.cli.signals import Signals
from syncache.links import LinkError


class World:
    """A service whose configuration is read by `prepare`."""

    def __init__(self, signals, monkeypatch):
        self.lines, self.calls, self.severities = [], [], []
        self.told = []
        self.prepare = lambda: lambda: self.calls.append("apply")
        options = argparse.Namespace(user=None, group=None)
        self.service = Service(
            options,
            signals,
            self.write,
            lambda: self.prepare(),  # noqa: PLW0108 - tests replace it
            lambda: self.calls.append("reopen"),
        )
        for name in ("ready", "reloading", "stopping", "status"):
            monkeypatch.setattr(
                self.service._notify, name, lambda *_, n=name: self.told.append(n)
            )

    def write(self, text, severity=INFO):
        self.lines.append(text)
        self.severities.append(severity)

    def reload(self):
        os.kill(os.getpid(), signal.SIGHUP)
        self.service.turn(0.0)
        while self.service._reading:
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
    # Without a manager no status is made.
    assert ["ready", "reloading", "ready"] == world.told


def test_thread_that_reads_files_soon_gives_way_to_packets(world):
    """A packet loop waits for Python's lock at each ring; later it is as it was."""
    before = sys.getswitchinterval()
    for _ in range(2):  # an interface was lost, and is there again
        world.service.begin(lambda: "calm")
    assert service.SWITCH_SECONDS == pytest.approx(sys.getswitchinterval(), 0.1)
    world.service.close()
    assert before == pytest.approx(sys.getswitchinterval(), 0.1)


def test_reload_makes_no_thread_and_its_want_of_memory_is_a_line(world, monkeypatch):
    """One that is made late may be refused, or waited for in vain."""

    def refuse(*_):
        raise RuntimeError("can't start new thread")

    def fail():
        raise MemoryError

    world.service.begin(lambda: "calm")
    monkeypatch.setattr(threading.Thread, "start", refuse)
    world.reload()
    assert "apply" == world.calls[-1]
    for world.prepare in (fail, lambda: fail):
        world.reload()
        assert "configuration not taken: not enough memory: " in world.lines[-1]
    world.prepare = lambda: lambda: world.calls.append("again")
    world.reload()
    assert "again" == world.calls[-1]


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
    assert [WARNING] == world.severities
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


def test_turn_is_due_once_a_second_or_when_the_manager_wants_a_sign(world, monkeypatch):
    """And at once behind a signal, or when the files were read."""
    world.service.begin(lambda: "calm")
    assert TURN_SECONDS == world.service.wait(5.0)
    monkeypatch.setattr(world.service._notify, "wait", lambda now: now / 10)
    assert 0.5 == world.service.wait(5.0)
    for _ in range(2):  # the signal, the thread
        if not world.service._reading:
            os.kill(os.getpid(), signal.SIGHUP)
        assert select.select([world.service], [], [], 60)[0]
        world.service.rest()
        world.service.turn(0.0)
    assert "apply" in world.calls


def test_end_is_told(world):
    """At a signal to stop."""
    world.service.begin(lambda: "calm")
    assert not world.service.stopping
    os.kill(os.getpid(), signal.SIGTERM)
    assert world.service.stopping
    world.service.close()
    assert "stopping" == world.told[-1]


def test_lost_link_is_waited_for_and_the_manager_hears_no_end(monkeypatch):
    """A second try follows; meanwhile the manager knows what is waited for."""
    there = [False]
    said, opened = [], []
    monkeypatch.setattr(service, "exists", lambda _: there[0])
    monkeypatch.setattr(service, "WAIT_SECONDS", 0.0)

    def waiting(_, status, now):
        said.append((status, now > 0))
        there[0] = len(said) == 3

    monkeypatch.setattr(service.Notify, "waiting", waiting)
    lines = []

    def work(_):
        opened.append(there[0])
        if not there[0]:
            raise OSError("eth9 is gone")

    with Signals() as signals:
        service.keep_open(work, ["eth9"], signals, lambda text, **_: lines.append(text))
    assert [False, True] == opened
    assert [("waiting for eth9", True)] * 3 == said
    assert ["eth9 is gone; waiting for eth9\n"] == lines


def test_address_that_comes_later_than_its_interface_is_waited_for(monkeypatch):
    """As after a boot, or when the interface was made again."""
    ours = []
    monkeypatch.setattr(service, "exists", lambda name: name == "lo")
    monkeypatch.setattr(service, "is_local", lambda address: str(address) in ours)
    monkeypatch.setattr(service, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(
        service.Notify, "waiting", lambda *_: ours.append("2001:db8::1")
    )
    lines = []

    def work(_):
        if not ours:
            raise LinkError("2001:db8::1 is not ours", errno.EADDRNOTAVAIL)

    with Signals() as signals:
        service.keep_open(
            work, ["lo", "2001:db8::1"], signals, lambda text, **_: lines.append(text)
        )
    assert ["2001:db8::1 is not ours; waiting for 2001:db8::1\n"] == lines


def test_link_in_whose_place_another_stands_is_opened_again(monkeypatch):
    """An interface that is deleted and made anew at once is never seen missing."""
    monkeypatch.setattr(service, "exists", lambda _: True)
    monkeypatch.setattr(service, "WAIT_SECONDS", 0.0)
    lines, errors = [], [errno.ENODEV, errno.ENXIO]

    def work(_):
        if errors:
            raise LinkError("eth9 is gone", errors.pop())

    with Signals() as signals:
        service.keep_open(work, ["eth9"], signals, lambda text, **_: lines.append(text))
        assert ["eth9 is gone; opening eth9 again\n"] * 2 == lines
        errors.append(errno.ENODEV)
        with pytest.raises(Failure, match="eth9 is gone"):
            service.keep_open(work, [], signals, lambda text, **_: lines.append(text))
        errors.append(errno.EPERM)
        with pytest.raises(Failure, match="eth9 is gone"):
            service.keep_open(
                work, ["eth9"], signals, lambda text, **_: lines.append(text)
            )


def test_close_after_a_lost_link_is_no_end(world):
    """With `--wait` the service goes on."""
    world.service.begin(lambda: "calm")
    world.service.close()
    assert "stopping" not in world.told


def test_reload_that_a_disk_holds_up_is_said_and_taken_later(world):
    """The file is named; the manager does not wait for it either."""
    asked, answer = threading.Event(), threading.Event()

    def read():
        asked.set()
        answer.wait()
        return lambda: world.calls.append("late")

    world.prepare = lambda: attended("acl", read)
    world.service.begin(lambda: "calm")
    os.kill(os.getpid(), signal.SIGHUP)
    world.service.turn(0.0)
    asked.wait()
    for now in (0.0, RELOAD_SECONDS, 2 * RELOAD_SECONDS):
        world.service.turn(now)
    assert world.lines == [LATE.format("acl") + "\n"]
    assert world.told.count("ready") == 2
    answer.set()
    while world.service._reading:
        world.service.turn(3 * RELOAD_SECONDS)
        os.sched_yield()
    assert world.calls[-1] == "late"
    assert world.lines[-1].startswith("configuration read again")


@pytest.mark.parametrize("staying", [True, False])
def test_control_socket_that_another_user_cannot_remove_is_said(
    world, monkeypatch, staying
):
    """At the start, not by a file that somebody finds."""
    monkeypatch.setattr(service, "drop", lambda _: None)
    monkeypatch.setattr(service, "stays", lambda _: staying)
    world.service._options.user = "nobody"
    world.service._options.control = "/run/x"
    world.service.begin(lambda: "calm")
    assert staying == any(
        line.startswith("/run/x will be left behind: user nobody")
        for line in world.lines
    )
