"""The kernel's interfaces: rtnetlink(7), lists and whether they are old; read only.

pyroute2 does all of it and more; this is for commands that have no other use for it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .link import LinkError

if TYPE_CHECKING:
    from collections.abc import Iterator

NLM_REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
RTM_NEWLINK, RTM_GETLINK, NLMSG_DONE, NLMSG_ERROR = 16, 18, 3, 2
RTM_NEWADDR, RTM_GETADDR, IFA_ADDRESS, IFA_LOCAL = 20, 22, 1, 2
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER = 1, 3, 4, 5, 10
IFLA_LINKINFO, IFLA_LINK_NETNSID, IFLA_XDP = 18, 37, 43
IFLA_INFO_KIND, IFLA_XDP_ATTACHED, IFLA_XDP_PROG_ID = 1, 2, 4
XDP_ATTACHED_SKB = 2
RTM_NEWQDISC, RTM_GETQDISC, TCA_KIND = 36, 38, 1
RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100
CHANGES_MAX = 256  # taken in one look; what is left is for the next
TYPE_MASK = 0x3FFF
IFF_UP, IFF_LOOPBACK = 1, 8
ETHERNET_BYTES = 6
NAMED_MAX = 10  # interfaces in one line
BUFFER_BYTES = 64 * 1024
HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
LINK = struct.Struct("=BxHiII")  # struct ifinfomsg
ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg
TRAFFIC = struct.Struct("=BxxxiIII")  # struct tcmsg
ATTRIBUTE = struct.Struct("=HH")


@dataclass(frozen=True, slots=True)
class InterfaceInfo:
    """One interface.

    `below` is the index of what it stands on: of a VLAN device the one that carries it,
    of veth its peer, which is elsewhere if `is_below_elsewhere`; 0: nothing.  `master`
    is the bridge or bond that it is a port of, `flags` are those of netdevice(7).
    """

    name: str
    index: int
    mac: bytes
    mtu: int
    kind: str
    below: int
    is_below_elsewhere: bool
    is_up: bool
    xdp_program: int
    is_xdp_generic: bool = False
    master: int = 0
    flags: int = 0


class Changes:
    """Whether interfaces or addresses of this namespace have changed.

    The kernel tells, so that who has to know asks for lists no more often than that.
    """

    def __init__(self) -> None:
        self._told: socket.socket | None = None
        groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        with contextlib.suppress(OSError):  # no descriptors: a look more each time
            self._told = socket.socket(socket.AF_NETLINK, kind, 0)
            self._told.bind((0, groups))
        self._is_due = True

    def fileno(self) -> int:
        """Return a descriptor that is readable if there are some; -1: none tells."""
        return -1 if self._told is None else self._told.fileno()

    @property
    def are_due(self) -> bool:
        """Whether `seen` will say so, of those that were taken."""
        return self._is_due

    def again(self) -> None:
        """They were seen, but not what they are: let `seen` say so once more."""
        self._is_due = True

    def seen(self) -> bool:
        """Return whether there are some since the last call, and at the first one."""
        self.take()
        found, self._is_due = self._is_due, self._told is None
        return found

    def take(self) -> None:
        """Let the descriptor be readable no more; `seen` knows of them."""
        if self._told is None:
            return
        try:
            for _ in range(CHANGES_MAX):
                self._told.recv(1)  # which one does not matter
                self._is_due = True
        except BlockingIOError:
            pass
        except OSError:  # ENOBUFS: there were too many
            self._is_due = True

    def close(self) -> None:
        """Close the descriptor."""
        if self._told is not None:
            self._told.close()


def interfaces() -> list[InterfaceInfo]:
    """List the interfaces of this network namespace.

    Raises:
        LinkError: the kernel does not say.
    """
    asked = LINK.pack(0, 0, 0, 0, 0)
    return [_read(body) for body in dump(RTM_GETLINK, asked, RTM_NEWLINK)]


def addresses() -> list[str]:
    """List the addresses of all interfaces of this network namespace.

    Raises:
        LinkError: the kernel does not say.
    """
    asked = ADDRESS.pack(0, 0, 0, 0, 0)
    return [_read_address(body) for body in dump(RTM_GETADDR, asked, RTM_NEWADDR)]


def have_clsact() -> set[int]:
    """Return the interfaces that have a clsact qdisc, by their indices.

    Raises:
        LinkError: the kernel does not say.
    """
    asked = TRAFFIC.pack(0, 0, 0, 0, 0)
    found = set()
    for body in dump(RTM_GETQDISC, asked, RTM_NEWQDISC):
        known = dict(attributes(body[TRAFFIC.size :]))
        if _text(known.get(TCA_KIND, b"")) == "clsact":
            found.add(TRAFFIC.unpack_from(body)[1])
    return found


def interface(name: str) -> InterfaceInfo:
    """Return one interface.

    Raises:
        LinkError: there is none of this name.
    """
    known = interfaces()
    for info in known:
        if info.name == name:
            return info
    names = ", ".join(info.name for info in known[:NAMED_MAX])
    more = len(known) - NAMED_MAX
    others = f" and {more} more" if more > 0 else ""
    raise LinkError(f"there is no interface {name}; there are {names}{others}")


def ethernet(name: str) -> InterfaceInfo:
    """Return one interface whose frames have Ethernet headers.

    Raises:
        LinkError: there is none of this name, or it is another kind.
    """
    info = interface(name)
    if not is_ethernet(info):
        raise LinkError(no_ethernet(info))
    return info


def is_ethernet(info: InterfaceInfo) -> bool:
    """Return whether frames have Ethernet addresses: not of tunnels and the like."""
    return len(info.mac) == ETHERNET_BYTES


def no_ethernet(info: InterfaceInfo) -> str:
    """Say that frames have none, and what is left to do."""
    return (
        f"{info.name} is not an Ethernet device, as tunnels are none: leave its SYNs "
        "to the kernel (sysctl net.ipv4.tcp_syncookies=1)"
    )


def dump(request: int, asked: bytes, wanted: int, protocol: int = 0) -> list[bytes]:
    """Ask for a list; the messages of the wanted kind, without their headers.

    Args:
        request: The kind of message that asks for it.
        asked: Its body.
        wanted: The kind of the answers.
        protocol: Of netlink(7); rtnetlink's is 0.

    Raises:
        LinkError: the kernel refuses.
        OSError: it does not know the protocol.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as sock:
        size = HEADER.size + len(asked)
        sock.send(HEADER.pack(size, request, NLM_REQUEST_DUMP, 1, 0) + asked)
        return list(_answers(sock, wanted))


def _answers(sock: socket.socket, wanted: int) -> Iterator[bytes]:
    while True:
        data = sock.recv(BUFFER_BYTES)
        place = 0
        while place + HEADER.size <= len(data):
            size, kind, _, _, _ = HEADER.unpack_from(data, place)
            body = data[place + HEADER.size : place + size]
            if kind == NLMSG_DONE:
                return
            if kind == NLMSG_ERROR:
                (number,) = struct.unpack_from("=i", body)
                raise LinkError(f"no list from the kernel: {os.strerror(-number)}")
            if kind == wanted:
                yield body
            place += max((size + 3) & ~3, HEADER.size)


def _read(body: bytes) -> InterfaceInfo:
    _, _, index, flags, _ = LINK.unpack_from(body)
    known = dict(attributes(body[LINK.size :]))
    info = dict(attributes(known.get(IFLA_LINKINFO, b"")))
    xdp = dict(attributes(known.get(IFLA_XDP, b"")))
    return InterfaceInfo(
        name=_text(known.get(IFLA_IFNAME, b"")),
        index=index,
        mac=known.get(IFLA_ADDRESS, b""),
        mtu=_number(known.get(IFLA_MTU)),
        kind=_text(info.get(IFLA_INFO_KIND, b"")),
        below=_number(known.get(IFLA_LINK)),
        is_below_elsewhere=IFLA_LINK_NETNSID in known,
        is_up=bool(flags & IFF_UP),
        xdp_program=_number(xdp.get(IFLA_XDP_PROG_ID)),
        is_xdp_generic=_number(xdp.get(IFLA_XDP_ATTACHED)) == XDP_ATTACHED_SKB,
        master=_number(known.get(IFLA_MASTER)),
        flags=flags,
    )


def _read_address(body: bytes) -> str:
    """Return our own address, which is not the one of a peer."""
    known = dict(attributes(body[ADDRESS.size :]))
    return str(ipaddress.ip_address(known.get(IFA_LOCAL) or known[IFA_ADDRESS]))


def attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    """List the attributes of a message by their kinds."""
    place = 0
    while place + ATTRIBUTE.size <= len(body):
        size, kind = ATTRIBUTE.unpack_from(body, place)
        yield kind & TYPE_MASK, body[place + ATTRIBUTE.size : place + size]
        place += max((size + 3) & ~3, ATTRIBUTE.size)


def _text(value: bytes) -> str:
    return value.split(b"\0")[0].decode(errors="replace")


def _number(value: bytes | None) -> int:
    return int.from_bytes(value[:4], "little") if value else 0
