"""What mypy must see of the public API; read by `make check types`, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncache import (
    Accepted,
    AccessList,
    Closed,
    Conn,
    Connection,
    Cookie,
    EndOfStream,
    Endpoint,
    Event,
    FourTuple,
    HalfOpen,
    Inspection,
    Intercept,
    Keyring,
    Kind,
    Knob,
    Listener,
    Readable,
    Reason,
    Ring,
    Segment,
    Shield,
    Side,
    Stack,
    State,
    Stats,
    Syncache,
    SynOptions,
    Sysctl,
    Verdict,
    Writable,
)
from syncache.aio import Host, Server

if TYPE_CHECKING:
    import asyncio

    from typing_extensions import assert_type

    from syncache.alerts import Message
    from syncache.flow_event import FlowEvent
    from syncache.flow_session import Session
    from syncache.inspection import Statistics as Inspected
    from syncache.intercept import Statistics
    from syncache.links import Link


def tunables(sysctl: Sysctl) -> None:
    """Values are numbers or words; knobs describe them."""
    assert_type(sysctl["net.inet.tcp.syncookies"], int | str)
    assert_type(sysctl.describe("net.inet.tcp.syncookies"), Knob)
    for knob in sysctl.walk("net.inet.tcp"):
        assert_type(knob, Knob)


def half_open_side(cache: Syncache, packet: bytes, rx: Ring, tx: Ring) -> None:
    """Packets in, verdicts out; any buffer is a packet."""
    verdict = cache.packet(memoryview(packet), 1.0)
    assert_type(verdict, Verdict)
    assert_type(verdict.kind, Kind)
    assert_type(verdict.reason, Reason)
    assert_type(verdict.reply, Segment | None)
    assert_type(verdict.conn, Conn | None)
    assert_type(cache.listen(80), Endpoint)
    assert_type(cache.burst(rx, tx, 1.0), int)
    assert_type(cache.poll(1.0, tx), int)
    assert_type(cache.next_deadline(), float | None)
    assert_type(cache.half_open(), list[HalfOpen])
    assert_type(cache.stats, Stats)
    assert_type(cache.paused, bool)
    assert_type(rx[0], memoryview)
    assert_type(rx.passed, list[int])


def established_side(stack: Stack) -> None:
    """The five calls, a listener and a connection."""
    stack.receive(b"", 1.0)
    stack.handle_timer(1.0)
    assert_type(stack.packets_to_send(1.0), list[bytes])
    assert_type(stack.next_deadline(), float | None)
    assert_type(stack.stats, Stats)
    assert_type(stack.next_event(), Event | None)
    listener = stack.listen(80)
    assert_type(listener, Listener)
    connection = listener.accept()
    assert_type(connection, Connection | None)
    if connection is not None:
        assert_type(connection.read(1), bytes)
        assert_type(connection.write(b""), int)


def middlebox(packet: bytes, rx: Ring, tx: Ring) -> None:
    """Two sides, one access list."""
    acl = AccessList.parse(["permit tcp any any eq www"], name=100)
    assert_type(acl, AccessList)
    intercept = Intercept(acl=acl)
    intercept.receive(packet, Side.CLIENT, 1.0)
    assert_type(intercept.packets_to_send(1.0), list[tuple[Side, bytes]])
    assert_type(intercept.burst(rx, Side.SERVER, tx, None, 1.0), int)
    assert_type(intercept.next_event(), FlowEvent | None)
    assert_type(intercept.next_deadline(), float | None)
    assert_type(intercept.connections(), list[Session])
    assert_type(intercept.statistics(1.0), Statistics)
    assert_type(intercept.stats(), dict[str, int])
    assert_type(intercept.acl, AccessList | None)


def events(stack: Stack) -> None:
    """An event is one of five, and each names its connection."""
    event = stack.next_event()
    if isinstance(event, Accepted):
        assert_type(event.listener.accept(), Connection | None)
    elif isinstance(event, Closed):
        assert_type(event.error, str | None)
        assert_type(event.connection.state, State)
    elif event is not None:
        assert_type(event, Readable | EndOfStream | Writable)


async def host(link: Link, keys: Keyring) -> None:
    """asyncio's servers, with callbacks that are coroutines or not."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())

    async with Host(link, "192.0.2.1", keys=keys) as one:
        assert_type(await one.start_server(greet, 7), Server)
        assert_type(await one.start_server(lambda r, w: w.close(), 8), Server)
        assert_type(one.stack, Stack)


def shields(keys: Keyring) -> None:
    """A shield counts, and says what happened."""
    with Shield("eth0", keys=keys) as shield:
        shield.protect(443)
        assert_type(shield.counters, dict[str, int])
        assert_type(shield.stats, Stats)
        assert_type([event.text for event in shield.events()], list[str])


def cookies(key: bytes, path: FourTuple) -> None:
    """A cookie is a number; checking it gives options or nothing."""
    assert_type(Cookie.mint(key, path, 0, SynOptions()), int)
    assert_type(Cookie.check((key, [key, key]), path, 0, 0), SynOptions | None)


def inspect(packet: bytes, rx: Ring, tx: Ring) -> None:
    """An inspection's calls return what a caller expects."""
    inspection = Inspection()
    inspection.receive(packet, Side.CLIENT, 1.0)
    assert_type(inspection.burst(rx, Side.TAP, tx, None, 1.0), int)
    assert_type(inspection.next_message(), Message | None)
    assert_type(inspection.sessions(), list[Session])
    assert_type(inspection.statistics(1.0), Inspected)
    assert_type(inspection.config(), str)
