"""`syncache advise`: thresholds for inspection from a capture or from live traffic.

Proposed are the two pairs, the limit per host and the time that a handshake may take,
each with the percentiles that it rests on; for a capture the proposal is tried on the
same traffic at once.  `--with` tries other tunables instead.  What is computed from the
samples is `syncache.advise`'s.
"""

from __future__ import annotations

import argparse
import gc
import math
import re
import select
import sys
import time
from dataclasses import asdict, dataclass, replace
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from .. import Sysctl, flow_session
from ..advise import Advice, Samples, Span, WhatIf, advise, hints
from ..flow import Side
from ..flow_event import End, Kind, brief
from ..flow_session import State
from ..inspection import Inspection
from ..ios import inspect as ios_inspect
from ..plural import plural
from ..ring import Ring
from . import Failure
from . import options as opts
from .log_picture import plotter
from .replay import Replay
from .report_traffic import Facts, Traffic, advise_page, save
from .sources import (
    EXIT_STATUS,
    SLOT_BYTES,
    SLOTS,
    add_options,
    captures_of,
    refuse_options,
)
from .tunables import STRICT, load

if TYPE_CHECKING:
    from .._core.inspect import Sample
    from ..inspect_rule import RuleSet
    from .sources import Captures

_I = "net.inet.inspect."
# One engine of these has 135 MiB: with Python's own, below 200 MiB for any capture.
SESSIONS_MIN, SESSIONS_MAX, HOSTS_MAX = 2**12, 2**19, 2**17
PACKET_BYTES = 44  # of a file, at least: the head of a record, and a UDP datagram
EVICTED_MAX = 2**15  # deleted sessions whose fate is looked up
REASONS = {end: end.name.lower().removeprefix("evicted_") for end in End}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
WAIT_S = 0.2
PANELS = (
    ("half-open sessions", "incomplete", "max_incomplete"),
    ("requests of a minute", "one_minute", "one_minute"),
    ("half-open to one host", "host_count", "host"),
)


@dataclass(slots=True)
class Measurement:
    """The measurements: one sample a second, and how long handshakes take."""

    samples: list[Sample]
    ages: list[int]
    replay: Replay | None = None
    traffic: Traffic | None = None

    def facts(self, source: str, values: Sysctl) -> Facts:
        """Return the data for a report."""
        traffic = self.traffic or Traffic()
        facts = traffic.facts(source, values, self.replay)
        return replace(facts, samples=self.samples)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache advise",
        description="Measure traffic, and propose thresholds for `syncache inspect`.",
        epilog=EXIT_STATUS,
    )
    p.add_argument(
        "sources",
        metavar="FILE|IF",
        nargs="+",
        help="captures (`-` is standard input), or an interface",
    )
    p.add_argument(
        "--for",
        dest="duration",
        metavar="TIME",
        default="1h",
        help="how long to listen on an interface: 90s, 10m, 1h [%(default)s]",
    )
    p.add_argument(
        "--with",
        dest="conf",
        metavar="CONF",
        type=Path,
        help="what these tunables (sysctl.conf or IOS) would have done",
    )
    p.add_argument(
        "--all", action="store_true", help="leave out nothing that looks like an attack"
    )
    p.add_argument(
        "--format",
        choices=("text", "sysctl", "ios"),
        help="print this form alone, for a file",
    )
    add_options(p)
    p.add_argument("--strict", action="store_true", help=STRICT)
    p.add_argument("--picture", metavar="FILE", type=Path, help="series and thresholds")
    p.add_argument("--report", metavar="FILE", type=Path, help="write an HTML page")
    opts.add_ring(p)
    return p


def run(options: argparse.Namespace) -> int:
    """Measure, propose, try."""
    opts.check_ring(options)
    opts.check_outputs(options, opts.OF_FILES)
    if options.picture:
        plotter()  # so that it is missing before the hour, not after it
    captures = source_of(options)
    tried = tried_of(options.conf, strict=options.strict) if options.conf else None
    measured = None
    try:
        if captures is None:
            seconds, name = seconds_of(options.duration), opts.checked(options.sources)
            measured = measure_live(name, seconds, opts.ring_of(options))
        else:
            measured = measure_capture(captures, counted=bool(options.report))
        advice = advise(measured.samples, measured.ages, everything=options.all)
        wanted = tried or Tried(dict(advice.tunables()))
        what_if = None
        shown = options.picture or options.report or not options.format
        if captures is not None and captures.is_repeatable and shown:
            what_if = try_out(captures, wanted)
    except ValueError as error:
        what = nothing(measured) or str(error)
        raise Failure(f"{' '.join(options.sources)}: {what}") from None
    except OSError as error:  # LinkError says what to do in its text
        raise Failure(str(error)) from None
    return show(options, measured, Outcome(advice, wanted.tunables, what_if))


def source_of(options: argparse.Namespace) -> Captures | None:
    """Return the captures to measure; None: it is an interface."""
    sources = options.sources
    if len(sources) == 1 and not (
        sources[0] == "-" or Path(sources[0]).exists() or "/" in sources[0]
    ):
        if options.conf:
            raise Failure(
                "--with needs a capture: record one with tcpdump -s 128 -w FILE"
            )
        refuse_options(options)
        return None
    if "-" in sources and options.conf:
        raise Failure("--with reads the capture again, which `-` does not allow")
    try:
        return captures_of(options, sources)
    except OSError as error:
        raise Failure(str(error)) from None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The proposal, the tunables that were tried, and their effect."""

    advice: Advice
    tunables: dict[str, int | str]
    what_if: WhatIf | None


def show(options: argparse.Namespace, measured: Measurement, outcome: Outcome) -> int:
    """Print the result; return the exit status."""
    run = measured.replay
    if options.json:
        what_if = None if outcome.what_if is None else asdict(outcome.what_if)
        found = {
            "proposal": outcome.advice.tunables(),
            "ios": outcome.advice.ios(),
            "measured": outcome.advice.text(),
            "hints": hints(measured.samples, measured.ages),
            "tried": outcome.tunables,
            "what_if": what_if,
            **({} if run is None else run.record()),
        }
        print(dumps(found, indent=1))
    else:
        print("\n".join(report(options, outcome.advice, outcome.what_if)))
    if options.picture:
        draw(options.picture, measured, outcome.tunables, outcome.what_if)
    if options.report:
        name = " ".join(options.sources)
        facts = measured.facts(name, Sysctl(outcome.tunables))
        save(advise_page(facts, outcome.advice, outcome.what_if), options.report)
    if run is None:
        return 0
    if not options.json:
        # A form alone is for a file, so the rest is said beside it.
        place = sys.stderr if options.format else sys.stdout
        print(
            "\n".join(["", *hints(measured.samples, measured.ages), *run.text()]),
            file=place,
        )
    return run.status("advise")


def nothing(measured: Measurement | None) -> str:
    """Return why a capture gave no sample; empty: not for what it holds."""
    run = None if measured is None else measured.replay
    if run is None or run.packets > run.skipped:
        return ""
    if not run.packets:
        return "there is nothing to measure: it holds no packet"
    most = run.passed[0]
    return (
        f"there is nothing to measure: of {run.packets} "
        f"{plural(run.packets, 'packet')} none was looked at; most are {most.name}"
    )


def report(
    options: argparse.Namespace, advice: Advice, what_if: WhatIf | None
) -> list[str]:
    """Return the lines that were asked for."""
    if options.format:
        forms = {
            "text": advice.text,
            "sysctl": advice.sysctl_conf,
            "ios": advice.ios,
        }
        return forms[options.format]()
    lines = [*advice.text(), "", *advice.sysctl_conf(), "", *advice.ios()]
    if what_if is not None:
        name = f"with {options.conf}" if options.conf else "with the proposal"
        lines += ["", f"{name}, on this capture:", *what_if.text()]
    return lines


def seconds_of(text: str) -> float:
    """Read a time with its unit."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not found or not float(found[1]):
        raise Failure(f"{text!r} is not a time: write 90s, 10m, 1h or 1d")
    return float(found[1]) * UNITS[found[2] or "s"]


@dataclass(frozen=True, slots=True)
class Tried:
    """The trial: changes of the defaults, and rules; None: the default ones."""

    tunables: dict[str, int | str]
    rules: RuleSet | None = None


def tried_of(conf: Path, *, strict: bool = False) -> Tried:
    """Read tunables, and from an IOS configuration rules too."""
    sysctl, config = load(preset="cbac-classic", conf=conf, strict=strict)
    default = Sysctl()
    changes = {name: sysctl[name] for name in sysctl if sysctl[name] != default[name]}
    return Tried(changes, ios_inspect.chosen(config))


# Measuring.


def room(captures: Captures | None) -> dict[str, int | str]:
    """Return sizes of tables that hold all sessions, as far as memory goes."""
    most = SESSIONS_MAX
    if captures is not None and captures.is_plain:
        most = min(most, max(SESSIONS_MIN, captures.size // PACKET_BYTES))
    return {_I + "sessions_max": most, _I + "hosts_max": min(most, HOSTS_MAX)}


def unlimited(captures: Captures | None = None) -> Inspection:
    """Make an engine that deletes nothing."""
    sysctl = Sysctl(room(captures))
    sysctl.preset("cbac-modern")
    return Inspection(sysctl)


def measure_capture(captures: Captures, *, counted: bool = False) -> Measurement:
    """Sample captures at their own clock; `counted`: sessions by their ends too."""
    engine = unlimited(captures)
    samples = Samples()
    traffic = Traffic.beside(engine) if counted else None
    run = Replay(engine, replace(captures, name="measuring"))
    for now, seconds in run.seconds():
        while traffic is not None and (events := engine.event_slice()):
            traffic.count(events)
        if seconds:
            samples.add(engine.sample(now)._replace(seconds=seconds))
    return Measurement(samples.all(), engine.handshake_ages(), run, traffic)


def measure_live(name: str, seconds: float, ring: dict[str, Any]) -> Measurement:
    """Sample the traffic of an interface; SIGINT ends it early."""
    from ..links.packet import Packet

    engine = unlimited()
    samples = Samples()
    link = Packet(name, tap=True, **ring)
    try:
        rx = Ring(SLOTS, SLOT_BYTES + link.headroom // 64 * 64 + 64)
        poller = select.poll()
        poller.register(link.fileno(), select.POLLIN)
        end = time.monotonic() + seconds
        due = time.monotonic() + 1
        while (now := time.monotonic()) < end:
            poller.poll(int(max(0.0, min(due - now, WAIT_S)) * 1000))
            rx.clear()
            link.receive(rx)
            now = time.monotonic()
            while rx.next < len(rx):
                engine.burst(rx, Side.TAP, None, None, now)
            if now >= due:
                engine.handle_timer(now)
                samples.add(engine.sample(now))
                due = max(due + 1, now)
    except KeyboardInterrupt:
        pass
    finally:
        link.close()
    return Measurement(samples.all(), engine.handshake_ages())


# Trying.

Key = tuple[int, bytes]  # protocol and packed tuple


def try_out(captures: Captures, tried: Tried) -> WhatIf:
    """Run captures with tunables; then without limits, to count the losses."""
    gc.collect()  # the engine before, which is in a circle with its tunables
    what_if, evicted = _with_limits(replace(captures, name="trying"), tried)
    if evicted.times:
        gc.collect()
        again = replace(captures, name="comparing")
        what_if.would_complete = _completed(again, evicted)
    return what_if


class Evicted:
    """When sessions were deleted: of all, or of a fair part if there are too many."""

    def __init__(self, most: int = EVICTED_MAX) -> None:
        self.times: dict[Key, float] = {}
        self.share = 1  # one in so many is kept
        self._most = most

    def add(self, key: Key, time: float) -> None:
        """Note the first time that a session of these ends was deleted."""
        if not self._is_kept(key):
            return
        self.times.setdefault(key, time)
        while len(self.times) > self._most:
            self.share *= 2
            kept = {key: t for key, t in self.times.items() if self._is_kept(key)}
            self.times = kept

    def _is_kept(self, key: Key) -> bool:
        return self.share == 1 or crc32(key[1], key[0]) % self.share == 0


def _with_limits(captures: Captures, tried: Tried) -> tuple[WhatIf, Evicted]:
    own = room(captures)
    sysctl = Sysctl(own | tried.tunables | {_I + "debug": 1, _I + "alert": 1})
    engine = Inspection(sysctl, rules=tried.rules)
    what_if = WhatIf()
    evicted = Evicted()
    replay = Replay(engine, captures)
    for _ in replay.seconds():
        while events := engine.event_slice():
            _count(events, what_if, evicted)
    if what_if.still_aggressive:
        what_if.aggressive[-1] = replace(what_if.aggressive[-1], end=replay.last)
    return what_if, evicted


def _count(events: bytes, what_if: WhatIf, evicted: Evicted) -> None:
    """Count events; while it is aggressive the last span ends where it began."""
    for time_ms, kind, protocol, reason, ends, *_ in brief(events):
        time = time_ms / 1000
        if kind == Kind.EVICTED:
            name = REASONS[reason]
            what_if.evicted[name] = what_if.evicted.get(name, 0) + 1
            evicted.add((protocol, ends), time)
        elif kind == Kind.AGGRESSIVE:
            what_if.alerts += 1
            what_if.aggressive.append(Span(time, time))
            what_if.still_aggressive = True
        elif kind == Kind.CALM and what_if.still_aggressive:
            what_if.aggressive[-1] = replace(what_if.aggressive[-1], end=time)
            what_if.still_aggressive = False
        elif kind == Kind.HOST_ALERT:
            what_if.host_alerts.append(time)
        elif kind == Kind.BLOCK:
            what_if.blocks += 1


def _completed(captures: Captures, evicted: Evicted) -> int:
    """Count the deleted sessions that complete if nothing is deleted.

    Each is looked up once: the session of its ends that lived when it was deleted.
    """
    engine = unlimited(captures)
    engine.sysctl[_I + "audit_trail"] = 1
    waiting = dict(evicted.times)
    completed = 0
    for _ in Replay(engine, captures).seconds():
        while events := engine.event_slice():
            for time_ms, kind, protocol, reason, ends, *sizes in brief(events):
                key = protocol, ends
                if kind == Kind.STOP and time_ms / 1000 >= waiting.get(key, math.inf):
                    del waiting[key]
                    completed += _was_complete(protocol, reason, sizes[-1])
    for slice_ in engine.session_slices():
        for ends, protocol, state in flow_session.brief(slice_):
            done = state in {State.ESTAB, State.CLOSING}
            completed += done and (protocol, ends) in waiting
    return completed * evicted.share


def _was_complete(protocol: int, reason: int, server_bytes: int) -> bool:
    """Tell by its end whether a session had become established."""
    if protocol == 6 and reason != End.RST:
        return reason in {End.FIN, End.TIMEOUT, End.REPLACED}
    # A RST to a SYN ends what carried nothing; UDP is complete with its answer.
    return server_bytes > 0


# The picture.


def draw(
    place: Path,
    measured: Measurement,
    tunables: dict[str, Any],
    what_if: WhatIf | None,
) -> None:
    """Draw the three series, the thresholds, and the alerts that there would be."""
    plt = plotter()
    sysctl = Sysctl(tunables)
    zero = measured.samples[0].time
    at = [sample.time - zero for sample in measured.samples]
    figure, panels = plt.subplots(len(PANELS), sharex=True, figsize=(9, 7))
    for panel, (title, field, name) in zip(panels, PANELS, strict=True):
        values = [getattr(sample, field) for sample in measured.samples]
        panel.plot(at, values, "C0", linewidth=0.8)
        panel.set_title(title, fontsize=10)
        panel.set_yscale("symlog", linthresh=10)
        panel.set_ylim(bottom=0)
        for value, style in levels(sysctl, name):
            panel.axhline(value, color="C3", linestyle=style, linewidth=0.8)
    spans = what_if.aggressive if what_if else []
    for span in spans:
        for panel in panels[:2]:
            panel.axvspan(span.begin - zero, span.end - zero, color="C3", alpha=0.15)
            panel.plot(span.begin - zero, 0, "^C3", clip_on=False)
            panel.plot(span.end - zero, 0, "vC2", clip_on=False)
    for when in what_if.host_alerts if what_if else []:
        panels[-1].plot(when - zero, 0, "^C3", clip_on=False)
    panels[-1].set_xlabel(
        "seconds; red: high, dashed: low; triangles: alerts on and off"
    )
    figure.tight_layout()
    try:
        figure.savefig(place, dpi=100)
    except (OSError, ValueError) as error:
        raise Failure(f"cannot write {place}: {error}") from None
    finally:
        plt.close(figure)
    print(f"picture: {place.resolve()}")


def levels(sysctl: Sysctl, name: str) -> list[tuple[int, str]]:
    """Return the thresholds of one quantity, each with its line's style."""
    if name == "host":
        found = [(sysctl[_I + "tcp.max_incomplete_host"], "-")]
    else:
        found = [(sysctl[f"{_I}{name}.high"], "-"), (sysctl[f"{_I}{name}.low"], "--")]
    return [(int(value), style) for value, style in found if value]
