"""The structures and enumerations of C, read from the compiled headers.

Python repeats no format and no order of words: `layout` makes the format of a
structure, `words` the names of an enumeration.  Both refuse what the headers do not
have when the module that asks is imported.  Enumerations whose members have types are
written into their modules by docs/mirrors.py.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

from .._ffi import ffi, lib

_CODES = {
    "uint8_t": "B",
    "int8_t": "b",
    "uint16_t": "H",
    "int16_t": "h",
    "uint32_t": "I",
    "int32_t": "i",
    "uint64_t": "Q",
    "int64_t": "q",
}


def layout(name: str, members: str = "", *, part: bool = False) -> Struct:
    """Return the format of `struct name`: its members, those of members with a dot.

    Without a list of members, all of them.  Members that are not named are skipped, and
    zero when packed.  An array of bytes is bytes, and so is a structure that is named
    as a whole.  With `part` the format begins at the first member and ends behind the
    last.

    Raises:
        ValueError: C has no such member, or has them in another order.
    """
    known = dict(_members(ffi.typeof(f"struct {name}"), "", 0))
    names = members.split() or [member for member in known if "." not in member]
    at = known[names[0]][0] if part and names[0] in known else 0
    form = "="
    for member in names:
        if member not in known or known[member][0] < at:
            raise ValueError(
                f"struct {name} has its members in this order: {', '.join(known)}; "
                f"{member!r} is missing there or comes earlier"
            )
        offset, code, size = known[member]
        form += f"{offset - at}x{code}" if offset > at else code
        at = offset + size
    rest = 0 if part else ffi.sizeof(f"struct {name}") - at
    return Struct(f"{form}{rest}x" if rest else form)


def _members(struct: Any, prefix: str, start: int) -> list[tuple[str, Any]]:
    """List the members of a structure and of those in it: offset, format, size."""
    found: list[tuple[str, Any]] = []
    for name, field in struct.fields:
        kind, offset, size = field.type, start + field.offset, ffi.sizeof(field.type)
        if kind.kind == "struct":
            found.append((prefix + name, (offset, f"{size}s", size)))
            found += _members(kind, f"{prefix}{name}.", offset)
        elif kind.kind == "array" and kind.item.cname == "uint8_t":
            found.append((prefix + name, (offset, f"{size}s", size)))
        elif kind.kind == "array" and kind.item.cname in _CODES:
            code = f"{kind.length}{_CODES[kind.item.cname]}"
            found.append((prefix + name, (offset, code, size)))
        elif kind.cname in _CODES:
            found.append((prefix + name, (offset, _CODES[kind.cname], size)))
    return found


def words(name: str) -> tuple[str, ...]:
    """Return the words of `enum name` by number, without the prefix they share.

    As they are written outside C: in small letters, with a hyphen between two words.
    A last one that counts them (`..._COUNT`) is left out.
    """
    elements = ffi.typeof(f"enum {name}").elements
    names = [elements[number] for number in sorted(elements)]
    if names[-1].endswith("_COUNT"):
        names.pop()
    prefix = prefix_of(names)
    return tuple(name.removeprefix(prefix).lower().replace("_", "-") for name in names)


def numbers(name: str, members: str) -> tuple[int, ...]:
    """Return the numbers of members of `enum name`, by the words that `words` has.

    Raises:
        KeyError: C has no such member.
    """
    elements = ffi.typeof(f"enum {name}").elements
    found = dict(zip(words(name), sorted(elements), strict=False))
    return tuple(int(found[member]) for member in members.split())


def limit(name: str) -> int:
    """Return a number that a header defines."""
    number: int = getattr(lib, name)
    return number


def prefix_of(names: list[str]) -> str:
    """Return the beginning up to an underscore that names share."""
    first, last = min(names), max(names)
    same = next((i for i, c in enumerate(first) if c != last[i]), len(first))
    return first[: first.rfind("_", 0, same) + 1]
