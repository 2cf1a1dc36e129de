# ruff: noqa: INP001
"""The members of enumerations and structures of C that Python spells out, from C.

A block between two marks of a module is written here and never by hand, so that types,
editors and readers find the members where they are used:

    # enum syncache_verdict, by docs/generate.py: begin
    ...
    # enum syncache_verdict: end

`python docs/generate.py` writes the blocks.  Numbers are those of the compiled
extension, comments those of the header.  Formats and words that need no types are read
when the package is imported: `syncache._core.mirror`.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from syncache._core import ffi
from syncache._core.mirror import prefix_of

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 88
BLOCK = re.compile(
    r"(?P<head>^ *# (?P<kind>enum|struct) (?P<name>\w+), by docs/generate\.py: begin\n)"
    r"(?P<body>.*?)"
    r"(?P<tail>^ *# (?P=kind) (?P=name): end\n)",
    re.MULTILINE | re.DOTALL,
)
MEMBER = re.compile(r"\b([A-Z][A-Z0-9_]+)\b[^,/}]*,?\s*(?:/\*(.*?)\*/)?", re.DOTALL)


def modules(root: Path = ROOT) -> list[Path]:
    """Return the modules that have such blocks."""
    found = sorted((root / "syncache").rglob("*.py"))
    return [path for path in found if BLOCK.search(path.read_text("utf-8"))]


def written(path: Path) -> str:
    """Return a module's text with its blocks as they should be."""

    def block(match: re.Match[str]) -> str:
        of = enumerators if match["kind"] == "enum" else counters
        return match["head"] + of(match["name"]) + match["tail"]

    return BLOCK.sub(block, path.read_text("utf-8"))


def enumerators(name: str) -> str:
    """Return the members of an enumeration, without the one that counts them."""
    elements = ffi.typeof(f"enum {name}").elements
    names = [elements[number] for number in sorted(elements)]
    if names[-1].endswith("_COUNT"):
        names.pop()
    prefix = prefix_of(names)
    told = comments(name)
    numbers = {text: number for number, text in elements.items()}
    return "".join(
        line_of(f"{text.removeprefix(prefix)} = {numbers[text]}", told.get(text, ""))
        for text in names
    )


def counters(name: str) -> str:
    """Return the numbers of a structure as fields of a dataclass."""
    fields = ffi.typeof(f"struct {name}").fields
    return "".join(
        line_of(f"{field}: int", "")
        for field, of in fields
        if of.type.kind == "primitive" and not field.startswith("reserved")
    )


def line_of(code: str, comment: str) -> str:
    """Return a line; its comment stands above if it is too long to stand behind."""
    line = f"    {code}  # {comment}" if comment else f"    {code}"
    if len(line) <= COLUMNS:
        return line + "\n"
    above = textwrap.wrap(
        comment, COLUMNS, initial_indent="    # ", subsequent_indent="    # "
    )
    return "\n".join([*above, f"    {code}", ""])


def comments(name: str) -> dict[str, str]:
    """Return the comments of a header's enumerators."""
    for path in sorted((ROOT / "csrc").rglob("*.h")):
        text = path.read_text("utf-8")
        if found := re.search(rf"\benum {name} \{{(.*?)\}};", text, re.DOTALL):
            return {
                member: " ".join(comment.split())
                for member, comment in MEMBER.findall(sections_out(found[1]))
            }
    raise ValueError(f"no header has enum {name}")


def sections_out(body: str) -> str:
    """Blank the comments that have a line of their own."""
    return re.sub(r"^\s*/\*.*?\*/\s*$", "", body, flags=re.MULTILINE | re.DOTALL)
