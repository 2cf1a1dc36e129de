"""`NamedNumber`: an enumeration of C; members are numbers and print their names."""

from __future__ import annotations

from enum import IntEnum


class NamedNumber(IntEnum):
    """A number of C with a name, which log lines show.

    `format()` with a type for numbers (as in `f"{reason:d}"`) has the number.
    """

    def __str__(self) -> str:
        return self.name

    def __format__(self, spec: str) -> str:
        if spec[-1:] in set("bcdnoxX"):
            return format(int(self), spec)
        return format(self.name, spec)
