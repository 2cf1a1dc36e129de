"""The addresses of a server: read, and whether this machine has them."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from ..links.link import LinkError
from . import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

PORT_DIGITS = 5


def endpoint(text: str, option: str = "--listen") -> tuple[str, int]:
    """Return host and port of `ADDR:PORT` or `[IPV6]:PORT` of an option.

    Raises:
        Failure: it is neither.
    """
    host, _, port = text.rpartition(":")
    is_number = port.isascii() and port.isdecimal() and len(port) <= PORT_DIGITS
    if not host or not is_number or int(port) >= 2**16:
        raise Failure(f"{option} {text}: it is ADDR:PORT, or [IPV6]:PORT")
    return host.strip("[]"), int(port)


def check_endpoint(text: str, option: str) -> None:
    """Refuse an address that nobody here can listen at; a port may be in use.

    Raises:
        Failure: it says why.
    """
    host, _ = endpoint(text, option)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((host, 0))
    except UnicodeError:
        raise Failure(f"{option} {text}: it is not the name of a host") from None
    except OSError as error:
        raise Failure(f"{option} {text}: {error.strerror or error}") from None


def addresses(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return our addresses, and those of the kernel's end with their lengths."""
    ours, kernel = [], []
    for word in words:
        try:
            interface = ipaddress.ip_interface(word)
        except ValueError:
            raise Failure(f"{word!r} is not an address, or one with /length") from None
        ours.append(str(interface.ip))
        if "/" not in word:
            continue
        others = (a for a in interface.network.hosts() if a != interface.ip)
        other = next(others, None)
        if other is None:
            raise Failure(f"{word} has no second address for the kernel's end")
        kernel.append(f"{other}/{interface.network.prefixlen}")
    return ours, kernel


def check_local(words: Sequence[str]) -> None:
    """Refuse an address that this machine does not have and is not to be given.

    Raises:
        LinkError: it may have it later.
    """
    for word in words:
        if "/" in word or is_local(ipaddress.ip_address(word)):
            continue
        raise LinkError(
            f"{word} is not an address of this machine, so nobody would find it: "
            f"give it with its length ({word}/24, or as long as its network is), or "
            "with `ip addr add`",
            errno.EADDRNOTAVAIL,
        )


def awaited(interface: str, words: Sequence[str]) -> list[str]:
    """Return what `--wait` waits for: an interface, and addresses it is to have."""
    return [interface, *(word for word in words if "/" not in word)]


def is_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether an interface has an address, if only since a moment ago."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((str(address), 0))
        return address.version == 6 or has_routes()
    # A tentative address cannot be bound yet.
    with contextlib.suppress(OSError):
        table = Path("/proc/net/if_inet6").read_text("ascii")
        return address.packed.hex() in table.split()
    return False


def has_routes() -> bool:
    """Return whether IPv4 has been used here: before, every address can be bound."""
    try:
        with Path("/proc/net/fib_trie").open("rb") as file:
            return bool(file.read(1))
    except OSError:
        return True
