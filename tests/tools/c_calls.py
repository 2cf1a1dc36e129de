"""Which C file calls which: the arrows of csrc/, for the rule that calls go down."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
TEXT = re.compile(r'"(?:\\.|[^"\\])*"')
# The house style has the name of a function at the beginning of a line.
DEFINITION = re.compile(r"^([a-z_]\w*)\([^;{}]*\)\n\{", re.MULTILINE)
STATIC = re.compile(r"^static [^\n;{}]*\n([a-z_]\w*)\(", re.MULTILINE)
CALL = re.compile(r"\b([a-z_]\w*)\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include "([^"]+)"', re.MULTILINE)


def calls(sources: dict[str, str]) -> dict[str, set[str]]:
    """Return which of these C files calls functions that another of them defines."""
    code = {name: TEXT.sub("", COMMENT.sub("", text)) for name, text in sources.items()}
    owner: dict[str, str] = {}
    for name, text in code.items():
        own = set(STATIC.findall(text))
        owner |= {f: name for f in DEFINITION.findall(text) if f not in own}
    return {
        name: {owner[f] for f in CALL.findall(text) if f in owner} - {name}
        for name, text in code.items()
    }


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the largest sets of files each of which reaches all others."""
    reach = {name: set(to) for name, to in graph.items()}
    for middle in graph:
        for to in reach.values():
            if middle in to:
                to.update(reach[middle])
    found = {frozenset(n for n in reach[name] if name in reach[n]) for name in reach}
    return [set(circle) for circle in found if circle]


def arrows_up(graph: dict[str, set[str]]) -> int:
    """Return how few arrows one has to take away for all others to point down.

    Every order of the files of a circle is tried, so circles have to be small.
    """

    def up(order: tuple[str, ...]) -> int:
        floor = {name: i for i, name in enumerate(order)}
        return sum(
            floor[to] < floor[name] for name in order for to in graph[name] & set(order)
        )

    return sum(min(map(up, permutations(circle))) for circle in circles(graph))


def includes(sources: dict[str, str]) -> dict[str, set[str]]:
    """Return which of these files includes which, by folder and name.

    A name without a folder is that of a file beside it or of one right in csrc/.
    """
    graph: dict[str, set[str]] = {}
    for name, text in sources.items():
        folder = f"{name.rpartition('/')[0]}/".lstrip("/")
        wanted = [word.removeprefix("../") for word in INCLUDE.findall(text)]
        near = {folder + word for word in wanted} & sources.keys()
        graph[name] = near | {word for word in wanted if word in sources}
    return graph


def of(*folders: Path) -> dict[str, set[str]]:
    """Return the calls between the C files of these folders, by folder and name."""
    paths = [path for folder in folders for path in sorted(folder.glob("*.c"))]
    return calls({f"{p.parent.name}/{p.name}": p.read_text() for p in paths})


def second_names(sources: dict[str, str]) -> dict[str, list[str]]:
    """Return the functions that several files define, and the names that files share.

    A source and its header are one; names of files are without their folder.
    """
    homes: dict[str, set[str]] = {}
    for path, text in sources.items():
        stem = path.rpartition(".")[0]
        homes.setdefault(stem.rpartition("/")[2], set()).add(stem)
        for function in DEFINITION.findall(COMMENT.sub("", text)):
            homes.setdefault(f"{function}()", set()).add(stem)
    return {name: sorted(where) for name, where in homes.items() if len(where) > 1}
