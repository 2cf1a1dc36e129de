"""A listener as asyncio knows it: opening, closing, and its connections' ends."""

from __future__ import annotations

import asyncio
import errno

import pytest
from aio_world import PORT, Recorder, World, on_loop, until

from syncache.segment import SYN


@on_loop
async def test_server_serves_from_the_start_and_has_no_sockets():
    """What asyncio's users ask of a server."""
    async with World() as world:
        server = await world.host.create_server(Recorder, PORT)
        assert isinstance(server, asyncio.AbstractServer)
        assert server.is_serving()
        assert server.sockets == ()
        assert server.get_loop() is asyncio.get_running_loop()
        await server.start_serving()
        await world.connect()
        await until(lambda: Recorder.made)
        assert "serving connections=1" in repr(server)


@on_loop
async def test_server_told_to_wait_listens_when_it_is_started():
    """Until then a SYN to its port is refused."""
    async with World() as world:
        server = await world.host.create_server(Recorder, PORT, start_serving=False)
        assert not server.is_serving()
        early = world.client()
        early.send(SYN)
        await until(lambda: early.got_reset)
        await server.start_serving()
        await world.connect()
        await until(lambda: Recorder.made)


@on_loop
async def test_closed_server_refuses_new_connections_and_keeps_the_old():
    """wait_closed waits for the last of them."""
    async with World() as world:
        server = await world.host.create_server(Recorder, PORT)
        client = await world.connect()
        await until(lambda: Recorder.made)
        server.close()
        server.close()
        assert not server.is_serving()
        late = world.client()
        late.send(SYN)
        await until(lambda: late.got_reset)
        closed = asyncio.ensure_future(server.wait_closed())
        Recorder.made[0].transport.write(b"still here")
        await until(lambda: client.received == b"still here")
        assert not closed.done()
        Recorder.made[0].transport.close()
        await closed
        assert Recorder.made[0].calls[-1] == "lost"
        with pytest.raises(RuntimeError, match="closed"):
            await server.start_serving()


@on_loop
async def test_port_of_a_closed_server_can_be_listened_on_again():
    """And two servers cannot share one: OSError, as asyncio says it."""
    async with World() as world:
        first = await world.host.create_server(Recorder, PORT)
        waiting = await world.host.create_server(Recorder, PORT, start_serving=False)
        for listen in (
            lambda: world.host.create_server(Recorder, PORT),
            lambda: world.host.start_server(lambda *_: None, PORT),
            waiting.start_serving,
        ):
            with pytest.raises(OSError, match=str(PORT)) as caught:
                await listen()
            assert errno.EADDRINUSE == caught.value.errno
        first.close()
        second = await world.host.create_server(Recorder, PORT)
        await world.connect()
        await until(lambda: Recorder.made)
        assert "connections=1" in repr(second)


@on_loop
async def test_serve_forever_ends_by_cancelling_and_closes():
    """As asyncio's own does."""
    async with World() as world:
        server = await world.host.create_server(Recorder, PORT, start_serving=False)
        task = asyncio.ensure_future(server.serve_forever())
        await world.connect()
        await until(lambda: Recorder.made)
        Recorder.made[0].transport.abort()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not server.is_serving()


@on_loop
async def test_async_context_closes_the_server():
    """On leaving, it waits for its connections."""
    async with World() as world:
        server = await world.host.create_server(Recorder, PORT)
        async with server:
            await world.connect()
            await until(lambda: Recorder.made)
            server.close_clients()
        assert not server.is_serving()
        assert Recorder.made[0].calls[-1] == "lost"


@pytest.mark.parametrize("how", ["close_clients", "abort_clients"])
@on_loop
async def test_all_connections_can_be_ended_at_once(how):
    """Closed, they send what is queued, then FIN; aborted, RST."""
    async with World() as world:
        server = await world.host.create_server(Recorder, PORT)
        clients = [await world.connect() for _ in range(3)]
        await until(lambda: len(Recorder.made) == 3)
        getattr(server, how)()
        by_fin = how == "close_clients"
        await until(lambda: all(c.got_fin if by_fin else c.got_reset for c in clients))
        assert [protocol.calls[-1] for protocol in Recorder.made] == ["lost"] * 3
        assert server.is_serving()


@on_loop
async def test_factory_that_raises_costs_its_connection_alone():
    """The peer gets a RST, the exception handler hears, the next one is served."""
    async with World() as world:
        results = iter([ZeroDivisionError, None])

        def factory():
            if error := next(results):
                raise error
            return Recorder()

        await world.host.create_server(factory, PORT)
        client = await world.connect()
        await until(lambda: client.got_reset)
        (problem,) = world.problems
        assert isinstance(problem["exception"], ZeroDivisionError)
        await world.connect()
        await until(lambda: len(Recorder.made) == 1)


@on_loop
async def test_protocol_that_raises_what_is_no_exception_costs_its_connection_alone():
    """CancelledError is no Exception, but it is no reason to stop the host either."""
    async with World() as world:

        class Cancels(Recorder):
            def data_received(self, data):
                raise asyncio.CancelledError

        protocols = iter([Cancels(), Recorder()])
        Recorder.made.clear()

        def factory():
            Recorder.made.append(next(protocols))
            return Recorder.made[-1]

        await world.host.create_server(factory, PORT)
        one = await world.connect()
        await until(lambda: Recorder.made)
        other = await world.connect()
        await until(lambda: len(Recorder.made) == 2)
        one.write(b"x")
        other.write(b"y")
        await until(lambda: one.got_reset and Recorder.made[1].data == b"y")
        assert isinstance(Recorder.made[0].lost, asyncio.CancelledError)
        assert 1 == Recorder.made[0].calls.count("lost")
        (problem,) = world.problems
        assert "data_received" in problem["message"]


@on_loop
async def test_serve_forever_cancelled_does_not_wait_for_an_idle_client():
    """Whoever presses Ctrl-C once need not press it twice."""
    async with World() as world:
        server = await world.host.create_server(Recorder, PORT)
        task = asyncio.ensure_future(server.serve_forever())
        await world.connect()
        await until(lambda: Recorder.made)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not server.is_serving()
        assert Recorder.made[0].calls == ["made"]
    assert Recorder.made[0].calls == ["made", "lost"]


class Loopback:
    """A link whose MTU is larger than any packet."""

    mtu = 65536

    def __init__(self, link):
        self._link = link

    def __getattr__(self, name):
        return getattr(self._link, name)


@on_loop
async def test_mtu_of_the_loopback_interface_is_that_of_the_largest_packet():
    """A connection works there as on any link."""
    async with World(link=Loopback) as world:
        await world.host.create_server(Recorder, PORT)
        client = await world.connect()
        client.write(b"hello")
        await until(lambda: Recorder.made and Recorder.made[0].data == b"hello")
        assert world.host.stack.mtu == 65535
