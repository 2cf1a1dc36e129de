"""syncache/cli/top_app.py: keys and drawing, in textual's own terminal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

pytest.importorskip("textual")

from test_cli_top_view import seen

from syncache.cli import top_app
from syncache.cli.top_app import Top
from syncache.cli.top_data import Seen


class Given:
    """A source with prepared answers."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0

    def poll(self):
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def shown(app):
    return ["".join(text for text, _ in line) for line in app._lines.lines]


def run(source, work, size=(80, 24), every=0.05):
    """Run the application in a terminal of memory, for a bounded time."""

    async def main():
        app = Top(source, source.answers[0], every)
        async with app.run_test(size=size) as pilot:
            await work(app, pilot)

    asyncio.run(asyncio.wait_for(main(), 60))


async def until(pilot, condition):
    for _ in range(400):
        if condition():
            return
        await pilot.pause(0.01)
    raise AssertionError("it never came so")


def test_thread_for_keys_is_woken_seldom_while_there_are_none(monkeypatch):
    """Ten times a second would be most of what an idle top costs."""
    app = Top(None, [], 1.0)
    module = sys.modules[app.get_driver_class().__module__]
    monkeypatch.setattr(top_app, "KEYS_SECONDS", 0.0)
    reader, writer = os.pipe()
    with module.selectors.SelectSelector() as keys:
        keys.register(reader, module.selectors.EVENT_READ)
        for _ in range(top_app.KEY_WAITS):
            assert [] == keys.select(0.0)
        assert [] == keys.select(60.0)  # its own wait now
        os.write(writer, b"q")
        assert keys.select(60.0)
        os.read(reader, 1)
        monkeypatch.setattr(top_app, "KEYS_SECONDS", None)
        while keys._left:
            keys.select(0.0)
        top_app.Keys.rouse()
        assert [] == keys.select(None)
        assert top_app.KEY_WAITS == keys._left
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("how", ["ctrl+c", signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_it_as_q_does(how):
    """The terminal is left as it was found."""

    async def work(app, pilot):
        if how == "ctrl+c":
            await pilot.press(how)
        else:
            os.kill(os.getpid(), how)
        await until(pilot, lambda: app._exit)

    run(Given([seen("/run/a")]), work)


def test_keys_choose_process_order_and_grouping():
    """And q ends it."""

    async def work(app, pilot):
        assert "2 processes" in shown(app)[0]
        await pilot.press("right", "right")
        assert "/run/b" in shown(app)[0]
        await pilot.press("right")
        assert "2 processes" in shown(app)[0]
        await pilot.press("left", "left", "s", "g", "g")
        assert (1, 1, 2) == (app.view.process, app.view.sort, app.view.group)
        assert any(line.startswith("port ") for line in shown(app))
        await pilot.press("q")
        assert not app.is_running

    run(Given([seen("/run/a"), seen("/run/b")]), work)


def test_new_answers_are_drawn_and_paused_ones_are_not():
    """Only lines that differ are drawn anew."""
    gone = [Seen("/run/a", error="/run/a: Connection refused")]
    source = Given([seen("/run/a")], [seen("/run/a")], gone)

    async def work(app, pilot):
        await until(pilot, lambda: "NO ANSWER" in shown(app)[0])
        await pilot.press("p")
        await pilot.pause(0.2)
        asked = source.asked
        await pilot.pause(0.2)
        assert asked == source.asked
        assert "PAUSED" in shown(app)[-1]
        await pilot.press("p")
        await until(pilot, lambda: source.asked > asked)

    run(source, work)


def test_lines_are_as_many_as_the_terminal_has():
    """Also after it has changed."""

    async def work(app, pilot):
        assert 24 == len(shown(app))
        strip = app._lines.render_line(0)
        assert "COOKIES" in strip.text
        assert 80 == strip.cell_length
        assert "" == app._lines.render_line(99).text.strip()
        await pilot.resize_terminal(132, 43)
        await until(pilot, lambda: 43 == len(shown(app)))

    run(Given([seen()]), work)
