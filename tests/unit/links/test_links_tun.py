"""The TUN link without a TUN: a datagram socket stands in for the device.

What needs the device itself is in netns/test_tun.py.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
from pathlib import Path

import pytest

from syncache.links import Link, LinkError, tun
from syncache.ring import Checksum, Ring

PACKET = b"\x45" + bytes(8) + b"\x06" + bytes(50)
VNET_HEADER = 10


def open_files() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


class Device:
    """What the kernel is seen to do, and its end of the socket."""

    def __init__(self):
        self.ours, self.kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ours.setblocking(False)
        self.kernel.setblocking(False)
        self.offloads = []

    def ioctl(self, _fd, request, argument):
        if request == tun.TUNSETOFFLOAD:
            self.offloads.append(argument)
        if request == tun.SIOCGIFMTU:
            return tun.IFREQ_INT.pack(b"tun7", 1400)
        return tun.IFREQ_FLAGS.pack(b"tun7", 0)


@pytest.fixture
def device(monkeypatch):
    made = Device()
    monkeypatch.setattr(tun, "_open", lambda: os.dup(made.ours.fileno()))
    monkeypatch.setattr(fcntl, "ioctl", made.ioctl)
    yield made
    made.ours.close()
    made.kernel.close()


@pytest.mark.usefixtures("device")
def test_tun_is_a_link_with_the_interfaces_name_and_mtu():
    """The kernel may choose the name; super-segments come with the header."""
    link = tun.Tun("", vnet_hdr=True)
    assert isinstance(link, Link)
    assert ("tun7", 1400, 65535) == (link.name, link.mtu, link.gso_max)
    link.close()
    plain = tun.Tun("tun7", vnet_hdr=False)
    assert plain.gso_max == 0
    plain.close()


def test_offloads_are_on_while_the_link_is_open(device):
    """A device that stays is left without them, as it was."""
    link = tun.Tun("tun7")
    assert device.offloads == [tun.TUN_F_CSUM | tun.TUN_F_TSO4 | tun.TUN_F_TSO6]
    link.close()
    link.close()
    assert device.offloads[1:] == [0]


def test_packets_go_both_ways_and_are_counted(device):
    """Behind the header of each is the packet."""
    link = tun.Tun("tun7")
    device.kernel.send(bytes(VNET_HEADER) + PACKET)
    rx, tx = Ring(4), Ring(4)
    assert link.receive(rx) == 1
    assert bytes(rx[0]) == PACKET
    assert rx.checksum(0) == Checksum.VERIFY
    tx.push(PACKET)
    assert link.send(tx) == 1
    assert device.kernel.recv(2048) == bytes(VNET_HEADER) + PACKET
    assert link.counts == {
        "received": 1,
        "sent": 1,
        "too_large": 0,
        "send_failed": 0,
        "kernel_dropped": 0,
    }
    link.close()


@pytest.mark.usefixtures("device")
def test_refused_packets_are_logged_when_it_begins_and_when_it_ends(caplog):
    """An outage gives two lines, however many packets it costs."""
    caplog.set_level(logging.WARNING)
    link = tun.Tun("tun7")
    bad, good = Ring(4), Ring(4)
    bad.push(PACKET, gso_size=1000)
    bad.push(PACKET, gso_size=1000)
    assert link.send(bad) == 2
    good.push(PACKET)
    assert link.send(good) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "tun7: not sending: Invalid argument; going on",
        "tun7: sending again",
    ]
    assert link.counts["send_failed"] == 2
    link.close()


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("call", ["receive", "send"])
def test_device_that_is_gone_raises_one_line(call):
    """A closed descriptor stands for a removed device."""
    link = tun.Tun("tun7")
    os.close(link.fileno())
    ring = Ring(1)
    if call == "send":
        ring.push(PACKET)
    with pytest.raises(LinkError, match=r"^tun7 is gone: Bad file descriptor$"):
        getattr(link, call)(ring)


def test_name_longer_than_the_kernel_takes_is_refused():
    """It is not cut off in silence."""
    with pytest.raises(LinkError, match="longer than 15 bytes") as caught:
        tun.Tun("sixteen-is-a-lot")
    assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOENT, "modprobe tun"), (errno.EACCES, "run as root or in a user")],
)
def test_device_file_that_cannot_be_opened_says_what_to_do(monkeypatch, number, advice):
    """No module and no permission are different things."""

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(LinkError, match=advice) as caught:
        tun.Tun("tun7")
    assert caught.value.errno == number
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EPERM, "ip tuntap add dev tun7"),
        (errno.EBUSY, "another process has it open"),
        (errno.EINVAL, "is not a TUN device"),
        (errno.EIO, "take another name"),
    ],
)
@pytest.mark.usefixtures("device")
def test_interface_that_cannot_be_had_says_what_to_do(monkeypatch, number, advice):
    """And the descriptor is given back."""

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    fds = open_files()
    monkeypatch.setattr(fcntl, "ioctl", refuse)
    with pytest.raises(LinkError, match=advice) as caught:
        tun.Tun("tun7")
    assert caught.value.errno == number
    assert "\n" not in str(caught.value)
    assert open_files() == fds
