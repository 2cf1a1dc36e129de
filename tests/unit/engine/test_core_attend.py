"""syncache/_core/attend.py: what a link has, answered behind the wait."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import time

import pytest

from syncache import Ring, Syncache
from syncache._core.attempts import AttemptsCore
from syncache._core.attend import Attend
from syncache._core.door import wait as door_wait
from syncache._core.links import Tun
from syncache.segment import SYN, Segment

SYN_PACKET = Segment(
    src="198.51.100.7", dst="192.0.2.1", sport=5000, dport=80, flags=SYN
).packet()


class World:
    """An engine, a TUN over a pair of sockets, and an epoll that waits for it."""

    def __init__(self, stack):
        ours, self.peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        stack.enter_context(ours)
        stack.enter_context(self.peer)
        ours.setblocking(False)
        self.ours, self.tun = ours, Tun(ours.fileno(), vnet_hdr=False)
        self.engine = stack.enter_context(contextlib.closing(Syncache(seed=bytes(16))))
        self.engine.listen(80, "192.0.2.1")
        self.engine.packet(SYN_PACKET, time.monotonic())  # it has a key then
        self.attempts = AttemptsCore(bytes(16))
        self.rx, self.tx = Ring(8), Ring(8)
        ends = (self.tun, ours.fileno(), self.rx, self.tx, self.attempts)
        self.attend = Attend(*ends, quiet=0.0)
        self.busy = Attend(*ends, quiet=60.0)
        self.epoll = stack.enter_context(select.epoll())
        self.epoll.register(ours, select.EPOLLIN)

    def wait(self, seconds=0.0, attend=None):
        address = (attend or self.attend).address
        return self.engine.wait(address, self.epoll.fileno(), seconds)


@pytest.fixture
def world():
    with contextlib.ExitStack() as stack:
        yield World(stack)


def test_syn_is_received_counted_judged_and_answered(world):
    """Behind one wait, which tells the owner of the link afterwards."""
    world.peer.send(SYN_PACKET)
    assert [(world.ours.fileno(), select.EPOLLIN)] == world.wait(60)
    assert SYN & Segment.parse(world.peer.recv(2048)).flags
    assert (1, 1) == (world.attend.received, world.attempts.total)
    assert 1 == world.attend.take()
    assert (0, 0) == (world.attend.received, world.attend.take())


def test_other_descriptors_are_told_too(world):
    """With the link's, which has to be told what was received."""
    read, write = os.pipe()
    world.epoll.register(read, select.EPOLLIN)
    os.write(write, b"x")
    assert [(read, select.EPOLLIN)] == world.wait(60)
    assert 0 == world.attend.received
    world.peer.send(SYN_PACKET)
    assert {read, world.ours.fileno()} == {fd for fd, _ in world.wait(60)}
    assert 1 == world.attend.received
    os.close(read)
    os.close(write)


def test_error_of_a_device_comes_with_its_event(world):
    """Its owner raises it."""
    world.peer.send(SYN_PACKET)
    world.tun.cdata.fd = -1
    assert [(world.ours.fileno(), select.EPOLLIN)] == world.wait(60)
    assert -errno.EBADF == world.attend.take()


def test_engine_that_needs_a_key_leaves_the_packet(world):
    """Whoever receives next has it renewed."""
    engine = world.engine
    fresh = Syncache(seed=bytes(16))
    with contextlib.closing(fresh):
        world.engine = fresh
        world.peer.send(SYN_PACKET)
        assert [(world.ours.fileno(), select.EPOLLIN)] == world.wait(60)
    assert (0, 0) == (world.attend.received, world.attempts.total)
    world.engine = engine


def test_in_a_flood_packets_are_left_to_the_turn(world):
    """There they are taken together."""
    world.peer.send(SYN_PACKET)
    assert [(world.ours.fileno(), select.EPOLLIN)] == world.wait(60, world.busy)
    assert (0, 0) == (world.busy.received, world.attempts.total)


def test_nothing_is_waited_for_beyond_its_time(world):
    """As epoll has it."""
    assert [] == world.wait(0.001)
    assert [] == world.wait(-1)


def test_callers_mistakes_are_errors(world):
    """And change nothing."""
    with pytest.raises(TypeError, match="wait takes a core"):
        door_wait(1, 2)
    with pytest.raises(TypeError):
        world.engine.wait(world.attend.address, world.epoll.fileno(), "soon")
    with pytest.raises(OSError, match="Bad file descriptor"):
        world.engine.wait(world.attend.address, -1, 0.0)
    world.peer.send(SYN_PACKET)
    assert 1 == len(world.wait(60))
