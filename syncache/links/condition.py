"""Changes of an interface that stays: down, without carrier, up again, renamed."""

from __future__ import annotations

import fcntl
import socket
import struct

from . import ethtool

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
