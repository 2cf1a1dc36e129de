"""Odd packets for a shield, over the wire of test_shield.py."""

from __future__ import annotations

import os

import pytest
from test_shield import SERVER, Shielded

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)
MAC = "02:00:00:00:00:51"
CLIENT = {4: "198.18.0.1", 6: "fd00:18::1"}


@pytest.fixture
def shielded(wire, tmp_path):
    wire.server.link("mac", "s0", MAC)
    return Shielded(wire, tmp_path)


def sent(shielded, family, **spec):
    """Send a SYN by a packet socket; what came back."""
    spec = {
        "interface": "c0",
        "mac": MAC,
        "family": family,
        "source": CLIENT[family],
        "target": SERVER[family],
        "sport": 40_000,
        "port": 80,
        "unfinished": False,
        "chance": False,
    } | spec
    return shielded.wire.client.python("unfinished", spec)


@pytest.mark.parametrize("chance", [False, True])
@pytest.mark.parametrize("unfinished", [False, True])
@pytest.mark.parametrize("family", [4, 6])
def test_checksum_of_an_answer_is_right_or_left_to_the_device(
    shielded, family, unfinished, chance
):
    """As the SYN's is, also where what stands in it is right by chance."""
    shielded.listen()
    shielded.start("--mode", "always", "--xdp", "tc")
    seen = sent(shielded, family, unfinished=unfinished, chance=chance)
    assert (unfinished, True) == (seen["left"], seen["right"])
    assert 1 == shielded.counters()["synack"]


def test_cookie_that_comes_again_makes_few_connections(shielded):
    """Two more, since the kernel may have lost the first; then it is dropped."""
    shielded.listen()
    shielded.start("--mode", "always", "--xdp", "tc")
    before = shielded.counters()
    seen = sent(shielded, 4, source="198.18.0.77", acks=6)
    assert 6 == seen["acks"]
    counted = shielded.counters()
    moved = {name: counted[name] - before[name] for name in counted}
    assert (3, 3) == (moved["redeemed"], moved["replayed"]), moved
    assert 0 == moved["refused"]


def test_cookie_of_a_connection_that_lives_makes_no_other(shielded):
    """The kernel has it, and judges the segment."""
    shielded.listen()
    shielded.start("--mode", "always", "--xdp", "tc")
    sent(shielded, 4, source="198.18.0.77", acks=4, resets=False)
    counted = shielded.counters()
    assert (1, 3) == (counted["redeemed"], counted["ack_established"])
