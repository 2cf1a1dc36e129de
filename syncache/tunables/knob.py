"""`Knob`: one tunable: its name, its legal values, when it may change.

The tables of knobs are `syncache.tunables` and `syncache.tunables.flow`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .conf import number

SHOWN_MAX = 80  # characters of a value that is refused
UINT16_MAX = 2**16 - 1
UINT32_MAX = 2**32 - 1
UINT64_MAX = 2**64 - 1
BOOL = (0, 1)

# FreeBSD's RDTUN, RW, RD: before an engine uses it, at any time, read only.
Settable = Literal["boot", "always", "never"]
# Whose C structures a field belongs to.
Engine = Literal["syncache", "intercept", "inspect", "shield"]


@dataclass(frozen=True, slots=True)
class Knob:
    """One tunable: its name, its legal values, when it may change, its effect.

    `legal` is the lowest and the highest number, the words of an enumeration in the
    order of the C one, or, for text, the least and the greatest length.  `field` is the
    C member that it fills, in units of 1/`scale`: of the engine's configuration if
    settable at boot, else of its tunables.  With `zero_unlimited` a 0 is no bound.
    """

    name: str
    default: int | str
    legal: tuple[int, int] | tuple[str, ...]
    meaning: str
    unit: str = ""
    field: str = ""
    settable: Settable = "always"
    scale: int = 1
    power_of_two: bool = False
    engine: Engine = "syncache"
    zero_unlimited: bool = False

    @property
    def type(self) -> Literal["bool", "int", "enum", "text"]:
        """The type of its values."""
        if isinstance(self.legal[0], str):
            return "enum"
        if isinstance(self.default, str):
            return "text"
        return "bool" if self.legal == BOOL else "int"

    @property
    def range(self) -> str:
        """The legal values, in words."""
        if self.type == "enum":
            return "one of " + ", ".join(str(word) for word in self.legal)
        between = f"{self.legal[0]} to {self.legal[1]}"
        if self.type == "text":
            return f"a word of {between} printable characters"
        if self.zero_unlimited:
            return f"{between}, 0 for unlimited"
        return f"a power of two, {between}" if self.power_of_two else between

    def check(self, value: object) -> int | str:
        """Return the value as it is stored; ValueError names the legal values."""
        if self.type == "enum":
            legal = value in self.legal
        elif self.type == "text":
            legal = isinstance(value, str) and self._spells(value)
        elif isinstance(value, bool):
            legal = self.type == "bool"
            value = int(value)
        else:
            legal = isinstance(value, int) and self._admits(value)
        if not legal or not isinstance(value, (int, str)):
            raise ValueError(f"{self.name} is {self.range}, not {value!r}")
        return value

    def _admits(self, number: int) -> bool:
        low, high = self.legal
        assert isinstance(low, int)
        assert isinstance(high, int)
        whole = not self.power_of_two or number & (number - 1) == 0
        return low <= number <= high and whole

    def _spells(self, word: str) -> bool:
        low, high = self.legal
        assert isinstance(low, int)
        assert isinstance(high, int)
        # What sysctl.conf can say: no blank, no comment, no quotation mark.
        plain = word.isascii() and word.isprintable() and not set(word) & set(' #"=')
        return low <= len(word) <= high and plain

    def parse(self, text: str) -> int | str:
        """Read a value as sysctl.conf spells it: decimal, 0x..., 0... octal, a word.

        Whether it is legal is `check`'s business, together with other changes.
        """
        if self.type in {"enum", "text"}:
            return text
        try:
            return number(text)
        except ValueError:
            shown = text[:SHOWN_MAX]
            raise ValueError(f"{self.name} is {self.range}, not {shown!r}") from None

    def to_c(self, value: int | str) -> int:
        """Return the value as its C field holds it."""
        if isinstance(value, str):
            words: tuple[object, ...] = self.legal
            return words.index(value)
        return value * self.scale
