"""The offloads that a device has on: ethtool's flags, by ioctl(2)."""

from __future__ import annotations

import fcntl
import socket
import struct

from .._core.links import address_of

# <linux/sockios.h>, <linux/ethtool.h>: enum ethtool_flags.
SIOCETHTOOL, ETHTOOL_GFLAGS = 0x8946, 0x25
RX_VLAN, LRO = 1 << 8, 1 << 15
VALUE = struct.Struct("=II")  # struct ethtool_value


def flags(name: str) -> int:
    """Return the offloads that a device has on, as far as it says."""
    answer = bytearray(VALUE.pack(ETHTOOL_GFLAGS, 0))
    request = struct.pack("16sP16x", name.encode(), address_of(answer))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            fcntl.ioctl(sock, SIOCETHTOOL, request)
        except OSError:
            return 0
    _, value = VALUE.unpack(answer)
    return int(value)
