"""Captures as one: several files, each opened when its first packet is next.

Files that follow one another (of a rotating recorder) are read one by one; files of the
same time (of several interfaces) are merged by the times of their packets.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .._core.capture import Doubles
from ..links.compressed import is_compressed
from ..links.link import LinkError
from ..links.passed import TUNNELS, total
from ..links.replay import CaptureReader, DamagedError, captured_at
from ..plural import plural
from ..ring import Ring
from . import Failure
from .progress import Progress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ..links.passed import Passed

SLOTS, SLOT_BYTES = 256, 524_416  # the largest super-segment; memory as it is used

DOUBLES_SHARE = 20  # one packet in so many that came twice is worth a remark
EXIT_STATUS = (
    "Exit status: 0; 1: nothing was done, and one line says why; 3: a capture is "
    "damaged or cut short, and the results are those of its whole packets."
)


@dataclass(frozen=True, slots=True)
class Captures:
    """Which captures to read, and how."""

    paths: tuple[str, ...]
    tunnels: bool = False
    dedup: bool = False
    expression: str | None = None
    progress: bool = False
    name: str = "reading"  # of the pass, for the bar

    def __post_init__(self) -> None:
        if self.paths.count("-") > 1:
            raise LinkError("the standard input can be read only once: one `-`")

    @property
    def is_repeatable(self) -> bool:
        """True if they can be read again."""
        return all(os.path.isfile(path) for path in self.paths)  # noqa: PTH113

    @property
    def is_plain(self) -> bool:
        """True if their sizes bound the number of packets: none is compressed."""
        return self.is_repeatable and not any(map(is_compressed, self.paths))

    @property
    def size(self) -> int:
        """Bytes of all files; 0 if one is not a file."""
        if not self.is_repeatable:
            return 0
        return sum(Path(path).stat().st_size for path in self.paths)

    def reader(self, path: str, among: Doubles | None = None) -> CaptureReader:
        """Open one of them; doubles are looked for among those of several."""
        return CaptureReader(
            path,
            tunnels=self.tunnels,
            dedup=self.dedup,
            expression=self.expression,
            among=among,
        )


def add_options(p: argparse.ArgumentParser) -> None:
    """Add the options of captures."""
    p.add_argument(
        "--tunnels",
        action="store_true",
        help="captures: look into GRE, IP in IP, VXLAN, Geneve, ERSPAN, GTP-U and L2TP",
    )
    p.add_argument(
        "--dedup",
        action="store_true",
        help="captures: leave out packets that were recorded twice, up to 20 ms apart",
    )
    p.add_argument(
        "--filter", metavar="EXPRESSION", help="captures: as tcpdump takes it"
    )
    p.add_argument(
        "--progress", action="store_true", help="captures: show how far it has come"
    )
    p.add_argument("--json", action="store_true", help="captures: one JSON object")


def refuse_options(options: argparse.Namespace) -> None:
    """Refuse the options of captures where there is none."""
    own = ("tunnels", "dedup", "filter", "progress", "json")
    if any(getattr(options, name) for name in own):
        raise Failure(
            "--tunnels, --dedup, --filter, --progress and --json are of captures: "
            "name a FILE"
        )


def captures_of(options: argparse.Namespace, paths: Sequence[str]) -> Captures:
    """Return the captures that the options ask for."""
    return Captures(
        tuple(paths),
        tunnels=options.tunnels,
        dedup=options.dedup,
        expression=options.filter,
        progress=options.progress,
    )


class Source:
    """One capture of several, and the packets of it that come next.

    Raises:
        LinkError: It cannot be read, or is of another kind.
    """

    def __init__(
        self, captures: Captures, path: str, among: Doubles | None = None
    ) -> None:
        self._captures, self._among = captures, among
        self.path = path
        self.damage: str | None = None
        self.shift = 0.0  # times of its packets minus captured times
        self.next = 0.0  # the time of its next packet
        self.has_stepped = False  # time stepped back before it
        # One that can be read again is opened when its time comes.
        is_file = Path(path).is_file()
        self._reader = captures.reader(path, None if is_file else among)
        self.rx = Ring(1 if is_file else SLOTS, SLOT_BYTES)
        self.is_empty = not self.refill()
        self._is_parked = is_file and not self.is_empty
        if self._is_parked:
            self._reader.close()

    def begin(self) -> None:
        """Have packets in the ring."""
        if self._is_parked:
            self._is_parked = False
            self.damage = None
            self._reader = self._captures.reader(self.path, self._among)
            self.rx = Ring(SLOTS, SLOT_BYTES)
            self.refill()
            self.has_stepped = False

    def refill(self) -> bool:
        """Read more packets in place of those before; False: there are none."""
        self.rx.clear()
        try:
            self._reader.receive(self.rx)
        except DamagedError as error:
            self.damage = str(error)
        except BaseException:
            self._reader.close()
            raise
        self.has_stepped = self._reader.shift != self.shift and self.next > 0
        self.shift = self._reader.shift
        if len(self.rx):
            self.next = captured_at(self.rx, 0)
        return len(self.rx) > 0

    @property
    def position(self) -> int:
        """Bytes read."""
        return self._reader.position

    @property
    def packets(self) -> int:
        """Packets read."""
        return self._reader.packets

    def close(self) -> Summary:
        """Close the file and return its sums."""
        reader = self._reader
        damages = [] if self.damage is None else [self.damage]
        found = Summary(reader.counts(), reader.passed, reader.entered, damages)
        reader.close()
        return found


@dataclass(slots=True)
class Summary:
    """The sums of captures: counts of struct link_capture, and what is not in them."""

    counts: dict[str, int] = field(default_factory=dict)
    passed: list[Passed] = field(default_factory=list)
    entered: dict[str, int] = field(default_factory=dict)
    damages: list[str] = field(default_factory=list)

    def add(self, other: Summary) -> None:
        """Add those of another capture."""
        for name, count in other.counts.items():
            before = self.counts.get(name, 0)
            most = name in {"step_ms", "last_ms"}
            self.counts[name] = max(before, count) if most else before + count
        for name, count in other.entered.items():
            self.entered[name] = self.entered.get(name, 0) + count
        self.passed = total([self.passed, other.passed])
        self.damages += other.damages

    def notes(self) -> list[str]:
        """Return remarks for the operator, in sentences."""
        counts = self.counts
        notes = []
        if counts["steps"]:
            times = "once" if counts["steps"] == 1 else f"{counts['steps']} times"
            most = counts["step_ms"] / 1000
            notes.append(
                f"time steps back {times}, by {most:.0f} s at most; "
                "packets behind a step count as later than those before it"
            )
        if counts["odd_versions"]:
            notes.append(
                "the format is of an unknown version, and was read as the usual one: "
                "other programs may refuse it"
            )
        if counts["odd_options"]:
            odd = counts["odd_options"]
            make = plural(
                odd,
                "option of interfaces makes no sense and was",
                "options of interfaces make no sense and were",
            )
            notes.append(f"{odd} {make} passed over: times may be wrong")
        if counts["untimed"]:
            have = plural(
                counts["untimed"],
                "packet has no time, and counts",
                "packets have no time, and count",
            )
            notes.append(f"{counts['untimed']} {have} as of the time of the one before")
        elif counts["packets"] > 1 and not counts["last_ms"]:
            notes.append("no packet has a time: all count as of one instant")
        if counts["notes"]:
            hold = plural(counts["notes"], "block holds", "blocks hold")
            notes.append(
                f"{counts['notes']} {hold} no packet (custom, journal), and Wireshark "
                "numbers them with the packets"
            )
        if counts["doubles"] * DOUBLES_SHARE > counts["packets"] and not any(
            each.reason == "double" for each in self.passed
        ):
            notes.append(
                f"{counts['doubles']} "
                f"{plural(counts['doubles'], 'packet was', 'packets were')} "
                "recorded twice (by two interfaces, "
                "or a mirror of both directions); sessions and bytes of TCP count "
                "once, and --dedup leaves the doubles out"
            )
        if counts["filtered"]:
            noun = plural(counts["filtered"], "packet")
            notes.append(f"the filter left out {counts['filtered']} {noun}")
        if self.entered:
            kinds = ", ".join(
                f"{n} {TUNNELS[kind]}" for kind, n in self.entered.items()
            )
            notes.append(f"looked into tunnels: {kinds}")
        return notes


class Merged:
    """The packets of all captures in the order of their times."""

    def __init__(self, captures: Captures) -> None:
        self.summary = Summary()
        self._waiting: list[Source] = []
        self._active: list[Source] = []
        self._done = self._packets = 0
        self._progress: Progress | None = None
        among = Doubles() if len(captures.paths) > 1 else None
        try:
            for path in captures.paths:
                source = Source(captures, path, among)
                if source.is_empty:
                    self._end(source)
                else:
                    self._waiting.append(source)
        except BaseException:
            self.close()
            raise
        self._waiting.sort(key=lambda source: source.next)
        if captures.progress:
            self._progress = Progress(captures.name, captures.size)

    def turns(self) -> Iterator[tuple[Source, float]]:
        """Yield the capture whose packets are next, and up to which time they are."""
        waiting, active = self._waiting, self._active
        while waiting or active:
            first = min((each.next for each in active), default=math.inf)
            if waiting and waiting[0].next <= first:
                active.append(waiting.pop(0))
                active[-1].begin()
                continue
            source = min(active, key=lambda each: each.next)
            others = [each.next for each in active if each is not source]
            others += [each.next for each in waiting[:1]]
            yield source, min(others, default=math.inf)
            if source.rx.next < len(source.rx):
                source.next = captured_at(source.rx, source.rx.next)
            elif not source.refill():
                active.remove(source)
                self._end(source)
            self._show()

    def close(self) -> None:
        """Close the open files."""
        for source in self._active:
            self._end(source)
        for source in self._waiting:
            source.close()
        if self._progress is not None:
            self._progress.close()

    def _end(self, source: Source) -> None:
        self._done += source.position
        self._packets += source.packets
        self.summary.add(source.close())

    def _show(self) -> None:
        if self._progress is not None:
            done = self._done + sum(each.position for each in self._active)
            packets = self._packets + sum(each.packets for each in self._active)
            self._progress.show(done, packets)
