"""syncache/cli/serve.py: what is chosen, and how mistakes are said.

Serving itself needs a device: tests/netns/test_serve.py.
"""

from __future__ import annotations

import asyncio
import os
import sys
import types

import pytest

from syncache.cli import main, serve

LIMIT = "net.inet.tcp.syncache.rexmtlimit"
ADDRESS = ["--address", "198.18.0.2/24"]


def options(*words):
    return serve.parser().parse_args(["--echo", *ADDRESS, *map(str, words)])


def test_tunables_come_from_preset_then_file_then_words(tmp_path):
    """What is said more exactly wins."""
    file = tmp_path / "sysctl.conf"
    file.write_text(f"{LIMIT}=4\nnet.inet.tcp.syncookies=0\n")
    words = ["--sysctl", f"{LIMIT}=6", "--conf", file, "--preset", "freebsd"]
    sysctl = serve.tunables(options(*words))
    assert 6 == sysctl[LIMIT]
    assert 0 == sysctl["net.inet.tcp.syncookies"]
    assert "bucket" == sysctl["net.inet.tcp.syncache.x.pause_policy"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--sysctl", "no.such=1"], "no.such"),
        (["--sysctl", f"{LIMIT}=99"], "0 to 12"),
        (["--sysctl", LIMIT], "NAME=VALUE"),
        (["--preset", "solaris"], "freebsd"),
        (["--conf", "/nonexistent/sysctl.conf"], "/nonexistent/sysctl.conf"),
        (["--port", "0"], "port 0"),
        (["--shards", "0"], "at least one shard"),
        (["--shards", "2"], "a TUN device has one shard"),
        (["--packet", "syncache-none"], "no interface 'syncache-none'"),
        (["--xdp", "syncache-none"], "no interface 'syncache-none'"),
        (["--packet", "syncache-none", "--shards", "2"], "no interface"),
    ],
)
def test_mistake_is_one_line(capsys, words, hint):
    """Every mistake is found before a device is touched."""
    assert 1 == main(["serve", "--echo", *ADDRESS, *words])
    err = capsys.readouterr().err
    assert hint in err
    assert 1 == err.count("\n")


def test_directory_that_is_none_is_one_line(capsys, tmp_path):
    """A directory is looked at before a device is."""
    assert 1 == main(["serve", "--directory", str(tmp_path / "none"), *ADDRESS])
    assert "not a directory" in capsys.readouterr().err


def test_missing_device_is_one_line(capsys, monkeypatch, tmp_path):
    """Without /dev/net/tun the operator is told what to do."""
    from syncache.links import tun

    monkeypatch.setattr(tun, "DEVICE", tmp_path / "tun")
    assert 1 == main(["serve", "--echo", *ADDRESS])
    err = capsys.readouterr().err
    assert "modprobe tun" in err
    assert 1 == err.count("\n")


@pytest.mark.parametrize(
    ("library", "words"),
    [("h11", ["--directory", "."]), ("uvicorn", ["--asgi", "a:b"])],
)
def test_missing_library_names_its_extra(monkeypatch, library, words):
    """What an extra brings is named with the command that installs it."""
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "syncache.cli.http", raising=False)
    chosen = serve.parser().parse_args([*words, *ADDRESS])
    with pytest.raises(serve.Failure, match=rf"{library} .*tcp-syncache\[cli\]"):
        asyncio.run(serve.listen(chosen, None, None))


class Transport(asyncio.Transport):
    """Takes what is written and notes what is asked for."""

    def __init__(self):
        super().__init__()
        self.did = []

    def write(self, data):
        self.did.append(bytes(data))

    def pause_reading(self):
        self.did.append("pause")

    def resume_reading(self):
        self.did.append("resume")


def test_echo_reads_no_more_than_its_peer_takes():
    """An echo whose peer does not read stops reading."""
    echo, transport = serve.Echo(), Transport()
    echo.connection_made(transport)
    echo.data_received(b"one")
    echo.pause_writing()
    echo.resume_writing()
    assert [b"one", "pause", "resume"] == transport.did


def test_want_of_memory_in_a_callback_is_no_traceback(caplog):
    """Anything else that a callback raises is."""
    lacking = []
    host = types.SimpleNamespace(lack_memory=lambda: lacking.append(1))

    async def fail(error):
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(serve.forgiving(host))
        loop.call_exception_handler({"message": "a callback", "exception": error})

    asyncio.run(fail(MemoryError()))
    assert lacking == [1]
    assert not caplog.records
    asyncio.run(fail(ValueError("a mistake")))
    assert lacking == [1]
    assert "a callback" in caplog.text


def test_service_goes_on_when_its_turn_finds_no_memory():
    """It ends by a signal, as before."""
    turns, lacking = [], []

    def turn(_):
        turns.append(1)
        if len(turns) == 1:
            raise MemoryError
        service.stopping = True

    reader, writer = os.pipe()
    service = types.SimpleNamespace(
        stopping=False,
        turn=turn,
        tables_wanted=lambda: False,
        fileno=lambda: reader,
        rest=lambda: os.read(reader, 1),
        wake=lambda: os.write(writer, b"."),
        wait=lambda _: 0.0,
    )

    async def until_the_end():
        closed = asyncio.get_running_loop().create_future()
        host = types.SimpleNamespace(
            closed=closed, lack_memory=lambda: lacking.append(1), next_beat=None
        )
        await serve.end(host, service)

    asyncio.run(until_the_end())
    os.close(reader)
    os.close(writer)
    assert (len(turns), len(lacking)) == (2, 1)
