"""TUN: IP packets of the machine's own kernel, through /dev/net/tun (Linux).

The ring is filled and emptied in C (csrc/link/tun.c).  Here: opening the device,
its offloads, and errors that state the remedy.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .._core import links as _core_links
from ..ring import PACKET_MAX
from . import bpf, rtnetlink
from .claim import Claim
from .condition import Addresses, Condition, flags_of, kind_of
from .link import LinkError
from .netdev import Netdev
from .refusals import Refusals, gone
from .schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..ring import Ring

log = logging.getLogger(__name__)

DEVICE = Path("/dev/net/tun")
TX_DROPPED = 11  # column of /proc/net/dev
NAME_MAX = 15  # IFNAMSIZ less its terminator

# <linux/if_tun.h>, <linux/sockios.h>
TUNSETIFF = 0x400454CA
TUNSETOFFLOAD = 0x400454D0
TUNSETFILTEREBPF, NO_FILTER = 0x800454E1, -1
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 0x01, 0x02, 0x04
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
SIOCGIFMTU = 0x8921

IFREQ_FLAGS = struct.Struct("16sH22x")
IFREQ_INT = struct.Struct("16si20x")


class Tun:
    """A TUN device, created unless it exists.

    A device that is created goes away with `close`, or with the process.  One that
    exists (`ip tuntap add`) stays, and gets its settings back.

    Args:
        name: Of the interface, "" for one that the kernel chooses.
        addresses: Of the kernel's end, with prefix length: "192.0.2.1/24".  Ours are
            others of the prefix, or of `routes`.
        routes: Prefixes that the kernel shall send here.
        mtu: None leaves it.
        queue: Packets that the kernel holds for us while we are busy; None leaves it.
        vnet_hdr: Take and give TCP super-segments of up to 64 KiB.
        cpu: To run the calling thread on; see `Schedule`.
        priority: Of the calling thread.

    Any of addresses, routes, mtu and queue also brings the interface up, and needs
    pyroute2.

    Raises:
        LinkError: One line that states the remedy.
    """

    def __init__(
        self,
        name: str,
        addresses: Sequence[str] = (),
        *,
        routes: Sequence[str] = (),
        mtu: int | None = None,
        queue: int | None = None,
        vnet_hdr: bool = True,
        cpu: int | None = None,
        priority: int | None = None,
    ) -> None:
        if len(name.encode()) > NAME_MAX:
            message = f"interface name {name!r} is longer than {NAME_MAX} bytes"
            raise LinkError(message, errno.ENAMETOOLONG)
        self._offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 if vnet_hdr else 0
        self._fd = _open()
        self._blocks = False
        self._claim: Claim | None = None
        self._netdev: Netdev | None = None
        self._schedule: Schedule | None = None
        self._changes: rtnetlink.Changes | None = None
        try:
            self.name = _attach(self._fd, name, vnet_hdr=vnet_hdr)
            if vnet_hdr:
                fcntl.ioctl(self._fd, TUNSETOFFLOAD, self._offloads)
            if addresses or routes or mtu is not None or queue is not None:
                self._claim = Claim(self.name)
                self._netdev = Netdev(
                    self.name,
                    addresses,
                    routes=routes,
                    mtu=mtu,
                    queue=queue,
                    claim=self._claim,
                )
            self._mtu = _mtu(self.name)
            self._index = _index(self.name)
            self._schedule = Schedule(self.name, cpu=cpu, priority=priority)
        except BaseException:
            self.close()
            raise
        self._device = _core_links.Tun(self._fd, vnet_hdr=vnet_hdr)
        self._refusals = Refusals()
        self._condition, self._held = Condition(self.name), Addresses(addresses)
        self._dropped_before = _dropped(self.name)
        self._dropped = 0

    @property
    def mtu(self) -> int:
        """Largest ordinary packet in bytes, as of opening."""
        return self._mtu

    @property
    def gso_max(self) -> int:
        """Largest TCP super-segment in bytes; 0: none."""
        return PACKET_MAX if self._offloads else 0

    @property
    def counts(self) -> dict[str, int]:
        """Packets by outcome.

        received; sent; too_large, for a slot; send_failed; kernel_dropped, since the
        device's queue was full.
        """
        lost = _dropped(self.name) - self._dropped_before
        self._dropped = max(lost, self._dropped)
        return self._device.counts | {"kernel_dropped": self._dropped}

    def fileno(self) -> int:
        """Descriptor to wait on."""
        return self._fd

    def receive(self, rx: Ring) -> int:
        """Append packets to `rx`; none come while the interface is down."""
        count = self._device.receive(rx)
        if count < 0:
            raise gone(self.name, -count)
        return count

    def send(self, tx: Ring) -> int:
        """Send the packets in `tx`.

        While the interface is down the kernel refuses every packet: each counts as
        lost in the network, and one line in the log tells.
        """
        return self.done(self._device.send(tx))

    @property
    def core(self) -> _core_links.Tun:
        """The link in C, for who receives and sends there; `done` is told of it."""
        return self._device

    def done(self, count: int) -> int:
        """Log if packets begin to be refused; -errno of a call raises LinkError."""
        if count < 0:
            raise gone(self.name, -count)
        if count > 0:
            self._refusals.tell(self.name, self._device.send_error)
        return count

    @property
    def changes(self) -> rtnetlink.Changes:
        """Whether `check` may have something to say."""
        if self._changes is None:
            self._changes = rtnetlink.Changes()
        return self._changes

    def check(self) -> None:
        """Log whether the interface is down, or up again; call it about once a second.

        One that was deleted raises from `receive`; one that was moved to another
        network namespace goes on.
        """
        changes = self.changes
        if not changes.seen():
            return
        told = []
        try:
            self.name = socket.if_indextoname(self._index)
            flags = flags_of(self.name)
            told += [text for _, text in self._condition.look(self.name, flags)]
            if kind_of(flags) != "down":
                told += self._held.look()
        except OSError:
            changes.again()
        for text in told:
            log.warning("%s", text)

    def block(self, networks: Sequence[str]) -> None:
        """Have the kernel drop SYNs from some networks, from now on; (): from none.

        Connections that there are go on.  No more than bpf.BLOCKED_MAX networks.

        Raises:
            LinkError: the kernel refuses it.
        """
        if not networks:
            self._filter(NO_FILTER)
            self._blocks = False
            return
        program = bpf.load(bpf.PROG_SOCKET_FILTER, 0, bpf.queue_program(networks))
        try:
            self._filter(program)
        except OSError as error:
            message = f"{self.name}: cannot filter: {error.strerror}"
            raise LinkError(message, error.errno) from None
        finally:
            os.close(program)
        self._blocks = True

    def _filter(self, program: int) -> None:
        fcntl.ioctl(self._fd, TUNSETFILTEREBPF, struct.pack("=i", program))

    def close(self) -> None:
        """Close the device; restore the settings of one that stays."""
        if self._fd < 0:
            return
        if self._blocks:
            with suppress(OSError):
                self._filter(NO_FILTER)
        if self._schedule is not None:
            self._schedule.restore()
        if self._netdev is not None:
            with suppress(LinkError):
                self._netdev.restore()
        if self._claim is not None:
            self._claim.release()
        if self._changes is not None:
            self._changes.close()
        if self._offloads:
            with suppress(OSError):
                fcntl.ioctl(self._fd, TUNSETOFFLOAD, 0)
        os.close(self._fd)
        self._fd = -1


def _dropped(name: str) -> int:
    """Return how many packets the kernel has dropped on their way to a device."""
    try:
        table = Path("/proc/net/dev").read_text("ascii", errors="replace")
    except OSError:
        return 0
    for line in table.splitlines():
        device, _, numbers = line.partition(":")
        if device.strip() == name:
            return int(numbers.split()[TX_DROPPED])
    return 0


def _open() -> int:
    try:
        return os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENODEV, errno.ENXIO}:
            advice = (
                "modprobe tun loads it; a container needs it passed in "
                "(--device /dev/net/tun)"
            )
        else:
            advice = "run as root or in a user namespace (unshare -Urn)"
        message = f"cannot open {DEVICE}: {error.strerror}: {advice}"
        raise LinkError(message, error.errno) from None


def _attach(fd: int, name: str, *, vnet_hdr: bool) -> str:
    """Make `fd` the interface's; returns the name that the kernel gave it."""
    flags = IFF_TUN | IFF_NO_PI | (IFF_VNET_HDR if vnet_hdr else 0)
    try:
        answer = fcntl.ioctl(fd, TUNSETIFF, IFREQ_FLAGS.pack(name.encode(), flags))
    except OSError as error:
        advice = {
            errno.EPERM: "run as root (CAP_NET_ADMIN), or have root make it yours: "
            f"ip tuntap add dev {name} mode tun user $USER",
            errno.EBUSY: "another process has it open: stop that, or take another name",
            errno.EINVAL: "the name belongs to an interface that is not a TUN device, "
            "or is not a name: take another",
        }.get(error.errno or 0, "take another name")
        message = f"cannot open interface {name!r}: {error.strerror}: {advice}"
        raise LinkError(message, error.errno) from None
    taken: bytes = IFREQ_FLAGS.unpack(answer)[0]
    return taken.rstrip(b"\0").decode()


def _index(name: str) -> int:
    """Return the number of an interface; 0 if it is gone already."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def _mtu(name: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        answer = fcntl.ioctl(sock, SIOCGIFMTU, IFREQ_INT.pack(name.encode(), 0))
    mtu: int = IFREQ_INT.unpack(answer)[1]
    return mtu
