"""The syntax of sysctl.conf(5) and of sysctl(8)'s arguments, as FreeBSD reads them.

Contents: where a comment begins, which name a line assigns, how a number is
spelled, and whether an unknown name belongs to somebody else.  Elsewhere: the
tunables and their legal values (`syncache.tunables`), and files.
"""

from __future__ import annotations

import re

BLANKS = " \t\r\n\v\f"  # isspace() of the C locale
# Every name below these is one of ours; any other unknown name is another program's.
OURS = ("net.inet.tcp.syncache.", "net.inet.tcp.intercept.", "net.inet.inspect.")
# What strtol() reads with base 0.
NUMBER = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))", re.ASCII)
DIGITS_MAX = 64  # 2^64 has 22 in octal; more than this is refused unread


def comment_start(line: str) -> int:
    """Return where the comment of a line begins; its length if it has none.

    `#` begins a comment unless a backslash stands before it.  If a quotation mark
    stands anywhere before it, everything behind the closing mark is the comment.
    """
    quotes = [at for at in (line.find("'"), line.find('"')) if at >= 0]
    at = line.find("#")
    while at >= 0:
        opened = [quote for quote in quotes if quote < at]
        if opened:
            closed = line.find(line[opened[0]], opened[0] + 1)
            return closed + 1 if closed >= 0 else len(line)
        if line[at - 1 : at] != "\\":
            return at
        at = line.find("#", at + 1)
    return len(line)


def statement(line: str) -> str:
    """Return a line without its comment and the blanks around it."""
    return line[: comment_start(line)].strip(BLANKS)


def assignment(text: str) -> tuple[str, str | None]:
    """Split `name=value` or `name:value`; the value is None where there is none.

    A quotation mark in front of the value is removed, and its twin at the end.
    """
    name, sign, value = text, "", ""
    found = re.search("[=:]", text)
    if found:
        name, sign, value = text[: found.start()], found[0], text[found.end() :]
    name, value = name.strip(BLANKS), value.strip(BLANKS)
    if value[:1] in {'"', "'"}:
        end = len(value) - 1 if value[-1] == value[0] else len(value)
        value = value[1:end]
    return name, value if sign else None


def number(text: str) -> int:
    """Read a number as C spells it: decimal, 0x hexadecimal, 0 octal; or ValueError."""
    found = NUMBER.fullmatch(text.strip(BLANKS))
    if not found or len(text) > DIGITS_MAX:
        raise ValueError("not a number")
    sign, hexadecimal, octal, decimal = found.groups()
    if hexadecimal:
        value = int(hexadecimal, 16)
    else:
        value = int(octal, 8) if octal else int(decimal)
    return -value if sign == "-" else value


def is_ours(name: str) -> bool:
    """True if nobody else has names of this kind, so an unknown one is a mistake."""
    return name.startswith(OURS)


def is_line_of_others(text: str) -> bool:
    """True for text without a value behind which sysctl(8) goes on, as we do.

    Whatever it is: a name alone, a comment of Linux's, a merge's mark; but not one of
    our names, which may be meant to have a value, and no bytes of a file of no text.
    """
    return text.isprintable() and not is_ours(text.lstrip("-"))
