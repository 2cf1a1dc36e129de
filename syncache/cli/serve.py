"""`syncache serve`: an ordinary asyncio server on our own TCP, over any live link.

What it serves is chosen by one option: a directory over HTTP/1.1, an echo, a sink, or
an ASGI application through uvicorn's protocol class.  Each is a plain asyncio protocol
that does not know whose TCP it runs on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import Syncache, Sysctl
from ..control import Control, assign
from ..control_socket import ControlServer
from . import Failure, keyopts, keys, needs, unreadable
from . import options as opts
from .addresses import addresses, awaited, check_local
from .exporting import exporting
from .log_form import WARNING
from .memory import shortage
from .output import Output, opened
from .patience import is_folder
from .record import reason_name, recording
from .service import Service, keep_open
from .sides import say_each
from .signals import Signals
from .tunables import files, load_file, named
from .turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..aio import Host
    from ..keyring import Keyring
    from ..links import Link
    from ..lookout import Lookout
    from ..observer import Observer

READ_BYTES = 256 * 1024
HELP_TUN = "a TUN device, made if there is none [%(default)s]"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache serve",
        description="Serve on a TUN device or on an interface; needs root, or a TUN "
        "device that is yours.",
    )
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--directory", metavar="DIR", type=Path, help="files over HTTP")
    what.add_argument("--echo", action="store_true", help="send back what comes")
    what.add_argument("--discard", action="store_true", help="throw away what comes")
    what.add_argument("--asgi", metavar="MODULE:APP", help="an ASGI application")
    where = p.add_mutually_exclusive_group()
    where.add_argument("--tun", metavar="NAME", default="syncache0", help=HELP_TUN)
    where.add_argument("--packet", metavar="IF", help="an interface, by AF_PACKET")
    where.add_argument("--xdp", metavar="IF", help="an interface, by AF_XDP")
    p.add_argument(
        "--address",
        metavar="ADDR[/LEN]",
        action="append",
        required=True,
        help="ours; with a length the interface is given it (of a TUN device the "
        "kernel's end another one of the prefix), else it stays as it is; may be "
        "repeated",
    )
    p.add_argument("--port", type=int, default=80, help="[%(default)s]")
    p.add_argument("--backlog", type=int, default=128, help="[%(default)s]")
    opts.add_tunables(p, ios=False)
    keyopts.add_options(p)
    opts.add_control(p)
    p.add_argument(
        "--shards",
        metavar="N",
        type=int,
        default=1,
        help="processes that share an interface; of --xdp each has a queue",
    )
    opts.add_pcapng(p, "a sample of the packets")
    opts.add_ring(p)
    opts.add_log(p)
    opts.add_service(p)
    return p


def check(options: argparse.Namespace) -> None:
    """Refuse options that cannot be.

    Raises:
        Failure: the first one that is wrong.
    """
    if options.directory and not is_folder(options.directory):
        raise Failure(f"{options.directory} is not a directory")
    if not 0 < options.port < 2**16:
        raise Failure(f"port {options.port} is not between 1 and 65535")
    if options.shards < 1:
        raise Failure(f"there is at least one shard, not {options.shards}")
    if options.shards > 1 and not (options.packet or options.xdp):
        raise Failure("a TUN device has one shard: --packet or --xdp has several")
    library = "h11" if options.directory else "uvicorn"
    if (options.directory or options.asgi) and find_spec(library) is None:
        raise needs("cli", library)
    if options.asgi and find_spec(options.asgi.split(":")[0].split(".")[0]) is None:
        raise Failure(f"{options.asgi} cannot be loaded; it is MODULE:APP")


def run(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; 1 if the device went away."""
    source = keyopts.source(options)
    sysctl = tunables(options, [] if source is None else source.settings)
    if source is not None:
        source.check(sysctl)
    ours, kernel = addresses(options.address)
    check(options)
    interface = options.packet or options.xdp
    opts.check_service(options)
    opts.check_interfaces(options, [interface] if interface else [])
    if interface and not options.wait:
        check_local(options.address)
    if options.check:
        say_each("serve", shortage(Syncache(sysctl)))
        return 0
    if options.shards > 1:
        opts.check_outputs(options)  # or each would say it
        try:
            with exporting(options):
                from .shards import Shards

                return Shards(options, ours, source, tunables, serve).run()
        except OSError as error:
            raise Failure(str(error)) from None
    with contextlib.ExitStack() as stack:
        stack.enter_context(exporting(options))
        signals = stack.enter_context(Signals())
        output = stack.enter_context(opened("syncache serve", options))
        record = recording(options.pcapng, reason_name, [interface or options.tun])
        recorder = stack.enter_context(record)

        def once(_: object) -> None:
            from ..aio.attentive import run_attentive

            if interface and opts.exists(interface):
                check_local(options.address)
            link = open_link(options, kernel)
            fresh = tunables(options, [] if source is None else source.settings)
            run_attentive(
                serve(options, fresh, ours, link, source, signals, output, recorder)
            )

        wanted = awaited(interface, options.address) if options.wait else []
        keep_open(once, wanted if interface else [], signals, output.write)
    return 0


def open_link(options: argparse.Namespace, kernel: list[str]) -> Link:
    """Open the device or the interface that was asked for."""
    hints = {"cpu": options.cpu, "priority": options.priority}
    if options.packet:
        from ..links.packet import Packet

        ring = opts.ring_of(options)
        return Packet(options.packet, options.address, **ring, **hints)
    if options.xdp:
        from ..links.xdp import Xdp

        return Xdp(options.xdp, options.address, **hints)
    from ..links.tun import Tun

    return Tun(options.tun, kernel, **hints)


def tunables(options: argparse.Namespace, shared: Sequence[str] = ()) -> Sysctl:
    """Collect the values of preset, file and single settings, in this order.

    Args:
        options: Of the command line.
        shared: Values that follow from the keyring, after the preset.
    """
    sysctl = Sysctl()
    try:
        if options.preset:
            sysctl.preset(options.preset)
        sysctl.load(list(shared))
        for path in files(options.conf):
            load_file(sysctl, path)
        for setting in options.sysctl:
            assign(sysctl, *named(setting))
    except (KeyError, ValueError, PermissionError) as error:
        raise Failure(str(error.args[0])) from None
    except OSError as error:
        raise unreadable(error, options.conf) from None
    return sysctl


async def serve(
    options: argparse.Namespace,
    sysctl: Sysctl,
    ours: list[str],
    link: Link,
    shared: keys.KeySource | Keyring | None,
    signals: Signals,
    output: Output,
    observer: Observer | None = None,
    look_out: Callable[[Lookout], object] | None = None,
) -> None:
    """Listen on a link, which is closed after, and wait for the end.

    With `look_out`, which gets the lookout, the alarms are another's to write.
    """
    from ..aio import Host

    async with contextlib.AsyncExitStack() as stack:
        stack.callback(link.close)
        source = shared if isinstance(shared, keys.KeySource) else None
        ring = shared.keys if isinstance(shared, keys.KeySource) else shared
        host = Host(
            link,
            ours,
            sysctl=sysctl,
            keys=ring,
            on_alarm=output.alarm if look_out is None else lambda _: None,
        )
        if look_out is not None and host.lookout is not None:
            look_out(host.lookout)
        host.observer, host.logs_loss = observer, opts.logs_loss(options)
        asyncio.get_running_loop().set_exception_handler(forgiving(host))
        await stack.enter_async_context(host)
        if source is not None:
            stack.callback(watch(source, host, output).close)
        what = await listen(options, host, stack)
        engine = host.stack.syncache
        if options.control is not None:
            place = opts.control_place(options.control)
            served = ControlServer(place, Control(engine, host.lookout))
            stack.callback(served.close)
        where = ", ".join(ours)
        device = options.packet or options.xdp or options.tun
        service = Service(
            options,
            signals,
            output.write,
            lambda: prepare(options, source, engine),
            output.reopen,
        )
        stack.callback(service.close)
        service.begin(lambda: status(engine))
        for text in shortage(engine):
            output.write(f"{text}\n", kind="memory", severity=WARNING)
        # One write: shards share the output, and their lines must not mingle.
        output.write(f"{what} on {where} port {options.port}, {device}\n")
        await end(host, service)


def status(engine: Syncache) -> str:
    """Return in a few words how things stand."""
    count = engine.sysctl["net.inet.tcp.syncache.count"]
    paused = "paused: cookies alone" if engine.paused else "calm"
    return f"{paused}, {count} half-open"


def prepare(
    options: argparse.Namespace, source: keys.KeySource | None, engine: Syncache
) -> Callable[[], None]:
    """Read everything again; return the function that puts it in force."""
    fresh = source.read() if source else None
    sysctl = tunables(options, source.settings if source else ())
    if source is not None:
        source.check(sysctl)

    def apply() -> None:
        engine.sysctl.adopt(sysctl)
        if source is not None and fresh is not None:
            source.give(engine, fresh)

    return apply


def watch(source: keys.KeySource, host: Host, output: Output) -> keys.KeyWatch:
    """Take the keys of a file again whenever it changes."""
    loop = asyncio.get_running_loop()
    engine = host.stack.syncache

    def take() -> None:
        watching.take(engine, output.write)

    def wake() -> None:  # perhaps before `watching` is there, so it is not named
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(take)

    watching = source.watch(wake)
    watching.beside(host.counted, getattr(host.link, "block", None))
    host.admit = watching.admit
    return watching


def forgiving(
    host: Host,
) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """Return a handler of the errors of callbacks: want of memory is said once."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), MemoryError):
            host.lack_memory()
        else:
            loop.default_exception_handler(context)

    return handle


async def end(host: Host, service: Service) -> None:
    """Wait for a signal, or for the loss of the link."""
    assert host.closed is not None

    def turn() -> bool:
        service.turn(time.monotonic())
        service.tables_wanted()  # SIGUSR1 is for the in-line boxes
        return not service.stopping

    turns = Turns(service, turn, lambda: host.next_beat, host.lack_memory)
    await turns.run(host.closed)
    if host.closed.done() and (error := host.closed.result()) is not None:
        raise error


async def listen(
    options: argparse.Namespace, host: Host, stack: contextlib.AsyncExitStack
) -> str:
    """Start the chosen server; return its description."""
    where: dict[str, Any] = {"port": options.port, "backlog": options.backlog}
    if options.echo:
        await host.create_server(Echo, **where)
        return "echo"
    if options.discard:
        await host.start_server(discard, **where)
        return "discard"
    if options.directory:
        try:
            from .http import FileServer
        except ImportError:
            raise needs("cli", "h11") from None
        files = FileServer(options.directory)
        stack.callback(files.close)
        await host.start_server(files, **where)
        return f"{options.directory} over HTTP"
    factory = await asgi(options.asgi, stack)
    await host.create_server(factory, **where)
    return f"{options.asgi} over HTTP"


class Echo(asyncio.Protocol):
    """Echoes the input, no faster than the peer takes it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self._transport.write(data)

    def pause_writing(self) -> None:
        """Read no more while the peer does not read."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        self._transport.resume_reading()


async def discard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Discard the input."""
    with contextlib.suppress(OSError):
        while await reader.read(READ_BYTES):
            pass
    writer.close()


async def asgi(name: str, stack: contextlib.AsyncExitStack) -> Any:
    """Load an ASGI application; return a factory of uvicorn's protocols for it."""
    try:
        from uvicorn import Config
        from uvicorn.server import ServerState
    except ImportError:
        raise needs("cli", "uvicorn") from None
    config = Config(name, log_level="warning")
    try:
        config.load()
    except SystemExit:  # uvicorn has said why in its log
        raise Failure(f"{name} cannot be loaded; it is MODULE:APP") from None
    lifespan = config.lifespan_class(config)
    await lifespan.startup()
    if lifespan.should_exit:
        raise Failure(f"{name} failed to start")
    stack.push_async_callback(lifespan.shutdown)
    state = ServerState()

    def factory() -> asyncio.Protocol:
        protocol: asyncio.Protocol = config.http_protocol_class(
            config=config, server_state=state, app_state=lifespan.state
        )
        return protocol

    return factory
