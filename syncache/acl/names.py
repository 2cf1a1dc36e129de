"""Names of hosts in rules: `host web`, where the configuration says what web is.

    ip host web 192.0.2.10 192.0.2.11       name 192.0.2.10 web description ours
    permit tcp any host web eq www          permit tcp any net10 255.0.0.0 eq www

A router replaces such a name when a rule is typed; firewalls keep it.  No name server
is asked.  Elsewhere: the commands themselves (`ios.access`), and named groups of
addresses (`object_group`).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from .. import address as addresses
from ..abbreviation import keyword
from .parse import LeftOut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMBINATIONS_MAX = 64  # of addresses that the names of one line may have


class UnknownHost(LeftOut):
    """A host has a name that nothing gives an address of this family."""

    def __init__(self, name: str) -> None:
        super().__init__(f"rules with host {name}, of unknown address, left out")
        self.name = name


def resolved(
    words: Sequence[str], names: Mapping[str, Sequence[str]], family: int
) -> list[list[str]]:
    """Return the lines that words mean, one for each address of their names.

    Raises:
        UnknownHost: nothing gives one of them an address of this family.
    """
    choices: list[Sequence[str]] = []
    for word, before, behind in zip(
        words, ["", *words], [*words[1:], ""], strict=False
    ):
        found = [word]
        if keyword(before, ("host",)) and is_name(word):
            found = [a for a in names.get(word, ()) if addresses.pack(a)[0] == family]
            if not found:
                raise UnknownHost(word)
        elif word in names and _is_mask(behind):
            found = list(names[word])
        choices.append(found)
    made = itertools.islice(itertools.product(*choices), COMBINATIONS_MAX)
    return [list(line) for line in made]


def is_name(word: str) -> bool:
    """Tell whether a word is a host's name and no mistyped address."""
    if ":" in word or word.lower() in {"any", "host"}:
        return False
    return any(letter.isalpha() for letter in word)


def is_address(word: str) -> bool:
    """Tell whether a word is an address."""
    try:
        addresses.pack(word)
    except ValueError:
        return False
    return True


def _is_mask(word: str) -> bool:
    return word.count(".") == 3 and is_address(word)
