"""syncache/aio/attentive.py: SYNs are answered before Python runs.

The link is a TUN's C over a pair of datagram sockets, so no privilege is needed.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import socket

import pytest
from aio_world import OURS, PEER, PORT, Recorder, until

from syncache._core.links import Tun
from syncache.aio import Host, attentive
from syncache.aio.attentive import Attentive, AttentiveLoop
from syncache.links.link import LinkError
from syncache.observer import Observer
from syncache.options import Mss, encode
from syncache.segment import ACK, PSH, SYN, Segment


@pytest.fixture(autouse=True)
def _always_quiet(monkeypatch):
    """No test waits before it asks."""
    monkeypatch.setattr(attentive, "QUIET_SECONDS", 0.0)


class Device:
    """A link whose other end is `peer`."""

    mtu = 1500

    def __init__(self):
        self.ours, self.peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ours.setblocking(False)
        self.peer.setblocking(False)
        self.core = Tun(self.ours.fileno(), vnet_hdr=False)
        self.told = []

    def fileno(self):
        return self.ours.fileno()

    def receive(self, rx):
        return self.core.receive(rx)

    def send(self, tx):
        return self.done(self.core.send(tx))

    def done(self, count):
        self.told.append(count)
        if count < 0:
            raise LinkError("gone")
        return count

    def close(self):
        self.ours.close()
        self.peer.close()

    def ask(self, flags, seq, ack=0, payload=b""):
        """Let the peer send a segment."""
        options = encode((Mss(1460),)) if flags & SYN else b""
        segment = Segment(
            src=PEER,
            dst=OURS,
            sport=4000,
            dport=PORT,
            seq=seq,
            ack=ack,
            flags=flags,
            window=5000,
            payload=payload,
            options_bytes=options,
        )
        self.peer.send(segment.packet())

    async def answer(self):
        """What the peer gets next."""
        await until(self.has_answer)
        return Segment.parse(self.peer.recv(2048))

    def has_answer(self):
        """Is there something to receive?"""
        try:
            return bool(self.peer.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False


class Nobody(Observer):
    """Looks at nothing."""

    def before(self, rx):
        """See `Observer`."""

    def after(self, rx, seen, side, now):
        """See `Observer`."""

    def sent(self, tx, begin, side, now):
        """See `Observer`."""


def attended(test):
    """Run an async test with a host on an attentive loop, and its link."""

    async def main():
        link = Device()
        async with Host(link, OURS) as host:
            await host.create_server(Recorder, PORT)
            await asyncio.wait_for(test(host, link), 30)

    def run():
        loop = AttentiveLoop()
        try:
            loop.run_until_complete(main())
        finally:
            loop.close()

    run.__doc__ = test.__doc__
    return run


def sifts(host):
    """How many packets Python has had judged, as they come."""
    counted, sift = [], host.stack.sift

    def spy(rx, tx, now):
        counted.append(len(rx))
        return sift(rx, tx, now)

    host.stack.sift = spy
    return counted


@attended
async def test_syn_is_answered_before_python_runs(host, link):
    """And what belongs to the connection comes to it, in the turn that follows."""
    Recorder.made.clear()
    link.ask(SYN, 1000)
    await link.answer()  # the first one had to wait for a key
    judged = sifts(host)
    link.told.clear()
    link.ask(SYN, 1000)
    syn_ack = await link.answer()
    assert SYN | ACK == syn_ack.flags
    await asyncio.sleep(0)
    assert [] == judged
    assert 1 in link.told  # of the reply: that it left, and was not refused
    link.ask(ACK, 1001, syn_ack.seq + 1)
    link.ask(ACK | PSH, 1001, syn_ack.seq + 1, b"hello")
    await until(lambda: Recorder.made and Recorder.made[0].data == b"hello")


@attended
async def test_host_that_is_not_at_rest_receives_itself(host, link):
    """Somebody observes it, for one."""
    judged = sifts(host)
    host.observer = Nobody()
    await asyncio.sleep(0)
    link.ask(SYN, 1000)
    assert SYN | ACK == (await link.answer()).flags
    assert [1] == judged


@attended
async def test_device_that_is_gone_ends_the_host(host, link):
    """The link's error comes once, whoever receives."""
    link.ask(SYN, 1000)
    await link.answer()
    host.loop.attentive.wait = lambda epoll, timeout: fail(host, link, epoll, timeout)
    link.ask(SYN, 1000)
    assert "gone" in str(await host.closed)


def fail(host, link, epoll, timeout):
    """Wait for a device that C finds gone."""
    link.core.cdata.fd = -1
    return host.wait(epoll, timeout)


@attended
async def test_host_is_attended_to_until_it_is_closed(host, link):
    """Then the loop waits as any other."""
    assert [] == host.wait(host.loop.attentive.fileno(), 0)
    await host.aclose()
    assert host.wait(0, 0) is None


def test_selector_returns_what_is_ready_as_any_other():
    """For whom it waits there are keys; a hang-up is both."""
    one, other = socket.socketpair()
    with one, other, Attentive() as selector:
        key = selector.register(one, selectors.EVENT_WRITE | selectors.EVENT_READ)
        assert [(key, selectors.EVENT_WRITE)] == selector.select(0)
        waits = []

        def wait(epoll, timeout):
            waits.append((epoll, timeout))
            return found

        selector.wait = wait
        both = selectors.EVENT_WRITE | selectors.EVENT_READ
        for events, mask in ((1, 1), (4, 2), (5, both), (16, both)):
            found = [(one.fileno(), events), (other.fileno(), 1)]
            assert [(key, mask)] == selector.select(0.0001)
        found = None
        assert [(key, selectors.EVENT_WRITE)] == selector.select(-1)
        found = []
        assert [] == selector.select()
        timeouts = (*[0.0001] * 4, -1, math.inf)
        assert [(selector.fileno(), timeout) for timeout in timeouts] == waits


def test_wait_for_what_cannot_be_waited_for_raises():
    """The caller's mistake, not the network's."""

    async def main():
        async with Host(Device(), OURS) as host:
            with pytest.raises(OSError, match="Bad file descriptor"):
                host.wait(-1, 0)

    loop = AttentiveLoop()
    loop.run_until_complete(main())
    loop.close()


@attended
async def test_listener_that_is_closed_after_the_wait_gets_nobody(host, link):
    """What else is due in the turn comes first: a signal, say."""
    Recorder.made.clear()
    link.ask(SYN, 1000)
    syn_ack = await link.answer()
    link.ask(ACK, 1001, syn_ack.seq + 1)
    # As if the ACK had not come.
    assert 1 == host.stack.sysctl["net.inet.tcp.syncache.count"]
