"""docs/conformance.md: each statement and requirement, where it is, and its tests.

What and where is told in trace.txt, the words around it are trace.md; tests are found
by their names.  test_conformance_doc.py refuses names that lead nowhere, so that the
page cannot claim what is not there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent
STATEMENTS = 61
DEPARTURES = 16
PYTHON_TEST = re.compile(r"^def (test_\w+)\(", re.MULTILINE)
C_TEST = re.compile(r"^(test_\w+)\(void\)", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """One line of trace.txt.

    `number` is a requirement's; `where` holds file:function, or for a departure its
    tunables; `more` are tests beside those that are found by name.
    """

    kind: str
    number: str
    what: str
    where: tuple[str, ...]
    more: tuple[str, ...] = ()
    stem: str = ""

    @property
    def tests(self) -> list[str]:
        """The tests, as file::name, relative to the repository."""
        found = []
        if self.kind in ("statement", "departure"):
            begin = f"test_{self.kind}_{int(self.number):02}_"
            found = [
                t for t in tests_by_name() if t.partition("::")[2].startswith(begin)
            ]
        elif self.kind == "rfc":
            found = [t for t in tests_of(self.stem) if covers(t, self.number)]
        return found + [test for test in self.more if test not in found]


def rows(text: str | None = None) -> list[Row]:
    """Read trace.txt."""
    found = []
    lines = (HERE / "trace.txt").read_text("utf-8") if text is None else text
    for line in lines.splitlines():
        if not line or line.startswith("#"):
            continue
        kind, *cells = (cell.strip() for cell in f"{line} ".split(" | "))
        if kind in ("statement", "departure"):
            number, what, where, more = cells
            row = Row(kind, number, what, tuple(where.split()), tuple(more.split()))
        elif kind == "rfc":
            stem, number, what, where = cells
            row = Row(kind, number, what, tuple(where.split()), stem=stem)
        else:
            stem, number, what, why = cells
            row = Row(kind, number, what, (why,), stem=stem)
        found.append(row)
    return found


@cache
def tests_in(path: str) -> frozenset[str]:
    """The names of the tests in a file; none if there is no such file."""
    file = ROOT / path
    if not file.exists():
        return frozenset()
    pattern = C_TEST if file.suffix == ".c" else PYTHON_TEST
    return frozenset(pattern.findall(file.read_text("utf-8")))


@cache
def tests_by_name() -> tuple[str, ...]:
    """Every test of this folder, as file::name."""
    paths = sorted(path.relative_to(ROOT) for path in HERE.glob("test_*.py"))
    return tuple(f"{path}::{name}" for path in paths for name in ordered(str(path)))


def ordered(path: str) -> list[str]:
    """The tests of a file in the order in which they stand there."""
    return PYTHON_TEST.findall((ROOT / path).read_text("utf-8"))


def tests_of(stem: str) -> list[str]:
    """The tests of an RFC: those of test_STEM.py and of test_STEM_....py."""
    files = re.compile(rf"/test_{stem}(_\w+)?\.py::")
    return [test for test in tests_by_name() if files.search(test)]


def covers(test: str, number: str) -> bool:
    """Does a test's name hold a requirement's number."""
    token = re.sub(r"[-.]", "_", number)
    anywhere = r"(\w+_)?"
    if match := re.fullmatch(r"RFC (\d+) ([\d_]+)", token):
        token, anywhere = f"rfc{match[1]}_s{match[2]}", ""
    elif token[0].isdigit():
        token, anywhere = f"s{token}", ""
    name = test.partition("::")[2]
    return re.search(rf"^test_{anywhere}{token}(?=_\D)", name) is not None


def has_function(where: str) -> bool:
    """Is there a function of that name in that file."""
    path, _, name = where.partition(":")
    file = source(path)
    if not file.exists():
        return False
    begin = rf"^{name}\(" if file.suffix in {".c", ".h"} else rf"^ *def {name}\("
    return re.search(begin, file.read_text("utf-8"), re.MULTILINE) is not None


def source(path: str) -> Path:
    """The file that trace.txt calls so: core/ is csrc/core/."""
    return ROOT / ("csrc/" + path if path.startswith("core/") else path)


def has_test(test: str) -> bool:
    """Is there a test of that name in that file."""
    path, _, name = test.partition("::")
    return name in tests_in(path)


# The page.

TITLES = {
    "rfc9293": "RFC 9293, Transmission Control Protocol",
    "rfc1122": "RFC 1122, requirements for hosts",
    "rfc5961": "RFC 5961, blind in-window attacks",
    "rfc6528": "RFC 6528, sequence numbers",
    "rfc7323": "RFC 7323 and 2018, scaling, timestamps, SACK",
    "rfc3168": "RFC 3168 and 9768, ECN",
    "rfc7413": "RFC 7413, Fast Open",
    "rfc2385": "RFC 2385, MD5 signatures",
    "rfc4987": "RFC 4987, SYN flooding",
}


def page() -> str:
    """Return docs/conformance.md: trace.md with its tables."""
    by_kind: dict[str, list[Row]] = {}
    for row in rows():
        by_kind.setdefault(row.kind, []).append(row)
    departures = ["| # | we do | tunables | tests |", "|---|---|---|---|"]
    for row in by_kind["departure"]:
        tunables = " ".join(f"`{name}`" for name in row.where if name != "-")
        cells = (row.number, row.what, tunables, spell(row.tests))
        departures.append(f"| {' | '.join(cells)} |")
    requirements = []
    for stem, title in TITLES.items():
        chosen = [row for row in by_kind["rfc"] if row.stem == stem]
        requirements += [f"### {title}", "", *table("requirement", chosen), ""]
    absent = ["| RFC | # | what | why |", "|---|---|---|---|"]
    for row in by_kind["absent"]:
        cells = (row.stem.removeprefix("rfc"), row.number, row.what, row.where[0])
        absent.append(f"| {' | '.join(cells)} |")
    text = (HERE / "trace.md").read_text("utf-8")
    for name, lines in {
        "statements": table("statement", by_kind["statement"]),
        "departures": departures,
        "requirements": requirements[:-1],
        "absent": absent,
    }.items():
        text = text.replace("{" + name + "}", "\n".join(lines))
    return text


def table(first: str, chosen: list[Row]) -> list[str]:
    """Return a table of rows that name functions."""
    lines = [f"| {first} | what | where | tests |", "|---|---|---|---|"]
    for row in chosen:
        where = " ".join(f"`{name}`" for name in row.where)
        lines.append(f"| {row.number} | {row.what} | {where} | {spell(row.tests)} |")
    return lines


def spell(tests: list[str]) -> str:
    """Name tests, each file once."""
    by_file: dict[str, list[str]] = {}
    for test in tests:
        path, _, name = test.partition("::")
        short = path.removeprefix("tests/").removeprefix("conformance/")
        by_file.setdefault(short, []).append(f"`{name}`")
    return "; ".join(f"{path}: {' '.join(names)}" for path, names in by_file.items())
