"""`Lookout`: keeps an eye on an engine, once a second, for the people who run it.

    lookout = Lookout(engine)
    lookout.attempts.look(rx)        # behind each receive
    for alarm in lookout.look(now):  # now and then
        print(alarm)

It joins the counters of an engine and its links, the connection attempts and the
alarms, and keeps the rates of the last minutes.  `snapshot` is for `syncache
top`.  A look costs a few tenths of a millisecond, and there is no more than one a
second; while nothing is counted it compares the engine's counters as bytes, which is a
hundredth of the work.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from .alarms import Alarm, Alarms
from .attempts import Attempts, Counted
from .entropy import entropy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .engine import Syncache
    from .flow import Flow

LOOK_SECONDS = 1.0
STILL_SECONDS = 60.0  # limits and links are looked at, though nothing was counted
HISTORY_LOOKS = 120
ROWS = 10
# What is counted a second: the name, and the counters that are added up.  A name that
# ends or begins with _ adds up all that begin or end so.
RATES = {
    "syns": ("sc_added", "sc_dupsyn", "cookie_only_synacks", "requests"),
    "syn-acks": ("sndtotal", "syn_acks"),
    "cookies": ("sc_sendcookie", "cookies_sent"),
    "redeemed": ("sc_recvcookie", "cookies_redeemed"),
    "accepted": ("accepts", "completed"),
    "dropped": ("sc_dropped", "listendrop", "DROP_", "verdict_drop_"),
    "evicted": ("evicted", "ended_evicted_"),
    "resets": ("rst_sent", "resets_client", "resets_server"),
    "ring-lost": ("_kernel_dropped",),
}
_COUNT = "net.inet.tcp.syncache.count"
_LIMIT = "net.inet.tcp.syncache.cachelimit"
_SESSIONS = ("incomplete", "uncounted", "established", "terminating")
_NO_RATES = [0] * len(RATES)
_FLOWS = {"intercept": "net.inet.tcp.intercept.", "inspection": "net.inet.inspect."}


class Look(NamedTuple):
    """What the alarms are made of: see `Alarms.look`."""

    counters: Mapping[str, int]
    counted: Counted
    tables: Mapping[str, tuple[int, int]]
    paused: bool


class Lookout:
    """Looks at an engine for its operator.

    Args:
        engine: A `Syncache`, `Intercept`, `Inspection` or `Shield`.
        links: Returns the links' counters by name: `outside_kernel_dropped`.
        tables: Returns further tables of the engine's owner: entries and their limit.
    """

    def __init__(
        self,
        engine: Syncache | Flow,
        links: Callable[[], Mapping[str, int]] = dict,
        tables: Callable[[], Mapping[str, tuple[int, int]]] = dict,
    ) -> None:
        self.attempts = Attempts()
        self.alarms = Alarms()
        self.looked: Callable[[Look], object] = lambda _: None  # gets each look
        self.kind = type(engine).__name__.lower()
        self._engine: Any = engine
        self._links = links
        self._tables = tables
        self._counted = Counted(0, 0, [], [])
        self._due = 0.0
        self._untold: list[Alarm] = []  # of looks that were a snapshot's
        self._rated: tuple[float, Mapping[str, int]] | None = None
        self._history: deque[list[int]] = deque(maxlen=HISTORY_LOOKS)
        self._seconds = LOOK_SECONDS
        # Engines of a program's own may have none.
        self._pulse: Callable[[], bytes] | None = getattr(engine, "pulse", None)
        self._pulsed: tuple[bytes, float] | None = None  # and until when it holds
        # Of the last change of what a snapshot shows; those of two engines differ.
        self._mark = int.from_bytes(entropy(6), "big")
        self.rests = False  # nothing was counted before the last look

    @property
    def counted(self) -> Counted:
        """The SYNs of the second before the last look."""
        return self._counted

    @property
    def due(self) -> float:
        """When the next look is due."""
        return self._due

    def counters(self, now: float) -> dict[str, int]:
        """Return every counter of the engine and its links, by name."""
        if self.kind in _FLOWS:
            counters = self._engine.stats(now)
        else:
            counters = self._engine.stats.as_dict()
        return cast("dict[str, int]", counters) | dict(self._links())

    def note(self, time: float, kind: str, text: str) -> None:
        """Keep an alert of the engine's own among the last alarms."""
        self.alarms.recent.append(Alarm(time=time, kind=kind, text=text))

    def look(self, now: float) -> list[Alarm]:
        """Return the alarms since the last call; looks are a second apart."""
        untold, self._untold = self._untold, []
        return untold + self._looked(now)

    def _looked(self, now: float) -> list[Alarm]:
        if now < self._due:
            return []
        self._due = now + LOOK_SECONDS
        if self._is_still(now):
            return []
        counters = self.counters(now)
        self._rate(now, counters)
        self._counted = self.attempts.take()
        paused = bool(getattr(self._engine, "paused", False))
        look = Look(counters, self._counted, self._bounded(counters), paused)
        self.looked(look)
        return self.alarms.look(now, **look._asdict())

    def rouse(self, now: float) -> None:
        """Let the time until now count as one in which nothing came.

        For who has looked more seldom since `rests`: before what comes is judged.
        """
        self._untold += self._looked(now)

    def _is_still(self, now: float) -> bool:
        """Make the look if nothing was counted since the last one; False: it is due."""
        if self._pulse is None:
            return False
        pulse, before = self._pulse(), self._pulsed
        self.rests = False
        if (
            before is None
            or pulse != before[0]
            or now >= before[1]
            or self.attempts.total
            or not self.alarms.rests(now)
        ):
            self._pulsed = pulse, now + STILL_SECONDS
            self._mark += 1
            return False
        assert self._rated is not None
        if self._counted.total or not self._history or self._history[-1] != _NO_RATES:
            self._counted = Counted(0, 0, [], [])
            self._mark += 1
        looks = max(round((now - self._rated[0]) / LOOK_SECONDS), 1)
        self._history.extend([_NO_RATES] * min(looks, HISTORY_LOOKS))
        self._rated, self._seconds = (now, self._rated[1]), LOOK_SECONDS
        self.rests = True
        return True

    def snapshot(
        self, now: float, *, history: bool = False, mark: int | None = None
    ) -> dict[str, Any]:
        """Return how things stand, for `syncache top`, as JSON takes it.

        Args:
            now: Of the clock of `look`.
            history: With the rates of the last two minutes, the newest last.
            mark: That of the last snapshot; if nothing has changed it comes alone.
        """
        self._untold += self._looked(now)
        if mark is not None and mark == self._mark:
            return {"mark": mark}
        counters = self.counters(now)
        alarms, counted = self.alarms, self._counted
        since = now if alarms.since is None else alarms.since
        found = {
            "mark": self._mark,
            "engine": self.kind,
            "state": alarms.state,
            "since": round(now - since, 1),
            "floods": alarms.floods,
            "rates": dict(zip(RATES, self._history[-1], strict=True))
            if self._history
            else dict.fromkeys(RATES, 0),
            "tables": self._bounded(counters) | self._thresholds(counters),
            "links": {
                name: count
                for name, count in counters.items()
                if name.endswith(("_received", "_sent", "_kernel_dropped"))
                and name.startswith(("link_", "outside_", "inside_", "tap_"))
            },
            "attempts": {
                "seconds": self._seconds,
                "total": counted.total,
                "prefixes": counted.prefixes,
                "asked": [list(row[:4]) for row in counted.asked[:ROWS]],
                "asking": [list(row) for row in counted.asking[:ROWS]],
            },
            "alarms": [
                {"ago": round(now - a.time, 1), "kind": a.kind, "text": a.text}
                for a in reversed(alarms.recent)
            ],
        }
        if history:
            found["history"] = [list(row) for row in self._history]
        return found

    def _rate(self, now: float, counters: Mapping[str, int]) -> None:
        """Keep the rates since the last look."""
        before, self._rated = self._rated, (now, counters)
        if before is not None:
            self._seconds = max(now - before[0], 0.001)
            rates = rates_of(before[1], counters, self._seconds)
            self._history.append(list(rates.values()))

    def _bounded(self, counters: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Return the tables that can be full."""
        sysctl = self._engine.sysctl
        found = dict(self._tables())
        if self.kind in _FLOWS:
            count = sum(counters[name] for name in _SESSIONS)
            found["sessions"] = (count, int(sysctl[_FLOWS[self.kind] + "sessions_max"]))
        elif self.kind == "syncache":
            found["half-open"] = (int(sysctl[_COUNT]), int(sysctl[_LIMIT]))
        return found

    def _thresholds(self, counters: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Return the counts that have a threshold, beyond which an engine does more."""
        if self.kind not in _FLOWS:
            return {}
        stem = _FLOWS[self.kind]
        sysctl = self._engine.sysctl
        return {
            "half-open": (
                counters["incomplete"],
                int(sysctl[stem + "max_incomplete.high"]),
            ),
            "a minute": (counters["one_minute"], int(sysctl[stem + "one_minute.high"])),
        }


@lru_cache(maxsize=8)
def _chosen(known: frozenset[str]) -> dict[str, list[str]]:
    """Return the counters of each rate."""
    return {
        rate: sorted(
            counter
            for counter in known
            for name in names
            if counter == name
            or (name.endswith("_") and counter.startswith(name))
            or (name.startswith("_") and counter.endswith(name))
        )
        for rate, names in RATES.items()
    }


def rates_of(
    before: Mapping[str, int], now: Mapping[str, int], seconds: float
) -> dict[str, int]:
    """Return the rates a second between two snapshots of counters."""
    return {
        rate: round(sum(now[n] - before.get(n, 0) for n in names) / seconds)
        for rate, names in _chosen(frozenset(now)).items()
    }
