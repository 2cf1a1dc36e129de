"""How `syncache top` looks: a sum of processes as lines of styled text.

A pure function of the answers, the size of the terminal and the chosen view, so that
everything but the terminal is tested without one.  80 columns and 24 lines have all of
it; a larger terminal has more rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..lookout import RATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .top_data import Sum

Line = list[tuple[str, str]]  # text and style

BLOCKS = " ▁▂▃▄▅▆▇█"
WIDTH_MIN, HEIGHT_MIN = 40, 8
TABLES_MAX = 4
ALARMS_MIN, ALARMS_PART = 3, 4  # lines, and one line in so many beyond 24
BAR_MAX = 30
STYLES = {
    "calm": "bold green",
    "flood": "bold yellow",
    "cookies": "bold yellow",
    "blocked": "bold yellow",
    "aggressive": "bold red",
    "paused": "bold red",
    "no answer": "bold red",
}
GROUPS = ("destination:port", "destination", "port")
SORTS = ("attempts", "half-open")
KEYS = "q quit  ←→ process  s sort  g group  p pause"


@dataclass(frozen=True, slots=True)
class View:
    """The choice: one of the processes or (0) all, an order, a grouping."""

    process: int = 0
    sort: int = 0
    group: int = 0
    paused: bool = False
    of: int = 1  # processes there are


def frame(total: Sum, view: View, width: int, height: int) -> list[Line]:
    """Return exactly `height` lines, each of at most `width` columns."""
    width, height = max(width, WIDTH_MIN), max(height, HEIGHT_MIN)
    lines = [
        _head(total, view, width),
        *_rates(total, width),
        *_tables(total, width),
        _links(total),
    ]
    room = height - len(lines) - 1
    alarms = ALARMS_MIN + max(height - 24, 0) // ALARMS_PART
    ranked = max(room - alarms - 1, 0)
    lines += _rankings(total, view, width, ranked)
    lines += _alarms(total, width, max(height - 1 - len(lines), 0))
    lines = lines[: height - 1]
    lines += [[] for _ in range(height - 1 - len(lines))]
    lines.append([(KEYS, "dim"), ("  PAUSED" if view.paused else "", "bold yellow")])
    return [_cut(line, width) for line in lines]


def _head(total: Sum, view: View, width: int) -> Line:
    engines = ", ".join(sorted(set(total.engines))) or "no process"
    which = total.names[0] if len(total.names) == 1 else f"{len(total.names)} processes"
    if view.of > 1 and view.process:
        which += f" ({view.process} of {view.of})"
    state: Line = [(total.state.upper(), STYLES[total.state])]
    if total.state != "no answer":
        state.append((f" since {span(total.since)}", ""))
    if total.silent and len(total.silent) < len(total.names):
        state.append((f"  {len(total.silent)} do not answer", "bold red"))
    if total.floods:
        more = f" and {len(total.floods) - 1} more" if len(total.floods) > 1 else ""
        state.append((f"  flood: {total.floods[0]}{more}", "bold red"))
    used = sum(len(text) for text, _ in state)
    left = f"{engines} {which}"
    return [(_middle(left, max(width - used - 2, 12)) + "  ", "bold"), *state]


def _rates(total: Sum, width: int) -> list[Line]:
    """Return two columns: the name, the rate, and its history."""
    names = list(RATES)
    half = (len(names) + 1) // 2
    column = (width - 2) // 2
    spark = column - 22
    cells = []
    for index, name in enumerate(names):
        history = [row[index] for row in total.history]
        style = ""
        if name in {"ring-lost", "dropped"} and total.rates.get(name, 0):
            style = "red"
        cells.append(
            [
                (f"{name:<9} ", "cyan"),
                (f"{rate_of(total.rates.get(name, 0)):>10} ", style),
                (sparkline(history, spark).ljust(max(spark, 0)), "dim"),
            ]
        )
    lines: list[Line] = []
    for row in range(half):
        line = list(cells[row])
        if row + half < len(cells):
            line += [("  ", ""), *cells[row + half]]
        lines.append(line)
    return lines


def _tables(total: Sum, width: int) -> list[Line]:
    lines: list[Line] = []
    size = min(BAR_MAX, width - 46)
    for name, (count, limit) in list(total.tables.items())[:TABLES_MAX]:
        share = min(count / limit, 1.0) if limit else 0.0
        style = "red" if share >= 0.8 else "yellow" if share >= 0.6 else "green"
        full = round(share * size)
        lines.append(
            [
                (f"{name:<12}", "cyan"),
                ("[" + "#" * full + "-" * (size - full) + "]", style),
                (f" {count:>9,} of {limit:>9,} ", ""),
                (f"{percent(count, limit):>6}", style),
            ]
        )
    return lines


def _links(total: Sum) -> Line:
    """Return the losses of each link's ring, since it was opened."""
    line: Line = [("ring lost   ", "cyan")]
    for name, lost in total.links.items():
        if not name.endswith("_kernel_dropped"):
            continue
        end = name.removesuffix("_kernel_dropped")
        got = total.links.get(f"{end}_received", 0) + lost
        percent = f" ({100 * lost / got:.1f} %)" if lost else ""
        line.append((f"{end} {lost:,}{percent}  ", "red" if lost else ""))
    if len(line) == 1:
        line.append(("not counted by this link", "dim"))
    return line


def _rankings(total: Sum, view: View, width: int, rows: int) -> list[Line]:
    """Return destinations at the left and source prefixes at the right."""
    if rows < 2:
        return []
    asked = grouped(total.asked, view.group)
    left = _ranked(asked, view.sort)
    right = _ranked(total.asking, view.sort)
    column = (width - 2) // 2
    name = max(column - 20, 1)
    about = f"source prefix (~{total.prefixes:,})"
    lines: list[Line] = [
        [
            (_cells(GROUPS[view.group], "SYN/s", "half-open", name), "reverse"),
            ("  ", ""),
            (_cells(about, "SYN/s", "half-open", name), "reverse"),
        ]
    ]
    for row in range(rows - 1):
        texts = [
            _cells(side[row][0], f"{side[row][1]:,}", f"{side[row][2]:,}", name)
            if row < len(side)
            else " " * column
            for side in (left, right)
        ]
        lines.append([(texts[0], ""), ("  ", ""), (texts[1], "")])
    return lines


def grouped(
    asked: dict[tuple[str, int], tuple[int, int]], group: int
) -> dict[str, tuple[int, int]]:
    """Add up destinations by the chosen part of them."""
    found: dict[str, tuple[int, int]] = {}
    for (address, port), (attempts, half_open) in asked.items():
        place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        name = (place, address, f"port {port}")[group]
        before = found.get(name, (0, 0))
        found[name] = (before[0] + attempts, before[1] + half_open)
    return found


def _ranked(rows: dict[str, tuple[int, int]], sort: int) -> list[tuple[str, int, int]]:
    flat = [(name, attempts, held) for name, (attempts, held) in rows.items()]
    flat = [row for row in flat if row[1] or row[2]]
    first, second = (1, 2) if sort == 0 else (2, 1)
    flat.sort(key=lambda row: (row[first], row[second], row[0]), reverse=True)
    return flat


def _cells(name: str, one: str, two: str, width: int) -> str:
    return f"{_middle(name, width):<{width}}{one:>10}{two:>10}"


def _alarms(total: Sum, width: int, lines: int) -> list[Line]:
    """Return the last alarms, the newest first; long ones go on in another line."""
    if lines < 2:
        return []
    head = f"last alarms ({len(total.alarms)})" if total.alarms else "no alarm so far"
    found: list[Line] = [[(head, "cyan")]]
    many = len(set(total.names)) > 1
    for ago, who, text in total.alarms:
        rest = f"{who}: {text}" if many else text
        label = f"{span(ago):>8} ago "
        style = "" if "over" in text or "room again" in text else "yellow"
        while rest and len(found) < lines:
            room = width - len(label)
            part = rest if len(rest) <= room else rest[:room].rpartition(" ")[0]
            part = part or rest[:room]
            found.append([(label, "dim"), (part, style)])
            rest = rest[len(part) :].lstrip()
            label = " " * len(label)
    return found


def sparkline(values: Sequence[int], width: int) -> str:
    """Draw the last values, the newest at the right, the highest as a full block."""
    shown = list(values)[-width:] if width > 0 else []
    highest = max(shown, default=0)
    if not highest:
        return BLOCKS[1] * len(shown)
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[1 + value * (steps - 1) // highest] for value in shown)


def rate_of(number: int) -> str:
    """Spell a rate in ten columns."""
    return f"{number:,}/s" if number < 10**6 else f"{number / 1e6:,.2f}M/s"


def percent(count: int, limit: int) -> str:
    """Spell a share; a threshold may be exceeded many times."""
    share = round(100 * count / limit) if limit else 0
    return f"{share} %" if share <= 999 else ">999 %"


def span(seconds: float) -> str:
    """Spell how long ago something was."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    if hours < 100:
        return f"{hours}:{rest // 60:02}:{rest % 60:02}"
    return f"{hours // 24} days"


def _middle(text: str, width: int) -> str:
    """Shorten a text in its middle."""
    if len(text) <= width:
        return text
    left = (width - 1) // 2
    return f"{text[:left]}…{text[len(text) - (width - 1 - left) :]}"


def _cut(line: Line, width: int) -> Line:
    """Cut a line to so many columns."""
    cut: Line = []
    for text, style in line:
        if text and width > 0:
            cut.append((text[:width], style))
            width -= len(text)
    return cut
