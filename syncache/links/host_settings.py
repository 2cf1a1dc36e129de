"""What the kernel of this network namespace is set to, where a shield depends on it.

Asked for each time, because it may change at any time; nothing is written.
"""

from __future__ import annotations

import contextlib
import ipaddress
from pathlib import Path

from ..cookies import WSCALE_MAX
from . import rtnetlink

PROC = Path("/proc")
WINDOW_MAX = 65535
TTL = 64
ONLY_COOKIES = 2
# What has to be on: without the first two the kernel refuses connections that were
# negotiated with the option, without the third it drops what is given to it.
NEEDED = {
    "tcp_timestamps": "connections with timestamps",
    "tcp_sack": "connections with SACK",
    "tcp_window_scaling": "connections with window scaling",
    "tcp_syncookies": "connections that it has no memory of",
}


def value(name: str, default: int = 0) -> int:
    """Return the first number of a sysctl of net.ipv4."""
    return values(f"net/ipv4/{name}", default)[0]


def values(path: str, default: int = 0) -> list[int]:
    """Return the numbers of a file below /proc/sys."""
    try:
        text = (PROC / "sys" / path).read_text("ascii")
        return [int(word) for word in text.split()] or [default]
    except (OSError, ValueError):
        return [default]


def in_the_way() -> list[str]:
    """Name each setting with which the kernel takes no connection from a cookie."""
    return [
        f"net.ipv4.{name} is 0, and the kernel refuses {refused}: "
        f"sysctl -w net.ipv4.{name}=1"
        for name, refused in NEEDED.items()
        if value(name, 1) == 0
    ]


def makes_only_cookies() -> bool:
    """Return whether the kernel answers each SYN by a cookie (tcp_syncookies=2)."""
    return value("tcp_syncookies", 1) == ONLY_COOKIES


def wscale() -> int:
    """Return the window scale that the kernel would offer (tcp_select_initial_window).

    It follows from the largest receive buffer: tcp_rmem and rmem_max.
    """
    largest = max(
        values("net/ipv4/tcp_rmem", WINDOW_MAX)[-1],
        values("net/core/rmem_max", WINDOW_MAX)[0],
    )
    return min(max(largest.bit_length() - 1 - 15, 0), WSCALE_MAX)


def window(mss: int) -> int:
    """Return a window that the kernel's receive buffer has, in whole segments."""
    sizes = values("net/ipv4/tcp_rmem", 2 * WINDOW_MAX)
    buffer = sizes[1] if len(sizes) > 1 else sizes[0]
    space = min(buffer // 2, WINDOW_MAX)
    return space // mss * mss if space >= mss else space


def hop_limits(interface: str) -> tuple[int, int]:
    """Return the hop limits of what the kernel sends, of IPv4 and of IPv6."""
    (limit6, *_) = values(f"net/ipv6/conf/{interface}/hop_limit", TTL)
    return value("ip_default_ttl", TTL), limit6


def connections() -> set[tuple[str, str]]:
    """Return our end and the peer's of each socket of TCP, as the kernel writes them.

    An address is eight digits for each of its words, as they lie in a packet.
    """
    found = set()
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(FileNotFoundError):  # without IPv6
            lines = (PROC / "net" / name).read_text("ascii").splitlines()[1:]
            found |= {(words[1], words[2]) for words in map(str.split, lines)}
    return found


def addresses() -> set[str]:
    """List the addresses of this namespace, loopback and link-local ones left out.

    Raises:
        OSError: the kernel does not say.
    """
    return {text for text in rtnetlink.addresses() if _is_reachable(text)}


def _is_reachable(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return not (address.is_loopback or address.is_link_local)
