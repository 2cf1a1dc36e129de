"""syncache/aio/reserve.py: memory that is given back in want of it."""

from __future__ import annotations

import errno
import logging
import time

import pytest
from aio_world import PORT, Recorder, World, on_loop, until

from syncache.aio import reserve
from syncache.aio.reserve import NO_MEMORY, Reserve


@pytest.fixture
def memory(monkeypatch):
    """Room of so many bytes, and a clock that has gone on whenever it is read."""
    room = {"left": 100}
    clock = iter(range(1000))

    class Map:
        def __init__(self, _fd, size, _flags):
            if size > room["left"]:
                raise OSError(errno.ENOMEM, "no memory")
            self.size = size
            room["left"] -= size

        def close(self):
            room["left"] += self.size

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.close()

    monkeypatch.setattr(reserve, "mmap", Map)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    return room


def test_room_is_what_is_there_beside_the_reserve(memory):
    """The reserve is held, and as much again is free."""
    held = Reserve(40)
    assert held.has_room()
    assert memory["left"] == 60
    memory["left"] = 39
    assert not held.has_room()
    held.spend()
    assert memory["left"] == 79
    assert not held.has_room()
    memory["left"] = 80
    assert held.has_room()
    assert memory["left"] == 40


def test_each_shortage_is_said_once(memory, caplog):
    """However often somebody asks, or finds none."""
    held = Reserve(40)
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            memory["left"] = 0
            assert not held.has_room()
            held.spend()
            held.spend()
            memory["left"] = 100
            assert held.has_room()
    assert [NO_MEMORY] * 2 == [record.getMessage() for record in caplog.records]


def test_kernel_is_not_asked_for_every_connection(monkeypatch):
    """A look is good for a moment."""
    moments = iter([0.0, 0.001, 0.002, 1.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    looks = []
    monkeypatch.setattr(Reserve, "_look", lambda _: looks.append(1) or True)
    held = Reserve()
    assert [True] * 3 == [held.has_room() for _ in range(3)]
    assert len(looks) == 2


class Hungry(Recorder):
    """Finds no memory for its first data."""

    def data_received(self, data):
        raise MemoryError


@on_loop
async def test_want_of_memory_ends_one_connection_and_the_host_goes_on(caplog):
    """Whatever was amid its work: a factory, a protocol, the stack itself."""
    async with World() as world:
        made = [Recorder, MemoryError, Hungry, Recorder]

        def factory():
            kind = made.pop(0)
            if kind is MemoryError:
                raise MemoryError
            return kind()

        await world.host.create_server(factory, PORT)
        first = await world.connect()
        refused = await world.connect()
        await until(lambda: refused.got_reset)
        hungry = await world.connect()
        hungry.write(b"much")
        await until(lambda: hungry.got_reset)

        sift, stack = world.host.stack.sift, world.host.stack
        calls = []

        def scarce(*arguments):
            calls.append(1)
            if len(calls) == 1:
                raise MemoryError
            return sift(*arguments)

        stack.sift = scarce
        last = await world.connect()
        last.write(b"last")
        first.write(b"first")
        await until(
            lambda: {b"first", b"last"} <= {each.data for each in Recorder.made}
        )
    assert "no memory" in caplog.text


@on_loop
async def test_no_connection_is_made_without_room_in_memory(monkeypatch):
    """It is reset, and those that there are stay."""
    async with World() as world:
        await world.host.create_server(Recorder, PORT)
        client = await world.connect()
        await until(lambda: Recorder.made)
        monkeypatch.setattr(world.host._reserve, "has_room", lambda: False)
        refused = await world.connect()
        await until(lambda: refused.got_reset)
        client.write(b"still here")
        await until(lambda: Recorder.made[0].data == b"still here")
    assert len(Recorder.made) == 1
