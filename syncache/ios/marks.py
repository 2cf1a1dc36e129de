"""What stands in front of the lines of a configuration and is not part of it.

    a margin, as of a page                  > or | of a quotation, in a forum or a mail
    the pager of a terminal                 numbers of lines: grep, cat, an editor
    R1(config)# and what it refused         a file's name, as grep prints it

Contents: `bare` and, for lines that a terminal broke, `joined`; both keep the number of
lines.  Elsewhere: what the lines mean, and text between them that is the operator's own
(`config` both).
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# A terminal's pager with what wipes it off, and the prompt of configuration mode.
# What wipes it off ends in a control character, behind which the line is whole.
_PAGER = re.compile(r"^ ?<?-+ ?[Mm]ore ?-+>?(?:[ \x08\r]*[\x08\r]| *)")
# Colours and the like of a terminal, and the zeros that Telnet sends (RFC 854).
_ESCAPE = re.compile(r"\x1b\[[\d;?]*[@-~]|\0")
_PROMPT = re.compile(r"^[\w.-]+\(config[\w-]*\)# ?")
_REFUSED = re.compile(r"% ?(?:Invalid|Incomplete|Ambiguous|Unrecognized|Unknown) ")
_REFUSED_WITHIN = 3  # lines: the command, its mark `^`, sometimes an empty one
# In front of every line, or of none; a blank behind it is part of the margin.
_QUOTE = re.compile(r"\s*(?:[>|] ?)*[>|]")
_NUMBER = re.compile(r"(?:[^\s:]+:)?\s*(\d{1,9})(?:[:.)|-]|[\t ]|$)")
_FILE = re.compile(r"[^\s:]+:(?=[\w !])")


def bare(lines: Sequence[str]) -> list[str]:
    """Return lines without what was put in front of them; one for each."""
    found = _without_front([_ESCAPE.sub("", line) for line in lines])
    margin = min((_indent(line) for line in found if line.strip()), default=0)
    found = [_PAGER.sub("", line[margin:]) for line in found]
    typed = [_PROMPT.match(line) is not None for line in found]
    for number, line in enumerate(found):
        if typed[number] and line.rstrip().endswith("?"):
            found[number] = ""  # asks for help
        elif _REFUSED.match(line):
            for before in range(number - 1, max(number - 1 - _REFUSED_WITHIN, -1), -1):
                if typed[before]:
                    found[before] = ""
                    break
    return [_PROMPT.sub("", line) for line in found]


def joined(
    lines: Sequence[str], width: int, is_command: Callable[[str], bool]
) -> list[str]:
    """Return lines with those whole that a terminal of that width broke.

    One for each, of which the second halves are empty; a command is none of them.
    """
    found = [*lines]
    for at in range(len(found) - 1, 0, -1):
        if len(found[at - 1]) == width and not is_command(found[at]):
            found[at - 1] += found[at]
            found[at] = ""
    return found


def _without_front(lines: Sequence[str]) -> list[str]:
    """Take off a quotation, numbers or the name of a file, if all lines have it."""
    kept = [line for line in lines if line.strip()]
    if len(kept) < 2:
        return [*lines]
    for pattern in (_QUOTE, _NUMBER, _FILE):
        fronts = [pattern.match(line) for line in kept]
        if None in fronts:
            continue
        words = [front.group(front.re.groups) for front in fronts if front]
        if pattern is _NUMBER and not _count(words, fronts[0]):
            continue
        if pattern is _FILE and len(set(words)) > 1:
            continue
        return [pattern.sub("", line, count=1) for line in lines]
    return [*lines]


def _count(words: Sequence[str], first: re.Match[str] | None) -> bool:
    """Tell whether numbers rise; by one, if nothing but a blank is behind them."""
    numbers = [int(word) for word in words]
    steps = {after - before for before, after in pairwise(numbers)}
    marked = first is not None and first.group().rstrip(" ")[-1] in ":.)|-"
    return min(steps) > 0 and (marked or steps == {1})


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
