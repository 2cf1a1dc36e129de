"""Secret random bytes of the system.

As `secrets.token_bytes` gives them, without the megabytes that it brings along (its
hashes and their library), which a host that draws one seed does not need.
"""

from __future__ import annotations

from os import urandom


def entropy(size: int) -> bytes:
    """Return random bytes that nobody can guess."""
    return urandom(size)
