"""The terminal of `syncache top`: one widget, a timer and a few keys, with textual."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from .top_data import added
from .top_view import GROUPS, SORTS, Line, View, frame

if TYPE_CHECKING:
    from .top_data import Seen, Source


class Lines(Widget):
    """Styled lines, of which only those that changed are drawn again."""

    DEFAULT_CSS = "Lines { width: 100%; height: 100%; }"

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []

    def show(self, lines: list[Line]) -> None:
        """Draw the lines that differ."""
        before, self.lines = self.lines, lines
        width = self.size.width
        for y, line in enumerate(lines):
            if y >= len(before) or before[y] != line:
                self.refresh(Region(0, y, width, 1))

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        line = self.lines[y] if y < len(self.lines) else []
        segments = [Segment(text, Style.parse(style)) for text, style in line]
        return Strip(segments).adjust_cell_length(self.size.width)


class Top(App[None]):
    """The lines, a timer and a few keys."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [  # noqa: RUF012 - as textual declares it
        ("q", "quit", "quit"),
        # textual would have it copy, and no other `top` does.
        Binding("ctrl+c", "quit", "quit", priority=True),
        ("right", "process(1)", "next process"),
        ("left", "process(-1)", "previous process"),
        ("s", "sort", "sort"),
        ("g", "group", "group"),
        ("p", "pause", "pause"),
    ]

    def __init__(self, source: Source, first: list[Seen], every: float) -> None:
        super().__init__(ansi_color=True)
        self.animation_level = "none"
        self.source = source
        self.every = every
        self.seen = first
        self.view = View(of=len(first))
        self._lines = Lines()
        self._asking = False

    def compose(self) -> ComposeResult:
        """Make the one widget."""
        yield self._lines

    def on_mount(self) -> None:
        """Begin to ask; at SIGTERM the terminal is left as it was found."""
        self.set_interval(self.every, self.ask)
        with contextlib.suppress(RuntimeError, ValueError):  # not the main thread
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, self.exit)

    def on_resize(self) -> None:
        """Draw anew."""
        self.draw()

    async def ask(self) -> None:
        """Ask the processes, in a thread, unless they are still being asked."""
        if self._asking or self.view.paused:
            return
        self._asking = True
        try:
            self.seen = await asyncio.to_thread(self.source.poll)
        finally:
            self._asking = False
        self.view = replace(self.view, of=len(self.seen))
        self.draw()

    def draw(self) -> None:
        """Draw the present view."""
        chosen = self.view.process
        seen = self.seen[chosen - 1 : chosen] if chosen else self.seen
        self._lines.show(frame(added(seen), self.view, *self.size))

    def action_process(self, step: int) -> None:
        """Show another process, or all."""
        places = self.view.of + 1 if self.view.of > 1 else 1
        self.choose(process=(self.view.process + step) % places)

    def action_sort(self) -> None:
        """Sort by the other number."""
        self.choose(sort=(self.view.sort + 1) % len(SORTS))

    def action_group(self) -> None:
        """Group destinations otherwise."""
        self.choose(group=(self.view.group + 1) % len(GROUPS))

    def action_pause(self) -> None:
        """Stop, or go on."""
        self.choose(paused=not self.view.paused)

    def choose(self, **changes: Any) -> None:
        """Take another view."""
        self.view = replace(self.view, **changes)
        self.draw()
