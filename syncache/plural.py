"""Nouns by their number, for sentences that operators read."""

from __future__ import annotations


def plural(number: int, one: str, more: str = "") -> str:
    """Return `one` for 1, else `more`, which is `one` with an s if not given."""
    return one if number == 1 else more or f"{one}s"
