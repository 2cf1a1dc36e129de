"""Connections of cookies that do not arrive at the listener, and those that do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
from namespace import PEERS, wait_until
from shield_rig import TC_NEXT, TC_REDIRECT, XDP_PASS, XDP_TX
from test_shield import SERVER, Shielded
from test_shield_packets import MAC, sent
from test_shield_programs import answer, answered, linux_syn, minted

from syncache._core import bpf as _core_bpf
from syncache._core import shield as core
from syncache._core.mirror import layout
from syncache.links.shield_services import place_of, write_service

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)


@pytest.fixture
def shielded(wire, tmp_path):
    return Shielded(wire, tmp_path)


def put(rig, family, trials=b"", **fields):
    """Have a service as the programs would leave it."""
    key = write_service(SERVER[family], rig.port)
    value = {"made": 0, "seen": 0, "trusted": 0} | fields
    content = core.SERVICE.pack(0, 0, 0, *value.values())
    content = content[: -len(trials)] + trials if trials else content
    if family == 4:
        at = place_of(key).to_bytes(4, "little")
        _core_bpf.update(rig.object.maps["places"], at, key + content)
    else:
        _core_bpf.update(rig.object.maps["services6"], key, content)


def state(rig, family):
    """Return how many connections were made, and packets of theirs seen."""
    return rig.services.get(write_service(SERVER[family], rig.port))[3:5]


@pytest.mark.parametrize("family", [4, 6])
def test_service_of_which_nothing_was_seen_gets_no_more_cookies(rig, family):
    """Until a packet of a connection is seen; or if one ever was."""
    segment = linux_syn(rig, family)
    for fields in (
        {"made": core.TRIAL - 1},
        {"made": 99, "seen": 1},
        {"made": 99, "trusted": 1},
    ):
        put(rig, family, **fields)
        answered(rig, segment)
    put(rig, family, made=core.TRIAL)
    rig.counters()
    assert XDP_PASS == rig.xdp(segment.packet()).verdict
    assert TC_NEXT == rig.skb(segment.packet()).verdict
    assert 2 == rig.counters()["off"]


TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21  # <linux/tcp.h>
RECEIVED, SENT = 1, 2  # queues
TRIED = layout("shield_trial")
TAKES_MAX = 3  # csrc/bpf/shield_ack.c
LOOPBACK = {4: ("127.0.0.1", socket.AF_INET), 6: ("::1", socket.AF_INET6)}


@pytest.fixture
def connected(rig, request):
    """A connection of the kernel's, of a client that says nothing: both its ends."""
    family = request.getfixturevalue("family")
    address, kind = LOOPBACK[family]
    with socket.socket(kind) as client:
        client.connect((address, rig.port))
        (one,) = [each for each in rig.listeners if each.family == kind]
        with one.accept()[0] as server:
            yield client, server


def tried(server, wrong=(0, 0)):
    """Return a connection as the programs note it, perhaps of other numbers."""
    option = socket.IPPROTO_TCP
    server.setsockopt(option, TCP_REPAIR, 1)
    numbers = []
    for queue, by in zip((SENT, RECEIVED), wrong, strict=True):
        server.setsockopt(option, TCP_REPAIR_QUEUE, queue)
        number = server.getsockopt(option, TCP_QUEUE_SEQ)
        numbers.append((number - 1 + by) % 2**32)
    server.setsockopt(option, TCP_REPAIR, -1)
    words = b""
    for address, *_ in (server.getpeername(), server.getsockname()):
        words += socket.inet_pton(server.family, address)
    for _, port, *_ in (server.getpeername(), server.getsockname()):
        words += port.to_bytes(2, "big")
    words = words.ljust(36, b"\0")
    return words + b"".join(number.to_bytes(4, sys.byteorder) for number in numbers)


@pytest.mark.parametrize("at", range(core.TRIAL))
@pytest.mark.parametrize("family", [4, 6])
def test_syn_finds_a_connection_of_a_cookie_whose_client_is_silent(
    rig, connected, family, at
):
    """By its numbers; what is in TIME-WAIT tells none."""
    client, server = connected
    segment = linux_syn(rig, family)

    def waiting(one):
        trials = [bytes(TRIED.size)] * core.TRIAL
        trials[at] = one
        put(rig, family, b"".join(trials), made=core.TRIAL)

    for wrong in ((1, 0), (0, 1)):
        waiting(tried(server, wrong))
        for run, passes in ((rig.xdp, XDP_PASS), (rig.skb, TC_NEXT)):
            assert passes == run(segment.packet()).verdict
    assert 4 == rig.counters()["off"]
    one = tried(server)
    for program in (rig.xdp, rig.skb):
        waiting(one)
        assert program(segment.packet()).verdict in {XDP_TX, TC_REDIRECT}
        assert (core.TRIAL, 1) == state(rig, family)
    server.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    client.close()
    assert server.recv(1) == b""
    server.close()
    waiting(tried_numbers_of_none(one))
    answered(rig, segment)


def tried_numbers_of_none(one):
    return one[:36] + bytes(8)


@pytest.mark.parametrize("family", [4, 6])
def test_clients_that_are_silent_from_the_first_on_are_all_answered(shielded, family):
    """Each is there by the time of the next SYN: none waits for another to speak."""
    shielded.listen()
    shielded.start("--mode", "always")
    hold = {"role": "connect", "address": SERVER[family], "port": 80, "hold": True}
    words = (sys.executable, PEERS / "kernel_tcp.py", json.dumps(hold))
    for number in range(1, 6):
        silent = shielded.wire.client.start(*words, stdin=subprocess.PIPE)
        assert "connected\n" == silent.stdout.readline(), silent.stderr.read()
        wait_until(lambda: number == shielded.counters()["redeemed"])  # noqa: B023
    counted = shielded.counters()
    assert (5, 5, 0) == (counted["syn"], counted["synack"], counted["off"])


@pytest.mark.parametrize("family", [4, 6])
def test_connection_that_is_reset_counts_no_more_and_its_cookie_is_used_up(rig, family):
    """Once: and a RST of no connection that was made changes nothing."""
    segment = linux_syn(rig, family)
    last = answer(segment, minted(rig, segment))
    reset = replace(last, flags=20)
    put(rig, family, made=2)
    assert TC_NEXT == rig.tc(reset.packet())
    assert (2, 0) == state(rig, family)
    put(rig, family, made=0)  # there are no fewer
    remembered(rig, last, family, takes=1)
    assert TC_NEXT == rig.tc(reset.packet())
    assert (0, 0) == state(rig, family)
    put(rig, family, made=2)
    remembered(rig, last, family, takes=1)
    for packet in (replace(reset, ack=reset.ack + 1), reset, reset):
        before = state(rig, family)[0]
        assert TC_NEXT == rig.tc(packet.packet())
    assert (1, before) == (state(rig, family)[0], 1)
    assert core.TRIAL > state(rig, family)[0]
    ((_, stamp),) = _core_bpf.entries(
        rig.object.maps["redeemed"], core.REDEEMED.size, 8
    )
    assert 3 == stamp[0] & 3


@pytest.mark.parametrize("family", [4, 6])
def test_connection_that_is_reset_without_an_ack_counts_no_more(rig, family):
    """It says no cookie; nothing is left to be seen of it all the same.

    Once, and only of a connection that was made: anybody can send such a RST.
    """
    segment = linux_syn(rig, family)
    reset = replace(answer(segment, minted(rig, segment)), ack=0, flags=4)
    ends = tuple_of(reset.packet()) + bytes(8)
    for trials in ((ends, bytes(TRIED.size)), (bytes(TRIED.size), ends)):
        put(rig, family, b"".join(trials), made=2)
        for packet, left in ((replace(reset, sport=9), 2), (reset, 1), (reset, 1)):
            assert TC_NEXT == rig.tc(packet.packet())
            assert (left, 0) == state(rig, family)
    put(rig, family, ends + ends, made=2, seen=1)
    assert TC_NEXT == rig.tc(reset.packet())
    assert (2, 1) == state(rig, family)


def tuple_of(packet):
    """Return addresses and ports as the programs note them, raw."""
    at, size = (12, 8) if packet[0] >> 4 == 4 else (8, 32)
    return (packet[at : at + size] + packet[at + size : at + size + 4]).ljust(36, b"\0")


def remembered(rig, last, family, takes):
    """Have a handshake as one that was redeemed a long time ago."""
    packet = last.packet()
    words = [0] * 8
    size = 4 if family == 4 else 16
    at = 12 if family == 4 else 8
    for i in range(0, 2 * size, 4):
        words[i // 4] = int.from_bytes(packet[at + i : at + i + 4], "little")
    tcp = packet[20 if family == 4 else 40 :]
    ports = int.from_bytes(tcp[:4], "little")
    numbers = (last.ack - 1) % 2**32, last.seq - 1
    key = core.REDEEMED.pack(*words, ports, *numbers)
    _core_bpf.update(
        rig.object.maps["redeemed"], key, (4 | takes).to_bytes(8, "little")
    )


ELSEWHERE = """
table inet translation {{
  chain incoming {{
    type filter hook prerouting priority raw;
    iifname "s0" tcp dport 80 {family} daddr set {box}
  }}
  chain outgoing {{
    type filter hook postrouting priority raw;
    {family} saddr {box} {family} saddr set {ours}
  }}
}}
"""
BOX = {4: "198.19.0.2", 6: "fd00:19::2"}


@pytest.mark.parametrize("family", [4, 6])
def test_port_that_is_translated_to_a_container_is_the_kernels_after_few_clients(
    shielded, namespace, tmp_path, family
):
    """Of a machine that is busy elsewhere; a helper of the container's listens too."""
    server = shielded.wire.server
    server.join("d0", namespace, "e0", "198.19.0.1/24", "fd00:19::1/64")
    namespace.link("up", "e0", "198.19.0.2/24", "fd00:19::2/64")
    for words in ("via 198.19.0.1", "via fd00:19::1"):
        namespace.run("ip", *f"route add default {words}".split())
    for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        shielded.sysctl(server, f"{name}=1")
    rules = tmp_path / "rules.nft"
    word = "ip" if family == 4 else "ip6"
    text = ELSEWHERE.format(family=word, box=BOX[family], ours=SERVER[family])
    rules.write_text(text)
    server.run("nft", "-f", rules)
    serve = {"role": "serve", "port": 80}
    words = (sys.executable, PEERS / "kernel_tcp.py", json.dumps(serve))
    box = namespace.start(*words, stdin=subprocess.PIPE)
    assert "ready\n" == box.stdout.readline()
    shielded.listen()
    shielded.listen(81)
    assert 2 == shielded.connect(family, count=2)["served"]
    spec = {"role": "connect", "address": SERVER[4], "port": 81, "count": 10**7}
    words = (sys.executable, PEERS / "kernel_tcp.py", json.dumps(spec))
    busy = shielded.wire.client.start(*words)
    shielded.start("--mode", "always")
    seen = [shielded.connect(family, timeout=10)["served"] for _ in range(6)]
    assert [0] * core.TRIAL + [1] * (6 - core.TRIAL) == seen
    shielded.until(" port 80: connections that were made of cookies do not arrive")
    # Each once, and again with its data, which are all that the kernel may have now.
    redeemed = shielded.counters()["redeemed"]
    assert core.TRIAL <= redeemed <= TAKES_MAX * core.TRIAL
    assert busy.poll() is None
    busy.kill()


QUIET = """
import socket, struct, sys
for _ in range(6):
    with socket.create_connection((sys.argv[1], 80)) as sock:
        if sys.argv[2] == "reset":
            linger = struct.pack("ii", 1, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
"""


@pytest.mark.parametrize("family", [4, 6])
def test_clients_that_reset_at_once_are_no_sign_of_lost_connections(shielded, family):
    """Probes of load balancers do it, and leave nothing that could be seen."""
    shielded.listen()
    shielded.start("--mode", "always")
    run = shielded.wire.client.run
    run(sys.executable, "-c", QUIET, SERVER[family], "reset")
    assert 1 == shielded.connect(family)["served"]
    counted = shielded.counters()
    assert (7, 7, 0) == (counted["synack"], counted["redeemed"], counted["off"])


@pytest.mark.parametrize("family", [4, 6])
def test_clients_that_reset_without_an_ack_are_no_sign_either(shielded, family):
    """As a socket that was closed resets, and some probes do."""
    shielded.wire.server.link("mac", "s0", MAC)
    shielded.listen()
    shielded.start("--mode", "always", "--xdp", "tc")
    source = {4: "198.18.0.77", 6: "fd00:18::77"}[family]  # nobody's
    for port in range(40_000, 40_004):
        sent(shielded, family, source=source, sport=port, acks=1)
    assert 1 == shielded.connect(family)["served"]
    counted = shielded.counters()
    assert (5, 0) == (counted["redeemed"], counted["off"])


@pytest.mark.parametrize("family", [4, 6])
def test_clients_that_close_or_stay_silent_leave_a_service_protected(shielded, family):
    """They are seen to close, or the kernel has them."""
    shielded.listen()
    shielded.start("--mode", "always")
    hold = {"role": "connect", "address": SERVER[family], "port": 80, "hold": True}
    words = (sys.executable, PEERS / "kernel_tcp.py", json.dumps(hold))
    silent = [
        shielded.wire.client.start(*words, stdin=subprocess.PIPE) for _ in range(3)
    ]
    for each in silent:
        assert "connected\n" == each.stdout.readline(), each.stderr.read()

    def is_answered():
        before = shielded.counters()["redeemed"]
        shielded.wire.client.run(sys.executable, "-c", QUIET, SERVER[family], "close")
        return shielded.counters()["redeemed"] - before == 6

    wait_until(is_answered)
    for each in silent:
        assert '"served": 1' in each.communicate("\n")[0]
    shielded.stop()
    assert "do not arrive" not in shielded.shield.stdout.read()


GREETER = """
import socket
with socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True) as s:
    print("ready", flush=True)
    while True:
        with s.accept()[0] as peer:
            peer.sendall(b"x")
            while peer.recv(1):
                pass
"""
GREETED = """
import socket, sys
for _ in range(6):
    with socket.create_connection((sys.argv[1], 80), timeout=100) as sock:
        assert sock.recv(1) == b"x"
"""


@pytest.mark.parametrize("family", [4, 6])
def test_connection_whose_server_speaks_first_is_seen_by_its_numbers(shielded, family):
    """What its client sends has no cookie, and nothing is left of it a moment later."""
    server = shielded.wire.server.start(sys.executable, "-c", GREETER)
    assert "ready\n" == server.stdout.readline(), server.stderr.read()
    shielded.start("--mode", "always")

    def is_answered():
        before = shielded.counters()["redeemed"]
        run = shielded.wire.client.run
        run(sys.executable, "-c", GREETED, SERVER[family])
        return shielded.counters()["redeemed"] - before == 6

    wait_until(is_answered)
    shielded.stop()
    assert "do not arrive" not in shielded.shield.stdout.read()
