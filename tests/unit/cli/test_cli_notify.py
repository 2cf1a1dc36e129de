"""syncache/cli/notify.py: the datagrams that a service manager gets."""

from __future__ import annotations

import os
import socket
import subprocess
import time

import needs
import pytest

from syncache.cli.notify import Notify


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """The manager's end, and the environment that names it."""
    place = str(tmp_path / "notify")
    name = f"@syncache-test-{os.getpid()}" if request.param == "abstract" else place
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name.replace("@", "\0", 1))
        sock.setblocking(False)
        yield sock, {"NOTIFY_SOCKET": name}


def received(sock):
    found = []
    while True:
        try:
            found.append(sock.recv(4096).decode().split("\n"))
        except BlockingIOError:
            return found


def test_life_of_a_service_is_what_sd_notify_describes(manager):
    """Ready, a status that changed, reloading with its time, ready again, the end."""
    sock, names = manager
    notify = Notify(names)
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    notify.ready("calm")
    notify.status("calm")
    notify.status("aggressive\nREADY=0")
    notify.reloading()
    notify.ready("calm")
    notify.stopping()
    notify.close()
    notify.stopping()
    first, status, reloading, again, last = received(sock)
    assert ["READY=1", "STATUS=calm"] == first
    assert ["STATUS=aggressive READY=0"] == status
    assert "RELOADING=1" == reloading[0]
    word, _, number = reloading[1].partition("=")
    assert "MONOTONIC_USEC" == word
    assert before * 1e6 - 1 <= int(number) <= (before + 60) * 1e6
    assert (["READY=1", "STATUS=calm"], ["STOPPING=1"]) == (again, last)


def test_datagram_is_that_of_systemd_notify(manager):
    """Debian's systemd: what it sends, we send."""
    needs.need("systemd-notify")
    sock, names = manager
    words = ["systemd-notify", "--no-block", "--ready", "--status=calm, 7 half-open"]
    subprocess.run(words, env=os.environ | names, timeout=60, check=True)
    notify = Notify(names)
    notify.ready("calm, 7 half-open")
    notify.close()
    theirs, ours = received(sock)
    assert sorted(theirs) == sorted(ours)


def test_sign_of_life_is_sent_twice_in_the_time_that_is_asked_for(manager):
    """And only to the process that it is asked of."""
    sock, names = manager
    watched = names | {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}
    notify = Notify(watched)
    for now in (10.0, 11.0, 11.5, 12.9, 13.0):
        notify.alive(now)
    notify.close()
    assert [["WATCHDOG=1"]] * 3 == received(sock)
    notify = Notify(watched | {"WATCHDOG_PID": "1"})
    notify.alive(10.0)
    notify.close()
    assert [] == received(sock)


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"NOTIFY_SOCKET": "relative"},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "/nowhere/at/all"},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "0"},
    ],
)
def test_manager_that_is_not_there_is_no_concern(names):
    """Nothing raises, nothing waits."""
    notify = Notify(names)
    notify.ready("calm")
    notify.alive(1.0)
    notify.close()


def test_manager_that_does_not_read_delays_nobody(manager):
    """Its socket is full."""
    _, names = manager
    notify = Notify(names | {"WATCHDOG_USEC": "2"})
    for number in range(5000):
        notify.alive(float(number))
    notify.close()
