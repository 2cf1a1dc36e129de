"""Properties of devices from their drivers: ethtool's questions, by ioctl(2)."""

from __future__ import annotations

import fcntl
import socket
import struct

from .._core.links import address_of

# <linux/sockios.h>, <linux/ethtool.h>
SIOCETHTOOL = 0x8946
GDRVINFO, GLINK, GFLAGS, GCHANNELS = 0x03, 0x0A, 0x25, 0x3C
RX_VLAN, LRO = 1 << 8, 1 << 15  # enum ethtool_flags
VALUE = struct.Struct("=II")  # struct ethtool_value
DRVINFO_BYTES = 196
# struct ethtool_channels: the command, four maxima; rx, tx, other and combined now.
CHANNELS = struct.Struct("=9I")


def flags(name: str) -> int:
    """Return the offloads that a device has on, as far as it says."""
    return _value(name, GFLAGS)


def has_link(name: str) -> bool:
    """Return whether a device says that it has carrier."""
    return bool(_value(name, GLINK))


def driver(name: str) -> str:
    """Return the name of a device's driver, "" if it does not tell."""
    answer = _ask(name, GDRVINFO, DRVINFO_BYTES)
    return answer[4:36].split(b"\0")[0].decode("ascii", "replace")


def queues(name: str) -> int:
    """Return how many queues a device receives by, as far as it says."""
    answer = _ask(name, GCHANNELS, CHANNELS.size)
    return max(CHANNELS.unpack(answer)[5::3]) if answer else 1


def _value(name: str, command: int) -> int:
    answer = _ask(name, command, VALUE.size)
    return int(VALUE.unpack(answer)[1]) if answer else 0


def _ask(name: str, command: int, size: int) -> bytes:
    """Ask a device's driver; nothing if it has no answer."""
    answer = bytearray(size)
    struct.pack_into("=I", answer, 0, command)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sP16x", name.encode(), address_of(answer))
        try:
            fcntl.ioctl(sock, SIOCETHTOOL, request)
        except OSError:
            return b""
    return bytes(answer)
