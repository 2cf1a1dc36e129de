"""The AF_PACKET link as far as it goes without an interface of its own.

Frames are parsed in tests/c/test_packet.c; the link on a real interface is
netns/test_packet.py.
"""

from __future__ import annotations

import errno
import socket

import pytest

from syncache.links import LinkError, frames, packet
from syncache.links.packet import Packet


@pytest.mark.parametrize(
    ("addresses", "options", "says"),
    [
        ((), {}, "either has addresses or forwards"),
        (("192.0.2.1",), {"forward": True}, "either has addresses or forwards"),
        (("192.0.2.1",), {"fanout": 65536}, "a fanout group is 0 to 65535"),
        (("192.0.2.1",), {"fanout": -1}, "a fanout group is 0 to 65535"),
        (("192.0.2.1",), {"block": 1000}, "a block is pages of"),
        (("192.0.2.1",), {"block": -4096}, "a block is pages of"),
    ],
)
def test_argument_that_is_not_legal_is_refused(addresses, options, says):
    """Before anything is opened."""
    with pytest.raises(ValueError, match=says):
        Packet("lo", addresses, **options)


@pytest.mark.parametrize(
    ("mtu", "size"), [(68, 2048), (1500, 2048), (1900, 4096), (9000, 16384)]
)
def test_frames_of_the_ring_hold_a_packet_of_the_mtu(mtu, size):
    """With its tags, and the kernel's own headers in front."""
    assert packet._frame_size(mtu) == size


def test_frames_of_a_huge_mtu_wait_in_the_queue():
    """A ring of them would hold next to nothing."""
    assert packet._frame_size(65536) == packet.FRAME_BYTES[-1]


def test_interface_that_is_not_there_gives_one_line():
    """The name is in it."""
    with pytest.raises(LinkError, match="no interface 'syncache-none'"):
        Packet("syncache-none", ["192.0.2.1"])


def test_missing_privilege_gives_one_line(monkeypatch):
    """The first thing that needs it says so."""

    class Refused(socket.socket):
        def __init__(self, family, *rest):
            if family == socket.AF_PACKET:
                raise PermissionError(errno.EPERM, "Operation not permitted")
            super().__init__(family, *rest)

    monkeypatch.setattr(frames.socket, "socket", Refused)
    with pytest.raises(LinkError, match="run as root") as caught:
        Packet("lo", ["127.0.0.1"])
    assert "\n" not in str(caught.value)
