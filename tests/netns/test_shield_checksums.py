"""Checksums of SYNs that the shield's programs are given: right, wrong, unfinished."""

from __future__ import annotations

import os
import struct

import pytest
from shield_rig import TAGS, TC_DROP, TC_REDIRECT, WALL, XDP_DROP, XDP_TX
from test_shield_programs import LINUX, linux_syn

from syncache import Segment

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="programs of the kernel need root itself"
)


@pytest.mark.parametrize("family", [4, 6])
def test_wrong_checksum_drops_a_syn_and_an_unfinished_one_does_not(rig, family):
    """Veth leaves sums of the pseudo header, which the device would finish."""
    packet = bytearray(linux_syn(rig, family).packet())
    place = (20 if family == 4 else 40) + 16
    packet[place] ^= 1
    assert XDP_DROP == rig.xdp(bytes(packet)).verdict
    assert {"syn", "bad_checksum"} <= rig.counters().keys()
    packet[place : place + 2] = pseudo_sum(packet, family).to_bytes(2, "big")
    assert XDP_TX == rig.xdp(bytes(packet)).verdict
    rig.counters()
    # In tc the packet itself says whether it is to be finished; here it is not.
    assert TC_DROP == rig.skb(bytes(packet)).verdict
    assert 1 == rig.counters()["bad_checksum"]


@pytest.mark.parametrize("family", [4, 6])
def test_right_checksum_that_looks_unfinished_is_taken_for_right(rig, family):
    """One in 65,536 is the sum of its pseudo header too; tc must not leave it so."""
    for seq in range(2**16):
        packet = linux_syn(rig, family, seq=seq).packet()
        place = (20 if family == 4 else 40) + 16
        if int.from_bytes(packet[place : place + 2], "big") == pseudo_sum(
            packet, family
        ):
            break
    else:
        raise AssertionError("no sequence number gives such a sum")
    run = rig.skb(packet)
    assert TC_REDIRECT == run.verdict
    assert Segment.parse(run.packet[14:]).ack == seq + 1


def pseudo_sum(packet, family):
    """Return the sum of a pseudo header, as an unfinished checksum has it."""
    addresses = packet[12:20] if family == 4 else packet[8:40]
    size = len(packet) - (20 if family == 4 else 40)
    total = sum(struct.unpack(f">{len(addresses) // 2}H", addresses)) + 6 + size
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("family", [4, 6])
def test_without_verification_a_wrong_checksum_is_answered(rig, family):
    """As a card that has verified it leaves it."""
    rig.retune(WALL, **{"shield.verify": 0})
    packet = bytearray(linux_syn(rig, family).packet())
    packet[-1 - len(LINUX)] ^= 1  # the urgent pointer
    for run in (rig.xdp(packet), rig.xdp(packet, TAGS[1]), rig.skb(packet)):
        assert run.verdict in {XDP_TX, TC_REDIRECT}


def test_wrong_ip_checksum_drops_a_syn(rig):
    packet = bytearray(linux_syn(rig, 4).packet())
    packet[10] ^= 1
    assert XDP_DROP == rig.xdp(bytes(packet)).verdict
    assert 1 == rig.counters()["bad_ip_checksum"]
