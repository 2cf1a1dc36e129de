"""syncache/control.py: requests, answers, and the socket between them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import json
import select
import socket
import stat
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from syncache import Syncache, halfopen
from syncache.control import (
    Client,
    Control,
    ControlError,
    start_control,
)
from syncache.control_socket import CONNECTIONS_MAX
from syncache.lookout import RATES
from syncache.segment import SYN, Segment
from syncache.socket_path import SocketPath

LIMIT = "net.inet.tcp.syncache.rexmtlimit"
HASHSIZE = "net.inet.tcp.syncache.hashsize"


@pytest.fixture
def engine():
    engine = Syncache(seed=bytes(16))
    engine.listen(80, "192.0.2.1")
    for port in (5000, 5001):
        syn = Segment(
            src="198.51.100.7", dst="192.0.2.1", sport=port, dport=80, flags=SYN
        )
        engine.packet(syn.packet(), port - 5000)
    return engine


@pytest.fixture
def ask(engine):
    """Ask a Control directly; return the whole answer."""
    control = Control(engine)

    def ask(**request):
        return json.loads(control.answer(json.dumps(request).encode()))

    return ask


def test_get_returns_the_value(ask):
    """A tunable is read by name."""
    assert {"result": 3} == ask(op="get", name=LIMIT)
    assert {"result": 2} == ask(op="get", name="net.inet.tcp.syncache.count")


def test_set_changes_the_engine_and_returns_both_values(ask, engine):
    """A setting is in force at once; text is read as sysctl.conf spells it."""
    assert {"result": [3, 5]} == ask(op="set", name=LIMIT, value="0x5")
    assert 5 == engine.sysctl[LIMIT]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"op": "get", "name": "no.such"}, "KeyError"),
        ({"op": "set", "name": LIMIT, "value": "99"}, "ValueError"),
        ({"op": "set", "name": HASHSIZE, "value": "1024"}, "PermissionError"),
        ({"op": "launch"}, "ValueError"),
        ({"op": "get"}, "ValueError"),
        ({"op": "get", "name": LIMIT, "more": 1}, "ValueError"),
        ({"op": "get", "name": []}, "ValueError"),
        ({}, "KeyError"),
    ],
)
def test_mistake_is_answered_with_its_kind(ask, engine, request_, error):
    """What is refused is named, and changes nothing."""
    before = dict(engine.sysctl)
    answer = ask(**request_)
    assert error == answer["error"]
    assert answer["message"]
    assert before == dict(engine.sysctl)


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"7", b"\xff\xfe", b"[" * 60000])
def test_any_line_is_answered(engine, line):
    """No line can raise."""
    answer = json.loads(Control(engine).answer(line))
    assert "error" in answer


def test_walk_lists_a_subtree(ask):
    """A prefix returns names and values."""
    result = ask(op="walk", prefix="net.inet.tcp.syncache")["result"]
    assert 3 == result[LIMIT]
    assert all(name.startswith("net.inet.tcp.syncache.") for name in result)


def test_stats_hold_every_counter(ask, engine):
    """Counters come under their names."""
    assert engine.stats.as_dict() == ask(op="stats")["result"]
    assert 2 == ask(op="stats")["result"]["sc_added"]


def test_half_open_comes_in_short_steps_and_the_client_sorts_it(tmp_path, engine):
    """All of the table, the oldest first; a step looks at 1,024 buckets at most."""
    lines = list(Control(engine).replies(b'{"op": "half_open"}'))
    assert len(lines) >= 2
    path = tmp_path / "sc.sock"
    rows = serve(path, engine, lambda: Client(path).half_open())
    assert [5000, 5001] == [row.fport for row in rows]
    assert sorted(engine.half_open(), key=lambda row: -row.age) == rows


def test_sample_is_a_part_of_the_table_from_a_place_on(ask):
    """From the beginning all of a small one; the place is bounded."""
    sample = ask(op="sample")["result"]
    rows = halfopen.read(base64.b64decode(sample["rows"]))
    assert ("syncache", {5000, 5001}) == (sample["engine"], {r.fport for r in rows})
    assert "" == ask(op="sample", begin=0.999)["result"]["rows"]
    for begin in (-0.1, 1, "x"):
        assert "ValueError" == ask(op="sample", begin=begin)["error"]


def test_top_has_rates_tables_and_state(ask):
    """Whatever the owner of the engine looks at; the history when it is asked for."""
    top = ask(op="top", history=True)["result"]
    assert ("syncache", "calm") == (top["engine"], top["state"])
    assert [2, 15360] == top["tables"]["half-open"]
    assert set(RATES) == set(top["rates"])
    assert [] == top["history"]
    assert "history" not in ask(op="top")["result"]


def test_status_tells_pid_and_pause(ask):
    """A status line names the process."""
    status = ask(op="status")["result"]
    assert (False, 2) == (status["paused"], status["count"])
    assert status["pid"] > 0


def serve(path, engine, work):
    """Run `work` in a thread while the engine answers at `path`."""

    async def main():
        async with await start_control(path, engine):
            return await asyncio.to_thread(work)

    return asyncio.run(main())


def test_client_gets_results_and_exceptions(tmp_path, engine):
    """A client raises what the process raised."""
    path = tmp_path / "sc.sock"

    def work():
        client = Client(path)
        assert 3 == client.request("get", name=LIMIT)
        assert [3, 4] == client.request("set", name=LIMIT, value="4")
        with pytest.raises(PermissionError, match="before an engine"):
            client.request("set", name=HASHSIZE, value="64")
        with pytest.raises(KeyError, match=r"no\.such"):
            client.request("get", name="no.such")

    serve(path, engine, work)


def test_socket_is_the_owners_alone(tmp_path, engine):
    """Nobody else may connect."""
    path = tmp_path / "sc.sock"
    mode = serve(path, engine, lambda: stat.S_IMODE(path.stat().st_mode))
    assert 0o600 == mode


def test_stale_socket_is_replaced(tmp_path, engine):
    """What a killed process left behind does not stop the next one."""
    path = tmp_path / "sc.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert 3 == serve(path, engine, lambda: Client(path).request("get", name=LIMIT))


def test_living_socket_is_not_replaced(tmp_path, engine):
    """Two processes do not take each other's socket."""
    path = tmp_path / "sc.sock"

    def work():
        with pytest.raises(FileExistsError, match="in use"):
            serve(path, engine, lambda: None)
        return Client(path).request("get", name=LIMIT)

    assert 3 == serve(path, engine, work)


class Reply(bytearray):
    """One that can be referred to."""


class Kept(Control):
    """Remembers what it said, as long as somebody else does."""

    said: weakref.ref[Reply]
    forgotten: asyncio.Event

    def replies(self, _):
        reply = Reply(b"x" * 1000 + b"\n")
        type(self).said = weakref.ref(reply, lambda _: self.forgotten.set())
        yield reply


def test_connection_that_is_reset_keeps_nothing_until_a_collection(tmp_path, engine):
    """A full one may be a minute away, and a line has 64 kB."""
    path = tmp_path / "sc.sock"

    def work():
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"{}\n")
            assert client.recv(1)
            # What is unread makes the end a reset.

    async def main():
        Kept.forgotten = asyncio.Event()
        async with await start_control(path, engine, kind=Kept):
            await asyncio.to_thread(work)
            await asyncio.wait_for(Kept.forgotten.wait(), 10)

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()


def test_connections_that_say_nothing_make_room(tmp_path, engine):
    """A program that never closes its own keeps no operator out."""
    path = tmp_path / "sc.sock"

    def work():
        with contextlib.ExitStack() as stack:
            for _ in range(3 * CONNECTIONS_MAX):
                one = stack.enter_context(socket.socket(socket.AF_UNIX))
                one.connect(str(path))
                one.sendall(b"{")
            return Client(path).request("get", name=LIMIT)

    assert 3 == serve(path, engine, work)


def test_end_with_an_open_connection_is_quiet(tmp_path, engine, caplog):
    """As `syncache top` has one; asyncio's own servers would wait for it."""
    path = tmp_path / "sc.sock"
    client = Client(path, keeps=True)
    assert 3 == serve(path, engine, lambda: client.request("get", name=LIMIT))
    client.close()
    assert "" == caplog.text
    assert not path.exists()


def test_server_is_closed_as_those_of_asyncio_are(tmp_path, engine):
    """By its own words, twice if need be, and the path is free again."""

    async def main():
        server = await start_control(tmp_path / "sc.sock", engine)
        before = server.is_serving()
        server.close()
        server.close()
        await server.wait_closed()
        async with await start_control(tmp_path / "sc.sock", engine) as again:
            return before, server.is_serving(), again.is_serving()

    assert (True, False, True) == asyncio.run(main())


def test_only_one_connection_too_many_makes_room(tmp_path, engine):
    """The first one that says nothing stays beside 63 others."""
    path = tmp_path / "sc.sock"

    def work():
        with contextlib.ExitStack() as stack:
            silent = []
            for _ in range(64):
                one = stack.enter_context(socket.socket(socket.AF_UNIX))
                one.settimeout(60)
                one.connect(str(path))
                silent.append(one)
            silent[-1].sendall(b'{"op": "get", "name": "net.inet.tcp.syncookies"}\n')
            assert silent[-1].recv(4096)  # all of them have been accepted
            assert ([], [], []) == select.select([silent[0]], [], [], 0)
            Client(path).request("get", name=LIMIT)
            assert ([], [], []) == select.select([silent[1]], [], [], 0)
            return silent[0].recv(1)

    assert b"" == serve(path, engine, work)


@pytest.mark.parametrize(
    "answer", [b"", b"5\n", b"{}\n", b'{"error": 5}\n', b"[" * 9000 + b"\n", b"\xff\n"]
)
def test_answer_of_another_program_is_one_line(tmp_path, answer):
    """Whatever it says."""
    path = tmp_path / "sc.sock"
    place = SocketPath(path)
    place.socket.listen()
    place.socket.setblocking(True)

    def speak():
        for _ in range(2):
            made, _ = place.socket.accept()
            with made:
                made.recv(1000)
                made.sendall(answer)

    thread = threading.Thread(target=speak)
    thread.start()
    client = Client(path, timeout=30)
    for ask in (lambda: client.request("stats"), client.sessions):
        with pytest.raises(ControlError, match=r"not a control socket|has ended"):
            ask()
    thread.join()
    place.socket.close()


def test_file_that_is_no_socket_is_left_alone(tmp_path, engine):
    """A mistyped path destroys nothing."""
    path = tmp_path / "notes"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="not a socket"):
        serve(path, engine, lambda: None)
    assert "mine" == path.read_text()


def test_client_without_process_says_so(tmp_path):
    """A socket that is not there is one line with its name."""
    with pytest.raises(ControlError, match=r"none\.sock"):
        Client(tmp_path / "none.sock").request("stats")


def test_overlong_line_ends_its_connection_only(tmp_path, engine):
    """A client that sends no newline is cut off, the next one is served."""
    path = tmp_path / "sc.sock"

    def work():
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(60)
            sock.connect(str(path))
            try:
                sock.sendall(b"x" * 300_000)
                assert b"" == sock.recv(10)
            except (BrokenPipeError, ConnectionResetError):
                pass
        return Client(path).request("get", name=LIMIT)

    assert 3 == serve(path, engine, work)


def test_client_of_another_server_says_so(tmp_path):
    """What answers is not JSON."""
    path = tmp_path / "other.sock"

    def answer(server):
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"220 ready\n")

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        with ThreadPoolExecutor() as pool:
            served = pool.submit(answer, server)
            with pytest.raises(ControlError, match="not a control socket"):
                Client(path).request("stats")
            served.result(5)


def test_client_that_keeps_its_connection_makes_another_when_that_has_ended(tmp_path):
    """The process may have closed it to make room, or be another one by now."""
    path, made = str(tmp_path / "socket"), []

    def speak(requests):
        talk, _ = server.accept()
        made.append(requests)
        with talk:
            for _ in range(requests):
                talk.recv(4096)
                talk.sendall(b'{"result": 1}\n')

    with socket.socket(socket.AF_UNIX) as server, ThreadPoolExecutor(1) as thread:
        server.bind(path)
        server.listen()
        done = [thread.submit(speak, requests) for requests in (3, 2)]
        client = Client(path, keeps=True)
        for request in range(5):
            if request == 3:
                done[0].result(60)
            assert 1 == client.request("status")
        client.close()
        done[1].result(60)
    assert [3, 2] == made
