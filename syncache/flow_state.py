"""Spliced connections as bytes, to be kept over a restart of the process.

Nobody else knows by how much the two halves of a connection differ, so without these
every one of them breaks.  The bytes are a line that says what they are, a digest, and
the structures of C; they are for the same version on the same machine.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ._core.flow import SPLICE_BYTES

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Sequence

_DIGEST_BYTES = 32
_HEAD = f"syncache-splices 1 {sys.byteorder} {SPLICE_BYTES}\n".encode()


def _digest(data: bytes = b"") -> hashlib._Hash:
    """Return SHA-256; its library is megabytes, and only who keeps a state needs it."""
    from hashlib import sha256

    return sha256(data)


class StateError(ValueError):
    """These are not such bytes; the message says why in one line."""


def pack(splices: bytes) -> bytes:
    """Return the input of `unpack`."""
    return b"".join(parts([splices]))


def parts(splices: Sequence[bytes]) -> list[bytes]:
    """Return the input of `unpack` once it is joined."""
    digest = _digest()
    for part in splices:
        digest.update(part)
    return [_HEAD, digest.digest(), *splices]


def size(sessions: int) -> int:
    """Return the bytes of so many sessions, the most that `unpack` can need."""
    return len(_HEAD) + _DIGEST_BYTES + sessions * SPLICE_BYTES


def unpack(data: bytes) -> bytes:
    """Return the structures.

    Raises:
        StateError: the bytes are not whole, or of another version or machine.
    """
    head, rest = data[: len(_HEAD)], data[len(_HEAD) :]
    digest, splices = rest[:_DIGEST_BYTES], rest[_DIGEST_BYTES:]
    if head != _HEAD:
        raise StateError(
            "it is not a state of this version of syncache on this machine"
        )
    if digest != _digest(splices).digest() or len(splices) % SPLICE_BYTES:
        raise StateError("its bytes are not whole, or were changed")
    return splices
