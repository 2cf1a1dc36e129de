"""A report as one HTML page that needs nothing else: no network, no script to read it.

Contents: `Page`, which collects headings, tables, charts and blocks to copy and
returns the document, and `Chart`, which is drawn as SVG.  Elsewhere: what a report
says (`cli.report_log`, `cli.report_traffic`).

Everything that is put on a page comes from the network in the end, so all of it is
escaped here, at the one door, and a policy in the document forbids scripts other than
its own button.  Widths are relative: a phone shows the page without scrolling sideways.
"""

from __future__ import annotations

import html
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

POINTS_MAX = 800  # of a series; more cannot be seen
SPANS_MAX = 500
WIDTH, HEIGHT = 720, 210  # of a chart, in its own units
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 10, 26  # margins
TICKS = 4
LETTER = 12  # height of a line of text
SPAN_MIN = 1.0  # seconds of a chart: of times since 1970 much less is lost in rounding
CELL_MAX = 2000  # characters
NARROW = 3  # columns; a phone shows the rows of wider tables as blocks

STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#5c6670;--line:#d5dae0;--bg:#fff;
--blue:#1f6fb2;--red:#c0392b;--shade:#c0392b22;--box:#f5f7f9}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8ec;--dim:#9aa5b0;--line:#3a424b;
--bg:#15181c;--blue:#6fb3e8;--red:#ff7a6b;--shade:#ff7a6b33;--box:#1e2328}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1rem;background:var(--bg);color:var(--ink);
font:16px/1.45 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.15rem;margin:1.8rem 0 .4rem}
p{margin:.4rem 0}.dim{color:var(--dim)}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.25rem .5rem;
border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
pre{background:var(--box);padding:.7rem;margin:.3rem 0;white-space:pre;
overflow-x:auto;font:.85rem/1.4 ui-monospace,monospace}
button{font:inherit;font-size:.85rem;padding:.15rem .7rem}
table+table{margin-top:1rem}figure{margin:.6rem 0}
figcaption{font-size:.85rem;color:var(--dim)}
svg{display:block;width:100%;height:auto}svg text{fill:var(--dim);font:11px sans-serif}
.axis{stroke:var(--line)}.series{fill:none;stroke:var(--blue);stroke-width:1.3}
.high{stroke:var(--red);stroke-dasharray:6 3}.span{fill:var(--shade)}
.low{stroke:var(--red);stroke-dasharray:2 4}
@media(max-width:30rem){body{padding:.6rem}th,td{padding:.2rem .25rem}
table{font-size:.8rem}svg text{font-size:19px}
.wide thead{display:none}.wide tr{display:block;padding:.4rem 0;
border-bottom:1px solid var(--line)}.wide td,.wide td.n{display:block;border:0;
text-align:left;padding:.05rem .25rem}
.wide td::before{content:attr(data-head) ": ";color:var(--dim)}}
"""
SCRIPT = """
document.querySelectorAll("button").forEach(function(b){b.hidden=false;
b.addEventListener("click",function(){
var of=document.getElementById(b.getAttribute("data-of")),t=of.textContent;
function done(){b.textContent="copied"}
function plain(){var a=document.createElement("textarea");a.value=t;
document.body.append(a);a.select();var ok=document.execCommand("copy");a.remove();
if(ok){done()}else{getSelection().selectAllChildren(of);b.textContent="selected"}}
if(navigator.clipboard&&isSecureContext){
navigator.clipboard.writeText(t).then(done,plain)}else{plain()}})});
"""


def escaped(text: object) -> str:
    """Return text as HTML shows it, cut where it is too long, without controls."""
    shown = str(text)
    if len(shown) > CELL_MAX:
        shown = shown[:CELL_MAX] + " ..."
    shown = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in shown)
    return html.escape(shown, quote=True)


@dataclass(slots=True)
class Chart:
    """One series over time, with thresholds and spans of alerts.

    `points` are (time, value) in order; `levels` are (value, label, is high);
    `spans` are (begin, end) and shaded; `clock` spells a time.
    """

    title: str
    points: Sequence[tuple[float, float]]
    levels: Sequence[tuple[float, str, bool]] = ()
    spans: Sequence[tuple[float, float]] = ()
    clock: Callable[[float], str] = lambda seconds: f"{seconds:.0f} s"
    caption: str = ""

    def svg(self) -> str:
        """Return it as an SVG element."""
        points = thinned(self.points)
        first, last = points[0][0], max(points[-1][0], points[0][0] + SPAN_MIN)
        highest = max(value for _, value in points)
        near = [value for value, _, _ in self.levels if value <= 4 * max(highest, 1)]
        scale = _Scale(first, last, nice(max([highest, *near, 1])))
        parts = [scale.span(begin, end) for begin, end in self.spans[:SPANS_MAX]]
        for step in range(TICKS + 1):
            value = scale.top * step / TICKS
            parts.append(scale.level(value, "axis"))
            parts.append(_text(LEFT - 6, scale.up(value) + 4, "end", f"{value:,.10g}"))
        shown = [level for level in self.levels if level[0] <= scale.top]
        for value, _, high in shown:
            parts.append(scale.level(value, "high" if high else "low"))
        for at, label in scale.labels(shown):
            parts.append(_text(WIDTH - RIGHT - 2, at, "end", label))
        drawn = " ".join(f"{scale.across(t):.1f},{scale.up(v):.1f}" for t, v in points)
        parts.append(f'<polyline class="series" points="{drawn}"/>')
        for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
            time = first + share * (last - first)
            parts.append(
                _text(scale.across(time), HEIGHT - 8, anchor, self.clock(time))
            )
        box = f'viewBox="0 0 {WIDTH} {HEIGHT}"'
        label = f'role="img" aria-label="{escaped(self.title)}"'
        return f"<svg {box} {label}>{''.join(parts)}</svg>"


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a time and a value are in a chart."""

    first: float
    last: float
    top: float

    def across(self, time: float) -> float:
        """Return the place of a time, within the chart."""
        share = min(max((time - self.first) / (self.last - self.first), 0.0), 1.0)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def up(self, value: float) -> float:
        """Return the place of a value."""
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)

    def level(self, value: float, kind: str) -> str:
        """Return a line from side to side."""
        ends = f'x1="{LEFT}" x2="{WIDTH - RIGHT}"'
        at = f"{self.up(value):.1f}"
        return f'<line class="{kind}" {ends} y1="{at}" y2="{at}"/>'

    def labels(
        self, levels: Iterable[tuple[float, str, bool]]
    ) -> list[tuple[float, str]]:
        """Return labels and their places; one for levels that lie close together."""
        made: list[tuple[float, str]] = []
        for value, label, _ in sorted(levels, key=lambda level: -level[0]):
            at = max(self.up(value) - 3, TOP + LETTER)
            if made and at - made[-1][0] < LETTER:
                made[-1] = (made[-1][0], f"{made[-1][1]}, {label}")
            else:
                made.append((at, label))
        return made

    def span(self, begin: float, end: float) -> str:
        """Return a shade from one time to another."""
        left = self.across(begin)
        wide = max(self.across(end) - left, 1.0)
        size = f'width="{wide:.1f}" height="{HEIGHT - TOP - BOTTOM}"'
        return f'<rect class="span" x="{left:.1f}" y="{TOP}" {size}/>'


def _text(x: float, y: float, anchor: str, text: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}>{escaped(text)}</text>"


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return at most `POINTS_MAX` points: of several the highest."""
    size = -(-len(points) // POINTS_MAX)
    return [
        max(points[at : at + size], key=lambda point: point[1])
        for at in range(0, len(points), size)
    ]


def nice(value: float) -> float:
    """Return the next number that an axis may end with: 1, 2, 4 or 8 times ten^n."""
    step = 1.0
    while step * 8 < value:
        step *= 10
    return next(step * times for times in (1, 2, 4, 8) if step * times >= value)


@dataclass(slots=True)
class Page:
    """A document; its parts stand in the order in which they were added."""

    title: str
    subtitle: str = ""
    _parts: list[str] = field(default_factory=list)
    _blocks: int = 0

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._parts.append(f"<h2>{escaped(text)}</h2>")

    def paragraph(self, text: str, *, dim: bool = False) -> None:
        """Add a sentence or several."""
        kind = ' class="dim"' if dim else ""
        self._parts.append(f"<p{kind}>{escaped(text)}</p>")

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Add a table; numbers stand on the right."""
        lines = [list(row) for row in rows]
        if not lines:
            return
        wide = len(heads) > NARROW
        numeric = [
            all(isinstance(row[i], (int, float)) for row in lines)
            for i in range(len(heads))
        ]

        def row(cells: Sequence[object], tag: str) -> str:
            found = []
            for head, is_number, cell in zip(heads, numeric, cells, strict=True):
                kind = ' class="n"' if is_number else ""
                number = isinstance(cell, (int, float)) and tag == "td"
                text = f"{cell:,}" if number else cell
                name = f' data-head="{escaped(head)}"' if wide and tag == "td" else ""
                found.append(f"<{tag}{kind}{name}>{escaped(text)}</{tag}>")
            return f"<tr>{''.join(found)}</tr>"

        body = "".join(row(cells, "td") for cells in lines)
        kind = ' class="wide"' if wide else ""
        head = f"<thead>{row(heads, 'th')}</thead>"
        self._parts.append(f"<table{kind}>{head}<tbody>{body}</tbody></table>")

    def chart(self, chart: Chart) -> None:
        """Add a chart, unless it has no point."""
        if not chart.points:
            return
        caption = f"{chart.title}. {chart.caption}" if chart.caption else chart.title
        self._parts.append(
            f"<figure>{chart.svg()}<figcaption>{escaped(caption)}</figcaption></figure>"
        )

    def copy(self, title: str, lines: Sequence[str]) -> None:
        """Add lines that are to be copied, with a button where scripts run."""
        self._blocks += 1
        name = f"block{self._blocks}"
        text = "\n".join(escaped(line) for line in lines)
        self._parts.append(
            f'<p>{escaped(title)} <button hidden data-of="{name}">copy</button></p>'
            f'<pre id="{name}">{text}\n</pre>'
        )

    def html(self) -> str:
        """Return the document."""
        digest = b64encode(sha256(SCRIPT.encode()).digest()).decode()
        policy = (
            "default-src 'none'; style-src 'unsafe-inline'; "
            f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        )
        subtitle = (
            f'<p class="dim">{escaped(self.subtitle)}</p>' if self.subtitle else ""
        )
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{escaped(self.title)}</title><style>{STYLE}</style></head>\n"
            f"<body><h1>{escaped(self.title)}</h1>{subtitle}\n"
            + "\n".join(self._parts)
            + f"\n<script>{SCRIPT}</script></body></html>\n"
        )
