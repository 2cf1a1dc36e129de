"""The loop between link and stack: timers, back-pressure, fairness, the end."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import ssl
import time
import tracemalloc

import pytest
from aio_world import OURS, PEER, PORT, Recorder, World, on_loop, quiet, until
from certificate import make_certificate

from syncache.aio import Host, Transport
from syncache.connection import Connection
from syncache.links import LinkError
from syncache.links.impaired import Impaired
from syncache.links.memory import pair
from syncache.ring import Ring
from syncache.segment import ACK, FIN, SYN, Segment

BODY = bytes(range(256)) * 2000


@on_loop
async def test_streams_echo_with_half_close():
    """start_server gives readers and writers; the peer's FIN ends its half alone."""
    async with World() as world:

        async def echo(reader, writer):
            writer.write(await reader.read(-1))
            writer.close()
            await writer.wait_closed()

        await world.host.start_server(echo, PORT)
        client = await world.connect()
        client.write(BODY[:30_000])
        client.send(FIN | ACK)
        await until(lambda: client.got_fin)
        assert client.received == BODY[:30_000]


@on_loop
async def test_timer_sends_a_syn_ack_again():
    """Nothing but the clock is needed for what the stack has to do later."""
    sysctl = {"net.inet.tcp.rexmit_initial": 30, "net.inet.tcp.rexmit_slop": 0}
    async with World(sysctl=sysctl) as world:
        await world.host.create_server(Recorder, PORT)
        client = world.client()
        client.send(SYN)
        await until(lambda: len(client.segments) == 3)
        assert {segment.flags for segment in client.segments} == {SYN | ACK}
        assert len({segment.seq for segment in client.segments}) == 1


class Stubborn:
    """A link that stops taking packets when it is told to."""

    def __init__(self, link):
        self.link, self.mtu, self.stuck = link, link.mtu, False
        self.fileno, self.receive, self.close = link.fileno, link.receive, link.close

    def send(self, tx):
        return 0 if self.stuck else self.link.send(tx)


class Narrow(Stubborn):
    """A link that takes one packet each time it is asked."""

    def send(self, tx):
        if tx.next == len(tx):
            return 0
        one = Ring(1)
        one.push(tx[tx.next])
        tx.advance(1)
        return self.link.send(one)


@on_loop
async def test_link_that_takes_little_makes_everything_wait_its_turn():
    """A transfer is slow then, but nothing is lost and nothing piles up."""
    async with World(link=Narrow) as world:
        await world.host.create_server(Recorder, PORT)
        client = await world.connect()
        await until(lambda: Recorder.made)
        Recorder.made[0].transport.write(BODY)
        await until(lambda: len(client.received) == len(BODY))
        assert client.received == BODY
        assert world.host.stack.connections[0].info.retransmitted == 0


@on_loop
async def test_blocked_link_is_not_read_from_until_it_takes_packets_again():
    """What comes meanwhile stays with the link; nothing is queued in between."""
    async with World(link=Stubborn) as world:
        await world.host.create_server(Recorder, PORT)
        client = await world.connect()
        await until(lambda: Recorder.made)
        world.link.stuck = True
        world.client().send(SYN)
        await quiet()
        client.write(b"meanwhile")
        await quiet()
        assert Recorder.made[0].data == b""
        world.link.stuck = False
        await until(lambda: Recorder.made[0].data == b"meanwhile")


@on_loop
async def test_link_with_deadlines_of_its_own_is_called_in_time():
    """Packets that an impaired link delays arrive although no descriptor tells."""
    async with World(link=lambda link: Impaired(link, delay=0.01)) as world:
        await world.host.create_server(Recorder, PORT)
        client = await world.connect()
        client.write(b"slow")
        await until(lambda: Recorder.made and Recorder.made[0].data == b"slow")


class Failing(Stubborn):
    """A link whose device goes away."""

    def __init__(self, link):
        super().__init__(link)
        self.failing = ""
        self._receive = link.receive
        self.receive = self.receive_or_fail

    def _fail(self, call):
        if call == self.failing:
            raise LinkError("tun7 is gone: removed", errno.EBADFD)

    def send(self, tx):
        self._fail("send")
        return super().send(tx)

    def receive_or_fail(self, rx):
        self._fail("receive")
        return self._receive(rx)


@pytest.mark.parametrize("logs", [True, False])
@pytest.mark.parametrize("call", ["receive", "send"])
@on_loop
async def test_loss_of_the_link_ends_everything_with_one_line(call, logs, caplog):
    """The reason is in `closed`, and in the log unless somebody else says it."""
    caplog.set_level(logging.WARNING)
    async with World(link=Failing) as world:
        world.host.logs_loss = logs
        server = await world.host.create_server(Recorder, PORT)
        client = await world.connect()
        await until(lambda: Recorder.made)
        world.link.failing = call
        client.write(b"x")
        error = await world.host.closed
        await asyncio.sleep(0)
        assert str(error) == "tun7 is gone: removed"
        assert [str(error)] * logs == [one.getMessage() for one in caplog.records]
        assert (Recorder.made[0].calls[-1], Recorder.made[0].lost) == ("lost", error)
        assert not server.is_serving()
        await server.wait_closed()


@pytest.mark.parametrize("stuck", [False, True])
@on_loop
async def test_loss_of_the_link_is_noticed_when_something_is_sent(stuck):
    """By a write from outside the loop's own calls, or when it could go on."""
    async with World(link=Failing) as world:
        await world.host.create_server(Recorder, PORT)
        await world.connect()
        await until(lambda: Recorder.made)
        world.link.stuck = stuck
        Recorder.made[0].transport.write(b"x")
        await quiet()
        world.link.failing = "send"
        Recorder.made[0].transport.write(b"y")
        assert str(await world.host.closed) == "tun7 is gone: removed"
        await asyncio.sleep(0)
        assert Recorder.made[0].calls[-1] == "lost"


@on_loop
async def test_aclose_resets_connections_and_gives_the_link_back():
    """It can be called twice; the result of `closed` is None."""
    async with World() as world:
        server = await world.host.create_server(Recorder, PORT)
        client = await world.connect()
        await until(lambda: Recorder.made)
        await world.host.aclose()
        await world.host.aclose()
        assert world.host.closed.result() is None
        assert Recorder.made[0].calls[-1] == "lost"
        assert not server.is_serving()
        await until(lambda: client.got_reset)
        assert world.link.fileno() == -1


@on_loop
async def test_aclose_waits_for_what_was_written_before_the_close():
    """A closed transport is a promise to deliver; it is kept for a bounded time."""
    async with World() as world:
        await world.host.create_server(Recorder, PORT)
        client, silent = await world.connect(), await world.connect()
        await until(lambda: len(Recorder.made) == 2)
        silent.acks = False
        for protocol in Recorder.made:
            protocol.transport.write(BODY[:100_000])
            protocol.transport.close()
        start = asyncio.get_running_loop().time()
        await world.host.aclose(linger=0.2)
        assert client.received == BODY[:100_000]
        assert 0.2 <= asyncio.get_running_loop().time() - start < 1


@on_loop
async def test_host_that_never_served_closes_its_link():
    """As does the context manager, which starts it."""
    near, far = pair()
    host = Host(near, OURS)
    await host.aclose()
    assert near.fileno() == -1
    far.close()
    near, far = pair()
    async with Host(near, OURS) as host:
        assert not host.closed.done()
    assert host.closed.result() is None
    far.close()


@on_loop
async def test_closed_host_serves_nobody_and_says_so():
    """A server that nothing can reach would be worse than an exception."""
    async with World() as world:
        await world.host.create_server(Recorder, PORT)
        await world.host.aclose()
        with pytest.raises(RuntimeError, match="this host is closed"):
            await world.host.create_server(Recorder, PORT + 1)


@on_loop
async def test_aclose_that_is_cancelled_closes_all_the_same():
    """Whoever cannot wait for what lingers loses that, and nothing else."""
    async with World() as world:
        await world.host.create_server(Recorder, PORT)
        client = await world.connect()
        await until(lambda: Recorder.made)
        client.acks = False
        Recorder.made[0].transport.write(BODY[:100_000])
        Recorder.made[0].transport.close()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(world.host.aclose(linger=60), 0.05)
        assert world.host.closed.done()
        assert world.link.fileno() == -1


@on_loop
async def test_handlers_of_streams_end_with_their_host():
    """Who reads sees the end, who drains waits no more; nobody complains."""
    async with World() as world:
        ends = []

        async def handle(reader, writer):
            if ends:
                writer.write(bytes(10_000_000))
                await writer.drain()
                ends.append("drained")
            ends.append(None)
            ends.append(await reader.read())
            writer.close()
            await writer.wait_closed()

        await world.host.start_server(handle, PORT)
        before = asyncio.all_tasks()
        for _ in range(2):
            await world.connect()
        await until(lambda: len(asyncio.all_tasks()) == len(before) + 2)
        await world.host.aclose()
        await until(lambda: asyncio.all_tasks() == before)
        assert {None, b"", "drained"} == set(ends)
        assert 2 == ends.count(b"")
        assert [] == world.problems


async def one_short_connection(world, first):
    """Begin and end one; `first` is who ends it, and how."""
    client = await world.connect()
    await until(lambda: Recorder.made)
    protocol = Recorder.made.pop()
    if first != "peer":
        getattr(protocol.transport, first)()
        await until(lambda: client.got_fin or client.got_reset)
    if first != "abort":
        client.send(FIN | ACK)
    await until(lambda: client.got_fin or client.got_reset)
    await until(lambda: protocol.calls[-1] == "lost")
    assert 1 == protocol.calls.count("lost")
    del world.clients[client.port]


@on_loop
async def test_many_short_connections_leave_nothing_behind():
    """Neither objects nor timers, whoever closes first."""
    async with World(sysctl={"net.inet.tcp.msl": 1}) as world:
        await world.host.create_server(Recorder, PORT)
        for _ in range(20):
            for first in ("peer", "close", "abort"):
                await one_short_connection(world, first)
        stack = world.host.stack
        await until(lambda: not stack.connections)
        assert {} == world.host._transports
        assert {} == stack._tuples == stack._ready == stack._time_wait
        assert [] == stack.syncache.half_open()
        stack.handle_timer(world.host.loop.time() + 1e6)
        gc.collect()
        living = [o for o in gc.get_objects() if isinstance(o, Connection | Transport)]
        assert [] == living


def syns(count, start):
    """A ring of SYNs from as many addresses."""
    ring = Ring(count)
    for i in range(start, start + count):
        source = f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"
        syn = Segment(
            src=source,
            dst=OURS,
            sport=1024 + i % 50_000,
            dport=PORT,
            seq=i,
            flags=SYN,
            window=65535,
        )
        ring.push(syn.packet())
    return ring


class Flood(Stubborn):
    """A link on which every read finds SYNs, and whose replies vanish."""

    syns_per_read = 128

    def __init__(self, link):
        super().__init__(link)
        self.rings = [syns(128, start) for start in range(0, 128 * 64, 128)]
        self.on = False
        self.sent = self.received = 0
        self._receive = link.receive
        self.receive = self.flood

    def flood(self, rx):
        if not self.on:
            return self._receive(rx)
        ring = self.rings[self.received % len(self.rings)]
        for i in range(min(rx.free, len(ring))):
            rx.push(ring[i])
        self.received += 1
        return len(rx)

    def send(self, tx):
        self.sent += len(tx) - tx.next
        if not self.on:
            return self.link.send(tx)
        tx.advance(len(tx) - tx.next)
        return len(tx)


@on_loop
async def test_flood_leaves_other_tasks_their_turns_and_memory_flat():
    """A task that only yields is not kept waiting, and no object is left behind."""
    async with World(link=Flood) as world:
        await world.host.create_server(Recorder, PORT)
        world.link.on = True
        world.inject(b"\x45" + bytes(39))
        for _ in range(50):
            await asyncio.sleep(0)
        tracemalloc.start()
        before = tracemalloc.take_snapshot()
        turns, sent = 100, world.link.sent
        for _ in range(turns):
            await asyncio.sleep(0)
        after = tracemalloc.take_snapshot()
        tracemalloc.stop()
        growth = sum(row.size_diff for row in after.compare_to(before, "filename"))
        replies = world.link.sent - sent
        assert 0 < replies <= turns * 8 * 128
        assert replies > turns * 64
        assert growth < 64 * 1024
        world.link.on = False


@on_loop
async def test_alarm_is_given_to_who_asked_for_it(monkeypatch):
    """In a flood, from the host's own loop."""
    monkeypatch.setattr("syncache.aio.beat.CHECK_SECONDS", 0.05)
    monkeypatch.setattr("syncache.lookout.LOOK_SECONDS", 0.05)
    said = []
    link, _ = pair()
    async with Host(Flood(link), OURS, on_alarm=said.append) as host:
        await host.create_server(Recorder, PORT)
        host.link.on = True
        await asyncio.sleep(0.1)
        host._receive()
        await until(lambda: [a for a in said if a.kind == "flood"] or host._receive())
    assert f"SYN flood on {OURS}:{PORT}: " in str(said[0])


@on_loop
async def test_start_tls_runs_tls_on_our_transport(tmp_path):
    """asyncio's own TLS takes the transport as it is."""
    certificate = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    async with World() as world:
        await world.host.create_server(Recorder, PORT)
        client = await world.connect()
        await until(lambda: Recorder.made)
        below, tls_side = Recorder.made[0].transport, Recorder()
        tls_side.calls.append("made")  # start_tls leaves connection_made to its caller
        upgrade = asyncio.ensure_future(
            loop.start_tls(below, tls_side, context, server_side=True)
        )
        trust = ssl.create_default_context(cafile=str(certificate))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = trust.wrap_bio(incoming, outgoing, server_hostname=PEER)

        async def run(step):
            """Take a step of the client's TLS, with what it needs from the wire."""
            while True:
                try:
                    result = step()
                except ssl.SSLWantReadError:
                    client.write(outgoing.read())
                    await until(lambda: client.received)
                    incoming.write(client.received)
                    client.received = b""
                else:
                    client.write(outgoing.read())
                    return result

        await run(tls.do_handshake)
        transport = await upgrade
        transport.write(b"secret")
        assert await run(lambda: tls.read(100)) == b"secret"
        tls.write(b"answer")
        client.write(outgoing.read())
        await until(lambda: tls_side.data == b"answer")
        transport.abort()


def test_slots_have_room_for_the_header_of_a_frame_link():
    """The largest packet of a link lies behind its link header in a slot."""
    link, other = pair(gso_max=65535)
    plain = Host(link, OURS)
    link.headroom = 22
    framed = Host(link, OURS)
    assert [65536, 65600] == [host._rx.slot_size for host in (plain, framed)]
    assert framed._tx.slot_size == framed._rx.slot_size
    for end in (link, other):
        end.close()


@on_loop
async def test_handshake_that_is_not_admitted_is_reset():
    """No protocol is made for it; the next one is served."""
    answers = [False, True]
    async with World() as world:
        made = []
        await world.host.create_server(lambda: made.append(Recorder()) or made[0], PORT)
        world.host.admit = lambda _: answers.pop(0)
        refused = await world.connect()
        await until(lambda: refused.got_reset)
        assert [] == made
        client = await world.connect()
        await until(lambda: made)
        assert not client.got_reset


@on_loop
async def test_time_of_packets_is_read_behind_their_receive():
    """What arrived while the process was put aside is not from the future."""
    given, in_time = [0.0], []
    async with World(link=Stubborn) as world:
        await world.host.create_server(Recorder, PORT)
        receive, sift = world.link.link.receive, world.host.stack.sift

        def note(rx):
            count, given[0] = receive(rx), time.monotonic()
            return count

        def spy(rx, tx, now):
            in_time.append(now >= given[0])
            return sift(rx, tx, now)

        world.link.receive, world.host.stack.sift = note, spy
        await world.connect()
    assert in_time
    assert all(in_time)
