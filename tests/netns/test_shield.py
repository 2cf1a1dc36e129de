"""
`syncache shield` in front of the kernel's own listeners, with the kernel's own clients.

    +--- client ---+        +-------- server --------+
    | kernel    c0 ========== s0 [XDP, tc]  listener |     198.18.0.1, .2
    +--------------+  veth  +------------------------+     fd00:18::1, ::2

The programs need root itself.  SYNs are answered in tc, as on veth whose peer has no
XDP program of its own, unless a test says otherwise.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from namespace import PATIENCE, PEERS, ROOT, wait_until

from syncache._core import bpf as _core_bpf
from syncache.control import Client

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)
COMMAND = [sys.executable, "-m", "syncache.cli"]
SERVER = {4: "198.18.0.2", 6: "fd00:18::2"}


class Shielded:
    """The pair, a shield on s0, and what runs behind it."""

    def __init__(self, wire, folder):
        self.wire = wire
        self.path = str(folder / "control")
        self.shield = None

    def start(self, *words, name="s0"):
        """Start the shield and wait until it is on."""
        words = [*COMMAND, "shield", name, "--port", 80, "--control", self.path, *words]
        self.shield = self.wire.server.start(*map(str, words), cwd=ROOT)
        line = self.shield.stdout.readline()
        assert f" on {name} (" in line, line + self.shield.stderr.read()
        wait_until(self.answers)
        return self

    def answers(self):
        try:
            self.counters()
        except Exception:  # noqa: BLE001
            return False
        return True

    def stop(self):
        self.shield.terminate()
        assert self.shield.wait(PATIENCE) == 0

    def listen(self, port=80, **spec):
        """Start a listener."""
        spec = {"role": "serve", "port": port} | spec
        server = self.wire.server.start(
            sys.executable,
            PEERS / "kernel_tcp.py",
            json.dumps(spec),
            stdin=subprocess.PIPE,
        )
        line = server.stdout.readline()
        assert line == "ready\n", line + server.stderr.read()
        return server

    def connect(self, family=4, port=80, **spec):
        """Let clients connect; what they saw."""
        spec = {"role": "connect", "address": SERVER[family], "port": port} | spec
        return self.wire.client.python("kernel_tcp", spec)

    def counters(self):
        """Return the programs' counters."""
        return Client(self.path).request("shield")["counters"]

    def services(self):
        """Return the protected addresses and ports."""
        return {tuple(one) for one in Client(self.path).request("shield")["services"]}

    def until(self, line):
        """Wait for a line of the shield."""
        for text in self.shield.stdout:
            if line in text:
                return text
        raise AssertionError(f"no line with {line!r}")

    def sysctl(self, side, *settings):
        side.run("sysctl", "-qw", *settings)


@pytest.fixture
def shielded(wire, tmp_path):
    return Shielded(wire, tmp_path)


@pytest.mark.parametrize("place", ["tc", "generic"])
@pytest.mark.parametrize("timestamps", [1, 0])
@pytest.mark.parametrize("family", [4, 6])
def test_connection_of_a_cookie_keeps_every_option(shielded, family, timestamps, place):
    """Window scale, SACK and MSS, also without timestamps; no client is lost."""
    shielded.sysctl(
        shielded.wire.client,
        f"net.ipv4.tcp_timestamps={timestamps}",
        "net.ipv4.tcp_rmem=4096 131072 33554432",  # for which it offers a scale of 10
    )
    shielded.listen()
    shielded.start("--mode", "always", "--xdp", place, "--wscale", 5)
    seen = shielded.connect(family, count=10)
    assert {"served": 10, "refused": 0, "lost": 0}.items() <= seen.items()
    assert bool(timestamps) == seen["timestamps"]
    assert seen["sack"]
    assert [10, 5] == seen["wscale"]
    mss = (1460 if family == 4 else 1440) - 12 * timestamps
    assert mss - 12 <= seen["mss"] <= mss
    counted = shielded.counters()
    assert 10 == counted["synack"] == counted["redeemed"]
    assert 0 == counted["refused"]


@pytest.mark.parametrize("family", [4, 6])
def test_connection_of_a_cookie_has_no_option_that_its_client_lacks(shielded, family):
    shielded.sysctl(
        shielded.wire.client,
        "net.ipv4.tcp_timestamps=0",
        "net.ipv4.tcp_sack=0",
        "net.ipv4.tcp_window_scaling=0",
    )
    shielded.listen()
    shielded.start("--mode", "always")
    seen = shielded.connect(family)
    assert 1 == shielded.counters()["redeemed"]
    assert (False, False, None) == (seen["timestamps"], seen["sack"], seen["wscale"])


def test_request_right_behind_the_ack_makes_no_second_connection(shielded):
    """Both come in one batch: the second goes on as it is."""
    shielded.listen()
    shielded.start("--mode", "always")
    assert 40 == shielded.connect(count=40, together=True)["served"]
    counted = shielded.counters()
    assert 40 == counted["redeemed"]
    names = shielded.wire.server.run("cat", "/proc/net/snmp").splitlines()
    keys, values = (line.split() for line in names if line.startswith("Tcp:"))
    assert "40" == values[keys.index("PassiveOpens")]


def test_port_in_time_wait_is_reused(shielded):
    """The tuple has a socket, so its SYN is the kernel's (RFC 6191)."""
    shielded.listen(first=True)
    shielded.start("--mode", "always")
    for _ in range(3):
        seen = shielded.connect(source=40_000, first=True)
        assert 1 == seen["served"], seen
    counted = shielded.counters()
    assert 2 == counted["known"]
    assert 1 == counted["synack"]


def test_mptcp_listener_stays_the_kernels(shielded):
    """The kernel takes no connection from a cookie for it: not one is answered."""
    try:
        shielded.listen(mptcp=True)
    except AssertionError as error:
        if "Protocol not" in str(error):
            pytest.skip("this kernel has no MPTCP")
        raise
    shielded.start("--mode", "always")
    assert 5 == shielded.connect(count=5)["served"]
    counted = shielded.counters()
    assert 5 == counted["mptcp"]
    assert 0 == counted["synack"]


@pytest.mark.parametrize(
    "name", ["tcp_timestamps", "tcp_sack", "tcp_window_scaling", "tcp_syncookies"]
)
def test_setting_in_the_way_leaves_everything_to_the_kernel(shielded, name):
    """From the first SYN until it is back; the line says which, and what to do."""
    shielded.listen()
    shielded.sysctl(shielded.wire.server, f"net.ipv4.{name}=0")
    shielded.start("--mode", "always")
    assert self_check(shielded, "off")
    line = shielded.until(f"{name} is 0")
    assert f"sysctl -w net.ipv4.{name}=1" in line
    shielded.sysctl(shielded.wire.server, f"net.ipv4.{name}=1")
    shielded.until("takes connections from cookies again")
    wait_until(lambda: self_check(shielded, "synack"))
    shielded.sysctl(shielded.wire.server, f"net.ipv4.{name}=0")
    shielded.until(f"{name} is 0")
    wait_until(lambda: self_check(shielded, "off"))


def self_check(shielded, counter):
    """Connect once, which has to work; whether a counter moved."""
    before = shielded.counters()[counter]
    assert 1 == shielded.connect()["served"]
    return shielded.counters()[counter] > before


def test_port_without_listener_refuses_and_a_new_listener_serves(shielded):
    """Nothing is answered for nobody; a listener that comes back is protected."""
    shielded.start("--mode", "always")
    assert 1 == shielded.connect()["refused"]
    for _ in range(2):
        server = shielded.listen()
        assert 2 == shielded.connect(count=2)["served"]
        server.kill()
        server.wait()
        assert 1 == shielded.connect()["refused"]
    assert 4 == shielded.counters()["redeemed"]


def test_full_accept_queue_loses_nobody_for_good(shielded):
    """SYNs and cookies are dropped while it is full; clients try again."""
    server = shielded.listen(backlog=1, wait=True)
    shielded.start("--mode", "always")
    spec = {
        "role": "connect",
        "address": SERVER[4],
        "port": 80,
        "count": 6,
        "together": True,
        "timeout": 60,
    }
    words = (sys.executable, PEERS / "kernel_tcp.py", json.dumps(spec))
    clients = shielded.wire.client.start(*words)
    shielded.until("2 connections wait to be accepted, and there is room for no more")
    wait_until(lambda: shielded.counters()["queue_full"] > 0)
    server.stdin.write("\n")
    server.stdin.flush()
    out, _ = clients.communicate(timeout=PATIENCE)
    assert {"served": 6, "refused": 0, "lost": 0}.items() <= json.loads(out).items()


def test_watch_mode_answers_nothing_and_auto_nothing_in_peace(shielded):
    """The kernel serves, and what was seen is counted."""
    shielded.listen()
    for mode in ("watch", "auto"):
        shielded.start("--mode", mode)
        assert 3 == shielded.connect(count=3)["served"]
        counted = shielded.counters()
        assert 3 == counted["calm"]
        assert 0 == counted["synack"] == counted["would"] == counted["redeemed"]
        shielded.stop()


def test_flooded_listener_gets_cookies_and_a_line(shielded):
    """Auto: half-open connections fill the backlog, and then clients are served."""
    shielded.listen(address="0.0.0.0", backlog=16)
    server = shielded.wire.server
    server.run("ip", "route", "add", "10.0.0.0/8", "via", "198.18.0.1")
    shielded.start()
    spec = {"kind": "syn", "target": SERVER[4], "port": 80, "count": 100, "first": 1}
    shielded.wire.client.python("spoofer", spec | {"every": 0})
    shielded.until("port 80 is flooded")
    before = shielded.counters()["synack"]
    assert 5 == shielded.connect(count=5)["served"]
    assert 5 <= shielded.counters()["synack"] - before


def test_flood_that_is_over_before_anybody_looks_is_told(shielded):
    """The program says so itself; the state of the service says nothing any more."""
    shielded.listen(address="0.0.0.0", backlog=16)
    server = shielded.wire.server
    server.run("ip", "route", "add", "10.0.0.0/8", "via", "198.18.0.1")
    hold = "net.inet.tcp.syncache.x.shield.hold_ms"
    shielded.start("--mode", "watch", "--sysctl", f"{hold}=1")
    spec = {"kind": "syn", "target": SERVER[4], "port": 80, "count": 40, "first": 1}
    shielded.wire.client.python("spoofer", spec | {"every": 0})
    line = shielded.until("port 80 is flooded: ")
    assert "half-open connections" in line
    shielded.until("port 80 is not flooded any more")
    assert 0 == shielded.counters()["events_lost"]


def test_mode_auto_answers_where_the_kernel_makes_nothing_but_cookies(shielded):
    """Nothing would be half-open, however much of a flood there is."""
    shielded.listen()
    shielded.start()
    assert 1 == shielded.connect()["served"]
    assert 1 == shielded.counters()["calm"]
    shielded.sysctl(shielded.wire.server, "net.ipv4.tcp_syncookies=2")
    wait_until(lambda: self_check(shielded, "synack"))


def test_killed_process_leaves_nothing_behind(shielded):
    """The kernel takes the programs off; clients are served by it alone."""
    shielded.listen()
    shielded.start("--mode", "always")
    assert 1 == shielded.connect()["served"]
    shielded.shield.kill()
    shielded.shield.wait()
    assert "xdp" not in shielded.wire.server.run("ip", "link", "show", "s0")
    assert 2 == shielded.connect(count=2)["served"]


def test_interface_that_goes_down_and_up_is_protected(shielded):
    """The programs stay where they are."""
    shielded.listen()
    shielded.start("--mode", "always")
    server = shielded.wire.server
    server.run("ip", "link", "set", "s0", "down")
    server.run("ip", "link", "set", "s0", "up")
    assert 2 == shielded.connect(count=2)["served"]
    assert 2 <= shielded.counters()["redeemed"]


def test_interface_that_is_removed_ends_the_command(shielded):
    """One line, and exit status 1."""
    shielded.start()
    shielded.wire.server.run("ip", "link", "del", "s0")
    out, error = shielded.shield.communicate(timeout=PATIENCE)
    assert (1, "s0 is gone\n") == (shielded.shield.returncode, out)
    assert error == "syncache shield: s0 is gone\n"


def test_interface_has_one_shield(shielded):
    """The second is told which process has it."""
    shielded.start()
    words = [*COMMAND, "shield", "s0", "--port", "80"]
    second = shielded.wire.server.start(*words, cwd=ROOT)
    out, error = second.communicate(timeout=PATIENCE)
    assert (1, "") == (second.returncode, out)
    assert f"s0 is in use by process {shielded.shield.pid}" in error
    assert 1 == error.count("\n")


def test_check_says_what_each_service_would_get(shielded):
    """It attaches nothing, and asks the program itself, as if by the interface."""
    shielded.listen()
    shielded.listen(81, device="s0")
    shielded.listen(82, device="lo")
    words = [*COMMAND, "shield", "s0", "--check"]
    words += [word for port in (80, 81, 82, 99) for word in ("--port", str(port))]
    out = shielded.wire.server.run(*words)
    for port in (80, 81):
        assert f"198.18.0.2 port {port}: SYNs would be answered" in out
        assert f"fd00:18::2 port {port}: SYNs would be answered" in out
    for port in (82, 99):
        assert f"198.18.0.2 port {port}: nobody listens" in out
    assert "s0 is veth" in out
    assert "fail" not in out
    shielded.sysctl(shielded.wire.server, "net.ipv4.tcp_sack=0")
    process = shielded.wire.server.start(*words, cwd=ROOT)
    out, _ = process.communicate(timeout=PATIENCE)
    assert 1 == process.returncode
    assert "fail net.ipv4.tcp_sack is 0" in out


def test_mode_changes_while_it_runs(shielded):
    """By the control socket, as any tunable."""
    shielded.listen()
    shielded.start("--mode", "watch")
    name = "net.inet.tcp.syncache.x.shield.mode"
    Client(shielded.path).request("set", name=name, value="always")
    assert 1 == shielded.connect()["served"]
    assert 1 == shielded.counters()["redeemed"]


def test_pinned_programs_outlive_a_process_and_are_taken_over(shielded, pins):
    """SIGKILL, and cookies are still redeemed; the next process counts on."""
    shielded.listen()
    shielded.start("--mode", "always", "--pin", pins)
    assert 2 == shielded.connect(count=2)["served"]
    shielded.shield.kill()
    shielded.shield.wait()
    assert 2 == shielded.connect(count=2)["served"]
    shielded.start("--mode", "always", "--pin", pins)
    assert 4 == shielded.counters()["redeemed"]
    assert 2 == shielded.connect(count=2)["served"]
    assert 6 == shielded.counters()["redeemed"]


def test_pinned_maps_of_another_version_are_not_taken_over(shielded, pins):
    """They are made anew, and so is what hangs on them."""
    shielded.listen()
    shielded.start("--mode", "always", "--pin", pins)
    assert 1 == shielded.connect()["served"]
    shielded.stop()
    fd = _core_bpf.bpf_map(1, 4096, key_size=8, value_size=16)
    (pins / "services4").unlink()
    _core_bpf.bpf_pin(fd, pins / "services4")
    os.close(fd)
    shielded.start("--mode", "always", "--pin", pins)
    assert 2 == shielded.connect(count=2)["served"]
    assert 3 == shielded.counters()["redeemed"]


def test_nginx_with_a_socket_for_each_worker_is_served(shielded, tmp_path):
    """A cookie finds the worker that its tuple belongs to."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert nginx, "no nginx: apt-get install nginx-light"
    (tmp_path / "page").write_bytes(bytes(1_000_000))
    conf = tmp_path / "nginx.conf"
    conf.write_text(
        f"user root; worker_processes 2; daemon off; pid {tmp_path}/pid;\n"
        "error_log stderr;\n"
        "events { worker_connections 64; }\n"
        f"http {{ access_log off; client_body_temp_path {tmp_path}; server {{\n"
        f"listen 80 reuseport; root {tmp_path}; }} }}\n"
    )
    server = shielded.wire.server.start(nginx, "-c", conf, "-p", tmp_path)
    fetch = ("curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}\n")
    page = f"http://{SERVER[4]}/page"
    wait_until(lambda: refused_nobody(shielded, fetch, page))
    shielded.start("--mode", "always")
    for _ in range(20):
        assert "1000000\n" == shielded.wire.client.run(*fetch, page)
    counted = shielded.counters()
    assert 20 == counted["redeemed"] == counted["synack"]
    server.terminate()
    server.wait(PATIENCE)


ASYNCIO = """
import asyncio

async def serve(reader, writer):
    writer.write((await reader.readline()) * 1000)
    writer.write_eof()

async def main():
    async with await asyncio.start_server(serve, None, 80) as server:
        print("ready", flush=True)
        await server.serve_forever()

asyncio.run(main())
"""
ASK = """
import socket, sys
for address in sys.argv[1:]:
    with socket.create_connection((address, 80), 60) as sock:
        sock.sendall(b"0123456789" * 100 + b"\\n")
        print(sum(len(part) for part in iter(lambda: sock.recv(65536), b"")))
"""


def test_asyncio_server_is_served(shielded):
    """A socket for each family; megabytes go through connections of cookies."""
    server = shielded.wire.server.start(sys.executable, "-c", ASYNCIO)
    assert "ready\n" == server.stdout.readline()
    shielded.start("--mode", "always")
    script = (sys.executable, "-c", ASK)
    said = shielded.wire.client.run(*script, *[SERVER[4], SERVER[6]] * 5)
    assert ["1001000"] * 10 == said.split()
    assert 10 == shielded.counters()["redeemed"]
    server.kill()


def refused_nobody(shielded, fetch, page):
    try:
        return bool(shielded.wire.client.run(*fetch, page))
    except AssertionError:
        return False


def test_too_many_services_are_one_line(shielded):
    """And nothing stays attached."""
    ports = [word for port in range(1, 4098) for word in ("--port", str(port))]
    words = [*COMMAND, "shield", "s0", *ports]
    process = shielded.wire.server.start(*words, cwd=ROOT)
    _, error = process.communicate(timeout=PATIENCE)
    assert 1 == process.returncode
    assert error.startswith("syncache shield: no room for 8194 services")
    assert 1 == error.count("\n")
    assert "xdp" not in shielded.wire.server.run("ip", "link", "show", "s0")
