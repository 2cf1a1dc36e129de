"""What a protocol is told by its transport, and what that does on the wire."""

from __future__ import annotations

import asyncio

import pytest
from aio_world import OURS, PEER, PORT, Recorder, World, on_loop, quiet, until

from syncache.aio.transport import _exception
from syncache.segment import ACK, FIN, RST

BODY = bytes(range(256)) * 2000


async def served(world, factory=Recorder, **options):
    """Return a client and the protocol that serves it."""
    await world.host.create_server(factory, PORT)
    client = await world.connect(**options)
    await until(lambda: Recorder.made and Recorder.made[-1].calls)
    return client, Recorder.made[-1]


@on_loop
async def test_connection_made_tells_both_ends():
    """Names are pairs for either family; there is no socket."""
    async with World() as world:
        client, protocol = await served(world)
        transport = protocol.transport
        assert transport.get_extra_info("peername") == (PEER, client.port)
        assert transport.get_extra_info("sockname") == (OURS, PORT)
        assert transport.get_extra_info("socket") is None
        assert transport.get_extra_info("unheard_of", 7) == 7
        connection = transport.get_extra_info("syncache.connection")
        assert connection.nodelay is True
        assert connection in world.host.stack.connections
        assert "open" in repr(transport)


@on_loop
async def test_data_comes_in_order_and_eof_closes():
    """A protocol that wants no more after the peer's FIN is closed, once."""
    async with World() as world:
        client, protocol = await served(world)
        client.write(BODY[:5000])
        client.send(FIN | ACK)
        await until(lambda: "lost" in protocol.calls)
        assert protocol.data == BODY[:5000]
        assert protocol.calls == ["made", "data", "eof", "lost"]
        assert protocol.lost is None
        await until(lambda: client.got_fin)


@on_loop
async def test_pause_reading_closes_the_window_and_resume_opens_it():
    """What came is kept for later; the peer is told to stop, then to go on."""
    async with World() as world:
        client, protocol = await served(world)
        assert protocol.transport.is_reading()
        protocol.transport.pause_reading()
        protocol.transport.pause_reading()
        assert not protocol.transport.is_reading()
        room = client.peer_window
        client.write(BODY[:room])
        await until(lambda: client.peer_window < 1460)
        assert protocol.data == b""
        protocol.transport.resume_reading()
        protocol.transport.resume_reading()
        await until(lambda: client.peer_window > room // 2)
        assert protocol.data == BODY[:room]


@on_loop
async def test_eof_waits_for_a_protocol_that_paused_reading():
    """First the data, then the end of it, even if the connection is long over."""
    async with World() as world:
        client, protocol = await served(world)
        protocol.transport.pause_reading()
        client.write(b"last words")
        client.send(FIN | ACK)
        await until(lambda: client.segments[-1].ack == client.snd_nxt)
        protocol.transport.write_eof()
        await until(lambda: client.got_fin)
        await quiet()
        assert protocol.calls == ["made"]
        protocol.transport.resume_reading()
        await until(lambda: "lost" in protocol.calls)
        assert protocol.calls == ["made", "data", "eof", "lost"]
        assert protocol.data == b"last words"


@on_loop
async def test_write_to_a_slow_peer_pauses_and_resumes_writing():
    """The buffer above the connection's own is bounded by the protocol's pausing."""
    async with World() as world:
        client, protocol = await served(world, window=1000, acks=False)
        transport = protocol.transport
        transport.write(BODY)
        transport.write(BODY)
        assert protocol.calls == ["made", "pause"]
        size = transport.get_write_buffer_size()
        assert 2 * len(BODY) > size > transport.get_write_buffer_limits()[1]
        client.window, client.acks = 65535, True
        client.send(ACK)
        await until(lambda: len(client.received) == 2 * len(BODY))
        assert client.received == BODY + BODY
        assert protocol.calls == ["made", "pause", "resume"]
        assert transport.get_write_buffer_size() == 0


@on_loop
async def test_write_buffer_limits_follow_asyncio():
    """The same defaults and the same refusals; lowering them pauses at once."""
    async with World() as world:
        _, protocol = await served(world, window=0, acks=False)
        transport = protocol.transport
        assert transport.get_write_buffer_limits() == (16384, 65536)
        transport.set_write_buffer_limits(low=1000)
        assert transport.get_write_buffer_limits() == (1000, 4000)
        transport.set_write_buffer_limits(high=1000)
        assert transport.get_write_buffer_limits() == (250, 1000)
        transport.set_write_buffer_limits()
        assert transport.get_write_buffer_limits() == (16384, 65536)
        with pytest.raises(ValueError, match="must be >="):
            transport.set_write_buffer_limits(high=10, low=11)
        room = transport.get_extra_info("syncache.connection").write_room
        transport.write(bytes(room + 50_000))
        assert protocol.calls == ["made"]
        transport.set_write_buffer_limits(high=10_000)
        assert protocol.calls == ["made", "pause"]


@on_loop
async def test_write_takes_any_bytes_and_keeps_what_they_were():
    """A buffer that its owner changes after the call does not change what is sent."""
    async with World() as world:
        client, protocol = await served(world, window=0, acks=False)
        transport = protocol.transport
        room = transport.get_extra_info("syncache.connection").write_room
        transport.write(BODY[:room])
        changing = bytearray(b"one")
        transport.write(changing)
        changing[:] = b"two"
        transport.writelines([b"three", memoryview(b"four")])
        transport.write(b"")
        with pytest.raises(TypeError, match="not str"):
            transport.write("five")
        client.window, client.acks = 65535, True
        client.send(ACK)
        await until(lambda: len(client.received) == room + 12)
        assert client.received[room:] == b"onethreefour"


@on_loop
async def test_write_eof_sends_fin_and_the_peer_may_go_on():
    """Half closed: what the peer still sends is read, and its FIN ends it."""
    async with World() as world:
        client, protocol = await served(world)
        transport = protocol.transport
        assert transport.can_write_eof()
        transport.write(b"that is all")
        transport.write_eof()
        transport.write_eof()
        with pytest.raises(RuntimeError, match="write_eof"):
            transport.write(b"more")
        await until(lambda: client.got_fin)
        assert client.received == b"that is all"
        assert not transport.is_closing()
        client.write(b"not for me")
        client.send(FIN | ACK)
        await until(lambda: "lost" in protocol.calls)
        assert protocol.data == b"not for me"
        assert (protocol.calls[-2:], protocol.lost) == (["eof", "lost"], None)


@on_loop
async def test_write_eof_waits_for_what_is_pending():
    """FIN comes behind bytes that the send buffer had no room for."""
    async with World() as world:
        client, protocol = await served(world)
        protocol.transport.write(BODY)
        protocol.transport.write_eof()
        await until(lambda: client.got_fin)
        assert client.received == BODY


@on_loop
async def test_eof_kept_open_by_the_protocol_lets_it_answer():
    """eof_received that returns true leaves our direction open."""
    async with World() as world:
        client, protocol = await served(world, lambda: Recorder(keep_open=True))
        client.send(FIN | ACK)
        await until(lambda: "eof" in protocol.calls)
        assert not protocol.transport.is_closing()
        protocol.transport.write(b"answer")
        protocol.transport.close()
        await until(lambda: client.got_fin)
        assert client.received == b"answer"
        assert (protocol.calls[-1], protocol.lost) == ("lost", None)


@on_loop
async def test_both_directions_ended_ends_the_connection():
    """With nothing left to come or go, connection_lost needs no close()."""
    async with World() as world:
        client, protocol = await served(world, lambda: Recorder(keep_open=True))
        protocol.transport.write_eof()
        await until(lambda: client.got_fin)
        client.send(FIN | ACK)
        await until(lambda: "lost" in protocol.calls)
        assert protocol.calls == ["made", "eof", "lost"]
        assert protocol.lost is None
        assert protocol.transport.is_closing()


@on_loop
async def test_close_sends_what_is_pending_then_fin_and_reads_no_more():
    """connection_lost comes once, without an error, and nothing after it."""
    async with World() as world:
        client, protocol = await served(world)
        transport = protocol.transport
        transport.write(BODY)
        transport.close()
        transport.close()
        transport.write(b"ignored")
        assert transport.is_closing()
        assert not transport.is_reading()
        client.write(b"too late")
        await until(lambda: client.got_fin)
        assert client.received == BODY
        assert (protocol.calls.count("lost"), protocol.lost) == (1, None)
        assert protocol.data == b""
        client.send(FIN | ACK)
        await quiet()
        assert "eof" not in protocol.calls
        assert not client.got_reset
        assert "lost" in repr(transport)


@on_loop
async def test_abort_sends_rst_and_drops_what_is_pending():
    """From within a callback too: connection_lost follows later, once."""
    async with World() as world:
        client, protocol = await served(world, window=0, acks=False)
        protocol.transport.write(BODY)
        protocol.transport.abort()
        assert protocol.calls[-1] != "lost"
        await until(lambda: client.got_reset)
        protocol.transport.abort()
        await quiet()
        assert (protocol.calls.count("lost"), protocol.lost) == (1, None)
        assert protocol.transport.get_write_buffer_size() == 0


@on_loop
async def test_reset_by_the_peer_is_an_error():
    """The protocol hears ConnectionResetError, and what it writes then is lost."""
    async with World() as world:
        client, protocol = await served(world)
        client.send(RST)
        await until(lambda: "lost" in protocol.calls)
        assert isinstance(protocol.lost, ConnectionResetError)
        protocol.transport.write(b"nobody")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (None, type(None)),
        ("connection reset by peer", ConnectionResetError),
        ("timed out", TimeoutError),
        ("timed out (host unreachable)", TimeoutError),
        ("aborted", ConnectionAbortedError),
    ],
)
def test_each_end_of_a_connection_has_its_exception(error, kind):
    """As the stack words it, so asyncio's users know it."""
    assert type(_exception(error)) is kind


class Buffered(Recorder, asyncio.BufferedProtocol):
    """Takes data into seven bytes."""

    def get_buffer(self, sizehint):
        assert sizehint == -1
        self.buffer = bytearray(7)
        return self.buffer

    def buffer_updated(self, count):
        self.data_received(bytes(self.buffer[:count]))


@on_loop
async def test_buffered_protocol_is_given_its_own_buffer():
    """Filled again and again until nothing is left."""
    async with World() as world:
        client, protocol = await served(world, Buffered)
        client.write(BODY[:1000])
        await until(lambda: len(protocol.data) == 1000)
        assert protocol.data == BODY[:1000]


class Bufferless(Buffered):
    """Has no buffer to give."""

    def get_buffer(self, sizehint):
        raise MemoryError(sizehint)


@on_loop
async def test_buffered_protocol_without_a_buffer_loses_its_connection():
    """As any protocol that raises."""
    async with World() as world:
        client, protocol = await served(world, Bufferless)
        client.write(b"x")
        await until(lambda: client.got_reset)
        assert isinstance(protocol.lost, MemoryError)
        assert len(world.problems) == 1


@on_loop
async def test_set_protocol_hands_over_in_mid_stream():
    """What comes after the call goes to the new protocol."""
    async with World() as world:
        client, first = await served(world)
        second = Recorder()
        client.write(b"one")
        await until(lambda: first.data == b"one")
        first.transport.set_protocol(second)
        assert first.transport.get_protocol() is second
        second.connection_made(first.transport)
        client.write(b"two")
        await until(lambda: second.data == b"two")
        assert first.data == b"one"


class Broken(Recorder):
    def data_received(self, data):
        raise ZeroDivisionError(data)


@on_loop
async def test_protocol_that_raises_loses_its_connection_alone():
    """The loop's exception handler hears of it; the peer gets a RST; others go on."""
    async with World() as world:
        client, broken = await served(
            world, (kind() for kind in (Broken, Recorder)).__next__
        )
        other = await world.connect()
        await until(lambda: len(Recorder.made) == 2)
        client.write(b"x")
        other.write(b"y")
        await until(lambda: client.got_reset and Recorder.made[1].data == b"y")
        assert isinstance(broken.lost, ZeroDivisionError)
        (problem,) = world.problems
        assert problem["exception"] is broken.lost
        assert problem["protocol"] is broken
        assert "data_received" in problem["message"]
