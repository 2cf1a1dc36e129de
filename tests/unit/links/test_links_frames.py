"""What the frame links share, with a kernel that is made up.

What needs an interface is in netns/test_packet.py.
"""

from __future__ import annotations

import errno
import os
import socket

import pytest

from syncache._core import bpf as _core_bpf
from syncache.links import LinkError, bpf, frames


@pytest.fixture
def interface(monkeypatch):
    monkeypatch.setattr(frames.socket, "if_nametoindex", lambda _: 7)
    return frames.Interface("eth0", ["192.0.2.1", "2001:db8::1"])


def test_interface_that_is_not_there_gives_one_line():
    """It says how to see which there are."""
    with pytest.raises(LinkError, match="no interface 'syncache-none': `ip link`"):
        frames.Interface("syncache-none", [])


def test_word_that_is_no_address_is_refused():
    """The mistake is the caller's."""
    with pytest.raises(ValueError, match="nonsense"):
        frames.Interface("lo", ["nonsense"])


def test_too_many_addresses_are_refused():
    """A program with a jump beyond 16 bits is not written."""
    with pytest.raises(ValueError, match="1001 addresses"):
        frames.Interface("lo", ["192.0.2.1"] * 1001)


def test_interface_knows_index_addresses_and_mtu():
    """Loopback is everywhere."""
    made = frames.Interface("lo", ["::1", "127.0.0.1"])
    assert (["::1", "127.0.0.1"], socket.if_nametoindex("lo")) == (
        made.addresses,
        made.index,
    )
    assert made.mtu() >= 1280
    made.restore()


def test_interface_that_cannot_be_asked_for_is_not_gone(monkeypatch):
    """For want of descriptors: the next look will tell."""
    interface = frames.Interface("lo", [])
    number = errno.EMFILE

    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "if_indextoname", refuse)
    interface.check()
    number = errno.ENXIO
    with pytest.raises(LinkError, match="lo is gone"):
        interface.check()
    interface.restore()


@pytest.mark.parametrize(
    ("family", "name"), [(socket.AF_PACKET, "AF_PACKET"), (frames.AF_XDP, "AF_XDP")]
)
def test_raw_socket_without_privilege_gives_one_line(monkeypatch, family, name):
    """It names the capabilities."""

    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(frames.socket, "socket", refuse)
    with pytest.raises(LinkError, match=rf"{name} socket.*CAP_NET_RAW"):
        frames.raw_socket(family, 0)


class Bpf:
    """A kernel that loads everything and attaches as told."""

    def __init__(self, monkeypatch, refusal):
        self.refusal = refusal
        self.opened = []
        monkeypatch.setattr(bpf, "load", lambda *_: self.open())
        monkeypatch.setattr(_core_bpf, "bpf_attach", self.attach)

    def open(self):
        self.opened.append(os.eventfd(0))
        return self.opened[-1]

    def attach(self, *_):
        if self.refusal:
            raise OSError(self.refusal, "bpf(2)")
        return self.open()

    def open_now(self):
        return [os.path.exists(f"/proc/self/fd/{fd}") for fd in self.opened]  # noqa: PTH110


def test_drop_is_held_by_one_descriptor(monkeypatch, interface):
    """The program is the kernel's once it is attached; closing detaches it."""
    kernel = Bpf(monkeypatch, None)
    drop = frames.Drop(interface, interface.addresses)
    assert kernel.open_now() == [False, True]
    drop.close()
    drop.close()
    assert kernel.open_now() == [False, False]


def test_drop_without_tcx_uses_clsact(monkeypatch, interface):
    """A kernel before 6.6 does not know the attach type."""
    kernel = Bpf(monkeypatch, errno.EINVAL)
    made = []

    class Clsact:
        def __init__(self, where, program):
            assert where is interface
            assert program == kernel.opened[0]
            made.append("made")

        def close(self):
            made.append("closed")

    monkeypatch.setattr(frames, "Clsact", Clsact)
    frames.Drop(interface, None).close()
    assert made == ["made", "closed"]
    assert kernel.open_now() == [False]


def test_drop_that_is_refused_gives_one_line(monkeypatch, interface):
    """Nothing stays open."""
    kernel = Bpf(monkeypatch, errno.EPERM)
    with pytest.raises(LinkError, match="cannot attach to tc ingress"):
        frames.Drop(interface, None)
    assert kernel.open_now() == [False]
