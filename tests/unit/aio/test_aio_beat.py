"""syncache/aio/beat.py: how often a host looks about itself."""

from __future__ import annotations

import asyncio
import errno
import os
import types

import pytest

from syncache.aio.beat import CHECK_SECONDS, REST_SECONDS, Beat


class Loop:
    """An event loop whose time is set, and whose timers are called by hand."""

    def __init__(self):
        self.now, self.timers, self.readers = 100.0, [], {}
        self.time = lambda: self.now
        self.add_reader = self.readers.__setitem__
        self.remove_reader = self.readers.pop

    def call_at(self, when, call):
        timer = asyncio.TimerHandle(when, call, [], self)
        self.timers.append(timer)
        return timer

    def get_debug(self):
        return False

    def _timer_handle_cancelled(self, _):
        pass

    def run(self, until):
        """Call what is due until then."""
        while True:
            self.timers = [each for each in self.timers if not each.cancelled()]
            due = min(self.timers, key=lambda each: each.when(), default=None)
            if due is None or due.when() > until:
                self.now = until
                return
            self.timers.remove(due)
            self.now = due.when()
            due._run()


class World:
    """A beat whose lookout has nothing to say, and a device that can be lost."""

    def __init__(self, *, changes=True):
        self.loop, self.looks, self.failed, self.lost = Loop(), [], [], False
        self.reader, self.writer = os.pipe()
        taker = types.SimpleNamespace(
            fileno=lambda: self.reader, take=lambda: os.read(self.reader, 1)
        )
        link = types.SimpleNamespace(check=self.check)
        if changes:
            link.changes = taker
        self.lookout = types.SimpleNamespace(
            look=self.look, rouse=lambda now: self.looks.append(-now), rests=False
        )
        self.beat = Beat(link, self.lookout, None, self.failed.append)
        self.beat.begin(self.loop)

    def check(self):
        if self.lost:
            raise OSError(errno.ENODEV, "gone")

    def look(self, now):
        self.looks.append(now)
        return []

    def heed(self):
        os.write(self.writer, b"!")
        self.loop.readers[self.reader]()


@pytest.fixture
def world(request):
    made = World(**getattr(request, "param", {}))
    yield made
    os.close(made.reader)
    os.close(made.writer)


def test_host_looks_once_a_second_while_something_happens(world):
    """And seldom when nothing does."""
    world.loop.run(103.0)
    assert [101.0, 102.0, 103.0] == world.looks
    world.lookout.rests = True
    world.loop.run(104.0)
    assert world.beat.rests
    assert 104.0 + REST_SECONDS == world.beat.due
    world.loop.run(103.9 + REST_SECONDS)
    assert 104.0 == world.looks[-1]


@pytest.mark.parametrize("world", [{"changes": False}], indirect=True)
def test_device_of_which_nothing_tells_is_looked_at_each_second(world):
    """However little happens."""
    world.lookout.rests = True
    world.loop.run(105.0)
    assert 5 == len(world.looks)


def test_what_comes_ends_the_rest(world):
    """The lookout hears of it before, and looks a second later."""
    world.lookout.rests = True
    world.loop.run(105.0)
    world.beat.rouse()
    assert (-105.0, False) == (world.looks[-1], world.beat.rests)
    world.loop.run(106.0)
    assert 106.0 == world.looks[-1]


def test_device_that_changes_is_looked_at_at_once_but_not_at_every_time(world):
    """An address that comes and goes is no reason for more than a look a second."""
    world.lookout.rests = True
    world.loop.run(105.0)
    world.loop.now = 105.5
    world.heed()
    world.heed()
    assert 105.5 == world.beat.due
    world.loop.run(105.6)
    assert 105.5 == world.looks[-1]
    world.heed()
    assert 105.5 + CHECK_SECONDS == world.beat.due


def test_device_that_is_gone_fails_and_ends_leave_nothing(world):
    """The reader and the timer go before the link is closed."""
    world.lost = True
    world.loop.run(101.0)
    assert errno.ENODEV == world.failed[0].errno
    world.beat.end()
    assert {} == world.loop.readers
    world.loop.run(110.0)
    assert [] == world.loop.timers
