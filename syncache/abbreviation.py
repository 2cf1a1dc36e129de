"""Keywords as a router takes them: in either case, and as short as they stay unique."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST = 2  # characters: one letter is more likely a mistake than a keyword


def keyword(word: str, choices: Iterable[str], shortest: int = SHORTEST) -> str | None:
    """Return the only choice that a word can mean; None if it means none or several.

    Args:
        word: with `shortest` letters or more, or a whole one.
        choices: all that may stand in its place.
        shortest: 1 where these are all that a router knows there.
    """
    lower = word.lower()
    known = set(choices)
    if lower in known:
        return lower
    if len(lower) < shortest:
        return None
    found = [choice for choice in known if choice.startswith(lower)]
    return found[0] if len(found) == 1 else None
