"""The shared state of readers of an IOS configuration, and blocks.

Contents: `Config`, which collects, and the shape of a command's reader.  What is
not: the commands, which are in a module by feature (`ios_access`, `ios_intercept`,
`ios_inspect`), and the dispatcher (`ios_config`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ..tunables import KNOBS

if TYPE_CHECKING:
    from ..acl import AccessList
    from ..acl.object_group import Group
    from .access import Draft

_UNLIMITED = {"unlimited", str(2**32 - 1)}  # as a router prints it, and its largest


def _lines(number: int, of: str, one: str, more: str) -> str:
    if number == 1:
        return f"1 line of {of} {one}"
    return f"{number} lines of {of} {more}"


class Block(Protocol):
    """Lines that belong to the command before them."""

    def takes(self, words: list[str], indented: bool) -> bool:
        """Tell whether a line of these words, without `no`, is one of them."""

    def line(self, words: list[str], no: bool) -> None:
        """Take such a line; ValueError describes the fault."""

    def claims(self, indented: bool) -> bool:
        """Tell whether a line that is not understood is an error of this block."""


@dataclass(slots=True)
class Config:
    """The contents of a configuration so far.

    `changes` are tunables by name, `places` where each was said, `lists` the access
    lists, `groups` what their rules may name, `names` the addresses of hosts
    so far, `later` those that an earlier reading found, `unknown` names that had none,
    `inspection` what the commands of inspection keep for themselves.  `said` counts the
    lines of each feature, `skipped` those of others; `notes` are sentences about what
    was read and has no effect.
    """

    changes: dict[str, int | str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    drafts: dict[str, Draft] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    later: dict[str, list[str]] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    inspection: dict[str, object] = field(default_factory=dict)
    where: str = ""
    strict: bool = False
    said: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def hosts(self) -> Mapping[str, list[str]]:
        """The addresses of hosts, also those that come behind the rules."""
        return {**self.later, **self.names} if self.later else self.names

    def note(self, *texts: str) -> None:
        """Remember a line without effect, once, with its first number."""
        for text in texts:
            if not any(old.endswith(text) for old in self.notes):
                self.notes.append(f"{self.where}{text}")

    def report(self, *features: str) -> list[str]:
        """Return the notes for an engine that these features are for."""
        texts = [
            f"{_lines(number, name, 'has', 'have')} no effect here"
            for name, number in self.said.items()
            if name not in features
        ]
        if self.skipped:
            what = _lines(self.skipped, "other features", "is", "are")
            none = "" if self.said else ", and there are no others"
            texts.append(f"{what} skipped{none}")
        return [*self.notes, *texts]

    def set(self, name: str, text: str) -> None:
        """Set a tunable to the value of a word; a router takes decimal digits only."""
        knob = KNOBS[name]
        if knob.zero_unlimited and text.lower() in _UNLIMITED:
            text = "0"
        if knob.type == "int" and not (text.isascii() and text.isdecimal()):
            raise ValueError(f"{name} is {knob.range}, not {text!r}")
        self.keep(name, knob.check(knob.parse(text)))

    def restore(self, name: str) -> None:
        """Set a tunable to its default."""
        self.keep(name, KNOBS[name].default)

    def keep(self, name: str, value: int | str) -> None:
        """Remember a change and the line that made it."""
        self.changes[name] = value
        self.places[name] = self.where

    @property
    def lists(self) -> dict[str, AccessList]:
        """The access lists by name."""
        return {name: draft.finished() for name, draft in self.drafts.items()}


# What a command does with the words behind it: `no` was in front of it or not.
Handler = Callable[[Config, list[str], bool], "Block | None"]


def ignored(text: str) -> Handler:
    """Return the reader of a command that has no effect here."""

    def take(config: Config, words: list[str], no: bool) -> None:  # noqa: ARG001
        config.note(f"{text} is ignored")

    return take
