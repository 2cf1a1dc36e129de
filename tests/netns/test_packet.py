"""
The AF_PACKET link between kernels.

    +--- client ---+        +------- server --------+
    | curl      c0 ========== s0 Packet   server.py |      198.18.0.1, .2
    +--------------+  veth  +-----------------------+      fd00:18::1, ::2

    +--- left -----+        +------ middle ------+        +----- right --+
    | fetch     l0 ========== m0 Packet relay m1 ========== r0     serve |
    +--------------+        +--------------------+        +--------------+
"""

from __future__ import annotations

import hashlib
import json
import sys

import pytest
from fetch import (
    BULK_BYTES,
    CURL_REFUSED,
    CURL_TIMED_OUT,
    MAC_C,
    MAC_S,
    connect,
    download,
    expect_replies_through_vlans,
    upload,
)
from namespace import PATIENCE, PEERS, Namespace, Server, Wire, wait_until
from peers.content import sha256_of
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether

RELAYED_BYTES = 20_000_000
# Each frame handed over at once, and in blocks: some hold super-segments, some not.
RINGS = (0, 131072, 4096)
WAYS = (*RINGS, "xdp")


@pytest.mark.parametrize("block", RINGS)
def test_bulk_both_ways_arrives_whole(wire, tmp_path, block):
    """100 MB in both families; super-segments come in; the kernel sends no RST."""
    server = Server(wire.server, packet="s0", ours=Wire.OURS, options={"block": block})
    for family in (4, 6):
        got = download(wire, family, BULK_BYTES, tmp_path)
        assert got == sha256_of(BULK_BYTES)
    zeros = hashlib.sha256(bytes(BULK_BYTES)).hexdigest()
    assert upload(wire, 6, BULK_BYTES, tmp_path) == zeros
    link = server.stop()["link"]
    assert link["send_failed"] == link["skipped"] == 0
    # What is longer than a block waits in the socket's queue, which may be full while
    # the processor is at other work: lost, as what a full ring has no room for.
    lost_most = link["received"] // 20 if block == min(filter(None, RINGS)) else 0
    assert link["too_large"] <= lost_most
    assert link["received"] < 3 * BULK_BYTES / 1400
    assert wire.kernel_resets() == 0


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_interface_is_left_as_it_was(wire, end):
    """After an orderly end and after SIGKILL the kernel answers again."""
    before = wire.server.show("s0")
    assert connect(wire) == CURL_REFUSED
    resets = wire.kernel_resets()
    server = Server(wire.server, packet="s0", ours=Wire.OURS)
    assert connect(wire) == 0
    assert wire.kernel_resets() == resets
    getattr(server, end)()
    assert wire.server.show("s0") == before
    assert connect(wire) == CURL_REFUSED
    assert wire.kernel_resets() == resets + 1


def test_other_tc_program_that_ends_the_row_keeps_the_kernel_no_less_quiet(wire):
    """Its verdict would have the kernel refuse what is ours."""
    words = (sys.executable, PEERS / "attached.py", json.dumps(["s0", 0]))
    other = wire.server.start(*words)
    assert other.stdout.readline() == "ready\n", other.communicate()[1]
    server = Server(wire.server, packet="s0", ours=Wire.OURS)
    assert connect(wire) == 0
    assert wire.kernel_resets() == 0
    server.stop()


def test_address_with_a_length_is_the_interfaces_while_open(wire):
    """The kernel answers ARP for it, we the rest."""
    ours = "198.18.0.77"
    server = Server(wire.server, packet="s0", ours=[f"{ours}/24"])
    assert f"{ours}/24" in wire.server.show("s0")["addresses"]
    wire.client.run("curl", "-sS", "-m", "99", "-o", "/dev/null", f"http://{ours}/1")
    server.stop()
    assert f"{ours}/24" not in wire.server.show("s0")["addresses"]


def test_reply_goes_back_through_the_vlans_of_its_request(wire):
    """Its Ethernet header is the request's, turned round."""
    wire.server.link("mac", "s0", MAC_S)
    server = Server(wire.server, packet="s0", ours=Wire.OURS)
    expect_replies_through_vlans(wire)
    server.stop()


def drop(wire):
    """Keep the kernel quiet as a link does where there is no TCX; the process."""
    source = f"""
import asyncio, sys
from syncache.links.frames import Drop, Interface
async def main():
    interface = Interface("s0", {list(Wire.OURS)})
    drop = Drop(interface, interface.addresses, tcx=False)
    print("ready", flush=True)
    sys.stdin.read()
    drop.close()
asyncio.run(main())
"""
    process = wire.server.start(sys.executable, "-c", source, stdin=-1)
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    return process


@pytest.mark.parametrize("qdisc", ["ours", "another's"])
def test_kernel_without_tcx_is_quiet_too(wire, qdisc):
    """By a clsact filter; the qdisc is left if it was there, and goes if not."""
    if qdisc == "another's":
        wire.server.link("clsact", "s0")
    before = wire.server.show("s0")
    process = drop(wire)
    assert connect(wire, 2) == CURL_TIMED_OUT
    assert process.communicate()[1] == ""
    assert wire.server.show("s0") == before
    assert connect(wire) == CURL_REFUSED


def start(where, *words):
    """Start a role of peers/relay.py, ready when this returns."""
    program = PEERS / "relay.py"
    process = where.start(sys.executable, program, json.dumps(words), stdin=-1)
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    return process


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ([["198.18.0.0/24", "2001:db8::/48"]], CURL_TIMED_OUT),
        ([["198.18.0.0/24"], ["198.18.1.0/24", "2001:db8::/48"]], 0),
        ([["198.18.0.0/24"], []], 0),
    ],
    ids=["blocked", "another", "over"],
)
def test_syns_of_blocked_networks_are_dropped_by_the_kernel(
    wire, tmp_path, block, expected
):
    """Nobody answers them; the other family is served."""
    server = Server(wire.server, packet="s0", ours=Wire.OURS, block=block)
    assert connect(wire, 2 if expected else 99) == expected
    assert wire.kernel_resets() == 0
    assert download(wire, 6, 1000, tmp_path) == sha256_of(1000)
    server.stop()


@pytest.mark.parametrize(
    "networks", [["198.18.0.1/32"], ["fd00:18::/48", "198.18.0.0/24"], []]
)
def test_forwarder_blocks_networks_too(wire, networks):
    """The kernel takes each kind of program; () is none."""
    code = (
        "import sys; from syncache.links.packet import Packet;"
        "link = Packet('s0', forward=True); link.block(sys.argv[1:]); link.block(())"
    )
    wire.server.run(sys.executable, "-c", code, *networks)


def test_tap_sees_both_directions_and_disturbs_neither(wire):
    """The kernels talk as if nobody looked on; the interface is as it was after."""
    before = wire.server.show("s0")
    tap = start(wire.server, "tap", "s0")
    server = start(wire.server, "serve", "198.18.0.2", RELAYED_BYTES)
    got = wire.client.python("relay", ["fetch", "198.18.0.2"])
    assert got == sha256_of(RELAYED_BYTES)
    assert server.wait(PATIENCE) == 0
    seen = json.loads(tap.communicate()[0])
    assert min(seen["to"], seen["from"]) > 10
    assert wire.kernel_resets() == 0
    assert wire.server.show("s0") == before


class Relay:
    """Three namespaces in a row, the middle one forwarding."""

    def __init__(self):
        self.left, self.middle, self.right = (Namespace() for _ in range(3))
        self.left.join("l0", self.middle, "m0", *Wire.CLIENT)
        self.right.join("r0", self.middle, "m1", *Wire.SERVER)
        for name in ("m0", "m1"):
            self.middle.link("up", name)
        self.left.ask_long("l0")
        self.right.ask_long("r0")

    def close(self):
        for namespace in (self.left, self.middle, self.right):
            namespace.close()


@pytest.fixture
def relay():
    made = Relay()
    yield made
    made.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("address", Wire.OURS)
def test_forwarder_passes_everything_as_it_is(relay, address, way):
    """ARP or neighbour discovery first, then super-segments, all through two links."""
    before = [relay.middle.show(name) for name in ("m0", "m1")]
    forwarder = start(relay.middle, "relay", "m0", "m1", way)
    assert relay.middle.show("m0")["promiscuity"] == 1
    server = start(relay.right, "serve", address, RELAYED_BYTES)
    got = relay.left.python("relay", ["fetch", address])
    assert got == sha256_of(RELAYED_BYTES)
    assert server.wait(PATIENCE) == 0
    one, other = json.loads(forwarder.communicate()[0])
    assert one["sent"] == other["received"] - other["too_large"]
    assert one["send_failed"] == other["send_failed"] == 0
    if way != "xdp":  # which sees packets one by one
        assert other["received"] < 2 * RELAYED_BYTES / 1400
    assert [relay.middle.show(name) for name in ("m0", "m1")] == before


@pytest.mark.parametrize("way", WAYS)
def test_forwarder_takes_frames_without_ip_and_of_unknown_vlans(relay, way):
    """LLC, ARP of another, a tag within a tag: what comes in goes out."""
    forwarder = start(relay.middle, "relay", "m0", "m1", way)
    ether = Ether(src=MAC_C, dst=MAC_S)
    llc = bytes.fromhex("0180c2000000") + bytes(6) + b"\x00\x26\x42\x42\x03" + bytes(35)
    tcp = IP(src="10.0.0.1", dst="10.0.0.2") / TCP(dport=80)
    frames = [
        llc,
        bytes(ether / ARP(psrc="10.0.0.1", pdst="10.0.0.2")),
        bytes(ether / Dot1AD(vlan=70) / Dot1Q(vlan=7) / tcp),
        bytes(ether / tcp),
    ]
    sniffer = relay.right.start(
        sys.executable, PEERS / "frames.py", json.dumps(["r0", [], 2])
    )
    wait_until(lambda: relay.right.run("cat", "/proc/net/packet").count("\n") > 1)
    relay.left.python("frames", ["l0", [frame.hex() for frame in frames], 0])
    found = json.loads(sniffer.communicate()[0])
    assert found == [frame.hex() for frame in frames[2:]]
    one, other = json.loads(forwarder.communicate()[0])
    assert one["skipped"] == other["skipped"] == 0
    assert one["received"] == other["sent"] >= len(frames)
