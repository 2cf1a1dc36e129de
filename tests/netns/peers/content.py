"""Bytes that both ends know: what a download has to bring."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# An odd length, so that no two segments of a body begin alike.
PATTERN = hashlib.shake_128(b"syncache").digest(65_521) * 4


def chunks(size: int) -> Iterator[bytes]:
    """Yield the content of a body of `size` bytes; each chunk has its own number."""
    for number in range(-(-size // len(PATTERN))):
        chunk = number.to_bytes(8, "big") + PATTERN[8:]
        yield chunk[: size - number * len(PATTERN)]


@cache
def sha256_of(size: int) -> str:
    """Return the digest of a body of `size` bytes."""
    digest = hashlib.sha256()
    for chunk in chunks(size):
        digest.update(chunk)
    return digest.hexdigest()
