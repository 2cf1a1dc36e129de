"""
The mutants of a C file: one source line changed by one operator each.

Not here: what becomes of them (mutate.py).  Comments, preprocessor lines, asserts, the
self-check and declarations without a value are not mutated, since no test can tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mutant_kept import digest

# operator name, what it finds, what it puts there
SWAPS = [
    ("relation", r" < ", " <= "),
    ("relation", r" <= ", " < "),
    ("relation", r" > ", " >= "),
    ("relation", r" >= ", " > "),
    ("relation", r" == ", " != "),
    ("relation", r" != ", " == "),
    ("logic", r" && ", " || "),
    ("logic", r" \|\| ", " && "),
    ("arithmetic", r"(?<=[\w)\]]) \+ ", " - "),
    ("arithmetic", r"(?<=[\w)\]]) - ", " + "),
    ("arithmetic", r"(?<=[\w)\]]) \* (?=[\w(])", " + "),
    ("arithmetic", r" % ", " / "),
    ("bits", r" << ", " >> "),
    ("bits", r" >> ", " << "),
    ("bits", r"(?<=[\w)\]]) & ", " | "),
    ("bits", r" \| ", " & "),
    ("bits", r" \^ ", " | "),
    ("assignment", r" \+= ", " -= "),
    ("assignment", r" -= ", " += "),
    ("assignment", r" \|= ", " &= "),
    ("assignment", r" &= ", " |= "),
    ("step", r"\+\+", "--"),
    ("truth", r"\btrue\b", "false"),
    ("truth", r"\bfalse\b", "true"),
    ("negation", r"(?<=[( ])!(?=[\w(])", ""),
]
NUMBER = re.compile(r"(?<![\w.])(0x[0-9a-fA-F]+|\d+)(?=[uUlL]*\b)")
CONDITION = re.compile(r"\bif \((.*)\)( \{)?$")
STATEMENT = re.compile(
    r"^\s+(?:[\w\->.\[\]*()]+ (?:[-+|&^]|<<|>>)?= .*;|\w+\(.*\);"
    r"|[\w\->.\[\]*]+(?:\+\+|--);|continue;|break;)$"
)
DECLARATION = re.compile(
    r"^\s+(?:const |static )*(?:struct|enum|u?int\w*|size_t|bool) "
)
SKIP = re.compile(
    r"\bassert\(|_Static_assert|^\s*#|^\s*(?:/?\*)|__attribute__|prefetch"
    r"|uint8_t \**\w+\[[^\]]*\][,)]"  # an array's size in a list of parameters
)


@dataclass(frozen=True)
class Mutant:
    """One line of one file, changed."""

    path: Path
    line: int
    operator: str
    before: str
    after: str

    def __str__(self) -> str:
        """Return the form in which survivors are printed and listed."""
        place = f"{self.path.name}:{self.line}"
        return f"{place}: {self.key.split(': ', 1)[1]}"

    def files(self) -> dict[Path, str]:
        """Return the text of the file that it changes."""
        lines = self.path.read_text().splitlines()
        lines[self.line - 1] = self.after
        return {self.path: "\n".join(lines) + "\n"}

    @property
    def name(self) -> str:
        """Name the mutant and the whole text of its file."""
        return digest(self.path.name, self.path.read_text(), str(self), self.after)

    @property
    def key(self) -> str:
        """Name the mutant by its text, so that it survives moved lines."""
        before, after = self.before.strip(), self.after.strip()
        return f"{self.path.name}: {self.operator}: {before} -> {after}"


def code_of(line: str) -> str:
    """Return the line without its comment, or nothing where no mutant can be."""
    if SKIP.search(line):
        return ""
    return re.sub(r"\s*/\*.*$", "", line)


def changes(code: str) -> Iterator[tuple[str, str]]:
    """Yield every (operator, changed line)."""
    for operator, find, put in SWAPS:
        for hit in re.finditer(find, code):
            yield operator, code[: hit.start()] + put + code[hit.end() :]
    for hit in NUMBER.finditer(code):
        number = int(hit[1], 0)
        put = "0" if number == 1 else str(number + 1)
        yield "constant", code[: hit.start()] + put + code[hit.end() :]
    if (found := CONDITION.search(code)) and code.count("(") == code.count(")"):
        yield "condition", f"{code[: found.start()]}if (!({found[1]})){found[2] or ''}"
    if STATEMENT.match(code) and not DECLARATION.match(code):
        yield "deletion", re.sub(r"\S.*", ";", code)


def mutants(path: Path) -> list[Mutant]:
    """Return every mutant of a file."""
    found = []
    inside_comment = False
    inside_check = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        was_inside = inside_comment
        inside_comment = ("/*" in line or was_inside) and "*/" not in line
        if line.startswith(("#ifdef SYNCACHE_SELFCHECK", "#endif")):
            inside_check = line.startswith("#ifdef")
        code = "" if was_inside or inside_check else code_of(line)
        if not code.startswith((" ", "\t")):
            continue  # prototypes and declarations at file level
        found += [
            Mutant(path, number, operator, code, after)
            for operator, after in changes(code)
        ]
    return found
