"""CPU, priority and threaded NAPI, with files that stand in for sysfs and /proc."""

from __future__ import annotations

import errno
import os

import pytest

from syncache.links import LinkError, schedule
from syncache.links.schedule import Schedule, napi_threads


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    """What the calls asked for, and a sysfs with eth0."""
    asked = []

    class Kernel:
        priority_refused = None
        folder = tmp_path / "net" / "eth0"

        def setscheduler(self, who, policy, parameters):
            if self.priority_refused:
                raise OSError(self.priority_refused, "no")
            asked.append(("scheduler", who, policy, parameters.sched_priority))

    made = Kernel()
    made.asked = asked
    made.folder.mkdir(parents=True)
    (made.folder / "ifindex").write_text("7\n")
    (made.folder / "threaded").write_text("0\n")
    process = tmp_path / "proc" / "55"
    process.mkdir(parents=True)
    (process / "comm").write_text("napi/eth0-8193\n")
    monkeypatch.setattr(schedule, "INTERFACES", tmp_path / "net")
    monkeypatch.setattr(schedule, "PROCESSES", tmp_path / "proc")
    monkeypatch.setattr(schedule.socket, "if_nametoindex", lambda _: 7)
    monkeypatch.setattr(os, "sched_setscheduler", made.setscheduler)
    monkeypatch.setattr(
        os, "sched_setaffinity", lambda who, cpus: asked.append((who, cpus))
    )
    return made


def test_nothing_is_asked_for_by_default(kernel):
    """A link without hints leaves its thread alone."""
    Schedule("eth0").restore()
    assert kernel.asked == []


def test_thread_gets_cpu_and_priority_and_has_its_own_back_after(kernel):
    """The driver's thread is on the same CPU and below it."""
    before = os.sched_getaffinity(0)
    made = Schedule("eth0", cpu=1, priority=20, threaded_napi=True)
    assert kernel.asked == [
        (0, {1}),
        ("scheduler", 0, os.SCHED_FIFO, 20),
        (55, {1}),
        ("scheduler", 55, os.SCHED_FIFO, 10),
    ]
    assert (kernel.folder / "threaded").read_text() == "1"
    del kernel.asked[:]
    made.restore()
    assert (kernel.folder / "threaded").read_text() == "0\n"
    assert kernel.asked == [("scheduler", 0, os.SCHED_OTHER, 0), (0, before)]
    made.restore()
    assert len(kernel.asked) == 2


def test_threaded_napi_that_was_on_stays_on(kernel):
    """What was found is left as it was found."""
    (kernel.folder / "threaded").write_text("1\n")
    Schedule("eth0", threaded_napi=True).restore()
    assert (kernel.folder / "threaded").read_text() == "1\n"


def test_refused_priority_gives_one_line_and_the_cpu_back(kernel):
    """All or nothing."""
    kernel.priority_refused = errno.EPERM
    before = os.sched_getaffinity(0)
    with pytest.raises(LinkError, match="CAP_SYS_NICE"):
        Schedule("eth0", cpu=1, priority=20)
    assert kernel.asked == [(0, {1}), (0, before)]


def test_cpu_that_is_not_there_gives_one_line():
    """It names those there are."""
    with pytest.raises(LinkError, match="cannot run on CPU 99999: there are"):
        Schedule("eth0", cpu=99_999)


def test_sysfs_of_another_namespace_gives_one_line(kernel):
    """An index that differs is another interface of the same name."""
    (kernel.folder / "ifindex").write_text("8\n")
    with pytest.raises(LinkError, match="mount sysfs anew"):
        Schedule("eth0", threaded_napi=True)
    assert (kernel.folder / "threaded").read_text() == "0\n"


def test_threads_of_a_long_name_are_found(kernel, tmp_path):
    """The kernel cuts the names of its threads off."""
    process = tmp_path / "proc" / "56"
    process.mkdir()
    (process / "comm").write_text("napi/syncache-v\n")
    assert napi_threads("syncache-veth") == [56]
    assert napi_threads("eth0") == [55]
