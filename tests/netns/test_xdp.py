"""
The AF_XDP link between kernels, natively on veth and by generic XDP.

    +--- client ---+        +------ server ------+
    | curl      c0 ========== s0 Xdp   server.py |      198.18.0.1, .2
    +--------------+  veth  +--------------------+      fd00:18::1, ::2

Local clients leave TCP checksums to the device here, which the link has to notice.
Generic XDP gets their super-segments too, which do not fit: they are switched off.
"""

from __future__ import annotations

import hashlib
import sys

import pytest
from fetch import (
    BULK_BYTES,
    CURL_REFUSED,
    CURL_TIMED_OUT,
    MAC_S,
    connect,
    download,
    expect_replies_through_vlans,
    upload,
)
from namespace import Server, Wire
from peers.content import sha256_of

UPLOADED_BYTES = 10_000_000
GENERIC_BYTES = 10_000_000


def start(wire, block=(), **options):
    return Server(wire.server, xdp="s0", ours=Wire.OURS, options=options, block=block)


@pytest.mark.parametrize("family", [4, 6])
def test_bulk_both_ways_arrives_whole(wire, family, tmp_path):
    """100 MB down, 10 MB up, natively; the kernel sends no RST."""
    server = start(wire, mode="native")
    assert download(wire, family, BULK_BYTES, tmp_path) == sha256_of(BULK_BYTES)
    zeros = hashlib.sha256(bytes(UPLOADED_BYTES)).hexdigest()
    assert upload(wire, family, UPLOADED_BYTES, tmp_path) == zeros
    link = server.stop()["link"]
    assert link["send_failed"] == link["too_large"] == link["skipped"] == 0
    assert wire.kernel_resets() == 0


@pytest.mark.parametrize("options", [{"mode": "generic"}, {"busy_poll": 20}])
def test_other_ways_of_receiving_arrive_whole(wire, options, tmp_path):
    """Generic XDP, and a thread that drives the queue itself."""
    wire.client.link("uncut", "c0", 0)
    server = start(wire, **options)
    assert download(wire, 4, GENERIC_BYTES, tmp_path) == sha256_of(GENERIC_BYTES)
    assert server.stop()["link"]["send_failed"] == 0
    assert wire.kernel_resets() == 0


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_interface_is_left_as_it_was(wire, end):
    """After an orderly end and after SIGKILL the program is gone."""
    before = wire.server.show("s0")
    server = start(wire)
    assert wire.server.show("s0")["xdp"] != before["xdp"]
    assert connect(wire) == 0
    assert wire.kernel_resets() == 0
    getattr(server, end)()
    assert wire.server.show("s0") == before
    assert connect(wire) == CURL_REFUSED


def test_reply_goes_back_through_the_vlans_of_its_request(wire):
    """Its Ethernet header is the request's, turned round."""
    wire.server.link("mac", "s0", MAC_S)
    server = start(wire)
    expect_replies_through_vlans(wire)
    server.stop()


def test_second_link_of_a_queue_gives_one_line(wire):
    """The interface is another process's."""
    server = start(wire)
    with pytest.raises(AssertionError, match="s0 is in use by process"):
        start(wire)
    assert connect(wire) == 0
    server.stop()


def test_queue_that_is_not_there_gives_one_line(wire):
    """It says how to see which there are, and leaves nothing behind."""
    before = wire.server.show("s0")
    with pytest.raises(
        AssertionError, match=r"cannot bind to queue 9 of s0.*ethtool -l"
    ):
        start(wire, queue=9)
    assert wire.server.show("s0") == before


class TestTwoQueues:
    """One link serves one of them; what comes by the other would be refused."""

    @pytest.fixture
    def queues(self):
        return 2

    def test_one_link_for_two_queues_gives_one_line(self, wire):
        """It says what to do, and leaves nothing behind."""
        before = wire.server.show("s0")
        with pytest.raises(AssertionError, match=r"s0 has 2 queues.*a shard for each"):
            start(wire)
        assert wire.server.show("s0") == before


@pytest.mark.parametrize("mode", ["native", "generic"])
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
    wire, tmp_path, block, expected, mode
):
    """Nobody answers them; the other family is served."""
    wire.client.link("uncut", "c0", 0)
    server = start(wire, block=block, mode=mode)
    assert connect(wire, 2 if expected else 99) == expected
    assert wire.kernel_resets() == 0
    assert download(wire, 6, 1000, tmp_path) == sha256_of(1000)
    server.stop()


@pytest.mark.parametrize("networks", [["198.18.0.1/32"], ["fd00:18::/48"], []])
def test_forwarder_blocks_networks_too(wire, networks):
    """The kernel takes each kind of program; () is none."""
    code = (
        "import sys; from syncache.links.xdp import Xdp;"
        "link = Xdp('s0', forward=True); link.block(sys.argv[1:]); link.block(())"
    )
    wire.server.run(sys.executable, "-c", code, *networks)
