"""What a listener was told by its program, and the shield has to keep to.

The kernel runs the programs on packets that it is given (tools/shield_rig.py), and they
find the listeners of this process.  Needs root itself.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
import time
from dataclasses import replace

import pytest
from shield_rig import FAMILIES, TC_DROP, TC_NEXT, XDP_DROP, XDP_PASS, XDP_TX, Rig
from test_shield import SERVER, Shielded
from test_shield_programs import answer, answered, linux_syn, minted

from syncache import Segment
from syncache._core import bpf as _core_bpf
from syncache._core import shield as core
from syncache.links.bpf_object import document
from syncache.links.shield_counters import ZERO, processors

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)
IP_MINTTL, IPV6_MINHOPCOUNT = 21, 73  # <linux/in.h>, <linux/in6.h>
TCP_MD5SIG, TCP_AO_ADD_KEY = 14, 38  # <linux/tcp.h>
SO_ATTACH_REUSEPORT_CBPF = 51  # <asm-generic/socket.h>
RETURN, LISTENERS = 6, 2  # <linux/bpf_common.h>
ADDRESS_BYTES, KEY_BYTES = 128, 80
LATER_NS, BATCH_OVER_NS = range(0, 2_000_000, 2000), 100_000


def peer(family):
    """Return a struct sockaddr_storage of the documentation's addresses."""
    if family == 4:
        packed = socket.inet_pton(socket.AF_INET, "203.0.113.200")
        raw = struct.pack("=H2x4s", socket.AF_INET, packed)
    else:
        packed = socket.inet_pton(socket.AF_INET6, "2001:db8::200")
        raw = struct.pack("=H6x16s4x", socket.AF_INET6, packed)
    return raw.ljust(ADDRESS_BYTES, b"\0")


def md5_key(family):
    """Return a struct tcp_md5sig."""
    return peer(family) + struct.pack("=BBHi80s", 0, 0, 6, 0, b"secret")


def ao_key(family):
    """Return a struct tcp_ao_add."""
    form = "=64siIHBBBBBB80s"
    bits = 32 if family == 4 else 128
    tail = struct.pack(form, b"hmac(sha1)", 0, 0, 0, bits, 1, 1, 12, 6, 0, b"secret")
    return peer(family) + tail


KEYS = {"md5": (TCP_MD5SIG, md5_key), "ao": (TCP_AO_ADD_KEY, ao_key)}


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("family", [4, 6])
def test_listener_with_keys_for_its_peers_stays_the_kernels(rig, family, kind):
    """It may drop an ACK that is not signed; and it has to choose from the SYN on."""
    option, made = KEYS[kind]
    listener = rig.listeners[family == 6]
    segment = linux_syn(rig, family)
    answered(rig, segment)
    rig.counters()
    try:
        listener.setsockopt(socket.IPPROTO_TCP, option, made(family))
    except OSError:  # a kernel without it, or without the algorithm
        return
    assert XDP_PASS == rig.xdp(segment.packet()).verdict
    assert TC_NEXT == rig.skb(segment.packet()).verdict
    assert {"syn": 2, "generic": 1 + (family == 6), "signing": 2} == rig.counters()


@pytest.mark.parametrize("family", [4, 6])
def test_packet_from_farther_than_a_listener_takes_is_no_connection(rig, family):
    """It is dropped unseen (RFC 5082), and is no sign of a rule that drops cookies."""
    if family == 4:
        rig.listeners[0].setsockopt(socket.IPPROTO_IP, IP_MINTTL, 200)
    else:
        rig.listeners[1].setsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT, 200)
    segment = linux_syn(rig, family)
    last = answer(segment, minted(rig, segment))
    # A packet that came by no interface is refused where it would make a connection.
    for hops, counter in ((199, "ack_hops"), (200, "refused")):
        rig.counters()
        assert TC_NEXT == rig.tc(replace(last, hop_limit=hops).packet())
        assert {"ack": 1, "cookie_good": 1, counter: 1} == rig.counters()


@pytest.mark.parametrize("family", [4, 6])
def test_answer_has_the_dscp_of_its_listener(rig, family):
    """IP_TOS and IPV6_TCLASS, as the kernel's SYN-ACK; not those of the SYN."""
    options = (socket.IPPROTO_IP, socket.IP_TOS)
    if family == 6:
        options = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
    for dscp in (0xB8, 0):
        rig.listeners[family == 6].setsockopt(*options, dscp)
        replies = answered(rig, linux_syn(rig, family, tos=0x28))
        assert [dscp] * 3 == [Segment.parse(reply).tos for reply in replies]


@pytest.mark.parametrize("family", [4, 6])
def test_window_is_no_larger_than_the_listeners_buffer(rig, family):
    """Half of it, in whole segments; what is sent beyond would be dropped."""
    mss = 1460 if family == 4 else 1440
    whole = rig.config.parts.window
    for given in (4000, 1000, whole):
        for listener in rig.listeners:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, given)
        size = rig.listeners[0].getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        half = size // 2
        told = half // mss * mss if whole > half > mss else min(half, whole)
        replies = answered(rig, linux_syn(rig, family))
        assert [told] * 3 == [Segment.parse(reply).window for reply in replies], size


@pytest.mark.parametrize("family", [4, 6])
def test_full_accept_queue_drops_syns_and_is_told_once_a_second(rig, family):
    address = {4: "127.0.0.1", 6: "::1"}[family]
    (one,) = [each for each in rig.listeners if each.family == FAMILIES[family]]
    one.listen(1)
    waiting = [socket.create_connection((address, rig.port)) for _ in range(2)]
    packet = linux_syn(rig, family).packet()
    for _ in range(2):
        assert XDP_DROP == rig.xdp(packet).verdict
    (told,) = rig.told()
    assert (core.FULL, 2, SERVER[family], rig.port) == told[1:]
    assert 2 == rig.counters()["queue_full"]
    one.accept()[0].close()
    assert XDP_TX == rig.xdp(packet).verdict
    for sock in waiting:
        sock.close()


def take(rig, count, when_ns):
    """Have so many connections been made in a batch whose last packet came then."""
    size = document("shield")["maps"]["scratches"][2]
    tail = struct.pack("=I4xQ64x", count, when_ns)
    value = bytes(size - len(tail)) + tail
    _core_bpf.update(rig.object.maps["scratches"], ZERO, value * processors())


@pytest.mark.parametrize("family", [4, 6])
def test_connections_of_one_batch_take_room_until_it_is_over(rig, family):
    """They are not in the accept queue yet; a moment later they are, or were taken."""
    (one,) = [each for each in rig.listeners if each.family == FAMILIES[family]]
    one.listen(1)
    segment = linux_syn(rig, family)
    last = answer(segment, minted(rig, segment)).packet()

    def verdict(taken, later_ns):
        take(rig, taken, time.monotonic_ns() + later_ns)
        return rig.tc(last)

    # Whatever the machine takes to bring the next packet, one comes soon enough.
    assert any(TC_DROP == verdict(2, later_ns) for later_ns in LATER_NS)
    assert all(TC_NEXT == verdict(1, later_ns) for later_ns in LATER_NS[::10])
    assert TC_NEXT == verdict(2, -BATCH_OVER_NS)


@pytest.mark.parametrize("family", [4, 6])
def test_backlog_of_nothing_gets_cookies_as_from_the_kernel(rig, family):
    """Whatever the mode: for the kernel its queue is always full."""
    for listener in rig.listeners:
        listener.listen(0)
    rig.put(mode=core.AUTO)
    answered(rig, linux_syn(rig, family))
    assert {(core.FLOOD, 0)} == {(told.kind, told.number) for told in rig.told()}


@pytest.mark.parametrize("family", [4, 6])
def test_three_quarters_of_a_backlog_are_a_flood(rig, family):
    """Of 8 places 6, and not 5; whatever the tunable says."""
    address = {4: "127.0.0.1", 6: "::1"}[family]
    (one,) = [each for each in rig.listeners if each.family == FAMILIES[family]]
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1000)
    one.listen(8)
    rig.put(mode=core.AUTO, qlen=1000)
    segment = linux_syn(rig, family)
    # Who says nothing is half-open to a listener that waits for data.
    silent = [socket.create_connection((address, rig.port)) for _ in range(5)]
    assert XDP_PASS == rig.xdp(segment.packet()).verdict
    silent.append(socket.create_connection((address, rig.port)))
    answered(rig, segment)
    assert {6} == {told.number for told in rig.told()}
    for sock in silent:
        sock.close()


@pytest.mark.parametrize("family", [4, 6])
def test_watch_counts_where_the_kernel_makes_nothing_but_cookies(rig, family):
    """No listener is ever calm there, and auto would answer."""
    rig.put(mode=core.WATCH, flags=core.ONLY)
    segment = linux_syn(rig, family)
    assert XDP_PASS == rig.xdp(segment.packet()).verdict
    counted = rig.counters()
    assert (1, 0) == (counted["would"], counted.get("calm", 0))
    rig.put(mode=core.AUTO)
    answered(rig, segment)
    assert [] == rig.told()


@pytest.fixture
def group(family):
    """Listeners of one port: nobody accepts at the first, and there is no room."""
    opened = []
    for _ in range(LISTENERS):
        sock = socket.socket(FAMILIES[family], socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("", opened[0].getsockname()[1] if opened else 0))
        if not opened:
            sock.listen(0)
            waiting = socket.create_connection(sock.getsockname()[:2])
        opened.append(sock)
    sock.listen(128)
    yield opened
    for sock in (waiting, *opened):
        sock.close()


CHOSEN = """
import ctypes, socket, struct
opened = [socket.socket(socket.AF_INET6) for _ in range(2)]
for sock in opened:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("::", 80))
    sock.listen(128)
instructions = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 1))  # return 1
program = struct.pack("@HP", 1, ctypes.addressof(instructions))
sock.setsockopt(socket.SOL_SOCKET, 51, program)
print("ready", flush=True)
while True:
    with sock.accept()[0] as peer:  # nobody accepts at the other one
        peer.sendall(peer.recv(1))
"""
ASKED = """
import socket, sys
for _ in range(12):
    with socket.create_connection((sys.argv[1], 80), timeout=100) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
"""


@pytest.mark.parametrize("family", [4, 6])
def test_connection_of_a_cookie_is_that_listeners_which_a_program_chooses(
    wire, tmp_path, family
):
    """The kernel asks it with the ACK, whichever the lookup found."""
    shielded = Shielded(wire, tmp_path)
    server = wire.server.start(sys.executable, "-c", CHOSEN)
    assert "ready\n" == server.stdout.readline(), server.stderr.read()
    shielded.start("--mode", "always")
    wire.client.run(sys.executable, "-c", ASKED, SERVER[family])
    counted = shielded.counters()
    assert (12, 12) == (counted["synack"], counted["redeemed"])


def steer(sock, number):
    """Have a program choose this one of the listeners."""
    instructions = ctypes.create_string_buffer(
        struct.pack("=HBBI", RETURN, 0, 0, number)
    )
    program = struct.pack("@HP", 1, ctypes.addressof(instructions))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program)


@pytest.mark.parametrize("family", [4, 6])
def test_full_listener_loses_nobody_whom_a_program_gives_to_another(group, family):
    """The kernel asks it of a packet, so the one that we find may not be the one."""
    rig = Rig(port=group[0].getsockname()[1])
    try:
        segments = [linux_syn(rig, family, sport=40_000 + i) for i in range(64)]
        verdicts = {rig.xdp(each.packet()).verdict for each in segments}
        assert {XDP_DROP, XDP_TX} == verdicts
        steer(group[0], 1)
        rig.counters()
        runs = [rig.xdp(each.packet()) for each in segments]
        assert {XDP_PASS, XDP_TX} == {run.verdict for run in runs}
        passed = sum(run.verdict == XDP_PASS for run in runs)
        counted = rig.counters()
        assert (passed, 64 - passed) == (counted["steered"], counted["synack"])
        for each in segments:
            reply = Segment.parse(rig.reply_of_engine(each.packet()))
            assert TC_NEXT == rig.tc(answer(each, reply).packet())
        # A packet that came by no interface is refused where it makes a connection.
        assert 64 == rig.counters()["refused"]
    finally:
        rig.close()
