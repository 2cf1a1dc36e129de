"""
`syncache intercept --offload` between kernels: tests/netns/shielded.py.

What the kernel carries never reaches the process, so its counters say who did what.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import struct
import sys

import pytest
from namespace import PATIENCE, PEERS, listens, wait_until
from offload_rig import Connection, frame, segment
from shielded import ADDRESS, HOST, shielding, sysctl

from syncache import flow_state
from syncache.control import Client
from syncache.flow import Side

BULK = os.urandom(1_000_000) * 30
DIGEST = hashlib.sha256(BULK).hexdigest()
CLIENT_OPTIONS = "net.inet.tcp.intercept.options=client"
WANTED = "net.inet.tcp.intercept.offload"
TIMEOUT = "net.inet.tcp.intercept.connection_timeout"
STREAM = """
import hashlib, socket, sys
address, size = sys.argv[1], int(sys.argv[2])
with socket.create_connection((address, 80), 60) as sock:
    sock.sendall(b"GET /bulk HTTP/1.0\\r\\n\\r\\n")
    {then}
"""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)


@pytest.fixture
def shielded(tmp_path):
    with shielding(tmp_path) as made:
        made.control = tmp_path / "control"
        yield made


def offload(made, *words):
    """Start it, and be sure that nothing is in its way."""
    made.control.unlink(missing_ok=True)
    made.intercept("--offload", "--control", made.control, *words)
    wait_until(lambda: listens(made.control))
    return made.process


def counts(made):
    """Return the counters of the running process."""
    return asked(made, "stats")


def asked(made, op, **words):
    """Ask the running process, without the time that a process of ours would take."""
    return Client(made.control).request(op, **words)


def sessions(made):
    """Return how many connections are established."""
    return counts(made)["established"]


def download(made, family=4, *words):
    """Fetch the file; its digest."""
    target = made.folder / "down"
    made.curl("-m", "99", *words, "-o", target, f"http://{HOST[family]}/bulk")
    return hashlib.sha256(target.read_bytes()).hexdigest()


@pytest.mark.parametrize("family", ADDRESS)
def test_bulk_both_ways_arrives_whole_and_past_the_process(shielded, tmp_path, family):
    shielded.nginx(bulk=BULK)
    offload(shielded)
    assert DIGEST == download(shielded, family)
    root = tmp_path / "root"
    url = f"http://{HOST[family]}/up"
    shielded.curl("-m", "99", "-T", root / "bulk", url)
    assert DIGEST == hashlib.sha256((root / "up").read_bytes()).hexdigest()
    counted = counts(shielded)
    assert counted["offload_from_server"] > 100
    assert counted["offload_from_client"] > 100
    assert counted["packets_tcp"] < counted["offload_from_server"]
    assert [] == shielded.stop()


@pytest.mark.parametrize("lacks", ["tcp_sack", "tcp_window_scaling"])
def test_server_that_refused_what_its_client_was_granted(shielded, lacks):
    """SACK is taken off, windows are shifted."""
    shielded.nginx(bulk=BULK)
    sysctl(shielded.server, f"net.ipv4.{lacks}", 0)
    offload(shielded, "--sysctl", CLIENT_OPTIONS)
    for family in ADDRESS:
        assert DIGEST == download(shielded, family)
    assert counts(shielded)["offload_from_server"] > 100
    shielded.stop()


@pytest.mark.parametrize("super_segments", [True, False])
def test_server_that_refused_timestamps_gets_them_from_the_process(
    shielded, super_segments
):
    """Each segment is longer by them, whole super-segments too."""
    shielded.nginx(bulk=BULK)
    sysctl(shielded.server, "net.ipv4.tcp_timestamps", 0)
    if not super_segments:
        off = [f for name in ("tso", "gso", "gro", "tx") for f in (name, "off")]
        shielded.server.run("ethtool", "-K", "s0", *off)
        shielded.us.run("ethtool", "-K", "i0", *off)
    offload(shielded, "--sysctl", CLIENT_OPTIONS)
    for family in ADDRESS:
        before = counts(shielded)["offload_from_server"]
        assert DIGEST == download(shielded, family)
        assert before == counts(shielded)["offload_from_server"]
        # Those after it are promised none, and are the kernel's.
        assert DIGEST == download(shielded, family)
        assert before < counts(shielded)["offload_from_server"]
    shielded.stop()


def test_packets_of_1500_bytes_arrive_whole(shielded):
    """No super-segments, and checksums that are finished before us."""
    shielded.nginx(bulk=BULK)
    off = [f for name in ("tso", "gso", "gro", "tx") for f in (name, "off")]
    for namespace, name in (
        (shielded.client, "c0"),
        (shielded.us, "o0"),
        (shielded.us, "i0"),
        (shielded.server, "s0"),
    ):
        namespace.run("ethtool", "-K", name, *off)
    offload(shielded)
    assert DIGEST == download(shielded)
    assert counts(shielded)["offload_from_server"] > 20_000
    shielded.stop()


def test_half_closed_connection_is_carried_on_and_ends(shielded):
    """The client's FIN comes to the process, the rest is the kernel's again."""
    server = json.dumps({"address": ADDRESS[4]})
    script = (
        "import socket;s=socket.create_server(('198.18.0.2',80));print(1,flush=True)\n"
        "c=s.accept()[0];d=b''\n"
        "while b:=c.recv(1<<20):d+=b\n"
        "c.sendall(d*20);c.close()"
    )
    process = shielded.server.start(sys.executable, "-c", script)
    assert "1\n" == process.stdout.readline(), server
    offload(shielded)
    client = (
        "import socket;s=socket.create_connection(('198.18.0.2',80),60)\n"
        "s.sendall(bytes(1000000));s.shutdown(1);n=0\n"
        "while b:=s.recv(1<<20):n+=len(b)\n"
        "print(n)"
    )
    assert "20000000\n" == shielded.client.run(sys.executable, "-c", client)
    wait_until(lambda: sessions(shielded) == 0)
    counted = counts(shielded)
    assert counted["offload_back"] >= 2  # a FIN may come again
    assert counted["packets_tcp"] < counted["offload_from_server"]
    shielded.stop()


def test_connection_that_is_busy_in_the_kernel_does_not_time_out_and_an_idle_one_does(
    shielded,
):
    """The process sees nothing of either for longer than the time-out."""
    shielded.nginx(bulk=BULK)
    offload(shielded, "--sysctl", f"{TIMEOUT}=2")
    assert DIGEST == download(shielded, 4, "--limit-rate", "6M")
    assert 0 == counts(shielded)["ended_timeout"]
    idle = (
        "import socket,time;s=socket.create_connection(('198.18.0.2',80),60)\n"
        "s.sendall(b'GET /bulk HTTP/1.1\\r\\n');print(1,flush=True);time.sleep(60)"
    )
    process = shielded.client.start(sys.executable, "-c", idle)
    assert "1\n" == process.stdout.readline()
    wait_until(lambda: counts(shielded)["ended_timeout"] == 1)
    shielded.stop()


def test_reset_of_one_end_reaches_the_other_and_ends_the_connection(shielded):
    script = (
        "import socket;s=socket.create_server(('198.18.0.2',80));print(1,flush=True)\n"
        "c=s.accept()[0];c.recv(9)\n"
        "try:\n while c.recv(1<<20):pass\n"
        "except ConnectionResetError:print('reset',flush=True)"
    )
    process = shielded.server.start(sys.executable, "-c", script)
    assert "1\n" == process.stdout.readline()
    offload(shielded)
    client = (
        "import socket,struct;s=socket.create_connection(('198.18.0.2',80),60)\n"
        "for _ in range(50):s.sendall(bytes(100000))\n"
        "s.setsockopt(1,13,struct.pack('ii',1,0));s.close()"
    )
    shielded.client.run(sys.executable, "-c", client)
    assert "reset\n" == process.stdout.readline()
    wait_until(lambda: sessions(shielded) == 0)
    shielded.stop()


def test_tunable_takes_a_download_back_and_gives_it_away_again(shielded):
    """In the middle of it; both ways carry the same bytes."""
    shielded.nginx(bulk=BULK)
    offload(shielded)
    target = shielded.folder / "down"
    words = ("--limit-rate", "4M", "-m", "99", "-o", target, f"http://{HOST[4]}/bulk")
    curl = shielded.client.start("curl", "-sS", *words)
    for value, busy in ((0, "packets_tcp"), (1, "offload_from_server")):
        wait_until(lambda: target.exists() and target.stat().st_size > 100_000)
        asked(shielded, "set", name=WANTED, value=str(value))
        before = counts(shielded)[busy]
        wait_until(lambda b=busy, n=before: counts(shielded)[b] > n + 5)
    out, error = curl.communicate(timeout=PATIENCE)
    assert (0, "") == (curl.returncode, error), out
    assert DIGEST == hashlib.sha256(target.read_bytes()).hexdigest()
    shielded.stop()


@pytest.mark.parametrize("tags", ["81000007", "88a80003810000ff"])
def test_tagged_packets_of_a_connection_are_carried_with_their_tags(
    shielded, tmp_path, tags
):
    """One tag and two; as frames, for not every kernel has VLAN devices."""
    of = Connection(
        4, b"\xc6\x12\0\1", b"\xc6\x12\0\2", 2000, 7, 9, 0, (1000, 5000), 0, (7, 7, 7)
    )
    state = tmp_path / "state"
    state.write_bytes(b"".join(flow_state.parts([of.exported()])))
    state.chmod(0o600)
    offload(shielded, "--state", state)
    assert shielded.first_line.startswith("1 of 1 ")
    ways = {
        Side.CLIENT: (shielded.client, "c0", shielded.server, "s0"),
        Side.SERVER: (shielded.server, "s0", shielded.client, "c0"),
    }
    for round_ in range(2):  # the first packet each way is the process's
        for side, way in ways.items():
            wait_until(lambda n=round_: counts(shielded)["packets_tcp"] >= 2 * n)
            packet = segment(random.Random(round_), of, side, 16)
            sent = frame(packet, bytes.fromhex(tags))
            got = bytes.fromhex(through(sent, *way))
            head = 14 + len(tags) // 2
            assert sent[:head] == got[:head]
            at, by = (head + 28, -7) if side is Side.CLIENT else (head + 24, 7)
            want = (int.from_bytes(sent[at : at + 4], "big") + by) % 2**32
            assert want == int.from_bytes(got[at : at + 4], "big")
    wait_until(lambda: counts(shielded)["offload_from_server"] == 1)
    assert 1 == counts(shielded)["offload_from_client"]
    shielded.stop()


def total(data):
    """Return the Internet checksum."""
    words = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    return 0xFFFF - (words % 0xFFFF or 0xFFFF)


def too_big(quoted):
    """Return the ICMP error of a router behind the client about a packet to it."""
    version = quoted[0] >> 4
    size, mtu = (28, 1000) if version == 4 else (48, 1280)
    body = struct.pack(">I", mtu) + quoted[:size]
    if version == 4:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 28 + size, 0, 0, 64, 1, 0)
        ends = quoted[16:20] + quoted[12:16]
        head = head[:10] + total(head + ends).to_bytes(2, "big") + ends
        kind, pseudo = b"\3\4", b""
    else:
        head = struct.pack(">IHBB", 6 << 28, 8 + size, 58, 64)
        ends = quoted[24:40] + quoted[8:24]
        head += ends
        kind, pseudo = b"\2\0", ends + struct.pack(">II", 8 + size, 58)
    sum_ = total(pseudo + kind + bytes(2) + body)
    return head + kind + sum_.to_bytes(2, "big") + body


@pytest.mark.parametrize(
    ("family", "client", "server"),
    [
        (4, b"\xc6\x12\0\1", b"\xc6\x12\0\2"),
        (6, b"\xfd\0\0\x18" + bytes(11) + b"\1", b"\xfd\0\0\x18" + bytes(11) + b"\2"),
    ],
)
def test_icmp_about_a_carried_packet_quotes_the_server_s_own_number(
    shielded, tmp_path, family, client, server
):
    """The kernel carries the packet, the process translates what is said of it."""
    of = Connection(family, client, server, 2000, 7, 9, 0, (1000, 5000), 0, (7, 7, 7))
    state = tmp_path / "state"
    state.write_bytes(b"".join(flow_state.parts([of.exported()])))
    state.chmod(0o600)
    offload(shielded, "--state", state)
    ways = {
        Side.CLIENT: (shielded.client, "c0", shielded.server, "s0"),
        Side.SERVER: (shielded.server, "s0", shielded.client, "c0"),
    }
    for round_ in range(2):
        for side, way in ways.items():
            wait_until(lambda n=round_: counts(shielded)["packets_tcp"] >= 2 * n)
            sent = frame(segment(random.Random(round_), of, side, 16))
            got = bytes.fromhex(through(sent, *way))
    wait_until(lambda: counts(shielded)["offload_from_server"] == 1)
    error = too_big(got[14:])
    passed = bytes.fromhex(through(frame(error), *ways[Side.CLIENT]))
    size = (28, 48)[family == 6]
    start = 14 + size  # behind IP and ICMP headers
    assert got[14 : 14 + size] != sent[14 : 14 + size] == passed[start : start + size]
    shielded.stop()


def through(sent, here, name, there, other):
    """Send a frame at one end; return what arrives at the other, as hexadecimal."""
    program = (sys.executable, PEERS / "frames.py")
    receiver = there.start(*program, json.dumps([other, [], 1]))
    wait_until(lambda: there.run("cat", "/proc/net/packet").count("\n") > 1)
    here.run(*program, json.dumps([name, [sent.hex()], 0]))
    (got,) = json.loads(receiver.communicate(timeout=PATIENCE)[0])
    return got


PAUSED_SERVER = """
import socket, sys
data = open(sys.argv[1], "rb").read()
with socket.create_server(("198.18.0.2", 80)) as listener:
    print("ready", flush=True)
    sock = listener.accept()[0]
    for half in (data[:len(data) // 2], data[len(data) // 2:]):
        sock.sendall(half)
        sock.recv(1)
"""
PAUSED_CLIENT = """
import hashlib, socket, sys
size, got = int(sys.argv[1]), hashlib.sha256()
sock = socket.create_connection(("198.18.0.2", 80), 60)
for half in range(2):
    left = size // 2
    while left:
        data = sock.recv(min(left, 1 << 20))
        got.update(data)
        left -= len(data)
    print("half", flush=True)
    sys.stdin.readline()
    sock.sendall(b"x")
print(got.hexdigest())
"""


def test_reload_and_restart_leave_a_download_in_peace(shielded, tmp_path):
    """SIGHUP in the middle of it, then kill -9, then again with the state file.

    It pauses meanwhile: what moves on behind the last writing is lost, as without
    the kernel's help.
    """
    bulk, state = tmp_path / "bulk", tmp_path / "state"
    bulk.write_bytes(BULK)
    server = shielded.server.start(sys.executable, "-c", PAUSED_SERVER, bulk)
    assert "ready\n" == server.stdout.readline()
    words = ("--state", state, "--state-interval", "0.1")
    process = offload(shielded, *words)
    script = (sys.executable, "-c", PAUSED_CLIENT, str(len(BULK)))
    client = shielded.client.start(*script, stdin=-1)
    assert "half\n" == client.stdout.readline()
    process.send_signal(signal.SIGHUP)
    assert counts(shielded)["offload_from_server"] > 0
    for _ in range(2):  # the second one was begun behind the pause
        before = state.stat().st_mtime_ns if state.exists() else 0
        wait_until(lambda n=before: state.stat().st_mtime_ns > n)
    process.kill()
    process.wait()
    offload(shielded, *words)
    assert shielded.first_line.startswith("1 of 1 connections of ")
    client.stdin.write("\n")
    client.stdin.flush()
    assert "half\n" == client.stdout.readline()
    assert counts(shielded)["offload_from_server"] > 0
    out, error = client.communicate("\n", timeout=PATIENCE)
    assert (f"{DIGEST}\n", "") == (out, error)
    shielded.stop()


def test_orderly_restart_loses_nothing_at_any_speed(shielded, tmp_path):
    """The numbers of the last packet are in the file; it moves gigabytes a second."""
    shielded.nginx(bulk=BULK * 10)
    words = ("--state", tmp_path / "state")
    offload(shielded, *words)
    url = f"http://{HOST[4]}/bulk"
    hasher = f"curl -sS -m 100 --limit-rate 100M {url} | sha256sum"
    curl = shielded.client.start("sh", "-c", hasher)
    wait_until(lambda: counts(shielded)["offload_from_server"] > 100)
    shielded.stop()
    offload(shielded, *words)
    out, error = curl.communicate(timeout=PATIENCE)
    assert "" == error
    assert hashlib.sha256(BULK * 10).hexdigest() == out.split()[0]
    shielded.stop()


@pytest.mark.parametrize("family", [4, 6])
def test_kill_loses_no_connection_at_any_speed_where_maps_are_pinned(
    shielded, tmp_path, pins, family
):
    """The file is tens of megabytes behind; the kernel's numbers are there."""
    shielded.nginx(bulk=BULK * 10)
    state = tmp_path / "state"
    words = ("--state", state, "--state-interval", "1.5", "--pin", pins)
    process = offload(shielded, *words)
    url = f"http://{HOST[family]}/bulk"
    hasher = f"curl -g -sS -m 100 --limit-rate 60M {url} | sha256sum"
    curl = shielded.client.start("sh", "-c", hasher)
    wait_until(lambda: counts(shielded)["offload_from_server"] > 100)
    size = state.stat().st_size if state.exists() else 0
    wait_until(lambda: state.exists() and state.stat().st_size > size)
    written = counts(shielded)["offload_from_server"]
    # A packet is up to 64 KiB, and at least 1,500 bytes.
    wait_until(lambda: counts(shielded)["offload_from_server"] > written + 1000)
    process.kill()
    process.wait()
    offload(shielded, *words)
    assert shielded.first_line.startswith("1 of 1 connections of ")
    out, error = curl.communicate(timeout=PATIENCE)
    assert "" == error
    assert hashlib.sha256(BULK * 10).hexdigest() == out.split()[0]
    shielded.stop()
    assert [] == list(pins.iterdir())


def test_kernel_that_cannot_costs_a_line_and_nothing_else(shielded):
    """Without CAP_PERFMON the programs are refused; the process does it all."""
    shielded.nginx(bulk=BULK)
    links = ["--outside", "o0", "--inside", "i0", "--list", shielded.acl, "--offload"]
    shielded.process = shielded.us.start(
        "setpriv", "--bounding-set", "-perfmon,-sys_admin",
        "--inh-caps", "-perfmon,-sys_admin",
        sys.executable, "-m", "syncache.cli", "intercept", *links,
    )  # fmt: skip
    assert "intercept mode" in shielded.process.stdout.readline()
    line = shielded.process.stdout.readline()
    assert line.startswith("no offload, connections stay here: ")
    assert DIGEST == download(shielded)
    shielded.stop()
