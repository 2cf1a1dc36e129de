"""What drivers say, with a kernel that is made up."""

from __future__ import annotations

import ctypes
import struct

import pytest

from syncache.links import ethtool


@pytest.fixture
def eth0(monkeypatch):
    """A device; put what the kernel writes behind each command into the dict."""
    answers = {}

    def ioctl(_, request, words):
        name, place = struct.unpack("16sP16x", words)
        assert (b"eth0", ethtool.SIOCETHTOOL) == (name.rstrip(b"\0"), request)
        (command,) = struct.unpack("=I", ctypes.string_at(place, 4))
        if command not in answers:
            raise OSError
        ctypes.memmove(place + 4, answers[command], len(answers[command]))

    monkeypatch.setattr(ethtool.fcntl, "ioctl", ioctl)
    return answers


def test_device_that_knows_no_ethtool_says_nothing():
    """One queue is what every device has."""
    name = "syncache-none"
    assert (0, False) == (ethtool.flags(name), ethtool.has_link(name))
    assert ("", 1) == (ethtool.driver(name), ethtool.queues(name))


def test_driver_of_loopback_is_told():
    assert ethtool.driver("lo") in {"", "lo", "loopback"}


def test_answers_are_read_from_where_the_kernel_writes_them(eth0):
    """Behind the command, which names what is asked for."""
    eth0[0x25] = struct.pack("=I", ethtool.RX_VLAN)
    eth0[0x0A] = struct.pack("=I", 1)
    eth0[0x03] = b"virtio_net".ljust(32, b"\0") + b"1.0.0".ljust(32, b"\0")
    assert (ethtool.RX_VLAN, True) == (ethtool.flags("eth0"), ethtool.has_link("eth0"))
    assert "virtio_net" == ethtool.driver("eth0")


@pytest.mark.parametrize(
    ("rx", "combined", "queues"), [(0, 4, 4), (3, 0, 3), (1, 1, 1)]
)
def test_queues_in_use_are_counted_not_those_there_could_be(eth0, rx, combined, queues):
    """Of their own, or shared with sending."""
    eth0[0x3C] = struct.pack("=8I", 8, 8, 8, 8, rx, 7, 7, combined)
    assert queues == ethtool.queues("eth0")
