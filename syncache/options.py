"""TCP options as typed values (RFC 9293 3.1, 7323, 2018, 2385, 7413).

Reading stops where a list is broken, and never raises; writing pads with zeros to a
multiple of 4, after one end-of-list.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

EOL = 0
NOP = 1
KIND_MSS = 2
KIND_WSCALE = 3
KIND_SACK_PERMITTED = 4
KIND_SACK = 5
KIND_TIMESTAMPS = 8
KIND_MD5 = 19
KIND_FASTOPEN = 34

OPTIONS_MAX = 40

_MSS = Struct("!BBH")
_TIMESTAMPS = Struct("!BBII")
_BLOCK = Struct("!II")


class Mss(NamedTuple):
    """Maximum segment size."""

    mss: int

    def encode(self) -> bytes:
        """Return the option's bytes."""
        return _MSS.pack(KIND_MSS, 4, self.mss)


class WindowScale(NamedTuple):
    """The shift of the sender's window field."""

    shift: int

    def encode(self) -> bytes:
        """Return the option's bytes."""
        return bytes((KIND_WSCALE, 3, self.shift))


class SackPermitted(NamedTuple):
    """The sender understands SACK."""

    def encode(self) -> bytes:
        """Return the option's bytes."""
        return bytes((KIND_SACK_PERMITTED, 2))


class Sack(NamedTuple):
    """Blocks that arrived out of order: first number, first number after."""

    blocks: tuple[tuple[int, int], ...]

    def encode(self) -> bytes:
        """Return the option's bytes."""
        body = b"".join(_BLOCK.pack(*block) for block in self.blocks)
        return bytes((KIND_SACK, 2 + len(body))) + body


class Timestamps(NamedTuple):
    """The sender's clock, and the last one it saw of ours."""

    tsval: int
    tsecr: int

    def encode(self) -> bytes:
        """Return the option's bytes."""
        return _TIMESTAMPS.pack(KIND_TIMESTAMPS, 10, self.tsval, self.tsecr)


class Md5(NamedTuple):
    """Signature of RFC 2385."""

    digest: bytes

    def encode(self) -> bytes:
        """Return the option's bytes."""
        return bytes((KIND_MD5, 2 + len(self.digest))) + self.digest


class FastOpen(NamedTuple):
    """Cookie of RFC 7413; empty: a request for one."""

    cookie: bytes

    def encode(self) -> bytes:
        """Return the option's bytes."""
        return bytes((KIND_FASTOPEN, 2 + len(self.cookie))) + self.cookie


class Unknown(NamedTuple):
    """An option of another kind, or of a wrong length for its kind."""

    kind: int
    data: bytes

    def encode(self) -> bytes:
        """Return the option's bytes."""
        return bytes((self.kind, 2 + len(self.data))) + self.data


Option = (
    Mss | WindowScale | SackPermitted | Sack | Timestamps | Md5 | FastOpen | Unknown
)


def encode(options: tuple[Option, ...]) -> bytes:
    """Return the options in order, padded to a multiple of 4."""
    data = b"".join(option.encode() for option in options)
    padded = data + bytes(-len(data) % 4)
    if len(padded) > OPTIONS_MAX:
        raise ValueError(f"options have at most {OPTIONS_MAX} bytes, not {len(padded)}")
    return padded


def decode(data: bytes) -> tuple[Option, ...]:
    """Return the options of a list up to its end or to the first broken one."""
    found: list[Option] = []
    place = 0
    while place < len(data) and data[place] != EOL:
        if data[place] == NOP:
            place += 1
            continue
        if place + 1 >= len(data):
            break
        size = data[place + 1]
        if size < 2 or place + size > len(data):
            break
        found.append(_decode_one(data[place], data[place + 2 : place + size]))
        place += size
    return tuple(found)


def _decode_one(kind: int, body: bytes) -> Option:
    option: Option = Unknown(kind, body)
    if kind == KIND_MSS and len(body) == 2:
        option = Mss(int.from_bytes(body, "big"))
    elif kind == KIND_WSCALE and len(body) == 1:
        option = WindowScale(body[0])
    elif kind == KIND_SACK_PERMITTED and not body:
        option = SackPermitted()
    elif kind == KIND_SACK and body and len(body) % 8 == 0:
        option = Sack(tuple((a, b) for a, b in _BLOCK.iter_unpack(body)))
    elif kind == KIND_TIMESTAMPS and len(body) == 8:
        option = Timestamps(*_BLOCK.unpack(body))
    elif kind == KIND_MD5 and len(body) == 16:
        option = Md5(body)
    elif kind == KIND_FASTOPEN:
        option = FastOpen(body)
    return option
