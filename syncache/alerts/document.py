r"""Lines of a log, unpacked: one line may hold many records, and one record many lines.

    {
      "@timestamp": "2026-11-29T10:00:00Z",      and Ruby's hashes, with `=>` for `:`
      "message": "%FW-4-ALERT_ON: ..."
    }

Contents: `Unpacker`, which takes a log's lines and gives the texts that were wrapped in
them; `Document`, for records that are printed over several lines, or a list of them.
It keeps the fields of the records that are open, not the lines: a document may be as
long as it likes.  Elsewhere: which fields hold text, time and host (`wrapped`).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .record_form import Forms
from .wrapped import Entry, Wrapped, frames, of_record, rows_of, several
from .yaml_record import BEGINS, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

# How lines of JSON end: in an array, behind a comma, or with the byte that GELF has.
_ENDS = ("}", "}\n", "},", "},\n", "}]", "}]\n", "}\0", "}\0\n")
_OF_RECORDS = "_-{["  # how lines of them begin
SIZE_MAX = 7  # characters of a frame's size, and what is behind it
OPENING, CLOSING = ("{", "["), "}]"
DEPTH_MAX = 32
FIELDS_MAX = 1024  # values that are kept at one time
TEXT_MAX = 4096  # characters of one
# A name and a value, as in JSON and as Ruby prints them.
_FIELD = re.compile(r'"(?P<name>[^"\\]{1,200})"\s*(?::|=>)\s*(?P<value>\S.*)')
_BARE = re.compile(r"[\w.:+-]{1,60}")  # a number, a word, a time without quotes


def begins(line: str) -> bool:
    """Tell whether a line opens a record of several lines and has nothing else."""
    return line.strip() in OPENING


class Unpacker:
    """Takes the lines of a log in their order."""

    def __init__(self) -> None:
        self._entry: Entry | None = None
        self._document: Document | None = None
        self._record: Record | None = None
        self._forms = Forms()
        self._waits = False  # one of them is there

    def add(self, line: str) -> list[Wrapped] | None:
        """Take a line; return the texts that end with it, None: the line is plain."""
        # One record, the commonest kind.
        alone = line[:1] == "{" and line.endswith(_ENDS) and "[" not in line
        if alone and not self._waits:
            wrapped = self._forms.unwrap(line)
            return None if wrapped is None else [wrapped]
        # Most lines begin with a month or a number, and end with no brace.
        common = line[:1] not in _OF_RECORDS and not self._waits
        if common and " <" in line[:SIZE_MAX]:
            common = not line[:1].isdecimal()  # a frame's size
        if common and not line.endswith(_ENDS) and " [s=" not in line:
            return None
        texts = self._add(line)
        waiting = self._entry, self._document, self._record
        self._waits = any(each is not None for each in waiting)
        return texts

    def _add(self, line: str) -> list[Wrapped] | None:
        first = line[:1]
        if self._entry is not None or first == "_" or " [s=" in line:
            begun = Entry.begun(line)
            if self._entry is not None or begun is not None:
                return self._of_entry(line, begun)
        if self._record is not None or (first == "-" and line.startswith(BEGINS)):
            texts = self._of_record(line)
            if texts is not None:
                return texts
        if self._document is not None or first in OPENING:
            texts = self._of_document(line)
            if texts is not None:
                return texts
        elif first.isdecimal() and (sized := frames(line)):
            return [Wrapped(each) for each in sized]
        wrapped = None
        if line.endswith(_ENDS) or line.startswith("{"):
            wrapped = self._forms.unwrap(line)
        return None if wrapped is None else [wrapped]

    def finish(self) -> list[Wrapped]:
        """Return the texts that wait for another line, at the end of a file."""
        entry, document, record = self._entry, self._document, self._record
        self._entry = self._document = self._record = None
        wrapped = None if entry is None else entry.add("")
        texts = [] if document is None else document.finish()
        texts += [] if record is None else record.finish()
        return texts if wrapped is None else [wrapped, *texts]

    def _of_entry(self, line: str, begun: Entry | None) -> list[Wrapped]:
        entry = self._entry
        wrapped = None if entry is None else entry.add(line)
        if entry is None or entry.ended:
            self._entry = begun
        return [] if wrapped is None else [wrapped]

    def _of_record(self, line: str) -> list[Wrapped] | None:
        """Take a line of YAML, or one that ends such a record."""
        record, begun = self._record, Record.begun(line)
        if record is not None and begun is None and record.add(line):
            return []
        texts = [] if record is None else list(record.finish())
        self._record = None
        if begun is not None:
            self._record = Record()
            self._record.add(begun)
            return texts
        return texts + (self.add(line) or [Wrapped(line)]) if texts else None

    def _of_document(self, line: str) -> list[Wrapped] | None:
        if self._document is None and not begins(line):
            return several(line) or None
        document = self._document = self._document or Document()
        texts = document.add(line)
        if document.ended:
            self._document = None
        if document.refused:  # a plain line, or the begin of something else
            return texts + (self.add(line) or [Wrapped(line)]) if texts else None
        return texts


class Document:
    """Takes the lines of a document until it ends.

    `ended` is true behind its last line, and behind a line that is none of it, which
    is `refused`.
    """

    def __init__(self) -> None:
        # What is open, from the outermost on: its name, a record or a list, and how
        # many values were kept before it.
        self._open: list[tuple[str, dict[str, Any] | list[Any], int]] = []
        self._kept = 0
        self.ended = self.refused = False

    def add(self, line: str) -> list[Wrapped]:
        """Take a line; return the texts of the records that end with it."""
        text = line.strip().rstrip(",")
        found: list[Wrapped] = []
        while text and text[0] in CLOSING and self._open:
            found += self._close(text[0])
            text = text[1:].lstrip(" ,")
        if text:
            field = _FIELD.fullmatch(text)
            name, value = (field["name"], field["value"]) if field else ("", text)
            self.refused = not self._take(name, value)
        if self.refused:
            found += self.finish()
        self.ended = not self._open
        return found

    def finish(self) -> list[Wrapped]:
        """Return the texts of the records that are still open, and end them."""
        found = [text for _, each, _ in self._open for text in of_record(each, ())]
        self._open.clear()
        return found

    def _take(self, name: str, value: str) -> bool:
        """Take a value; False if it is none."""
        if value in {"{", "["}:
            if len(self._open) >= DEPTH_MAX:
                return False
            self._open.append((name, {} if value == "{" else [], self._kept))
            return True
        if not self._open or self._kept >= FIELDS_MAX:
            return False
        try:
            self._keep(name, json.loads(value))
        except (ValueError, RecursionError):
            if not _BARE.fullmatch(value):
                return False
            self._keep(name, value)
        return True

    def _keep(self, name: str, value: object) -> None:
        self._kept += 1
        if isinstance(value, str):
            value = value[:TEXT_MAX]
        _, inner, _ = self._open[-1]
        if isinstance(inner, dict):
            inner[name] = value
        else:
            inner.append(value)

    def _close(self, bracket: str) -> list[Wrapped]:
        """End the innermost record; what belongs to a name is a part of its parent."""
        name, ended, kept = self._open.pop()
        if (bracket == "}") != isinstance(ended, dict):
            self._open.clear()
            return []
        found: list[Wrapped] = []
        if not name:
            found = list(of_record(self._row(ended), self._around()))
        if found:
            self._kept = kept
        elif self._open:
            self._keep(name, ended)
        return found

    def _row(self, ended: object) -> object:
        """Return a row of a table as a record, with the names above the table."""
        if not isinstance(ended, list) or len(self._open) < 2:
            return ended
        table = self._open[-2][1]
        if self._open[-1][0] not in {"rows", "values"} or not isinstance(table, dict):
            return ended
        rows = rows_of({**table, "rows": [ended]})
        return rows[0] if rows else ended

    def _around(self) -> Iterator[dict[str, Any]]:
        """The records that hold the one that has ended, the innermost first."""
        return (each for _, each, _ in reversed(self._open) if isinstance(each, dict))
