"""The terminal of `syncache top`: one widget and a few keys, with textual.

While nothing is new and nobody presses a key the terminal's loop sleeps.
"""

from __future__ import annotations

import asyncio
import contextlib
import operator
import os
import selectors
import signal
import sys
import threading
import types
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
    from collections.abc import Callable

    from textual.driver import Driver

    from .top_data import Seen, Source


KEYS_SECONDS = 60.0  # between two looks of the thread for keys whether to end
KEY_WAITS = 5  # as short as textual's, after a key, for what belongs to it
ROUSE_READ, ROUSE_WRITE = os.pipe()


class Keys(selectors.SelectSelector):
    """The wait for keys of textual's thread, which is woken ten times a second else."""

    def __init__(self) -> None:
        super().__init__()
        self._left = KEY_WAITS
        self.register(ROUSE_READ, selectors.EVENT_READ)

    @staticmethod
    def rouse() -> None:
        """Have the thread look in a moment whether to end."""
        os.write(ROUSE_WRITE, b"!")

    def select(self, timeout: float | None = None) -> list[tuple[Any, int]]:
        """Wait long if there was no key of late."""
        found = super().select(timeout if self._left else KEYS_SECONDS)
        self._left = KEY_WAITS if found else max(self._left - 1, 0)
        keys = [(key, mask) for key, mask in found if key.fd != ROUSE_READ]
        if len(keys) < len(found):
            os.read(ROUSE_READ, 1)
        return keys


class Lines(Widget):
    """Styled lines, of which only those that changed are drawn again."""

    DEFAULT_CSS = "Lines { width: 100%; height: 100%; }"

    def __init__(self, resized: Callable[[], object]) -> None:
        super().__init__()
        self.lines: list[Line] = []
        self._resized = resized

    def on_resize(self) -> None:
        """Have lines of another size; by now the application knows it."""
        self._resized()

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
        self._lines = Lines(self.draw)
        self._over = threading.Event()

    def compose(self) -> ComposeResult:
        """Make the one widget."""
        yield self._lines

    def get_driver_class(self) -> type[Driver]:
        """Return textual's driver, which waits for keys in our way if it can."""
        found = super().get_driver_class()
        module = sys.modules[found.__module__]
        if getattr(module, "selectors", None) is selectors:
            ours = types.SimpleNamespace(**vars(selectors))
            ours.SelectSelector = Keys
            vars(module)["selectors"] = ours

        def disable_input(driver: Driver) -> None:
            Keys.rouse()  # the thread is joined now
            found.disable_input(driver)

        body = {"disable_input": disable_input, "__module__": found.__module__}
        return type(found.__name__, (found,), body)

    def on_mount(self) -> None:
        """Begin to ask; at SIGTERM the terminal is left as it was found."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(RuntimeError, ValueError):  # not the main thread
            loop.add_signal_handler(signal.SIGTERM, self.exit)
        threading.Thread(target=self.ask, args=[loop], daemon=True).start()

    def on_unmount(self) -> None:
        """Ask no more."""
        self._over.set()

    def ask(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask the processes again and again, in a thread.

        The terminal's loop sleeps on while there is nothing new to be drawn.
        """
        known = self.seen
        while not self._over.wait(self.every):
            if self.view.paused:
                continue
            seen = self.source.poll()
            if len(seen) != len(known) or any(map(operator.is_not, seen, known)):
                known = seen
                with contextlib.suppress(RuntimeError):  # it has ended
                    loop.call_soon_threadsafe(self.take, seen)

    def take(self, seen: list[Seen]) -> None:
        """Draw new answers."""
        self.seen = seen
        self.view = replace(self.view, of=len(seen))
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
