"""
`syncache serve` as an operator runs it, seen by kernel clients.

    +--------------------- a network namespace ----------------------+
    | client  198.18.0.1 == syncache0 == 198.18.0.2  syncache serve  |
    | (kernel TCP)           IP packets              (our TCP)       |
    +----------------------------------------------------------------+
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys

import pytest
from namespace import PATIENCE, syn_sent, wait_until

COMMAND = [sys.executable, "-m", "syncache.cli"]
ADDRESS = ["--address", "198.18.0.2/24"]
ECHO = """
import socket
with socket.create_connection(("198.18.0.2", 80), 60) as s:
    s.sendall(b"hello")
    s.shutdown(socket.SHUT_WR)
    print(b"".join(iter(lambda: s.recv(100), b"")).decode(), end="")
"""
GET = """
import hashlib, urllib.request
with urllib.request.urlopen("http://198.18.0.2/{}", timeout=60) as reply:
    print(hashlib.sha256(reply.read()).hexdigest(), end="")
"""


@pytest.fixture
def serve(namespace):
    """Start `syncache serve` and wait for its line; return the process."""

    def start(*words):
        process = namespace.start(*COMMAND, "serve", *ADDRESS, *words)
        process.first_line = process.stdout.readline()
        assert process.first_line, process.communicate()[1]
        return process

    return start


@pytest.fixture
def python(namespace):
    """Run a line or two of Python in the namespace; return what it prints."""
    return lambda code: namespace.run(sys.executable, "-c", code)


def end(process):
    """Ask it to stop; it says nothing more and exits with 0."""
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE)
    assert (0, "", "") == (process.returncode, out, err)


def test_echo_sends_back_what_came(serve, python):
    """--echo answers, says where it is, and ends in order."""
    process = serve("--echo")
    assert "echo on 198.18.0.2 port 80, syncache0\n" == process.first_line
    assert "hello" == python(ECHO)
    end(process)


def test_discard_closes_after_the_client(serve, python):
    """--discard takes everything and sends nothing."""
    process = serve("--discard")
    assert "" == python(ECHO)
    end(process)


@pytest.mark.parametrize("only", [0, 1])
def test_directory_serves_files(serve, python, tmp_path, only):
    """--directory serves the same bytes by cache and by cookie."""
    content = os.urandom(3_000_000)
    (tmp_path / "big.bin").write_bytes(content)
    setting = f"net.inet.tcp.syncookies_only={only}"
    process = serve("--directory", tmp_path, "--sysctl", setting)
    assert hashlib.sha256(content).hexdigest() == python(GET.format("big.bin"))
    end(process)


def test_asgi_serves_an_application(namespace, python, tmp_path):
    """--asgi runs somebody's application through uvicorn's protocol."""
    (tmp_path / "app.py").write_text(
        "async def app(scope, receive, send):\n"
        "    if scope['type'] != 'http':\n"
        "        return\n"
        "    start = {'type': 'http.response.start', 'status': 200, 'headers': []}\n"
        "    await send(start)\n"
        "    await send({'type': 'http.response.body', 'body': b'asgi'})\n"
    )
    words = [*COMMAND, "serve", *ADDRESS, "--asgi", "app:app"]
    process = namespace.start(*words, cwd=tmp_path)
    assert process.stdout.readline(), process.communicate()[1]
    assert hashlib.sha256(b"asgi").hexdigest() == python(GET.format(""))
    end(process)


def test_killed_server_serves_again_at_once(serve, python, namespace):
    """After SIGKILL in mid-handshake a new server takes over device and client."""
    namespace.link("add", "syncache0", "198.18.0.1/24")
    killed = serve("--echo")
    killed.send_signal(signal.SIGSTOP)
    client = namespace.start(sys.executable, "-c", ECHO)
    wait_until(lambda: syn_sent(namespace))  # it lies in the device's queue
    killed.kill()
    killed.communicate()
    process = serve("--echo")
    assert "hello" == python(ECHO)
    assert "hello" == client.communicate(timeout=PATIENCE)[0]
    end(process)


def test_control_socket_steers_the_running_server(serve, python, namespace, tmp_path):
    """A tunable changes under the feet of a running server, and its counters tell."""
    path = tmp_path / "sc.sock"
    process = serve("--echo", "--control", path)
    name = "net.inet.tcp.syncookies_only"
    sysctl = [*COMMAND, "sysctl", "--socket", path]
    assert f"{name}: 0 -> 1\n" == namespace.run(*sysctl, f"{name}=1")
    assert "1\n" == namespace.run(*sysctl, "-n", name)
    assert "hello" == python(ECHO)
    counters = namespace.run(*COMMAND, "netstat", "-s", "--socket", path)
    assert "\t1 cookie received\n" in counters
    end(process)
    assert not path.exists()


def test_device_in_use_is_one_line(serve, namespace):
    """A second server on the same device is told what to do."""
    process = serve("--echo")
    second = namespace.start(*COMMAND, "serve", *ADDRESS, "--echo")
    out, err = second.communicate(timeout=PATIENCE)
    assert (1, "", 1) == (second.returncode, out, err.count("\n"))
    assert "syncache0" in err
    end(process)


def test_lost_device_ends_the_server_in_one_line(serve, namespace):
    """When the interface is deleted the server says so and exits with 1."""
    process = serve("--echo")
    namespace.link("remove", "syncache0")
    out, err = process.communicate(timeout=PATIENCE)
    assert 1 == process.returncode
    assert "" == out
    assert "Traceback" not in err
    assert "syncache0" in err
