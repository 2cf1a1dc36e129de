"""Changes of an interface that stays: down, no carrier, renamed, without an address."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import socket
import struct
from typing import TYPE_CHECKING

from . import ethtool, rtnetlink

if TYPE_CHECKING:
    from collections.abc import Sequence

SIOCGIFFLAGS = 0x8913  # <linux/sockios.h>
IFF_UP, IFF_RUNNING, IFF_LOWER_UP = 0x1, 0x40, 0x10000  # <linux/if.h>
IFREQ_FLAGS = struct.Struct("16sH22x")


class Condition:
    """Tells each change once; an interface is taken for up until it is looked at.

    Args:
        name: Of the interface.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._kind = "up"

    def look(self, name: str, flags: int) -> list[tuple[str, str]]:
        """Return the kind of each change since the last look, and a line on it.

        Args:
            name: That the interface has now.
            flags: Of the interface (netdevice(7)).
        """
        told = []
        if name != self._name:
            told.append(("renamed", f"{self._name} is called {name} now"))
            self._name = name
        kind = kind_of(flags)
        if kind != self._kind:
            self._kind = kind
            text = {
                "up": f"{name} is up again",
                "down": f"{name} is down: `ip link set {name} up`",
                "carrier": f"{name} has no carrier: look at its cable and other end",
            }[kind]
            told.append((kind, text))
        return told


class Addresses:
    """Tells when addresses that the machine has are gone from it, and when they return.

    Without them the kernel answers for nobody (ARP, neighbour discovery), so clients do
    not find us.

    Args:
        addresses: With or without lengths.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self._wanted = {str(ipaddress.ip_interface(a).ip) for a in addresses}
        self._known: set[str] = set()
        self._lost = False
        with contextlib.suppress(OSError):
            self.look()

    def look(self) -> list[str]:
        """Return a line on each change since the last look.

        Raises:
            OSError: the kernel does not say.
        """
        if not self._wanted:
            return []
        before, self._known = self._known, self._wanted & {*rtnetlink.addresses()}
        lost = ", ".join(sorted(before - self._known))
        back = ", ".join(sorted(self._known - before)) if self._lost else ""
        self._lost = bool(lost) or (self._lost and self._known != self._wanted)
        told = []
        if lost:
            told.append(
                f"this machine has lost {lost}, and clients do not find it: give it "
                "back with `ip addr add`"
            )
        if back:
            told.append(f"this machine has {back} again")
        return told


def kind_of(flags: int) -> str:
    """Return the state in the flags of an interface: up, down or carrier (it has none).

    The kernel sets IFF_RUNNING up to a second after IFF_LOWER_UP, the carrier itself,
    and not at all where 802.1X has still to let the port in.
    """
    if not flags & IFF_UP:
        return "down"
    return "up" if flags & (IFF_RUNNING | IFF_LOWER_UP) else "carrier"


def flags_of(name: str) -> int:
    """Return the flags of an interface, IFF_LOWER_UP where it is needed (`kind_of`).

    Raises:
        OSError: there is none of this name.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = IFREQ_FLAGS.pack(name.encode(), 0)
        flags: int = IFREQ_FLAGS.unpack(fcntl.ioctl(sock, SIOCGIFFLAGS, request))[1]
    # The ioctl has 16 bits for them, so the carrier is asked for.
    if kind_of(flags) == "carrier" and ethtool.has_link(name):
        flags |= IFF_LOWER_UP
    return flags
