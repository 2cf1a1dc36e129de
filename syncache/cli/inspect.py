"""`syncache inspect`: half-open sessions in line, beside the traffic, or in a capture.

In line we are a bump in the wire between two interfaces.  `--tap` watches one interface
and touches nothing, unless `--reset` asks for the resets of what is deleted.
A capture is run through the same engine at its own clock, as fast as it can be read.
Messages are folded to one line a second and kind; SIGUSR1 prints the tables.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from dataclasses import asdict
from datetime import datetime, timezone
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..inspection import Inspection
from ..ios import inspect as ios_inspect
from ..links.standby import stand_by
from ..plural import plural
from . import Failure, keyopts, keys
from . import options as opts
from .exporting import exporting
from .inspect_log import Log
from .intercept import Box, open_link
from .output import Budget, opened
from .record import Recorder, flow_name, recording
from .replay import Replay
from .report_traffic import Traffic, inspect_page, save
from .service import Service, keep_open
from .sides import Sides, doubts, say_each, warned
from .signals import Signals
from .sources import EXIT_STATUS, add_options, captures_of, refuse_options
from .tunables import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .. import Sysctl
    from ..bridge import Forwarder
    from ..flow_session import Session
    from ..inspect_rule import RuleSet
    from ..ios.inspect import Interface
    from ..links.syslog import Syslog
    from .sources import Captures

_I = "net.inet.inspect."
ROUTER = "cbac-classic"
CHALLENGES = {"cookie", "intercept"}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache inspect",
        description="See, count and bound half-open sessions, as Cisco's CBAC does.  "
        "SIGUSR1 prints the tables.",
        epilog=EXIT_STATUS,
    )
    p.add_argument(
        "files", metavar="FILE", nargs="*", help="captures, `-` is standard input"
    )
    p.add_argument("--outside", metavar="IF", help="in line: the clients' side")
    p.add_argument("--inside", metavar="IF", help="in line: the servers' side")
    p.add_argument("--tap", metavar="IF", help="beside the traffic of an interface")
    p.add_argument("--reset", action="store_true", help="with --tap: send resets")
    opts.add_in_line(p)
    opts.add_tunables(p)
    p.add_argument(
        "--rules", metavar="NAME", help="of several ip inspect names; or OUTSIDE,INSIDE"
    )
    add_options(p)
    keyopts.add_options(p)
    p.add_argument("--audit", action="store_true", help="report every session")
    p.add_argument(
        "--detect-only", action="store_true", help="judge and report, touch nothing"
    )
    p.add_argument(
        "--report", metavar="FILE", type=Path, help="write an HTML page, at the end"
    )
    opts.add_pcapng(p, "a capture, or a sample of live packets,")
    opts.add_ring(p)
    opts.add_control(p)
    opts.add_log(p)
    opts.add_service(p)
    opts.add_on_exit(p)
    return p


def run(options: argparse.Namespace) -> int:
    """Inspect until the end of the capture, or SIGINT or SIGTERM."""
    check_ways(options)
    if not options.files:
        refuse_options(options)
    names = [n for n in (options.tap, options.inside, options.outside) if n]
    opts.check_service(options)
    opts.check_outputs(options, opts.OF_FILES)
    source = keyopts.source(options)
    engine = make(options, source)
    opts.check_interfaces(options, [] if options.tun else names)
    if options.check:
        say_each("inspect", doubts(options, engine, None))
        return 0
    with contextlib.ExitStack() as stack:
        try:
            if options.files:
                log = Log(engine, stack.enter_context(syslog(options)))
                record = recording(options.pcapng, flow_name, live=False)
                engine.observer = stack.enter_context(record)
                captures = captures_of(options, options.files)
                return replay(engine, log, captures, options)
        except BrokenPipeError:
            raise
        except OSError as error:  # LinkError says what to do in its text
            raise Failure(str(error)) from None
        stack.enter_context(exporting(options))
        signals = stack.enter_context(Signals())
        output = stack.enter_context(opened("syncache inspect", options))
        log = Log(engine, write=output.write)
        log.output, log.budget = output, Budget()
        engine.observer = stack.enter_context(recording(options.pcapng, flow_name))
        log.report_to(options.report, " and ".join(names))
        service = Service(
            options,
            signals,
            output.write,
            lambda: prepare(options, source, engine, log),
            output.reopen,
        )
        stack.callback(service.close)
        warned(options, engine, output, None)()

        def once(links: contextlib.ExitStack) -> None:
            box = links.enter_context(live(options, engine, log))
            box.watch(source, links, service)
            box.attend(options, output, links)
            box.work(service)

        awaited = names if options.wait and not options.tun else []
        keep_open(once, awaited, signals, output.write)
        log.close()
        if log.report is not None:
            log.report.close(time.monotonic())
    return 0


def check_ways(options: argparse.Namespace) -> None:
    """Refuse places of the traffic that do not go together.

    Raises:
        Failure: the first thing that is wrong.
    """
    ways = [options.files, options.tap, options.inside or options.outside]
    if sum(bool(way) for way in ways) != 1:
        raise Failure("name a FILE, or --tap IF, or --inside IF and --outside IF")
    if bool(options.inside) != bool(options.outside):
        raise Failure("--inside and --outside belong together")
    if options.inside and options.inside == options.outside:
        raise Failure(f"{options.inside} cannot be inside and outside")
    if options.on_exit != "leave" and (options.tun or not options.inside):
        raise Failure("--on-exit is of a box in line, between two interfaces")
    if (options.xdp or options.tun) and not options.inside:
        raise Failure("--xdp and --tun are for --inside IF and --outside IF")


class Configuration(NamedTuple):
    """The request in the options."""

    sysctl: Sysctl
    rules: RuleSet | None
    interfaces: list[Interface]


def configuration(
    options: argparse.Namespace, source: keys.KeySource | None = None
) -> Configuration:
    """Read the files named by the options."""
    # Challenges need both directions; a file may still ask for one, and is refused.
    beside = [] if options.inside else [f"{_I}block_action=drop"]
    sysctl, config = load(
        # Where nothing is touched, the reports are those of a router.
        preset=options.preset or (None if options.inside else ROUTER),
        conf=options.conf,
        ios=options.ios,
        strict=options.strict,
        rules=options.rules,
        settings=options.sysctl,
        shared=[*beside, *(source.settings if source else ())],
    )
    if source is not None:
        source.check(sysctl)
    wanted = {"audit_trail": options.audit, "detect_only": options.detect_only}
    wanted["tap_reset"] = options.reset
    sysctl.update({_I + name: 1 for name, on in wanted.items() if on})
    action = sysctl[_I + "block_action"]
    if action in CHALLENGES and not options.inside:
        raise Failure(f"block_action {action} needs both directions: run in line")
    try:
        rules = ios_inspect.chosen(config, options.rules)
    except ValueError as error:
        raise Failure(str(error)) from None
    interfaces = list(ios_inspect.draft_of(config).interfaces.values())
    return Configuration(sysctl, rules, interfaces)


def make(
    options: argparse.Namespace, source: keys.KeySource | None = None
) -> Inspection:
    """Make the engine that the options ask for."""
    sysctl, rules, interfaces = configuration(options, source)
    ring = source.keys if source else None
    try:
        engine = Inspection(sysctl, rules=rules, keys=ring)
    except ValueError as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise Failure(f"no memory for this engine: {error.strerror}") from None
    engine.interfaces = interfaces
    return engine


def prepare(
    options: argparse.Namespace,
    source: keys.KeySource | None,
    engine: Inspection,
    log: Log | None = None,
) -> Callable[[], None]:
    """Read everything again; return the function that puts it in force."""
    fresh = source.read() if source else None
    sysctl, rules, interfaces = configuration(options, source)

    def apply() -> None:
        engine.adopt(sysctl, rules)
        engine.interfaces = interfaces
        if log is not None and log.report is not None:
            log.report.adopted()
        if source is not None and fresh is not None:
            source.give(engine, fresh)

    return apply


@contextlib.contextmanager
def syslog(options: argparse.Namespace) -> Iterator[Syslog | None]:
    """Open the log that was asked for."""
    if options.syslog is None:
        yield None
        return
    from ..links.syslog import Syslog

    log = Syslog(options.syslog, facility=options.facility)
    try:
        yield log
    finally:
        log.close()


def replay(
    engine: Inspection, log: Log, captures: Captures, options: argparse.Namespace
) -> int:
    """Run captures; return the exit status."""
    lines: list[str] = []
    log.write = lines.append if options.json else sys.stdout.write
    if options.report is not None:
        log.traffic = Traffic.beside(engine)
    began = time.perf_counter()
    run = Replay(engine, captures)
    for now, seconds in run.seconds():
        log.zero = -run.shift
        if isinstance(engine.observer, Recorder):
            engine.observer.zero = -run.shift
        log.tell(now)
        if log.traffic is not None and seconds:
            log.traffic.samples.add(engine.sample(now)._replace(seconds=seconds))
    log.close()
    took = time.perf_counter() - began
    statistics = engine.statistics()
    shown = ios_inspect.show_statistics(statistics, run.last)
    if options.json:
        found = {
            "messages": [line.rstrip() for line in lines],
            "statistics": asdict(statistics),
            **run.record(),
        }
        print(dumps(found, indent=1))
    else:
        print(shown, end="")
        print(
            f"{run.packets} {plural(run.packets, 'packet')} of {run.span:.0f} s; "
            f"{run.packets / took / 1e6:.2f} million packets a second"
        )
        print("\n".join(run.text()))
    if options.report is not None and log.traffic is not None:
        name = " ".join(captures.paths)
        facts = log.traffic.facts(name, engine.sysctl, run)
        save(inspect_page(facts, shown), options.report)
    return run.status("inspect")


@contextlib.contextmanager
def live(
    options: argparse.Namespace, engine: Inspection, log: Log
) -> Iterator[InspectBox]:
    """Open the links of a run on interfaces."""
    # The wall clock when the monotonic one was 0.
    log.zero = datetime.now(timezone.utc).timestamp() - time.monotonic()
    with contextlib.ExitStack() as stack:
        if options.tap is not None:
            box: InspectBox = Tap(engine, stack.enter_context(open_tap(options)), log)
            log.write(f"inspecting beside {options.tap}\n")
            yield box
            return
        outside = stack.enter_context(open_link(options, options.outside))
        inside = stack.enter_context(open_link(options, options.inside))
        if not options.tun:
            stand_by(options.outside, options.inside, options.on_exit)
        where = f"{options.outside} and {options.inside}"
        box = InspectBox(engine, outside, inside, log)
        box.sides_seen = Sides(lambda: None, options.inside)
        log.write(f"inspecting between {where}\n")
        yield box


@contextlib.contextmanager
def open_tap(options: argparse.Namespace) -> Iterator[Any]:
    """Open an interface beside the kernel, which goes on as if we were not there."""
    from ..links.packet import Packet

    link = Packet(
        options.tap,
        tap=True,
        cpu=options.cpu,
        priority=options.priority,
        **opts.ring_of(options),
    )
    try:
        yield link
    finally:
        link.close()


class InspectBox(Box):
    """The engine between two links."""

    engine: Inspection  # type: ignore[assignment]

    def __init__(
        self,
        engine: Inspection,
        outside: Forwarder,
        inside: Forwarder | None,
        log: Log,
    ) -> None:
        super().__init__(engine, outside, inside, write=log.write)  # type: ignore[arg-type]
        self._log = log
        log.lookout, self._budget = self.lookout, log.budget or self._budget

    def wait(self) -> float:
        """Return in how many seconds `turn` is due at the latest."""
        due = self._log.next_deadline()
        wait = super().wait()
        return wait if due is None else max(min(wait, due - self._clock()), 0.0)

    def tell(self) -> int:
        """Log messages; return how many events were read."""
        now = self._clock()
        taken = self._log.tell(now)
        if self._log.report is not None:
            self._log.report.turn(now, self.link_counts)
        return taken

    def table_parts(self, now: float) -> Iterator[str]:
        """Yield the tables of SIGUSR1; the page is written too."""
        if self._log.report is not None:
            self._log.report.write(now)
        return super().table_parts(now)

    def tables(self, now: float) -> str:
        """Return the tables of SIGUSR1."""
        return show_all(self.engine, now)

    def rows(self, sessions: list[Session], now: float) -> str:
        """Return some rows of a large table."""
        return ios_inspect.show_sessions(sessions, self.engine.rules, now)

    def summary(self, now: float) -> str:
        """Return the text behind a large table."""
        engine = self.engine
        return engine.config() + ios_inspect.show_statistics(
            engine.statistics(now), now
        )


class Tap(InspectBox):
    """The engine beside one link, on which both directions come."""

    def __init__(self, engine: Inspection, link: Forwarder, log: Log) -> None:
        super().__init__(engine, link, None, log)


def show_all(engine: Inspection, now: float) -> str:
    """Return `show ip inspect all`, and the statistics."""
    return "".join(
        (
            engine.config(),
            engine.interface_config(),
            ios_inspect.show_sessions(engine.sessions(), engine.rules, now),
            ios_inspect.show_statistics(engine.statistics(now), now),
        )
    )
