"""The common base of the frame links.

The interface and our addresses on it, the way out without a link header, and the
program that keeps the kernel from answering.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import logging
import os
import socket
import struct
from typing import TYPE_CHECKING, Any

from .._core import bpf as _core_bpf
from . import bpf, rtnetlink
from .claim import Claim
from .condition import Addresses, Condition, flags_of, kind_of
from .link import LinkError
from .netdev import Netdev, by_netlink, error_number, reason

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

HEADERS_MAX = 22  # Ethernet with two VLAN tags

AF_XDP = 44  # which Python does not know
# <linux/if_packet.h>
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 1, 1
MEMBERSHIP = struct.Struct("=iHH8s")  # struct packet_mreq

# <linux/sockios.h>, <linux/in.h>
SIOCGIFMTU = 0x8921
IFREQ_INT = struct.Struct("16si20x")
SEND_BYTES = 4 * 1024 * 1024
SO_SNDBUFFORCE = 32
ETH_P_ALL = 3
DELETED = (errno.ENODEV, errno.ENXIO)
CLSACT_INGRESS = 0xFFFFFFF2
CLSACT_PRIORITY = 0xC000  # where the kernel itself begins to number


class Interface:
    """An interface that exists, and our addresses on it.

    Args:
        name: Of the interface.
        addresses: Ours.  One with a length ("192.0.2.2/24") is given to the interface
            unless it has it, which needs pyroute2; one without is there already.
        claim: Keep other processes of ours off it, and remember the changes.

    Raises:
        LinkError: There is no such interface, it is not to be configured, or another
            process has it.
        ValueError: An address is none, or there are too many.
    """

    def __init__(
        self, name: str, addresses: Sequence[str], *, claim: bool = False
    ) -> None:
        self.name = name
        self.addresses = [str(ipaddress.ip_interface(a).ip) for a in addresses]
        if len(self.addresses) > bpf.ADDRESSES_MAX:
            raise ValueError(f"{len(self.addresses)} addresses: too many")
        try:
            self.index = socket.if_nametoindex(name)
        except OSError as error:
            message = f"no interface {name!r}: `ip link` shows those there are"
            raise LinkError(message, error.errno or errno.ENODEV) from None
        given = [address for address in addresses if "/" in address]
        self._condition = Condition(name)
        self._changes: rtnetlink.Changes | None = None
        self._claim = Claim(name) if claim else None
        self._netdev: Netdev | None = None
        try:
            if given or (self._claim is not None and self._claim.steps):
                self._netdev = Netdev(name, given, claim=self._claim)
            self._held = Addresses(self.addresses)
        except BaseException:
            self.restore()
            raise

    @property
    def changes(self) -> rtnetlink.Changes:
        """Whether `check` may have something to say."""
        if self._changes is None:
            self._changes = rtnetlink.Changes()
        return self._changes

    def check(self, *, logs: bool = True) -> None:
        """Log whether it is down, or up again; call it about once a second.

        Args:
            logs: False: another link on this interface does it.

        Raises:
            LinkError: the interface was deleted, or moved elsewhere.
        """
        changes = self.changes
        if not changes.seen():
            return
        try:
            name = socket.if_indextoname(self.index)
        except OSError as error:
            if error.errno not in DELETED:  # it could not be asked: no descriptors
                changes.again()
                return
            message = f"{self.name} is gone: the interface was deleted"
            raise LinkError(message, error.errno or errno.ENODEV) from None
        told = []
        try:
            flags = flags_of(name)
            told += [text for _, text in self._condition.look(name, flags)]
            if logs and kind_of(flags) != "down":
                told += self._held.look()
        except OSError:  # another name already
            changes.again()
        for text in told if logs else ():
            log.warning("%s", text)

    def mtu(self) -> int:
        """Return the largest ordinary packet in bytes."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            request = IFREQ_INT.pack(self.name.encode(), 0)
            mtu: int = IFREQ_INT.unpack(fcntl.ioctl(sock, SIOCGIFMTU, request))[1]
        return mtu

    def restore(self) -> None:
        """Take back the addresses that were given to it, and give it up."""
        if self._changes is not None:
            self._changes.close()
        if self._netdev is not None:
            with contextlib.suppress(LinkError):
                self._netdev.restore()
        if self._claim is not None:
            self._claim.release()


class Route:
    """Raw IP sockets bound to an interface: route and neighbour are the kernel's."""

    def __init__(self, interface: Interface) -> None:
        self._index = interface.index
        self._sockets: list[socket.socket] = []
        try:
            for family in (socket.AF_INET, socket.AF_INET6):
                self._open(family, interface.name)
        except BaseException:
            self.close()
            raise

    @property
    def numbers(self) -> tuple[int, int, int]:
        """The descriptors, and the index of the interface."""
        fd4, fd6 = (sock.fileno() for sock in self._sockets)
        return fd4, fd6, self._index

    def close(self) -> None:
        """Close the sockets."""
        for sock in self._sockets:
            sock.close()

    def _open(self, family: int, name: str) -> None:
        sock = raw_socket(family, socket.IPPROTO_RAW)
        self._sockets.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode())
        enlarge(sock)


def promiscuous(interface: Interface) -> socket.socket:
    """Return a socket that keeps an interface promiscuous while it is open."""
    sock = raw_socket(socket.AF_PACKET, 0)  # of no protocol: no frame comes
    try:
        enter_promiscuous(sock, interface)
    except BaseException:
        sock.close()
        raise
    return sock


def enter_promiscuous(sock: socket.socket, interface: Interface) -> None:
    """Make an interface promiscuous while a packet socket is open."""
    member = MEMBERSHIP.pack(interface.index, PACKET_MR_PROMISC, 0, b"")
    sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, member)


class Drop:
    """Keeps the kernel from seeing our packets, behind whatever taps the interface.

    A link descriptor (TCX, Linux 6.6) holds the program, so it goes with the process.
    An older kernel gets a clsact filter, which stays if the process is killed:
    `tc qdisc del dev NAME clsact` removes it.

    Args:
        interface: Whose.
        addresses: None: the kernel gets nothing at all from it.
        tcx: False: as an older kernel does.
    """

    def __init__(
        self,
        interface: Interface,
        addresses: Sequence[str] | None,
        *,
        tcx: bool = True,
    ) -> None:
        self._interface = interface
        self._fd = -1
        self._clsact: Clsact | None = None
        program = bpf.load(bpf.PROG_SCHED_CLS, 0, bpf.drop_program(addresses))
        try:
            if tcx:
                self._fd = _attach_tcx(program, interface.index)
            if self._fd < 0:
                self._clsact = Clsact(interface, program)
        finally:
            os.close(program)

    def close(self) -> None:
        """Let the kernel see everything again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._clsact is not None:
            self._clsact.close()
            self._clsact = None


def _attach_tcx(program: int, ifindex: int) -> int:
    """Attach a program; -1 if this kernel has no TCX."""
    try:
        kind = bpf.ATTACH_TCX_INGRESS
        return _core_bpf.bpf_attach(program, ifindex, kind, bpf.TCX_FIRST)
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.EOPNOTSUPP}:
            return -1
        message = f"cannot attach to tc ingress: {os.strerror(error.errno or 0)}"
        raise LinkError(message, error.errno) from None


class Clsact:
    """A filter in the ingress part of a clsact qdisc, which is made if missing."""

    def __init__(self, interface: Interface, program: int) -> None:
        try:
            import pyroute2
        except ImportError:
            raise LinkError(
                "before Linux 6.6 keeping the kernel quiet needs pyroute2: "
                "pip install 'tcp-syncache[cli]'"
            ) from None
        self._refused = (OSError, pyroute2.NetlinkError)
        self._place = {
            "index": interface.index,
            "parent": CLSACT_INGRESS,
            "prio": CLSACT_PRIORITY,
            "protocol": ETH_P_ALL,
        }
        self._made = False
        try:
            by_netlink(lambda ip: self._attach(ip, program))
        except self._refused as error:
            message = f"cannot attach to clsact of {interface.name}: {reason(error)}"
            raise LinkError(message, error_number(error)) from None

    def _attach(self, ip: Any, program: int) -> None:
        index = self._place["index"]
        if all(q.get_attr("TCA_KIND") != "clsact" for q in ip.get_qdiscs(index=index)):
            ip.tc("add", "clsact", index)
            self._made = True
        options = {"fd": program, "name": "syncache", "direct_action": True}
        ip.tc("add-filter", "bpf", **self._place, **options)

    def close(self) -> None:
        """Remove the filter, and the qdisc if it was ours."""
        with contextlib.suppress(*self._refused):
            if self._made:
                by_netlink(lambda ip: ip.tc("del", "clsact", self._place["index"]))
            else:
                by_netlink(lambda ip: ip.tc("del-filter", "bpf", **self._place))


def raw_socket(family: int, protocol: int) -> socket.socket:
    """Open a raw socket that does not block.

    Raises:
        LinkError: It is not ours to have.
    """
    try:
        sock = socket.socket(family, socket.SOCK_RAW, protocol)
    except OSError as error:
        name = "AF_XDP" if family == AF_XDP else socket.AddressFamily(family).name
        advice = {
            errno.EPERM: "run as root (CAP_NET_RAW and CAP_NET_ADMIN)",
            errno.EAFNOSUPPORT: "this kernel has none: load or build it in",
        }.get(error.errno or 0, "see packet(7), raw(7)")
        message = f"cannot open a raw {name} socket: {error.strerror}: {advice}"
        raise LinkError(message, error.errno) from None
    sock.setblocking(False)
    return sock


def enlarge(sock: socket.socket) -> None:
    """Let bursts wait in the kernel: the default holds about a hundred packets."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BYTES)
