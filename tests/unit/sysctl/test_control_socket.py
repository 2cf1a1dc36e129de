"""syncache/control_socket.py: requests answered between two turns of a loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import select
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import pytest

from syncache import Intercept, control_socket
from syncache.acl import AccessList, permit
from syncache.control import Client, ControlError, FlowControl
from syncache.control_socket import CONNECTIONS_MAX, ControlServer, ControlSocket
from tests.conformance.shield import Shield

MODE = "net.inet.tcp.intercept.mode"


@pytest.fixture
def engine():
    """An engine with 1,000 connections."""
    shield = Shield()
    for number in range(1000):
        shield.client, shield.p = shield.other(number), None
        shield.syn()
    return shield.engine


@pytest.fixture
def served(engine, tmp_path):
    made = ControlSocket(str(tmp_path / "control"), FlowControl(engine, lambda: 1.0))
    yield made
    made.close()
    assert not (tmp_path / "control").exists()


def turns(served, work):
    """Turn the loop until what another thread does is done; its result."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        while not future.done():
            served.turn()
        return future.result()


def test_sysctl_and_statistics_of_a_box_are_asked_as_those_of_a_server(
    served, tmp_path, engine
):
    """One protocol, whatever the engine."""
    client = Client(tmp_path / "control")
    assert "intercept" == turns(served, lambda: client.request("get", name=MODE))
    words = {"name": MODE, "value": "watch"}
    changed = turns(served, lambda: client.request("set", **words))
    assert (["intercept", "watch"], "watch") == (changed, engine.sysctl[MODE])
    status = turns(served, lambda: client.request("status"))
    assert ("intercept", 1000) == (status["engine"], status["half_open"])
    assert 1000 == turns(served, lambda: client.request("statistics"))["incomplete"]
    assert 1000 == turns(served, lambda: client.request("stats"))["requests"]
    text = turns(served, lambda: client.request("configuration"))
    assert "ip tcp intercept mode watch" in text
    with pytest.raises(ValueError, match="syncache show"):
        turns(served, lambda: client.request("half_open"))
    with pytest.raises(ValueError, match="`intercept` has no 'nothing'"):
        turns(served, lambda: client.request("nothing"))


def test_sessions_come_in_short_steps_and_all_of_them(served, tmp_path, engine):
    """No step looks at more than a thousand places of the table."""
    client = Client(tmp_path / "control")
    sessions, about = turns(served, client.sessions)
    assert engine.connections() == sessions
    assert ("intercept", 1.0) == (about["engine"], about["now"])
    lines = list(FlowControl(engine).replies(b'{"op": "sessions"}\n'))
    assert len(lines) >= 1000 // 256
    assert max(map(len, lines)) < 64 * 1024


def test_socket_is_for_the_owner_and_one_process(served, tmp_path, engine):
    """Mode 0600; a dead process's is replaced, a living one's is not."""
    assert served
    path = tmp_path / "control"
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    with pytest.raises(FileExistsError, match="in use by another process"):
        ControlSocket(str(path), FlowControl(engine))
    stale = tmp_path / "stale"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(stale))
    ControlSocket(str(stale), FlowControl(engine)).close()
    with pytest.raises(FileNotFoundError, match="/nowhere/at/all"):
        ControlSocket("/nowhere/at/all", FlowControl(engine))


def test_reader_that_does_not_read_delays_nobody(served, tmp_path):
    """Nor do more connections than there may be, or lines without an end."""
    idle = []
    for _ in range(CONNECTIONS_MAX - 2):
        made = socket.socket(socket.AF_UNIX)
        made.connect(str(tmp_path / "control"))
        made.sendall(b'{"op": "sessions"}\n')
        idle.append(made)
    for _ in range(1000):
        served.turn()
    endless = socket.socket(socket.AF_UNIX)
    endless.connect(str(tmp_path / "control"))
    endless.setblocking(False)

    def speak():
        while True:
            try:
                endless.send(b"x" * 4096)
            except BlockingIOError:
                served.turn()

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        speak()
    client = Client(tmp_path / "control")
    assert "intercept" == turns(served, lambda: client.request("get", name=MODE))
    for made in (*idle, endless):
        made.close()
    for _ in range(1000):
        served.turn()
    assert {} == served._talks


def test_several_requests_of_one_connection_are_answered_in_order(served, tmp_path):
    """As they come, in one piece too."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(tmp_path / "control"))
        line = json.dumps({"op": "get", "name": MODE}).encode() + b"\n"
        sock.sendall(line + b"nonsense\n" + line)
        for _ in range(20):
            served.turn()
        sock.settimeout(60)
        with sock.makefile("rb") as file:
            answers = [json.loads(file.readline()) for _ in range(3)]
    assert ["result", "error", "result"] == [next(iter(each)) for each in answers]


def test_connections_that_say_nothing_make_room(served, tmp_path):
    """A program that never closes its own keeps no operator out."""
    path = tmp_path / "control"

    def work():
        with contextlib.ExitStack() as stack:
            for _ in range(3 * CONNECTIONS_MAX):
                one = stack.enter_context(socket.socket(socket.AF_UNIX))
                one.connect(str(path))
                one.sendall(b"{")
            return Client(path, 30).request("status")["engine"]

    assert "intercept" == turns(served, work)


def test_no_descriptors_are_not_asked_for_at_once_again(tmp_path, monkeypatch):
    """The loop would turn without a rest; who waits is taken when there are some."""
    monkeypatch.setattr(control_socket, "AGAIN_SECONDS", 0.0)
    served = ControlSocket(str(tmp_path / "x"), FlowControl(Intercept(acl=None)))
    none = Mock()
    none.accept.side_effect = OSError(errno.EMFILE, "Too many open files")
    none.fileno.return_value = served._socket.fileno()
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(str(tmp_path / "x"))
        real, served._socket = served._socket, none
        served.turn()
        assert [] == select.select([served], [], [], 0)[0]
        assert 1 == none.accept.call_count
        served._socket = real
        served.turn()  # registers again, and accepts
        served.turn()
        assert 1 == len(served._talks)
    served.close()


def test_event_loop_tries_again_after_there_were_no_descriptors(tmp_path, monkeypatch):
    """By itself: nobody else need turn the socket."""
    monkeypatch.setattr(control_socket, "AGAIN_SECONDS", 0.01)
    path = tmp_path / "control"

    async def main():
        served = ControlServer(path, FlowControl(Intercept(acl=None)))
        real, served._socket = served._socket, Mock()

        def accept():
            if served._socket.accept.call_count == 2:
                served._socket = real
            raise OSError(errno.EMFILE, "Too many open files")

        served._socket.accept.side_effect = accept
        served._socket.fileno.return_value = real.fileno()
        status = await asyncio.to_thread(Client(path).request, "status")
        served.close()
        return status["engine"]

    assert "intercept" == asyncio.run(main())


def test_process_that_ends_in_the_middle_is_an_error(tmp_path):
    """Half a table is no table."""
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer():
            made, _ = listener.accept()
            made.recv(100)
            made.sendall(b'{"rows": ""}\n')
            made.close()

        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(answer)
            with pytest.raises(ControlError, match="the process has ended"):
                Client(path).sessions()
            future.result()


def test_engine_without_sessions_has_none(tmp_path):
    """An empty table is a whole one."""
    engine = Intercept(acl=AccessList("web", [permit(dport=80)]))
    served = ControlSocket(str(tmp_path / "control"), FlowControl(engine))
    sessions, about = turns(served, Client(tmp_path / "control").sessions)
    served.close()
    assert ([], 0) == (sessions, about["bytes"])


def test_event_loop_answers_a_step_or_two_at_a_time(engine, tmp_path):
    """However many ask at once, what else the loop has to do comes in between."""
    path = tmp_path / "control"
    control = FlowControl(engine, lambda: 1.0)
    made = []  # lines of answers since the loop turned last

    class Counting:
        def replies(self, line):
            for reply in control.replies(line):
                made.append(reply)
                yield reply

    async def main():
        loop = asyncio.get_running_loop()
        most = 0
        with contextlib.ExitStack() as stack:
            stack.callback(ControlServer(path, Counting()).close)
            for _ in range(CONNECTIONS_MAX):
                one = stack.enter_context(socket.socket(socket.AF_UNIX))
                one.connect(str(path))
                one.sendall(b'{"op": "sessions"}\n' * 10)
            asked = loop.run_in_executor(None, Client(path).sessions)
            while not asked.done():
                most = max(most, len(made))
                made.clear()
                await asyncio.sleep(0)
            assert engine.connections() == (await asked)[0]
            # Whoever is still connected at the end is no reason for a line.
        return most

    assert 1 <= asyncio.run(main()) <= control_socket.STEPS_A_TURN
    assert not path.exists()


def test_step_without_memory_ends_its_connection_alone(tmp_path):
    """The next one is answered."""

    class Short(FlowControl):
        def replies(self, _):
            raise MemoryError

    served = ControlSocket(str(tmp_path / "x"), Short(Intercept(acl=None)))
    with pytest.raises(ControlError, match="the process has ended"):
        turns(served, lambda: Client(tmp_path / "x").request("status"))
    assert {} == served._talks
    served.close()
