"""The zone-based firewall's form of inspection's limits: `parameter-map type inspect`.

A map holds for the classes that name it, not for a router, so that its limits are not
taken; a note has them as the `ip inspect` lines that would be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..abbreviation import keyword
from .inspect import TABLE
from .syntax import Config
from .table import Switch

if TYPE_CHECKING:
    from .syntax import Block, Handler

# By their words without `ip inspect`.
_LIMITS = {entry.path[2:]: entry for entry in TABLE if not isinstance(entry, Switch)}
_MAPS = ("inspect", "inspect-global", "inspect-vrf", "inspect-zone")


@dataclass(slots=True)
class ParameterMap:
    """The lines below `parameter-map type inspect NAME`; all are passed over."""

    config: Config
    where: str
    name: str
    limits: list[str] = field(default_factory=list)

    def takes(self, words: list[str], indented: bool) -> bool:  # noqa: ARG002
        """Return whether a line belongs here."""
        return indented

    def claims(self, indented: bool) -> bool:  # noqa: ARG002
        """Return False: no line of it is an error."""
        return False

    def line(self, words: list[str], no: bool) -> None:
        """Collect a limit for the note."""
        self.config.skipped += 1
        if no or not _is_limit(words):
            return
        self.limits.append(f"ip inspect {' '.join(words)}")
        text = (
            f"{self.name} is of the zone-based firewall: its limits are not taken; "
            f"these lines would be: {'; '.join(self.limits)}"
        )
        notes = self.config.notes
        mine = f"{self.where}{self.name} "
        notes[:] = [note for note in notes if not note.startswith(mine)]
        notes.append(f"{self.where}{text}")


def _is_limit(words: list[str]) -> bool:
    """Tell whether words behind `ip inspect` would be taken."""
    for path, entry in _LIMITS.items():
        short = zip(words, path, strict=False)
        if len(words) > len(path) and all(keyword(word, (one,)) for word, one in short):
            try:
                entry.take(Config(), words[len(path) :], False)
            except ValueError:
                continue
            return True
    return False


def _parameter_map(config: Config, words: list[str], no: bool) -> Block | None:
    if config.strict:
        raise ValueError(f"'parameter-map type {' '.join(words)}' is not understood")
    config.skipped += 1
    kind = keyword(words[0], _MAPS) if words else None
    if no or kind is None:
        return None
    return ParameterMap(config, config.where, f"parameter-map {' '.join(words)}")


COMMANDS: dict[tuple[str, ...], Handler] = {
    ("parameter-map", "type"): _parameter_map,
}
