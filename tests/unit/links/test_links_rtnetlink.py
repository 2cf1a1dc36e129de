"""Interfaces as the kernel lists them; loopback is everywhere."""

from __future__ import annotations

import socket
import struct

import pytest

from syncache.links import LinkError, rtnetlink


def test_loopback_is_listed():
    """By name and number."""
    info = rtnetlink.interface("lo")
    assert socket.if_nametoindex("lo") == info.index
    assert (6, 0, "") == (len(info.mac), info.xdp_program, info.kind)


def test_interface_that_is_not_there_is_named_with_those_that_are():
    """One line."""
    with pytest.raises(LinkError, match=r"no interface syncache-none; there are .*lo"):
        rtnetlink.interface("syncache-none")


def attribute(kind, value):
    size = 4 + len(value)
    return struct.pack("=HH", size, kind) + value + bytes(-size % 4)


def test_vlan_device_and_program_are_read():
    """From nested attributes."""
    body = struct.pack("=BxHiII", 0, 1, 9, 1, 0) + b"".join(
        [
            attribute(3, b"eth0.7\0"),
            attribute(1, bytes.fromhex("020000000001")),
            attribute(4, struct.pack("=I", 1400)),
            attribute(5, struct.pack("=I", 2)),
            attribute(18 | 1 << 15, attribute(1, b"vlan\0")),
            attribute(43 | 1 << 15, attribute(4, struct.pack("=I", 77))),
        ]
    )
    info = rtnetlink._read(body)
    assert ("eth0.7", 9, 1400, "vlan", 2) == (
        info.name,
        info.index,
        info.mtu,
        info.kind,
        info.below,
    )
    assert (True, False, 77) == (info.is_up, info.is_below_elsewhere, info.xdp_program)


def test_attributes_that_lie_about_their_size_end():
    """Nothing is read beyond the message, and there is no loop without end."""
    text = struct.pack("=HH", 0, 1) + struct.pack("=HH", 200, 2) + b"ab"
    assert [(1, b""), (2, b"ab")] == list(rtnetlink.attributes(text))
