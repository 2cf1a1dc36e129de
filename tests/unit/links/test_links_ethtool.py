"""Offloads of devices, with a kernel that is made up."""

from __future__ import annotations

import ctypes
import struct

from syncache.links import ethtool


def test_device_that_knows_no_ethtool_has_no_offloads():
    assert 0 == ethtool.flags("syncache-none")


def test_flags_are_read_from_where_the_kernel_writes_them(monkeypatch):
    """Behind the command, which names what is asked for."""

    def ioctl(_, request, words):
        name, place = struct.unpack("16sP16x", words)
        command, _ = ethtool.VALUE.unpack(ctypes.string_at(place, 8))
        assert (b"eth0", ethtool.SIOCETHTOOL, 0x25) == (
            name.rstrip(b"\0"),
            request,
            command,
        )
        ctypes.memmove(place + 4, struct.pack("=I", ethtool.RX_VLAN), 4)

    monkeypatch.setattr(ethtool.fcntl, "ioctl", ioctl)
    assert ethtool.RX_VLAN == ethtool.flags("eth0")
