"""The segment that leaves, before it is bytes, and the options it carries."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..options import Mss, SackPermitted, WindowScale, encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..options import Option
    from ..ring import Ring

_SACK_HEADER = Struct("!BBBB")
_BLOCK = Struct("!II")


class Departure(NamedTuple):
    """A TCP segment; `gso_size` is the payload of each part of a super-segment."""

    seq: int
    ack: int
    flags: int
    window: int
    options: bytes = b""
    payload: memoryview | bytes = b""
    gso_size: int = 0


class Writer(Protocol):
    """Writes a connection's segments into a ring."""

    def write(self, ring: Ring, departure: Departure) -> None:
        """Append one packet; the ring has room for it."""
        ...

    def cut(self, ring: Ring, departure: Departure) -> int:
        """Append a super-segment as ordinary ones; return how many they were."""
        ...


def sack_option(blocks: Iterable[tuple[int, int]]) -> bytes:
    """Return the SACK option, aligned by two NOPs (RFC 2018 3)."""
    packed = b"".join(
        _BLOCK.pack(left & 0xFFFFFFFF, right & 0xFFFFFFFF) for left, right in blocks
    )
    return _SACK_HEADER.pack(1, 1, 5, 2 + len(packed)) + packed if packed else b""


def syn_options(mss: int, wscale: int | None, *, sack_permitted: bool) -> bytes:
    """Return the options of a SYN-ACK that is sent again, without timestamps."""
    options: list[Option] = [Mss(mss)]
    if wscale is not None:
        options.append(WindowScale(wscale))
    if sack_permitted:
        options.append(SackPermitted())
    return encode(tuple(options))
