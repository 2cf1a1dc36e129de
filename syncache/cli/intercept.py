"""`syncache intercept`: TCP Intercept between two interfaces, or two TUN devices.

The outside is where the clients are, the inside where the servers are that an access
list protects.  We are a bump in the wire: what is not protected passes as it is.  Log
lines go to the standard output as they happen; SIGUSR1 prints the tables.
"""

from __future__ import annotations

import argparse
import contextlib
import select
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .. import flow_session, ios
from ..acl import AccessList
from ..bridge import REST_SECONDS, WAIT_SECONDS, Bridge, Relay
from ..control import FlowControl
from ..control_socket import ControlSocket
from ..flow_event import Kind
from ..intercept import LIST, MODE, Intercept
from ..ios import config as ios_config
from ..links.offload import obstacle
from ..links.standby import stand_by
from ..textfile import read_text
from . import Failure, keyopts, keys, tunables, unreadable
from . import options as opts
from .exporting import exporting
from .log_form import DEBUG, INFO
from .output import Budget, Output, opened
from .patience import attended
from .record import flow_name, recording
from .service import Service, keep_open
from .sides import Sides, doubts, say_each, warned
from .signals import Signals
from .state import State, check_state
from .state import add_options as add_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .. import Sysctl
    from ..alarms import Alarm
    from ..bridge import Forwarder
    from ..flow import Side
    from ..flow_event import FlowEvent
    from ..flow_session import Session

NO_OFFLOAD = "no offload, connections stay here: "
ROWS_A_PART = 24  # of a large table, at about 25 us a row
LOSSES_EVERY = 10.0  # seconds between reports of events that were not logged


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache intercept",
        description="Shield servers from SYN floods, as Cisco's TCP Intercept does; "
        "needs root.  SIGUSR1 prints the tables.",
    )
    p.add_argument("--outside", metavar="IF", required=True, help="the clients' side")
    p.add_argument("--inside", metavar="IF", required=True, help="the servers' side")
    opts.add_in_line(p)
    p.add_argument(
        "--list",
        metavar="FILE|NAME",
        help="access list of the protected connections: a file of rules, or the "
        "name of one in the IOS configuration",
    )
    p.add_argument("--mode", choices=("intercept", "watch"))
    p.add_argument(
        "--offload",
        action="store_true",
        help="have the kernel carry connections once they are knitted (Linux 6.6); "
        "where it cannot, they stay here",
    )
    opts.add_tunables(p)
    keyopts.add_options(p)
    add_state(p)
    p.add_argument("--debug", action="store_true", help="a line for every step")
    opts.add_pcapng(p, "a sample of the packets")
    opts.add_ring(p)
    opts.add_control(p)
    opts.add_log(p)
    opts.add_service(p)
    opts.add_on_exit(p)
    return p


def run(options: argparse.Namespace) -> int:
    """Intercept until SIGINT or SIGTERM."""
    if options.inside == options.outside:
        raise Failure(f"{options.inside} cannot be inside and outside")
    if options.offload and (options.tun or options.xdp):
        raise Failure("--offload is for AF_PACKET, not for --tun or --xdp")
    if options.tun and options.on_exit != "leave":
        raise Failure("--on-exit is of interfaces: TUN devices end with the process")
    names = [] if options.tun else [options.outside, options.inside]
    opts.check_service(options)
    check_state(options)
    source = keyopts.source(options)
    engine = make(options, source)
    opts.check_interfaces(options, names)
    if options.check:
        found = doubts(options, engine, engine.acl)
        if options.offload and (trouble := obstacle(engine)):
            found.append(NO_OFFLOAD + trouble)
        say_each("intercept", found)
        return 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(exporting(options))
        signals = stack.enter_context(Signals())
        output = stack.enter_context(opened("syncache intercept", options))
        engine.observer = stack.enter_context(recording(options.pcapng, flow_name))

        warn = partial(warned, options, engine, output)
        state = None
        if options.state:
            state = State(engine, options.state, options.state_interval, output.write)
            state.load(time.monotonic())
            stack.callback(state.end)
        service = Service(
            options,
            signals,
            output.write,
            lambda: prepare(options, source, engine, warn),
            output.reopen,
        )
        stack.callback(service.close)
        warn(engine.acl)()

        def once(links: contextlib.ExitStack) -> None:
            outside = links.enter_context(open_link(options, options.outside))
            inside = links.enter_context(open_link(options, options.inside))
            if names:
                stand_by(options.outside, options.inside, options.on_exit)
            box = Box(engine, outside, inside, write=output.write)
            box.watch(source, links, service)
            box.attend(options, output, links)
            box.state = state
            box.sides_seen = Sides(lambda: engine.acl, options.inside)
            where = f"{options.outside} and {options.inside}"
            mode = engine.sysctl[MODE]
            output.write(f"{mode} mode between {where}, list {_name(engine)}\n")
            links.callback(box.carry_no_more)
            box.work(service)

        keep_open(once, names if options.wait else [], signals, output.write)
    return 0


def _name(engine: Intercept) -> str:
    return str(engine.sysctl[LIST]) or "none: nothing is protected"


# From words to an engine.


def configuration(
    options: argparse.Namespace, source: keys.KeySource | None = None
) -> tuple[Sysctl, list[AccessList]]:
    """Return the tunables and access lists that the options ask for."""
    settings = list(options.sysctl)
    if options.mode:
        settings.append(f"{MODE}={options.mode}")
    if options.debug:
        settings.append("net.inet.tcp.intercept.debug=1")
    sysctl, config = tunables.load(
        preset=options.preset,
        conf=options.conf,
        ios=options.ios,
        settings=settings,
        strict=options.strict,
        engine="ip tcp intercept",
        shared=source.settings if source else (),
    )
    if source is not None:
        source.check(sysctl)
    lists = config.lists
    try:
        if options.list is not None:
            acl = chosen(options.list, lists)
            lists[acl.name] = acl
            sysctl[LIST] = acl.name
    except (KeyError, ValueError, PermissionError) as error:
        raise Failure(str(error.args[0])) from None
    except OSError as error:
        raise unreadable(error, options.list) from None
    return sysctl, list(lists.values())


def make(
    options: argparse.Namespace, source: keys.KeySource | None = None
) -> Intercept:
    """Make the engine that the options ask for."""
    sysctl, lists = configuration(options, source)
    try:
        keys = source.keys if source else None
        return Intercept(
            sysctl, acl=lists, keys=keys, offload=options.offload, pin=options.pin
        )
    except (KeyError, ValueError, PermissionError) as error:
        raise Failure(str(error.args[0])) from None
    except OSError as error:
        raise Failure(f"no memory for this engine: {error.strerror}") from None


def prepare(
    options: argparse.Namespace,
    source: keys.KeySource | None,
    engine: Intercept,
    warn: Callable[[AccessList | None], Callable[[], None]],
) -> Callable[[], None]:
    """Read everything again; return the function that puts it in force, and warns.

    What takes long with a long list, or with many routes, is done here.
    """
    fresh = source.read() if source else None
    sysctl, lists = configuration(options, source)
    acl = {each.name: each for each in lists}.get(str(sysctl[LIST]))
    if acl is not None:
        acl.compiled()
    say = warn(acl)

    def apply() -> None:
        engine.adopt(sysctl, lists)
        if source is not None and fresh is not None:
            source.give(engine, fresh)
        say()

    return apply


def chosen(word: str, lists: dict[str, AccessList]) -> AccessList:
    """Return the access list that a word means: a name, or a file of rules.

    A file holds bare rules, or the commands of an IOS configuration with one list.
    """
    if word in lists:
        return lists[word]
    path = Path(word)
    try:
        lines = attended(path, lambda: read_text(path)).splitlines()
    except FileNotFoundError:
        known = ", ".join(lists) or "none"
        raise Failure(
            f"{word} is neither a file nor one of the access lists: {known}"
        ) from None
    firsts = [line.split()[0] for line in lines if line.split()]
    if any(first in {"permit", "deny"} for first in firsts[:1]):
        try:
            return AccessList.parse(lines, name=path.stem)
        except ValueError as error:
            raise Failure(f"{path}: {error}") from None
    found = list(ios_config.read_lines(lines, f"{path}:").lists.values())
    if len(found) != 1:
        raise Failure(f"{path} has {len(found)} access lists; it needs one")
    return found[0]


# The links.


@contextlib.contextmanager
def open_link(options: argparse.Namespace, name: str) -> Iterator[Forwarder]:
    """Open one side, and leave it as it was found."""
    link: Forwarder
    if options.tun:
        from ..links.tun import Tun

        link = Relay(Tun(name))
    elif options.xdp:
        from ..links.xdp import Xdp

        link = Xdp(name, forward=True, cpu=options.cpu, priority=options.priority)
    else:
        from ..links.packet import Packet

        hints = {"cpu": options.cpu, "priority": options.priority}
        link = Packet(name, forward=True, **opts.ring_of(options), **hints)
    try:
        yield link
    finally:
        link.close()


class Box(Bridge):
    """The engine between two links: signals and log lines on top of the bridge."""

    engine: Intercept
    wait_max = REST_SECONDS

    def __init__(
        self,
        engine: Intercept,
        outside: Forwarder,
        inside: Forwarder | None,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[str], object] = sys.stdout.write,
    ) -> None:
        super().__init__(engine, outside, inside, clock=clock, on_alarm=self._alarm)
        self._write = write
        self.state: State | None = None
        self.sides_seen: Sides | None = None
        self._budget = Budget()
        self._losses_due, self._losses = clock() + LOSSES_EVERY, 0
        self._keys: keys.KeyWatch | None = None
        self._control: ControlSocket | None = None
        self._service: Service | None = None
        self._table: Iterator[str] | None = None
        self._output: Output | None = None
        self._offload_told = ""

    def attend(
        self, options: argparse.Namespace, output: Output, stack: contextlib.ExitStack
    ) -> None:
        """Answer on the control socket, and print tables no faster than they go."""
        self._output = output
        if options.control is not None:
            control = FlowControl(self.engine, self._clock, lookout=self.lookout)
            place = opts.control_place(options.control)
            self._control = ControlSocket(place, control)
            stack.callback(self._control.close)

    def watch(
        self, source: keys.KeySource | None, stack: contextlib.ExitStack, to: Service
    ) -> None:
        """Take the keys of a file again whenever it changes; the service is woken."""
        if source is not None:
            self._keys = source.watch(to.wake)
            self._keys.beside(self.counted, self.block)
            stack.callback(self._keys.close)

    def work(self, service: Service) -> None:
        """Work until a signal says stop."""
        service.begin(self.status)
        self._service = service
        poller = select.poll()
        poller.register(service, select.POLLIN)
        sides = self.sides
        for descriptor in (*sides, *self.heeded):
            poller.register(descriptor, select.POLLIN)
        if self._control is not None:
            poller.register(self._control.fileno(), select.POLLIN)
        while not service.stopping:
            if service.fileno() in self.take_waiting(poller, sides):
                service.rest()
            self.turn(())
            service.turn(self._clock())
            if self._control is not None:
                self._control.turn()
            if service.tables_wanted() and self._table is None:
                self._table = self.table_parts(self._clock())
            self._print_table()
        while self.tell():
            pass
        self.tell_losses(self._clock())

    def _alarm(self, alarm: Alarm) -> None:
        """Log what an operator should know."""
        if self._output is None:
            self._write(f"{alarm}\n")
        else:
            self._output.alarm(alarm)

    def _tell_offload(self) -> None:
        """Log once why connections stay here."""
        trouble = self.offload_trouble
        if trouble and trouble != self._offload_told:
            self._offload_told = trouble
            self._write(f"{NO_OFFLOAD}{trouble}\n")

    def _has_room(self) -> bool:
        return self._output is None or self._output.has_room

    def _print_table(self) -> None:
        """Print a bounded part of the tables that were asked for."""
        if self._table is not None and self._has_room():
            text = next(self._table, None)
            if text is None:
                self._table = None
            else:
                self._write(text)

    def table_parts(self, now: float) -> Iterator[str]:
        """Yield the tables of SIGUSR1 in parts, each made within a millisecond.

        A table of a few sessions is sorted by age; a large one is in its own order.
        """
        stats = self.engine.stats()
        total = stats["incomplete"] + stats["established"] + stats["terminating"]
        if total + stats.get("uncounted", 0) <= ROWS_A_PART:
            yield self.tables(now)
            return
        for part in self.engine.session_slices(ROWS_A_PART):
            if part:
                yield self.rows(flow_session.read(part), now)
        yield self.summary(now)

    def rows(self, sessions: list[Session], now: float) -> str:
        """Return some rows of a large table."""
        return ios.show_connections(sessions, now)

    def summary(self, now: float) -> str:
        """Return the text behind a large table."""
        return ios.show_statistics(self.engine.statistics(now))

    def status(self) -> str:
        """Return in a few words how things stand."""
        stats = self.engine.stats()
        calm = "aggressive" if stats["aggressive"] else "calm"
        return (
            f"{calm}, {stats['incomplete']} half-open, {stats['established']} "
            f"established, {stats['journal_lost']} events not logged"
        )

    def wait(self) -> float:
        """Return in how many seconds `turn` is due at the latest."""
        if self._budget.is_waiting or (self._table is not None and self._has_room()):
            return 0.0
        now = self._clock()
        wait = super().wait()
        if self._service is not None:
            wait = min(wait, self._service.wait(now))
        if self.state is not None:
            wait = min(wait, self.state.wait(now))
        if self._budget.has_more or self._table is not None:
            wait = min(wait, WAIT_SECONDS)
        return wait

    def take(self, side: Side) -> None:
        """Take one ring of packets from a side."""
        super().take(side)
        if self.sides_seen is not None:
            self.sides_seen.look(self._rx, side)

    def turn(self, ready: Iterable[Side]) -> None:
        """Take the packets that arrived, run the timers, report the events."""
        super().turn(ready)
        now = self._clock()
        if self.sides_seen is not None and (text := self.sides_seen.turn(now)):
            self._write(f"{text}\n")
        if self._keys is not None and self._keys.waiting:
            self._keys.take(self.engine, self._write)
        self._tell_offload()
        if self.state is not None:
            self.state.turn(now, self._offload)
        if now >= self._losses_due:
            self._losses_due = now + LOSSES_EVERY
            self.tell_losses(now)

    def tell(self) -> int:
        """Log a line for each event, within the budget; return how many were read.

        The engine's journal is bounded: what is not read from it is lost there, before
        it costs an object, and counted.
        """
        allowed = self._budget.refill(self._clock())
        taken = 0
        while taken < allowed and (event := self.engine.next_event()) is not None:
            taken += 1
            line = ios.log_line(event)
            if line is not None:
                self._say(line, event)
        self._budget.spend(taken, more=taken == allowed)
        return taken

    def _say(self, line: str, event: FlowEvent) -> None:
        """Log the line of an event."""
        if self.lookout is not None and event.kind <= Kind.CALM:
            self.lookout.note(event.time, event.kind.name.lower(), line)
        if self._output is None:
            self._write(line + "\n")
            return
        self._output.write(
            line + "\n",
            kind=event.kind.name.lower(),
            severity=INFO if event.kind <= Kind.CALM else DEBUG,
            time=event.time,
            facts={"client": str(event.client), "server": str(event.server)}
            if event.client.port
            else {"half_open": event.incomplete, "one_minute": event.rate},
        )

    def tell_losses(self, now: float) -> None:
        """Log how many events found no place in the log."""
        lost = self.engine.stats(now)["journal_lost"]
        if lost > self._losses:
            self._write(f"{lost - self._losses} events are not in this log: too many\n")
        self._losses = lost

    def tables(self, now: float) -> str:
        """Return the tables of SIGUSR1."""
        return ios.show_connections(
            self.engine.connections(), now
        ) + ios.show_statistics(self.engine.statistics(now))
