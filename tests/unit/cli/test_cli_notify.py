"""syncache/cli/notify.py: the datagrams that a service manager gets."""

from __future__ import annotations

import os
import socket
import subprocess
import time

import needs
import pytest

from syncache.cli.notify import Notify, OfShards


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
    assert 0.0 == notify.wait(10.0)
    for now in (10.0, 11.0, 11.5, 12.9, 13.0):
        notify.alive(now)
    assert 1.0 == notify.wait(13.5)
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


def test_manager_whose_queue_is_full_misses_nothing(tmp_path):
    """That we are ready is said again until there is room; the rest in its order."""
    place = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(place)
        sock.setblocking(False)
        notify = Notify({"NOTIFY_SOCKET": place, "WATCHDOG_USEC": "10000000"})
        is_full = False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            while not is_full:
                try:
                    other.sendto(b"noise", place)
                except BlockingIOError:
                    is_full = True
        notify.ready("calm")
        notify.reloading()
        heard = received(sock)
        assert ["noise"] in heard
        assert [] == [lines for lines in heard if lines != ["noise"]]
        assert notify.wait(1.0) < 1  # another attempt
        notify.alive(1.0)
        ready, reloading, watchdog = received(sock)
        assert (["READY=1", "STATUS=calm"], "RELOADING=1") == (ready, reloading[0])
        assert ["WATCHDOG=1"] == watchdog
        notify.close()


def test_manager_hears_of_a_wait_and_does_not_take_it_for_death(manager):
    """The start may take longer, and the watchdog is fed."""
    sock, names = manager
    notify = Notify(names | {"WATCHDOG_USEC": "10000000"})
    for now in (100.0, 101.0, 106.0, 125.0):
        notify.waiting("waiting for eth9", now)
    heard = [lines[0] for lines in received(sock)]
    assert "STATUS=waiting for eth9" == heard[0]
    assert 2 == heard.count("EXTEND_TIMEOUT_USEC=60000000")
    assert 3 == heard.count("WATCHDOG=1")
    notify.close()


def test_shards_are_one_service(manager, monkeypatch):
    """Ready once all work, reloading when told to, alive in between, and the end."""
    sock, names = manager
    for name, value in (names | {"WATCHDOG_USEC": "10000000"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    shards = OfShards(4)
    assert [] == received(sock)
    for reloaded in (False, False, True):
        shards.turn(reloaded)
    shards.close()
    heard = [lines[0] for lines in received(sock)]
    assert ["READY=1", "WATCHDOG=1", "RELOADING=1", "READY=1", "STOPPING=1"] == heard
