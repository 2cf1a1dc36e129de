"""Interfaces and addresses that are not as usual, under a shield."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from namespace import PATIENCE, PEERS, ROOT, wait_until
from test_shield import COMMAND, SERVER, Shielded
from test_shield_packets import CLIENT, MAC

from syncache import Segment

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)


@pytest.fixture
def shielded(wire, tmp_path):
    return Shielded(wire, tmp_path)


def test_address_that_is_the_broadcast_address_of_another_network_is_protected(
    shielded,
):
    """The kernel has both routes to it."""
    shielded.wire.server.link("up", "s0", "192.0.2.1/25", "192.0.2.127/24")
    shielded.start("--mode", "always")
    services = shielded.services()
    assert {("192.0.2.1", 80), ("192.0.2.127", 80)} <= services, services


@pytest.mark.parametrize("options", ["0402030307000000", "", "020405b4"])
@pytest.mark.parametrize("family", [4, 6])
def test_syn_whose_frame_has_no_room_for_a_longer_answer_is_answered(
    shielded, family, options
):
    """By the kernel, since the driver cannot make the frame longer."""
    shielded.wire.server.link("mac", "s0", MAC)
    shielded.listen()
    shielded.start("--mode", "always", "--xdp", "native")
    syn = Segment(
        src=CLIENT[family],
        dst=SERVER[family],
        sport=40_000,
        dport=80,
        flags=2,
        options_bytes=bytes.fromhex(options),
    )
    kind = "0800" if family == 4 else "86dd"
    frame = MAC.replace(":", "") + "020000000077" + kind + syn.packet().hex()
    words = (*COMMAND, "shield", "c0", "--port", "9", "--mode", "watch")
    peer = shielded.wire.client.start(*words, "--xdp", "native", cwd=ROOT)
    assert "on c0 (native)" in peer.stdout.readline()
    (answer,) = shielded.wire.client.python("frames", ["c0", [frame], 1])
    flags = bytes.fromhex(answer)[14 + (33 if family == 4 else 53)]
    assert 0x12 == flags
    counted = shielded.counters()
    assert 1 == counted["synack"] + counted["unfit"]


def test_interface_with_a_dot_in_its_name_is_pinned(wire, pins):
    """As VLAN devices have; the kernel takes no dot in a name of its own."""
    wire.server.link("veth", "v0.7", "peer", wire.client.pid, 1, "192.0.2.1/24")
    words = (*COMMAND, "shield", "v0.7", "--port", "80", "--pin", str(pins))
    for _ in range(2):
        shield = wire.server.start(*words, cwd=ROOT)
        line = shield.stdout.readline()
        assert "auto on v0.7 (tc)" in line, shield.stderr.read()
        shield.terminate()
        shield.wait(PATIENCE)
    assert {"tc-v0%2E7", "syn-v0%2E7"} <= {place.name for place in pins.iterdir()}


def test_interface_that_gets_another_name_stays_protected(shielded):
    """An address that it gets after that too."""
    shielded.listen()
    shielded.start("--mode", "always")
    rename = "ip link set s0 down; ip link set s0 name wan0; ip link set wan0 up"
    shielded.wire.server.run("sh", "-ec", rename)
    shielded.wire.server.link("up", "wan0", "198.18.0.9/24")
    wait_until(lambda: ("198.18.0.9", 80) in shielded.services())
    assert 1 == shielded.connect(timeout=30)["served"]
    assert 1 == shielded.counters()["redeemed"]
    shielded.stop()


def test_interface_that_is_deleted_is_waited_for(shielded):
    """With --wait: what stands in its place is protected, and one line says so."""
    shielded.start("--mode", "always", "--wait")
    server = shielded.wire.server
    server.run("ip", "link", "del", "s0")
    assert "s0 is gone; waiting for s0\n" == shielded.shield.stdout.readline()
    make = f"ip link add s0 type veth peer name c0 netns {shielded.wire.client.pid}"
    server.run("sh", "-ec", f"{make}; ip addr add 198.18.0.2/24 dev s0")
    shielded.until("always on s0 (")
    wait_until(shielded.answers)
    assert ("198.18.0.2", 80) in shielded.services()
    server.run("ip", "link", "del", "s0")
    shielded.until("s0 is gone; waiting for s0")
    shielded.stop()  # which is an orderly end


BRIDGE = """
ip link add br0 type bridge forward_delay 0
ip link set br0 address 02:00:00:00:00:b0
ip addr flush dev s0
ip link set s0 master br0
ip addr add 198.18.0.2/24 dev br0
ip addr add fd00:18::2/64 dev br0 nodad
ip link set br0 up
"""


@pytest.mark.parametrize("name", ["s0", "br0"])
def test_port_of_a_bridge_and_the_bridge_are_protected(shielded, name):
    """The bridge has another link address, and gets no connection from its port."""
    shielded.wire.server.run("sh", "-ec", BRIDGE)
    shielded.listen()
    shielded.start("--mode", "always", name=name)
    for family in (4, 6):
        wait_until(lambda of=family: shielded.connect(of, timeout=30)["served"] == 1)
    counted = shielded.counters()
    assert 2 == counted["redeemed"] <= counted["synack"], counted


TCX_PASS = 0  # to the kernel at once; no program behind sees it


def test_other_tc_program_that_ends_the_row_is_behind_the_shield(shielded):
    """As Cilium's, whose verdict would keep the cookies from being redeemed."""
    words = (sys.executable, PEERS / "attached.py", json.dumps(["s0", TCX_PASS]))
    other = shielded.wire.server.start(*words)
    assert "ready\n" == other.stdout.readline(), other.stderr.read()
    shielded.listen()
    shielded.start("--mode", "always")
    assert 5 == shielded.connect(count=5)["served"]
    assert 5 == shielded.counters()["redeemed"]


def test_jumbo_frames_are_answered_in_the_driver(shielded):
    """A frame larger than a page comes in pieces; an MSS is what the MTU allows."""
    for side, name in ((shielded.wire.client, "c0"), (shielded.wire.server, "s0")):
        side.run("ip", "link", "set", name, "mtu", "9000")
    shielded.listen()
    words = (*COMMAND, "shield", "c0", "--port", "9", "--mode", "watch")
    peer = shielded.wire.client.start(*words, "--xdp", "native", cwd=ROOT)
    assert "on c0 (native)" in peer.stdout.readline()
    shielded.start("--mode", "always", "--xdp", "native")
    for family, mss in ((4, 8948), (6, 8928)):
        assert {"served": 5, "mss": mss}.items() <= (
            shielded.connect(family, count=5).items()
        )
    assert 10 == shielded.counters()["redeemed"]


FIREWALL = """
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    meta l4proto 58 accept
    tcp dport { 80, 81 } tcp flags & (fin|syn|rst|ack) == syn ct state new accept
  }
}
"""


@pytest.mark.parametrize("family", [4, 6])
def test_firewall_that_wants_to_see_the_syn_leaves_everything_to_the_kernel(
    shielded, tmp_path, family
):
    """After a few clients that nobody served; with a line that says why."""
    rules = tmp_path / "rules.nft"
    rules.write_text(FIREWALL)
    shielded.wire.server.run("nft", "-f", rules)
    shielded.listen()
    shielded.start("--mode", "always")
    shielded.connect(family, count=4, together=True, timeout=2)
    shielded.until("do not arrive in TCP: a rule drops ACKs")
    wait_until(lambda: shielded.connect(family, timeout=5)["served"] == 1)
    counted = shielded.counters()
    assert 0 < counted["off"], counted


@pytest.mark.parametrize("family", [4, 6])
def test_service_whose_connections_are_dropped_is_found_beside_a_busy_one(
    shielded, tmp_path, family
):
    """The other's connections do arrive, and are many more."""
    rules = tmp_path / "rules.nft"
    rules.write_text(FIREWALL)
    shielded.wire.server.run("nft", "-f", rules)
    shielded.listen()
    shielded.listen(81)
    shielded.start("--mode", "always")
    spec = {"role": "connect", "address": SERVER[4], "port": 81, "count": 10**7}
    words = (sys.executable, PEERS / "kernel_tcp.py", json.dumps(spec))
    busy = shielded.wire.client.start(*words)
    shielded.connect(family, count=4, together=True, timeout=3)
    shielded.until(" port 80: connections that were made of cookies do not arrive")
    wait_until(lambda: shielded.connect(family, timeout=5)["served"] == 1)
    assert busy.poll() is None
    busy.kill()


NAT = """
table inet nat {
  chain prerouting {
    type nat hook prerouting priority -100
    tcp dport 81 redirect to :8081
  }
}
"""
UNTRACKED = """
table inet raw {
  chain prerouting {
    type filter hook prerouting priority -300
    tcp dport 80 notrack
  }
}
"""


LOOSE = "net.netfilter.nf_conntrack_tcp_loose=0"


@pytest.mark.parametrize(
    ("family", "remedy"), [(4, ("sysctl", "-qw", LOOSE)), (6, ("nft", UNTRACKED))]
)
def test_nat_of_another_port_is_told_with_remedies_that_help(shielded, family, remedy):
    """The kernel forgets the listener of an ACK with which it begins to track."""
    shielded.wire.server.run("nft", NAT)
    shielded.listen()
    shielded.start("--mode", "always")
    shielded.connect(family, count=2, together=True, timeout=2)
    line = shielded.until("do not arrive in TCP: NAT rules")
    assert f"sysctl -w {LOOSE}, or no tracking of the port (notrack)" in line
    shielded.stop()
    shielded.wire.server.run(*remedy)
    shielded.start("--mode", "always")
    assert 3 == shielded.connect(family, count=3)["served"]
    assert 3 == shielded.counters()["redeemed"]


BANNED = """
table inet filter {
  chain input {
    type filter hook input priority filter;
    ip saddr 198.18.0.9 drop
  }
}
"""


def test_clients_that_a_rule_bans_do_not_take_the_protection_from_others(
    shielded, tmp_path
):
    """One connection that is there says that cookies arrive."""
    rules = tmp_path / "rules.nft"
    rules.write_text(BANNED)
    shielded.wire.server.run("nft", "-f", rules)
    shielded.wire.client.link("up", "c0", "198.18.0.9/24")
    shielded.listen()
    shielded.start("--mode", "always")
    spec = {"role": "connect", "address": SERVER[4], "port": 80, "hold": True}
    words = (sys.executable, PEERS / "kernel_tcp.py", json.dumps(spec))
    good = shielded.wire.client.start(*words, stdin=subprocess.PIPE)
    assert "connected\n" == good.stdout.readline(), good.stderr.read()
    banned = {"count": 4, "together": True, "timeout": 5, "from": "198.18.0.9"}
    assert 4 == shielded.connect(**banned)["lost"]
    wait_until(lambda: shielded.counters()["replayed"] > 0)

    def is_answered():
        before = shielded.counters()["redeemed"]
        assert 1 == shielded.connect(timeout=30)["served"]
        return shielded.counters()["redeemed"] > before

    wait_until(is_answered)  # a service begins with few
    before = shielded.counters()["off"]
    for _ in range(5):  # looks go by
        assert is_answered()
        time.sleep(1)
    assert before == shielded.counters()["off"]
    assert '"served": 1' in good.communicate("\n")[0]


LATER = """
import time
from syncache.links import shield, shield_around
with shield.Shield("s0", xdp="native") as made:
    made.protect(80)
    shield_around.tags_off = lambda _: ["s0.7"]
    for _ in range(600):
        for event in made.events():
            if event.kind == "off":
                print(event.kind, event.text)
                raise SystemExit
        time.sleep(0.1)
"""


def test_vlan_device_that_comes_later_leaves_syns_to_the_kernel(shielded):
    """Where the interface takes its tags off, which the program does not see."""
    line = shielded.wire.server.run(sys.executable, "-c", LATER)
    assert line.startswith("off s0 takes the VLAN tags of s0.7 off"), line
    assert "ethtool -K s0 rxvlan off" in line


LEFT = """
from syncache.links import shield
with shield.Shield("s0") as made:
    made.protect_each([(None, 80), ("198.18.0.2", 80), ("fd00:18::2", 443)])
    for port, address in ((80, None), (443, None), (443, "fd00:18::2")):
        made.unprotect(port, address)
        print(made.services)
"""


def test_port_that_is_left_to_the_kernel_again_is_as_it_was_asked_for(shielded):
    """By its port, by one of its addresses, or by both, each for itself."""
    asked = shielded.wire.server.run(sys.executable, "-c", LEFT).splitlines()
    both = "[('198.18.0.2', 80), ('fd00:18::2', 443)]"
    assert [both, both, "[('198.18.0.2', 80)]"] == asked


def test_tc_program_that_comes_later_is_put_behind_the_shield(shielded):
    """It would let no program see a packet after itself, and no cookie be redeemed."""
    shielded.listen()
    shielded.start("--mode", "always")
    words = (sys.executable, PEERS / "attached.py", json.dumps(["s0", TCX_PASS]))
    other = shielded.wire.server.start(*words)
    assert "ready\n" == other.stdout.readline(), other.stderr.read()
    shielded.until("came before ours, which is the first again")
    assert 5 == shielded.connect(count=5)["served"]
    assert 5 == shielded.counters()["redeemed"]


BPF, PIDFD_GETFD = 321, 438  # <asm/unistd_64.h>
BPF_LINK_DETACH = 34  # <linux/bpf.h>


def take_off(pid):
    """Take every program off that hangs on a descriptor of a process."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    process = os.pidfd_open(pid)
    known = {}
    for place in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it is closed by now
            known[int(place.name)] = str(place.readlink())
    for number in (at for at, what in known.items() if "bpf_link" in what):
        link = call(PIDFD_GETFD, process, number, 0)
        attr = struct.pack("=I124x", link)
        assert 0 == call(BPF, BPF_LINK_DETACH, attr, len(attr)), ctypes.get_errno()
        os.close(link)
    os.close(process)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of system calls")
def test_programs_that_somebody_takes_off_are_put_back(shielded):
    """All of them; a shield of which one is off would answer and redeem nothing."""
    shielded.listen()
    shielded.start("--mode", "always", "--xdp", "generic")
    take_off(shielded.shield.pid)
    for where in ("tc", "xdp"):
        shielded.until(f"{where} on s0: somebody took the program off; it is on again")
    assert 5 == shielded.connect(count=5)["served"]
    assert 5 == shielded.counters()["redeemed"]
