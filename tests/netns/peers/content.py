"""Bytes that both ends know: what a download has to bring."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# An odd length, so that no chunk of a power of two looks like the one before.
PATTERN = hashlib.shake_128(b"syncache").digest(65_521)
CHUNK = PATTERN * 4


def chunks(size: int) -> Iterator[bytes]:
    """Yield the content of a body of `size` bytes."""
    for start in range(0, size, len(CHUNK)):
        yield CHUNK[: size - start]


@cache
def sha256_of(size: int) -> str:
    """Return the digest of a body of `size` bytes."""
    digest = hashlib.sha256()
    for chunk in chunks(size):
        digest.update(chunk)
    return digest.hexdigest()
