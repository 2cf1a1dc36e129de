"""Processes that share keys: they begin together, end together, and trust one another.

On a real interface: netns/test_shard.py.
"""

from __future__ import annotations

import os
import signal
import time

import pytest

from syncache import Keyring, Kind, Segment, Syncache, Sysctl
from syncache.cli.privileges import Account, drop, limit
from syncache.links import LinkError
from syncache.links.shard import run
from syncache.options import Mss, SackPermitted, Timestamps, WindowScale, encode
from syncache.segment import ACK, SYN

CLIENT, SERVER = "192.0.2.1", "198.51.100.7"


def wait_for(path):
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    return path.read_bytes()


def put(path, data):
    """Write a file that others see whole or not at all."""
    path.with_suffix(".part").write_bytes(data)
    path.with_suffix(".part").replace(path)


def syn(sport):
    options = encode((Mss(1460), SackPermitted(), Timestamps(5, 0), WindowScale(7)))
    ends = {"src": CLIENT, "dst": SERVER, "sport": sport, "dport": 80}
    return Segment(**ends, seq=9, flags=SYN, window=65535, options_bytes=options)


def engine(keys):
    made = Syncache(Sysctl({"net.inet.tcp.syncookies_only": 1}), keys=keys)
    made.listen(80, SERVER)
    return made


def final_ack(answer):
    """Acknowledge a SYN-ACK as the client would."""
    (clock,) = (o for o in answer.options if isinstance(o, Timestamps))
    clocks = Timestamps(clock.tsecr + 1, clock.tsval)
    return answer.reply(ACK, window=500, options=(clocks,))


@pytest.mark.parametrize("shared", [True, False])
def test_cookie_of_one_shard_is_good_at_the_other(tmp_path, shared):
    """Made in one process, redeemed in another; and with other keys it is not."""
    place = tmp_path / "ack"

    def work(shard):
        stranger = not shared and shard.index == 1
        cache = engine(Keyring.ephemeral() if stranger else shard.keys)
        shard.ready()
        if shard.index == 0:
            verdict = cache.packet(syn(4000).packet(), time.monotonic())
            put(place, final_ack(verdict.reply).packet())
            return
        packet = wait_for(place)
        verdict = cache.packet(packet, time.monotonic())
        assert shared is (verdict.kind is Kind.ACCEPT)

    assert run(2, work) == 0


def test_every_shard_has_number_keys_and_a_cpu(tmp_path):
    """The keys are one keyring's, the processors differ as far as there are any."""

    def work(shard):
        key = shard.keys.key(7, 16_000).hex()
        assert shard.cpu in os.sched_getaffinity(0)
        assert "key" not in repr(shard).replace("keys=", "")
        shard.ready()
        put(tmp_path / str(shard.index), f"{shard.count} {key}".encode())

    assert run(3, work) == 0
    said = {(tmp_path / str(i)).read_bytes() for i in range(3)}
    assert len(said) == 1
    assert said.pop().startswith(b"3 ")


def test_nobody_begins_unless_all_are_ready(tmp_path, capfd):
    """One that has no link ends the others before they serve."""

    def work(shard):
        if shard.index == 1:
            raise LinkError("no link for me")
        shard.ready()
        put(tmp_path / "began", b"")

    assert run(2, work) == 1
    assert not (tmp_path / "began").exists()
    assert "shard 1: no link for me\n" in capfd.readouterr().err


def test_failure_of_one_ends_the_others(capfd):
    """A server that has lost a part of its packets is better started anew."""

    def work(shard):
        shard.ready()
        if shard.index == 0:
            raise ZeroDivisionError
        time.sleep(60)

    assert run(2, work) == 1
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_signal_that_ends_one_is_named(capfd):
    """The kernel's for want of memory comes without a word."""

    def work(shard):
        shard.ready()
        if shard.index == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)

    assert run(2, work) == 1
    assert "shard 1: ended by a signal, Killed: was memory " in capfd.readouterr().err


def test_signal_goes_on_to_all(tmp_path):
    """The parent ends when its children have ended, each as it likes."""
    parent = os.getpid()

    def work(shard):
        def leave(*_):
            put(tmp_path / f"left{shard.index}", b"")
            raise SystemExit(0)

        signal.signal(signal.SIGTERM, leave)
        shard.ready()
        if shard.index == 0:
            os.kill(parent, signal.SIGTERM)
        time.sleep(60)

    before = signal.getsignal(signal.SIGTERM)
    assert run(2, work) == 0
    assert {"left0", "left1"} == {path.name for path in tmp_path.iterdir()}
    assert signal.getsignal(signal.SIGTERM) is before


def test_parent_hears_once_all_work_and_of_each_reload(tmp_path):
    """It is the one that a service manager knows."""
    heard = []

    def work(shard):
        signal.signal(signal.SIGHUP, lambda *_: put(tmp_path / str(shard.index), b"x"))
        shard.ready()
        while not (tmp_path / str(shard.index)).exists():
            time.sleep(0.01)

    def turn(reloaded):
        if not heard:
            os.kill(os.getpid(), signal.SIGHUP)
        heard.append(reloaded)

    assert 0 == run(2, work, turn=turn)
    assert False is heard[0]
    assert 1 == sum(heard)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
@pytest.mark.parametrize("end", ["signal", "death"])
def test_shards_of_another_user_hear_of_signals_and_of_the_end(tmp_path, end):
    """Their parent may send them none, as root without CAP_KILL, and may be killed."""
    tmp_path.chmod(0o777)
    folder = os.open(tmp_path, os.O_RDONLY)  # those above are root's

    def touch(name):
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=folder))

    def work(shard):
        def note(number, _):
            touch(f"{signal.Signals(number).name}{shard.index}")
            if number == signal.SIGTERM:
                raise SystemExit(0)

        signal.signal(signal.SIGHUP, note)
        signal.signal(signal.SIGTERM, note)
        drop(Account("other", 65534, 65534))
        shard.ready()
        touch(f"ready{shard.index}")
        time.sleep(60)

    parent = os.fork()
    if parent == 0:
        limit([6, 7])  # CAP_SETGID and CAP_SETUID
        os._exit(run(2, work))
    for index in range(2):
        wait_for(tmp_path / f"ready{index}")
    if end == "signal":
        os.kill(parent, signal.SIGHUP)
        for index in range(2):
            wait_for(tmp_path / f"SIGHUP{index}")
        os.kill(parent, signal.SIGTERM)
    else:
        os.kill(parent, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(parent, 0)[1])
    for index in range(2):
        wait_for(tmp_path / f"SIGTERM{index}")
    os.close(folder)
    assert status == (0 if end == "signal" else -signal.SIGKILL)


def test_no_shard_at_all_is_refused():
    """There is nobody to serve."""
    with pytest.raises(ValueError, match="at least one shard, not 0"):
        run(0, print)
