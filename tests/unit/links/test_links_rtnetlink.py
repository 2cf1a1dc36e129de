"""Interfaces as the kernel lists them; loopback is everywhere."""

from __future__ import annotations

import dataclasses
import errno
import ipaddress
import select
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


def test_of_thousands_of_interfaces_some_are_named(monkeypatch):
    """The line can be read."""
    lo = rtnetlink.interface("lo")
    many = [dataclasses.replace(lo, name=f"ppp{n}") for n in range(4000)]
    monkeypatch.setattr(rtnetlink, "interfaces", lambda: many)
    with pytest.raises(LinkError, match=r"there are ppp0, .*, ppp9 and 3990 more$"):
        rtnetlink.interface("ppp4001")


def test_changes_are_seen_once_and_at_first(monkeypatch):
    """Whatever the kernel tells; too many at once are some, and so is no descriptor."""
    changes = rtnetlink.Changes()
    assert changes.fileno() >= 0
    changes.close()
    ours, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    changes._told = ours
    assert [True, False] == [changes.seen(), changes.seen()]
    kernel.send(b"link 1")
    kernel.send(b"link 2")
    changes.take()
    assert not select.select([ours], [], [], 0)[0]
    assert [True, False] == [changes.seen(), changes.seen()]
    changes.again()
    assert changes.seen()
    kernel.close()
    monkeypatch.setattr(changes, "_told", Full())
    assert changes.seen()
    ours.close()

    def refuse(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", refuse)
    blind = rtnetlink.Changes()
    assert (-1, True, True) == (blind.fileno(), blind.seen(), blind.seen())
    blind.close()


class Full:
    """A socket whose queue had no room."""

    def recv(self, _):
        raise OSError(errno.ENOBUFS, "No buffer space available")


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
    assert not info.is_xdp_generic


def test_addresses_are_listed():
    """Of every interface; loopback is everywhere."""
    assert "127.0.0.1" in rtnetlink.addresses()


@pytest.mark.parametrize(
    ("family", "fields", "ours"),
    [
        (2, {1: "192.0.2.9", 2: "192.0.2.1"}, "192.0.2.1"),
        (10, {1: "2001:db8::1"}, "2001:db8::1"),
        (10, {1: "2001:db8::9", 2: "2001:db8::1"}, "2001:db8::1"),
    ],
)
def test_address_of_a_peer_is_not_ours(family, fields, ours):
    """Which a message has in the place of ours where there is one."""
    body = struct.pack("=BBBBI", family, 32, 0, 0, 2) + b"".join(
        attribute(kind, ipaddress.ip_address(text).packed)
        for kind, text in fields.items()
    )
    assert ours == rtnetlink._read_address(body)


def test_interfaces_with_a_clsact_qdisc_are_found(monkeypatch):
    """Among those of other kinds; one message each."""
    assert isinstance(rtnetlink.have_clsact(), set)
    rows = [(2, b"clsact\0"), (3, b"fq_codel\0"), (4, b"clsact\0"), (5, b"")]
    bodies = [
        struct.pack("=BxxxiIII", 0, index, 0xFFFF0000, 0xFFFFFFF1, 0)
        + attribute(1, kind)
        for index, kind in rows
    ]
    monkeypatch.setattr(rtnetlink, "dump", lambda *_: bodies)
    assert {2, 4} == rtnetlink.have_clsact()


def test_device_without_ethernet_is_one_line(monkeypatch):
    """Of a tunnel."""
    tunnel = dataclasses.replace(rtnetlink.interface("lo"), mac=b"", name="tun0")
    monkeypatch.setattr(rtnetlink, "interfaces", lambda: [tunnel])
    with pytest.raises(LinkError, match="tun0 is not an Ethernet device"):
        rtnetlink.ethernet("tun0")


def test_attributes_that_lie_about_their_size_end():
    """Nothing is read beyond the message, and there is no loop without end."""
    text = struct.pack("=HH", 0, 1) + struct.pack("=HH", 200, 2) + b"ab"
    assert [(1, b""), (2, b"ab")] == list(rtnetlink.attributes(text))
