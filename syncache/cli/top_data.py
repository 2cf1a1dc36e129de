"""The data of `syncache top`: running processes, asked one by one and added up.

Contents: the questions to the control sockets, and the sum of the answers.  Half-open
connections are a sample: a step of the table from a random place at each asking, of
which the last few are kept; so a table of any size costs the process the same.
Elsewhere: how it looks (`top_view`), the terminal (`top`).
"""

from __future__ import annotations

import base64
import ipaddress
import random
import time
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from .. import alarms, flow_session, halfopen
from ..control import Client, ControlError
from ..lookout import RATES
from .processes import expanded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

TIMEOUT_SECONDS = 1.0
STILL_SECONDS = 10.0  # between two pictures in which nothing but the time is new
SAMPLES = 4
PREFIX = {4: 24, 6: 48}
ALARMS_MAX = 32
# From best to worst.
STATES = (*alarms.STATES, "no answer")


@dataclass(slots=True)
class Seen:
    """One process at one time; without `top` it did not answer.

    A source gives the same object again while there is nothing new to show.
    """

    name: str
    top: dict[str, Any] | None = None
    history: deque[list[int]] = field(default_factory=lambda: deque(maxlen=120))
    half_open: list[tuple[str, int, str]] = field(default_factory=list)
    error: str = ""


class Source(Protocol):
    """Whatever can be shown: processes of this machine, or of others."""

    def poll(self) -> list[Seen]:
        """Ask all of them; this may take as long as their timeouts."""

    def close(self) -> None:
        """Ask no more."""


class Sockets:
    """The processes behind some control sockets."""

    def __init__(self, paths: Iterable[str]) -> None:
        names = [name for path in paths for name in expanded(path)]
        self._known = [_Process(name) for name in names]

    def poll(self) -> list[Seen]:
        """Ask each process once."""
        return [process.poll() for process in self._known]

    def close(self) -> None:
        """Close the connections."""
        for process in self._known:
            process.close()


class _Process:
    """One control socket."""

    def __init__(self, path: str) -> None:
        self._client = Client(path, timeout=TIMEOUT_SECONDS, keeps=True)
        self._seen = Seen(path)
        self._shown = 0.0  # when something new was given
        self._still = 0  # answers since, of which each is a row of the history
        self._samples: deque[list[tuple[str, int, str]]] = deque(maxlen=SAMPLES)

    def poll(self) -> Seen:
        before, now = self._seen.top, time.monotonic()
        try:
            # Rows of a table are a sample, which is never the same.
            mark = None if before is None or _half_open(before) else before["mark"]
            top = self._client.request("top", history=before is None, mark=mark)
            is_new = before is None or "engine" in top
            part = self._sample() if is_new and _half_open(top) else None
        except (ControlError, ValueError, KeyError, TypeError) as error:
            self._seen = Seen(self._seen.name, error=str(error))
            return self._seen
        if before is not None and not is_new:
            self._go_on(before, now)
            return self._seen
        seen = Seen(self._seen.name, top)
        if before is None:
            seen.history.extend(top.pop("history", []))
        else:
            seen.history.extend([*self._history(), list(top["rates"].values())])
        self._still = 0
        self._samples.append(list(rows_of(part)) if part else [])
        seen.half_open = [row for sample in self._samples for row in sample]
        self._seen, self._shown = seen, now
        return seen

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _go_on(self, top: dict[str, Any], now: float) -> None:
        """Nothing has happened since the last answer but that time went by."""
        self._still += 1
        if now - self._shown < STILL_SECONDS:
            return
        later, self._shown = now - self._shown, now
        old = [alarm | {"ago": alarm["ago"] + later} for alarm in top["alarms"]]
        top = top | {"since": top["since"] + later, "alarms": old}
        self._seen = replace(self._seen, top=top, history=self._history())
        self._still = 0

    def _history(self) -> deque[list[int]]:
        """Return the history with what came since it was given."""
        found = self._seen.history.copy()  # whoever has it may be reading it
        found.extend([[0] * len(RATES)] * self._still)
        return found

    def _sample(self) -> dict[str, str]:
        """Return some rows of the table, which begin anywhere."""
        ask = self._client.request
        part: dict[str, str] = ask("sample", begin=random.random())  # noqa: S311
        return part if part["rows"] else ask("sample")  # it was the end of the table


def rows_of(part: dict[str, str]) -> Iterator[tuple[str, int, str]]:
    """Yield address, port and source prefix of the half-open rows of a sample."""
    raw = base64.b64decode(part["rows"])
    if part["engine"] == "syncache":
        for entry in halfopen.read(raw):
            yield entry.laddr, entry.lport, prefix_of(entry.faddr)
        return
    for session in flow_session.read(raw):
        if session.half_open:
            client = prefix_of(session.client.address)
            yield session.server.address, session.server.port, client


def prefix_of(address: str) -> str:
    """Return the /24 or /48 of an address."""
    length = PREFIX[6 if ":" in address else 4]
    return str(ipaddress.ip_network(f"{address}/{length}", strict=False))


@dataclass(slots=True)
class Sum:
    """Several processes as one.

    `asked` and `asking` hold SYNs a second and half-open connections, by destination
    and port, and by source prefix.
    """

    names: list[str] = field(default_factory=list)
    engines: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    state: str = "calm"
    since: float = 0.0
    floods: list[str] = field(default_factory=list)
    rates: dict[str, int] = field(default_factory=dict)
    history: list[list[int]] = field(default_factory=list)
    tables: dict[str, tuple[int, int]] = field(default_factory=dict)
    links: dict[str, int] = field(default_factory=dict)
    asked: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    asking: dict[str, tuple[int, int]] = field(default_factory=dict)
    prefixes: int = 0
    alarms: list[tuple[float, str, str]] = field(default_factory=list)  # ago, who, text


def added(seen: Sequence[Seen]) -> Sum:
    """Add up the answers of some processes."""
    total = Sum(rates=dict.fromkeys(RATES, 0))
    attempts: Counter[tuple[str, int]] = Counter()
    half_open: Counter[tuple[str, int]] = Counter()
    sources: Counter[str] = Counter()
    held: Counter[str] = Counter()
    worst = (0, 0.0)
    for one in seen:
        total.names.append(one.name)
        if one.top is None:
            total.silent.append(one.error or one.name)
            worst = max(worst, (STATES.index("no answer"), 0.0))
            continue
        top = one.top
        total.engines.append(top["engine"])
        worst = max(worst, (STATES.index(top["state"]), float(top["since"])))
        _add_counts(total, one, top)
        counted = top["attempts"]
        seconds = max(float(counted["seconds"]), 0.001)
        for address, port, syns, _ in counted["asked"]:
            attempts[address, port] += round(syns / seconds)
        for prefix, syns in counted["asking"]:
            sources[prefix] += round(syns / seconds)
        total.prefixes = max(total.prefixes, counted["prefixes"])
        # Each row of the sample stands for as many as there are.
        share = _half_open(top) / max(len(one.half_open), 1)
        places = Counter((address, port) for address, port, _ in one.half_open)
        for place, count in places.items():
            half_open[place] += round(count * share)
        for prefix, count in Counter(row[2] for row in one.half_open).items():
            held[prefix] += round(count * share)
    total.state, total.since = STATES[worst[0]], worst[1]
    total.asked = {k: (attempts[k], half_open[k]) for k in attempts | half_open}
    total.asking = {k: (sources[k], held[k]) for k in sources | held}
    total.alarms.sort()
    del total.alarms[ALARMS_MAX:]
    return total


def _half_open(top: dict[str, Any]) -> int:
    return int(top["tables"].get("half-open", (0, 0))[0])


def _add_counts(total: Sum, one: Seen, top: dict[str, Any]) -> None:
    """Add rates, history, tables, links, floods and alarms of a process."""
    for name, rate in top["rates"].items():
        total.rates[name] = total.rates.get(name, 0) + rate
    for name, (count, limit) in top["tables"].items():
        before = total.tables.get(name, (0, 0))
        total.tables[name] = (before[0] + count, before[1] + limit)
    for name, count in top["links"].items():
        total.links[name] = total.links.get(name, 0) + count
    total.floods += [where for where in top["floods"] if where not in total.floods]
    total.alarms += [
        (float(alarm["ago"]), one.name, alarm["text"]) for alarm in top["alarms"]
    ]
    rows = list(one.history)
    missing = len(rows) - len(total.history)
    total.history = [[0] * len(RATES)] * max(missing, 0) + total.history
    padded = [[0] * len(RATES)] * max(-missing, 0) + rows
    total.history = [
        [a + b for a, b in zip(mine, other, strict=True)]
        for mine, other in zip(total.history, padded, strict=True)
    ]
