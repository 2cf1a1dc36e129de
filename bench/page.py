"""Puts the figures of a run into docs/performance.md.

    python -m bench --json docs/performance.json --pictures docs/pictures
    python -m bench.page

Tables stand between a line `<!-- NAME -->` and a line `<!-- end -->`; everything else
of the page is written by hand.
"""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, FIGURES = DOCS / "performance.md", DOCS / "performance.json"
BLOCK = re.compile(
    r"^<!-- ([a-z]\S*) -->\n.*?^<!-- end -->\n", re.MULTILINE | re.DOTALL
)


def main() -> None:
    """Rewrite every block."""
    document = json.loads(FIGURES.read_text())
    PAGE.write_text(BLOCK.sub(lambda m: block(m[1], document), PAGE.read_text()))


def block(name: str, document: dict[str, Any]) -> str:
    """Return a block anew."""
    lines = {
        "machine": machine,
        "memory": memory,
        "wire": wire,
        "rivals": rivals,
        "bursts": bursts,
        "clients": clients,
    }[name](document)
    return "\n".join([f"<!-- {name} -->", *lines, "<!-- end -->", ""])


def machine(document: dict[str, Any]) -> list[str]:
    """Say where and when."""
    about, versions = document["machine"], document["versions"]
    return [
        "| | |",
        "|---|---|",
        f"| processor | {about['cpu']}, {about['cpus']} cores of a virtual machine |",
        f"| instruction set levels | {', '.join(about['levels'])} |",
        f"| kernel | Linux {about['kernel']} |",
        f"| Python, compiler | {versions['python']}, {versions['cc']} |",
        f"| commit | {document['commit']} |",
    ]


def figures(document: dict[str, Any], wired: bool) -> list[str]:
    """Lay out figures beside their goals."""
    lines = [
        "| figure | what | ours | theirs | unit | ratio (least to most) | | goal |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for found in document["figures"]:
        if (found["unit"] in {"SYN-ACK/s", "clients served"}) != wired:
            continue
        goal = ""
        if found["goal"] is not None:
            goal = (
                f"{'<=' if found['goal_is'] == 'at most' else '>='} {found['goal']:g}"
            )
        verdict = {True: "reached", False: "**short**", None: ""}[found["reached"]]
        if found["goal_of"] == "ours":
            verdict = f"{number(found['ours'])} {found['unit']}: {verdict}"
        spread = f"{found['ratio_min']:.3g} to {found['ratio_max']:.3g}"
        lines.append(
            f"| `{found['name']}` | {found['what']} | {number(found['ours'])} "
            f"| {number(found['theirs'])} | {found['unit']} "
            f"| {found['ratio']:.3g} ({spread}) | {verdict} | {goal} |"
        )
    return lines


def memory(document: dict[str, Any]) -> list[str]:
    """Lay out what is measured in memory."""
    return figures(document, wired=False)


def wire(document: dict[str, Any]) -> list[str]:
    """Lay out what is measured on veth."""
    return figures(document, wired=True)


def rivals(document: dict[str, Any]) -> list[str]:
    """Lay out SYN-ACK/s of everyone."""
    lines = [
        "| who | SYN-ACK/s, median | least to most | ns a SYN |",
        "|---|---|---|---|",
    ]
    for name, values in document["arms"]["synacks"]["values"].items():
        middle = statistics.median(values)
        spread = f"{number(min(values))} to {number(max(values))}"
        lines.append(f"| {name} | {number(middle)} | {spread} | {1e9 / middle:,.0f} |")
    return lines


def bursts(document: dict[str, Any]) -> list[str]:
    """Lay out Mpps over burst size and level."""
    values = document["arms"]["bursts"]["values"]
    found = [re.fullmatch(r"syn_cookie_burst(\d+)@(\w+)", name) for name in values]
    arms = {(m[2], int(m[1])): values[m[0]] for m in found if m}
    sizes = sorted({size for _, size in arms})
    levels = list(dict.fromkeys(level for level, _ in arms))
    lines = [
        f"| packets a call | {' | '.join(map(str, sizes))} |",
        "|---|" + "---|" * len(sizes),
    ]
    for level in levels:
        cells = [statistics.median(arms[level, size]) for size in sizes]
        lines.append(f"| {level} | {' | '.join(f'{ns:.1f} ns' for ns in cells)} |")
    return lines


def clients(document: dict[str, Any]) -> list[str]:
    """Lay out how clients fared."""
    lines = [
        "| flood | who | served | connected within: median | p99 | most |",
        "|---|---|---|---|---|---|",
    ]
    for load, seen in document["connect_ms"].items():
        for who, row in seen.items():
            times = (row["p50_ms"], row["p99_ms"], row["max_ms"])
            cells = " | ".join(f"{number(ms)} ms" for ms in times)
            lines.append(
                f"| {load} of capacity | {who} | {row['served']} of {row['clients']} "
                f"| {cells} |"
            )
    return lines


def number(value: float) -> str:
    """Write a value as people read it."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    main()
