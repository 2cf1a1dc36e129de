"""IP addresses at the door: text or packed bytes in, 16 bytes of C out, and back.

C keeps an IPv4 address in the first 4 of 16 bytes, the rest zero.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

IPV4 = 4
IPV6 = 6
ANY = bytes(16)

# How an argument may spell an address.
Address = str | bytes


def pack(address: Address) -> tuple[int, bytes]:
    """Return the family (4 or 6) and the 16 bytes; ValueError or TypeError says why."""
    if isinstance(address, str):
        return _pack_text(address)
    if not isinstance(address, (bytes, bytearray, memoryview)):
        raise TypeError(f"an address is a str or packed bytes, not {address!r}")
    packed = bytes(address)
    if len(packed) == 4:
        return IPV4, packed + bytes(12)
    if len(packed) == 16:
        return IPV6, packed
    raise ValueError(f"a packed address has 4 or 16 bytes, not {len(packed)}")


@lru_cache(maxsize=1024)
def _pack_text(address: str) -> tuple[int, bytes]:
    if "%" in address:
        raise ValueError(f"{address!r}: an address here has no zone")
    value = ip_address(address)
    return value.version, value.packed.ljust(16, b"\0")


def text(family: int, packed: bytes) -> str:
    """Return the text form of C's 16 bytes."""
    if family == IPV4:
        one, two, three, four = packed[:4]
        return f"{one}.{two}.{three}.{four}"
    return str(IPv6Address(packed))


def pair(foreign: Address, local: Address) -> tuple[int, bytes, bytes]:
    """Pack two addresses of one family."""
    family, faddr = pack(foreign)
    other, laddr = pack(local)
    if family != other:
        raise ValueError(f"{foreign!r} and {local!r} are of different families")
    return family, faddr, laddr


def port(number: object, *, lowest: int = 0) -> int:
    """Return a port that is one."""
    if not isinstance(number, int) or not lowest <= number <= 0xFFFF:
        raise ValueError(f"a port is {lowest} to 65535, not {number!r}")
    return number
