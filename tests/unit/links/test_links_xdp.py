"""The AF_XDP link as far as it goes without an interface of its own.

Its rings are tested in tests/c/test_xdp.c; the link on a real interface is
netns/test_xdp.py.
"""

from __future__ import annotations

import errno
import os

import pytest

from syncache._core import bpf as _core_bpf
from syncache.links import LinkError, bpf, frames, xdp
from syncache.links.xdp import Xdp, XdpProgram


@pytest.mark.parametrize(
    ("addresses", "options", "says"),
    [
        ((), {}, "either has addresses or forwards"),
        (("192.0.2.1",), {"forward": True}, "either has addresses or forwards"),
        (("192.0.2.1",), {"frames": 100}, "a power of two from 64 on, not 100"),
        (("192.0.2.1",), {"frames": 32}, "a power of two from 64 on, not 32"),
        (("192.0.2.1",), {"queue": 64}, "queue is 0 to 63"),
        (("192.0.2.1",), {"mode": "fast"}, "mode is auto, native or generic"),
    ],
)
def test_argument_that_is_not_legal_is_refused(addresses, options, says):
    """Before anything is opened."""
    with pytest.raises(ValueError, match=says):
        Xdp("lo", addresses, **options)


def test_interface_that_is_not_there_gives_one_line():
    """The name is in it."""
    with pytest.raises(LinkError, match="no interface 'syncache-none'"):
        Xdp("syncache-none", ["192.0.2.1"])


def test_frame_of_umem_holds_a_packet_and_what_the_kernel_adds():
    """An MTU beyond the larger frame is told with the largest that goes."""
    assert xdp._frame_size("eth0", 1500) == 2048
    assert xdp._frame_size("eth0", 2048 - 22 - 256) == 2048
    assert xdp._frame_size("eth0", 2048 - 22 - 255) == 4096
    assert xdp._frame_size("eth0", 3818) == 4096
    with pytest.raises(LinkError, match="is 9000, AF_XDP takes 3818"):
        xdp._frame_size("eth0", 9000)


class Kernel:
    """Refuses as told, and notes in which modes it was asked to attach."""

    def __init__(self, monkeypatch):
        self.refusals = {}
        self.asked = []
        self.map_refusal = None
        monkeypatch.setattr(_core_bpf, "bpf_map", self.make_map)
        monkeypatch.setattr(_core_bpf, "bpf_attach", self.attach)
        monkeypatch.setattr(bpf, "load", lambda *_: self.open())
        self.opened = []

    def open(self):
        self.opened.append(os.eventfd(0))
        return self.opened[-1]

    def make_map(self, *_):
        if self.map_refusal:
            raise OSError(self.map_refusal, "bpf(2)")
        return self.open()

    def attach(self, _program, _index, _kind, flags):
        self.asked.append(flags)
        if flags in self.refusals:
            raise OSError(self.refusals[flags], "bpf(2)")
        return self.open()

    def is_clean(self):
        return not any(os.path.exists(f"/proc/self/fd/{fd}") for fd in self.opened)  # noqa: PTH110


NATIVE, GENERIC = xdp.MODES["native"], xdp.MODES["generic"]


@pytest.fixture
def kernel(monkeypatch):
    return Kernel(monkeypatch)


def test_native_is_tried_first_and_generic_after(kernel):
    """Where the driver has no XDP the kernel's own will do."""
    kernel.refusals[NATIVE] = errno.EOPNOTSUPP
    program = XdpProgram("lo", ["127.0.0.1"])
    assert program.mode == "generic"
    assert kernel.asked == [NATIVE, GENERIC]
    program.close()
    assert kernel.is_clean()


@pytest.mark.parametrize(
    ("mode", "number", "says", "asked"),
    [
        ("native", errno.EOPNOTSUPP, "the driver has no XDP", [NATIVE]),
        ("auto", errno.EBUSY, "another XDP program is on it", [NATIVE]),
        ("auto", errno.EINVAL, "needs Linux 5.9", [NATIVE, GENERIC]),
        ("generic", errno.E2BIG, "see dmesg", [GENERIC]),
    ],
)
def test_refused_program_gives_one_line(kernel, mode, number, says, asked):
    """What to do about it; nothing stays open."""
    kernel.refusals = {NATIVE: number, GENERIC: number}
    with pytest.raises(LinkError, match=says) as caught:
        XdpProgram("lo", ["127.0.0.1"], mode=mode)
    assert caught.value.errno == number
    assert "\n" not in str(caught.value)
    assert kernel.asked == asked
    assert kernel.is_clean()


def test_missing_privilege_gives_one_line(kernel):
    """The first thing that needs it says so."""
    kernel.map_refusal = errno.EPERM
    with pytest.raises(LinkError, match="run as root"):
        XdpProgram("lo", ["127.0.0.1"])


def test_kernel_without_af_xdp_gives_one_line(monkeypatch):
    """And names what to use instead."""

    def refuse(*_):
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr(frames.socket, "socket", refuse)
    with pytest.raises(LinkError, match=r"has no AF_XDP.*Packet link"):
        xdp._socket()
