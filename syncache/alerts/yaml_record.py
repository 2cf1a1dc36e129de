"""Records of a log that are printed as YAML: names and values, one a line.

    - time: 2026-11-29T10:00:00Z          ---
      host: r1                            message: >-
      message: '%FW-4-ALERT_ON: ...         %FW-4-ALERT_ON: getting
        current 1-min rate: 250'            aggressive, count ...

Contents: `Record`, which takes the lines of one; only as much of YAML as such records
have.  Elsewhere: which fields hold text, time and host (`wrapped`).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from .wrapped import TEXTS, Wrapped, of_record

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGINS = ("- ", "---")
FIELDS_MAX = 256
TEXT_MAX = 4096  # characters of a value
_NAME = r"""["']?[\w.@-]{1,60}["']?"""
_BEGIN = re.compile(rf"(- )(?={_NAME}: *\S)|---\s*$")
_FIELD = re.compile(rf"({_NAME}):(?: +(.*))?$")
_BLOCK = re.compile(r"[|>][+-]?\d?")  # the value is on the lines that follow


class Record:
    """Takes the lines of a record, from the one behind its beginning on."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}
        self._name = ""
        self._indent = 0

    @staticmethod
    def begun(line: str) -> str | None:
        """Return the fields in a record's first line; None if it is not such a line."""
        found = _BEGIN.match(line)
        if found is None:
            return None
        return f"  {line[2:]}" if found[1] else ""

    def add(self, line: str) -> bool:
        """Take a line; False if it belongs to no record."""
        text = line.strip()
        indent = len(line) - len(line.lstrip(" "))
        if not text or (self._fields.get(self._name) and indent > self._indent):
            self._go_on(text)
            return True
        field = _FIELD.match(text)
        if field is None or len(self._fields) >= FIELDS_MAX:
            return False
        name = field[1].strip("\"'")
        if "%" in text and name not in TEXTS:
            return False  # a line of a router's, behind its name or number
        self._name, self._indent = name, indent
        self._fields[self._name] = (field[2] or "")[:TEXT_MAX]
        return True

    def _go_on(self, text: str) -> None:
        value = self._fields.get(self._name, "")
        if len(value) < TEXT_MAX:
            self._fields[self._name] = f"{value} {text}"

    def finish(self) -> Iterator[Wrapped]:
        """Yield the text of the record, if it has one that may be of use."""
        return of_record({name: plain(v) for name, v in self._fields.items()}, ())


def plain(value: str) -> str:
    """Return a value without its quotes, or the mark of a block."""
    value = value.strip()
    block = _BLOCK.match(value)
    if block:
        return value[block.end() :].strip()
    if value[:1] == "'" == value[-1:]:
        return value[1:-1].replace("''", "'")
    if value[:1] == '"':
        try:
            return str(json.loads(value))
        except ValueError:
            return value.strip('"')
    return value
