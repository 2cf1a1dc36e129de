"""Commands that set tunables: one table for reading a configuration and writing it.

A module of commands makes a table of these entries; `COMMANDS` of the dispatcher come
from `take`, the lines of a configuration from `lines`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..abbreviation import keyword
from ..tunables import KNOBS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .syntax import Config, Handler


@dataclass(frozen=True, slots=True)
class Single:
    """A command with one operand; `no` restores the default.

    An `alias` is read and never written.
    """

    path: tuple[str, ...]
    name: str
    alias: bool = False

    def take(self, config: Config, words: list[str], no: bool) -> None:
        """Read the words behind the command."""
        if no and len(words) <= 1:
            config.restore(self.name)
        elif len(words) != 1:
            kind = "number" if KNOBS[self.name].type == "int" else "value"
            raise ValueError(f"one {kind} is wanted, not {' '.join(words)!r}")
        else:
            knob = KNOBS[self.name]
            legal = knob.legal if knob.type == "enum" else ()
            config.set(self.name, keyword(words[0], map(str, legal)) or words[0])

    def lines(self, values: Mapping[str, int | str]) -> list[str]:
        """Return the line that makes the value; none for the default."""
        value = values[self.name]
        if self.alias or value == KNOBS[self.name].default:
            return []
        return [f"{' '.join(self.path)} {value}"]


@dataclass(frozen=True, slots=True)
class Pair:
    """`low N`, `high N`, `low N high N`; `no` restores."""

    path: tuple[str, ...]
    name: str

    def take(self, config: Config, words: list[str], no: bool) -> None:
        """Read the words behind the command."""
        names = {end: f"{self.name}.{end}" for end in ("low", "high")}
        rest = list(words) if words or not no else ["low", "high"]
        said: set[str] = set()
        while rest:
            which = keyword(word := rest.pop(0), names)
            if which is None or which in said:
                raise ValueError(f"low or high is wanted once each, not {word!r}")
            said.add(which)
            value = rest.pop(0) if rest and not keyword(rest[0], names) else None
            if no:
                config.restore(names[which])
            elif value is None:
                raise ValueError(f"{which} wants a number")
            else:
                config.set(names[which], value)
        if not said:
            raise ValueError("low or high is wanted")

    def lines(self, values: Mapping[str, int | str]) -> list[str]:
        """Return the line that makes both values; none for the defaults."""
        low, high = f"{self.name}.low", f"{self.name}.high"
        if (values[low], values[high]) == (KNOBS[low].default, KNOBS[high].default):
            return []
        return [f"{' '.join(self.path)} low {values[low]} high {values[high]}"]


@dataclass(frozen=True, slots=True)
class Switch:
    """A command without operand that turns something on, or off."""

    path: tuple[str, ...]
    name: str
    on: int

    def take(self, config: Config, words: list[str], no: bool) -> None:
        """Read the words behind the command."""
        if words:
            raise ValueError(f"nothing follows, not {' '.join(words)!r}")
        config.keep(self.name, 1 - self.on if no else self.on)

    def lines(self, values: Mapping[str, int | str]) -> list[str]:
        """Return the line that makes the value; none for its opposite."""
        return [" ".join(self.path)] if values[self.name] == self.on else []


class Entry(Protocol):
    """A command that sets tunables."""

    @property
    def path(self) -> tuple[str, ...]:
        """Its words."""

    def take(self, config: Config, words: list[str], no: bool) -> None:
        """Read the words behind the command."""

    def lines(self, values: Mapping[str, int | str]) -> list[str]:
        """Return the lines that make the values; none for defaults."""


def commands(table: Iterable[Entry]) -> dict[tuple[str, ...], Handler]:
    """Return the readers of a table's commands."""
    return {entry.path: _reader(entry) for entry in table}


def _reader(entry: Entry) -> Handler:
    def take(config: Config, words: list[str], no: bool) -> None:
        if len(words) > 1 and words[-2].lower() == "vrf":
            config.note("what holds for one VRF is ignored")
            return
        entry.take(config, words, no)

    return take


def written(table: Iterable[Entry], values: Mapping[str, int | str]) -> list[str]:
    """Return the lines that make these values."""
    return [line for entry in table for line in entry.lines(values)]
