"""
`syncache serve --shards 2` as an operator runs it: two processes, one server.

    +--- client ---+        +---------- server ----------+
    | curl      c0 ========== s0    shard 0    shard 1   |      198.18.0.1, .2
    +--------------+  veth  +----------------------------+

AF_PACKET shares frames by the kernel's hash of their tuple, AF_XDP by queue: the pair
has two, and the client's kernel chooses one by the hash of its socket.
"""

from __future__ import annotations

import os
import re
import signal
import sys

import pytest
from namespace import PATIENCE, ROOT, wait_until
from storms import Stormed, result

CLIENTS = 40
COMMAND = [sys.executable, "-m", "syncache.cli"]
ADDRESS = ["--address", "198.18.0.2", "--address", "fd00:18::2"]
ONLY_COOKIES = ["--sysctl", "net.inet.tcp.syncookies_only=1"]
HOSTS = ("198.18.0.2", "[fd00:18::2]")


@pytest.fixture
def queues():
    return 2


def handshakes(wire, path):
    """Count those that a shard completed from cookies."""
    said = wire.server.run(*COMMAND, "netstat", "--socket", path)
    (count,) = re.findall(r"(\d+) cookies? received", said)
    return int(count)


@pytest.mark.parametrize("link", ["--packet", "--xdp"])
def test_two_shards_serve_every_client(wire, link, tmp_path):
    """Each does some of the work, none of it twice, and both end together."""
    (tmp_path / "file").write_bytes(bytes(1000))
    path = tmp_path / "control"
    words = [link, "s0", "--shards", "2", "--directory", tmp_path, "--control", path]
    words += ["--pcapng", tmp_path / "record"]
    server = wire.server.start(
        *COMMAND, "serve", *ADDRESS, *words, *ONLY_COOKIES, cwd=ROOT
    )
    lines = [server.stdout.readline() for _ in range(2)]
    assert lines == [lines[0]] * 2 != [""] * 2
    before = wire.kernel_resets()
    for i in range(CLIENTS):
        url = f"http://{HOSTS[i % 2]}/file"
        got = wire.client.run("curl", "-sS", "-m", "99", "-o", "/dev/null", url)
        assert got == ""
    counts = [handshakes(wire, f"{path}.{i}") for i in range(2)]
    assert sum(counts) == CLIENTS
    assert min(counts) > 0, counts
    assert wire.kernel_resets() == before
    server.send_signal(signal.SIGTERM)
    assert server.wait(PATIENCE) == 0
    for i in range(2):
        recorded = (tmp_path / f"record.{i}").read_bytes()
        assert b"sent: SYN-ACK, to s0" in recorded
        assert b"accepted: cookie" in recorded


def test_flood_is_one_line_of_the_service(tmp_path):
    """Each process sees a part of it; the one that started them adds it up."""
    made = Stormed(tmp_path)
    try:
        made.start_engine("serve-packet", "--shards", "2")
        result(made.flood("syn", 4, 20_000, 3))
        wait_until(lambda: " is over: " in made.log.read_text())
        lines = [line for line in made.end_engine() if "SYN flood on" in line]
    finally:
        made.close()
    begun, over = (line for line in lines if " goes on: " not in line)
    assert "SYN flood on 198.18.0.2:80: " in begun
    assert "the SYN flood on 198.18.0.2:80 is over: " in over


def test_interface_of_shards_that_is_lost_is_waited_for(wire, tmp_path):
    """All end, and begin again; clients are served as before."""
    (tmp_path / "file").write_text("hello")
    log = tmp_path / "log"
    words = ["--packet", "s1", "--shards", "2", "--directory", tmp_path, "--wait"]
    words += ["--address", "198.18.7.2/24", "--log", log]
    server = wire.server.start(*COMMAND, "serve", *words, cwd=ROOT)
    for count in (2, 4):
        wire.server.run("ip", "link", "add", "s1", "type", "veth", "peer", "p1")
        for name in ("s1", "p1"):
            wire.server.run("ip", "link", "set", name, "up")
        wait_until(
            lambda n=count: log.exists() and n == log.read_text().count("over HTTP on")
        )
        assert "198.18.7.2/24" in wire.server.run("ip", "addr", "show", "s1")
        wire.server.run("ip", "link", "del", "s1")
        wait_until(
            lambda n=count // 2: n == log.read_text().count("is gone; waiting for s1")
        )
    server.send_signal(signal.SIGTERM)
    assert ("", 0) == (server.communicate(timeout=PATIENCE)[1], server.returncode)


def test_shard_that_is_killed_ends_the_server(wire, tmp_path):
    """Half a server would refuse half of its clients."""
    words = ["--packet", "s0", "--shards", "2", "--echo"]
    server = wire.server.start(*COMMAND, "serve", *ADDRESS, *words, cwd=ROOT)
    for _ in range(2):
        assert server.stdout.readline() != ""
    children = f"/proc/{server.pid}/task/{server.pid}/children"
    children = wire.server.run("cat", children).split()
    os.kill(int(children[-1]), signal.SIGKILL)
    assert server.wait(PATIENCE) == 1


@pytest.mark.parametrize("link", ["--packet", "--xdp"])
def test_interface_of_shards_that_goes_down_and_up_is_a_line_each(wire, link):
    """All of them notice it, one says it; with it the kernel takes IPv6 addresses."""
    words = [link, "s0", "--shards", "2", "--echo"]
    server = wire.server.start(*COMMAND, "serve", *ADDRESS, *words, cwd=ROOT)
    for _ in range(2):
        assert server.stdout.readline() != ""
    lost = "this machine has lost "  # said at the next look, if that still comes
    for change, said in (("down", "s0 is down: "), ("up", "s0 is up again\n")):
        wire.server.run("ip", "link", "set", "s0", change)
        while (line := server.stderr.readline()).startswith(lost):
            pass
        assert line.startswith(said)
    server.send_signal(signal.SIGTERM)
    rest = server.communicate(timeout=PATIENCE)[1].splitlines()
    assert [] == [line for line in rest if not line.startswith(lost)]
    assert len(rest) <= 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--log", "."], ["syncache serve: --log .: Is a directory"]),
        (
            ["--control", "taken"],
            ["syncache serve: --control taken.1: exists and is not a socket"],
        ),
    ],
)
def test_mistake_that_a_shard_finds_is_one_line(wire, words, said, tmp_path):
    """The other one ends in silence."""
    (tmp_path / "taken.1").touch()
    words = ["--packet", "s0", "--shards", "2", "--echo", *words]
    server = wire.server.start(*COMMAND, "serve", *ADDRESS, *words, cwd=tmp_path)
    error = server.communicate(timeout=PATIENCE)[1]
    assert (1, said) == (server.returncode, error.splitlines())
