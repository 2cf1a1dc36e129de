"""scrypt, which is made to take long, once for the same words in one process.

Members of a group derive the same key from the same file: each test has a dozen of
them, on one machine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from cryptography.hazmat.primitives.kdf import scrypt

Scrypt = scrypt.Scrypt


@cache
def derived(secret: bytes, words: tuple[tuple[str, int | bytes], ...]) -> bytes:
    """Return the key of a secret, derived by the library."""
    return Scrypt(**dict(words)).derive(secret)


class Once:
    """In place of the library's class, as far as it is used."""

    def __init__(self, **words: int | bytes) -> None:
        self._words = tuple(sorted(words.items()))

    def derive(self, secret: bytes) -> bytes:
        """Return the key; errors are those of the library."""
        return derived(bytes(secret), self._words)


def remember(setattr_: Callable[..., None]) -> None:
    """Have every derivation in this process made once."""
    setattr_(scrypt, "Scrypt", Once)
