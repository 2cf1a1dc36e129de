"""Warnings for the operator: `Alarms`, a function of counters and time.

    alarms = Alarms()
    for alarm in alarms.look(now, counters, counted=attempts.take(now)):
        print(alarm.text)

It looks at snapshots of counters, once a second, and says when something begins and
when it is over: a flood on a port, a table that fills up, a link that loses frames,
cookies that are refused more than usual.  Of each kind there is at most one alarm a
look.  Elsewhere: the counters (`Syncache.stats`, `Flow.stats`), who is asked for
connections (`Attempts`), how a line is written.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .attempts import Counted

STATES = ("calm", "flood", "cookies", "blocked", "aggressive", "paused")
FLOOD_SYNS = 500  # a second, of one port
FLOOD_FACTOR = 2  # and so many times what is completed in all
QUIET_SECONDS = 5.0  # without a flood, until it is over
FLOODS_MAX = 32
GROWN_FACTOR = 4  # times what was told, and a flood is told again
CHANGED_SECONDS = 10.0  # after the last line, and another response is told
NAMED_MAX = 3  # ports in one line
TABLE_HIGH, TABLE_LOW = 0.8, 0.6
LOSSES_EVERY = 10.0


class Losses(NamedTuple):
    """The line about a counter of a link."""

    kind: str
    least: int  # in one look
    text: str


# By the ending of the counter's name.
LOSSES = {
    "kernel_dropped": Losses(
        "losses",
        1,
        "frames lost, the ring was full: {}; more come than one processor takes "
        "(--cpu, --priority, more shards)",
    ),
    "send_failed": Losses(
        "unsent",
        50,
        "packets that could not leave: {}; no route to their destinations, or more "
        "than the interface takes (ip route get, net.ipv4.neigh.default.gc_thresh3)",
    ),
}
REFUSED_MIN = 50  # cookies a second
REFUSED_FACTOR = 4  # times what is usual
REFUSED_EVERY = 60.0  # for one reason
USUAL_WEIGHT = 0.1  # of the last second in what is usual
RECENT_MAX = 32

COMPLETED = ("accepts", "completed")
COOKIES_ALONE = ("cookie_only_synacks", "cookies_sent")
OVERFLOWS = ("sc_cacheoverflow", "sc_zonefail", "table_full")
EVICTED = ("evicted", "ended_evicted_count", "ended_evicted_rate")
EVICTED_ALSO = ("ended_evicted_host", "ended_evicted_full")
# Why a cookie is refused, and what that may mean.
REFUSALS = {
    "cookie_bad_mac": "the numbers are not of our keys: an ACK flood, or another "
    "machine's keyring",
    "cookie_no_key": "their key has expired: old ACKs, or a start without --keyring",
    "ts_refused": "their timestamps are not ours",
    "replayed": "they were redeemed before: ACKs are repeated",
    "cookies_failed": "the numbers are not of our keys: an ACK flood, or another "
    "machine's keyring",
}
COOKIES = (
    "answered with SYN cookies, nothing is stored",
    "nothing but a rounded MSS and window scale",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that began or ended.

    `kind` is flood, flood_over, table, table_over, losses or cookies; `facts` holds
    the numbers of the text by name.
    """

    time: float
    kind: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class _Flood:
    """A flood that is on: of one address and port, or of many."""

    where: str
    began: float
    seen: float
    syns: int = 0
    highest: int = 0
    told: int = 0  # SYNs a second


class Alarms:
    """Looks at an engine's counters and reports changes.

    `state` is calm, flood, cookies, blocked, aggressive or paused, the latest of these
    that is so, and has been so since `since`;
    `recent` has the last alarms, the newest last.
    """

    def __init__(self) -> None:
        self.state = "calm"
        self.since: float | None = None
        self.recent: deque[Alarm] = deque(maxlen=RECENT_MAX)
        self._before: Mapping[str, int] | None = None
        self._last = 0.0
        self._floods: dict[tuple[str, int], _Flood] = {}
        self._flood_told = 0.0
        self._flood_done = ""
        self._tables: dict[str, str] = {}
        self._losing: dict[str, tuple[float, int]] = {}  # since when told, how many
        self._usual: dict[str, float] = {}
        self._refused: dict[str, float] = {}  # when it was told
        self._is_quiet = False  # nothing is on, fades or is to be told

    @property
    def floods(self) -> list[str]:
        """Where a flood is on."""
        return [flood.where for flood in self._floods.values()]

    def look(
        self,
        now: float,
        counters: Mapping[str, int],
        *,
        counted: Counted | None = None,
        tables: Mapping[str, tuple[int, int]] | None = None,
        paused: bool = False,
    ) -> list[Alarm]:
        """Return the alarms since the last look, a second ago or more.

        Args:
            now: Seconds of a monotonic clock.
            counters: By name, as `Stats.as_dict`, `Flow.stats` and links have them.
            counted: The connection attempts since the last look.
            tables: Entries and their limit, by the name of the table.
            paused: Whether nothing is stored for the time being.
        """
        before, self._before = self._before, dict(counters)
        seconds, self._last = max(now - self._last, 0.001), now
        if before is None:
            self.since = now
            return []
        grown = {n: count - before.get(n, 0) for n, count in counters.items()}
        alarms = [
            *self._look_at_floods(now, grown, counted, seconds),
            *self._look_at_tables(now, grown, tables or {}),
            *self._look_at_links(now, grown),
            *self._look_at_cookies(now, grown, seconds),
        ]
        self._look_at_state(now, counters, grown, paused)
        self.recent.extend(alarms)
        self._is_quiet = self.state == "calm" and not (
            self._losing
            or any(self._tables.values())
            or any(usual >= 1 for usual in self._usual.values())
        )
        return alarms

    def rests(self, now: float) -> bool:
        """Take the place of a look before which nothing was counted.

        Returns:
            False: time alone may change something, so `look` has to be called.
        """
        if self._is_quiet:
            self._last = now
        return self._is_quiet

    # The state in one word.

    def _look_at_state(
        self,
        now: float,
        counters: Mapping[str, int],
        grown: Mapping[str, int],
        paused: bool,
    ) -> None:
        state = "flood" if self._floods else "calm"
        if _sum(grown, COOKIES_ALONE):
            state = "cookies"
        if counters.get("hosts_blocked"):
            state = "blocked"
        if counters.get("aggressive"):
            state = "aggressive"
        if paused:
            state = "paused"
        if state != self.state:
            self.state, self.since = state, now

    # Floods.

    def _look_at_floods(
        self,
        now: float,
        grown: Mapping[str, int],
        counted: Counted | None,
        seconds: float,
    ) -> Iterator[Alarm]:
        if counted is not None and counted.total:
            yield from self._begin_floods(now, grown, counted, seconds)
        over = [
            key
            for key, flood in self._floods.items()
            if now - flood.seen >= QUIET_SECONDS
        ]
        ended = [self._floods.pop(key) for key in over]
        if ended:
            syns = sum(flood.syns for flood in ended)
            lasted = max(flood.seen - flood.began for flood in ended)
            highest = max(flood.highest for flood in ended)
            where = _listed([flood.where for flood in ended])
            yield Alarm(
                time=now,
                kind="flood_over",
                text=f"the SYN flood on {where} is over: {syns:,} SYNs in "
                f"{lasted:.0f} s, {highest:,} a second at most",
                facts={
                    "where": [flood.where for flood in ended],
                    "syns": syns,
                    "seconds": round(lasted),
                    "syns_a_second_max": highest,
                },
            )

    def _begin_floods(
        self,
        now: float,
        grown: Mapping[str, int],
        counted: Counted,
        seconds: float,
    ) -> Iterator[Alarm]:
        # What is completed in all is allowed to each, so that a busy port is none.
        limit = FLOOD_SYNS * seconds + FLOOD_FACTOR * _sum(grown, COMPLETED)
        fresh: list[tuple[str, int, int]] = []
        known: list[tuple[str, int, int]] = []
        rest = counted.total
        for asked in counted.asked:
            key = (asked.address, asked.port)
            if asked.syns < (limit / 2 if key in self._floods else limit):
                continue
            rest -= asked.syns
            where = f"{_bracketed(asked.address)}:{asked.port}"
            is_new = self._note(now, key, where, asked.syns, seconds)
            told = fresh if is_new else known
            told.append((where, asked.syns, asked.prefixes))
        everywhere = ("", 0)
        if rest >= (limit / 2 if everywhere in self._floods else limit):
            where = "many addresses and ports"
            is_new = self._note(now, everywhere, where, rest, seconds)
            (fresh if is_new else known).append((where, rest, counted.prefixes))
        if fresh:
            yield self._flood(now, grown, fresh, seconds)
        elif known and self._has_changed(now, grown, known, seconds):
            yield self._flood(now, grown, known, seconds, word=" goes on")

    def _has_changed(
        self,
        now: float,
        grown: Mapping[str, int],
        known: list[tuple[str, int, int]],
        seconds: float,
    ) -> bool:
        """Return whether floods are much larger than was told, or the response is new.

        A flood is seen at first in the part of a second that it began in.
        """
        told = {flood.where: flood.told for flood in self._floods.values()}
        if any(
            syns / seconds >= GROWN_FACTOR * max(told.get(where, syns), 1)
            for where, syns, _ in known
        ):
            return True
        is_due = now - self._flood_told >= CHANGED_SECONDS
        return is_due and response(grown)[0] != self._flood_done

    def _note(
        self, now: float, key: tuple[str, int], where: str, syns: int, seconds: float
    ) -> bool:
        """Count the SYNs of a flood; True if it is a new one."""
        flood = self._floods.get(key)
        is_new = flood is None
        if flood is None:
            if len(self._floods) >= FLOODS_MAX:
                return False
            flood = self._floods[key] = _Flood(where, now - seconds, now)
        flood.seen = now
        flood.syns += syns
        flood.highest = max(flood.highest, round(syns / seconds))
        return is_new

    def _flood(
        self,
        now: float,
        grown: Mapping[str, int],
        fresh: list[tuple[str, int, int]],
        seconds: float,
        *,
        word: str = "",
    ) -> Alarm:
        done, noticed = response(grown)
        self._flood_told, self._flood_done = now, done
        rates = {where: round(syns / seconds) for where, syns, _ in fresh}
        for flood in self._floods.values():
            flood.told = rates.get(flood.where, flood.told)
        rate = round(sum(syns for _, syns, _ in fresh) / seconds)
        # More than one after a look that was late, as the prefixes are of all of it.
        span = max(round(seconds), 1)
        prefixes = max(prefixes for *_, prefixes in fresh)
        where = [place for place, *_ in fresh]
        return Alarm(
            time=now,
            kind="flood",
            text=f"SYN flood on {_listed(where)}{word}: {rate * span:,} SYNs in "
            f"{span} s from about {prefixes:,} prefixes; {done}; honest clients "
            f"notice {noticed}",
            facts={
                "where": where,
                "syns_a_second": rate,
                "prefixes": prefixes,
                "action": done,
                "noticed": noticed,
                "goes_on": bool(word),
            },
        )

    # Tables.

    def _look_at_tables(
        self,
        now: float,
        grown: Mapping[str, int],
        tables: Mapping[str, tuple[int, int]],
    ) -> Iterator[Alarm]:
        worse: list[str] = []
        better: list[str] = []
        for name, (count, limit) in tables.items():
            was = self._tables.get(name, "")
            overflows = was == "high" and _sum(grown, OVERFLOWS) > 0
            level = ""
            if count >= limit or overflows:
                level = "full"
            elif count >= TABLE_HIGH * limit:
                level = "full" if was == "full" else "high"
            elif count >= TABLE_LOW * limit:
                level = was
            self._tables[name] = level
            words = f"{count:,} of {limit:,} {name}"
            if level and level != was:
                percent = 100 * count // limit
                is_full = level == "full"
                worse.append(f"{words}: " + ("full" if is_full else f"{percent} %"))
            elif was and not level:
                better.append(words)
        facts = {name: list(level) for name, level in tables.items()}
        if worse:
            done = ""
            if "full" in self._tables.values():
                done = "; " + response(grown)[0]
            text = f"table: {', '.join(worse)}{done}"
            yield Alarm(time=now, kind="table", text=text, facts=facts)
        if better:
            text = f"table: room again: {', '.join(better)}"
            yield Alarm(time=now, kind="table_over", text=text, facts=facts)

    # Links.

    def _look_at_links(self, now: float, grown: Mapping[str, int]) -> Iterator[Alarm]:
        for ending, losses in LOSSES.items():
            for name, count in grown.items():
                if name.endswith(ending) and count >= losses.least:
                    told, sum_before = self._losing.get(name, (0.0, 0))
                    self._losing[name] = (told, sum_before + count)
            said = self._lost(now, ending)
            if said:
                words = ", ".join(f"{count:,} ({end})" for end, count in said)
                text = losses.text.format(words)
                yield Alarm(time=now, kind=losses.kind, text=text, facts=dict(said))

    def _lost(self, now: float, ending: str) -> list[tuple[str, int]]:
        """Return the losses of one kind that are due, by the name of the link."""
        said = []
        for name, (told, count) in list(self._losing.items()):
            if not name.endswith(ending):
                continue
            if not count:
                if now - told >= LOSSES_EVERY:
                    del self._losing[name]
            elif not told or now - told >= LOSSES_EVERY:
                self._losing[name] = (now, 0)
                said.append((name.removesuffix(ending).strip("_") or "link", count))
        return said

    # Cookies.

    def _look_at_cookies(
        self, now: float, grown: Mapping[str, int], seconds: float
    ) -> Iterator[Alarm]:
        said = []
        for name, meaning in REFUSALS.items():
            if name not in grown:
                continue
            rate = grown[name] / seconds
            usual = self._usual.get(name, 0.0)
            self._usual[name] = usual + USUAL_WEIGHT * (rate - usual)
            is_due = now - self._refused.get(name, -REFUSED_EVERY) >= REFUSED_EVERY
            if rate >= max(REFUSED_MIN, REFUSED_FACTOR * usual) and is_due:
                self._refused[name] = now
                said.append((name, round(rate), round(usual), meaning))
        if said:
            words = "; ".join(
                f"{rate:,} a second ({usual:,} is usual): {meaning}"
                for _, rate, usual, meaning in said
            )
            yield Alarm(
                time=now,
                kind="cookies",
                text=f"cookies refused: {words}",
                facts={name: rate for name, rate, *_ in said},
            )


def response(grown: Mapping[str, int]) -> tuple[str, str]:
    """Return the engine's response to a flood, and its effect on honest clients."""
    if grown.get("verdict_drop_blocked", 0) > 0:
        return (
            "SYNs beyond the limit of a destination are dropped",
            "that a SYN may have to be sent again",
        )
    if _sum(grown, COOKIES_ALONE) > 0:
        return COOKIES
    if _sum(grown, EVICTED) + _sum(grown, EVICTED_ALSO) > 0:
        return (
            "the oldest half-open entries make room",
            "a reset or a second SYN if they are slow to answer",
        )
    if grown.get("syn_acks", 0) > 0:
        return "answered here, the servers see completed handshakes alone", "nothing"
    if "requests" in grown:
        return "counted and passed on, no threshold is reached", "nothing"
    return "there is room for them in the table", "nothing"


def _sum(counts: Mapping[str, int], names: Iterable[str]) -> int:
    return sum(counts.get(name, 0) for name in names)


def _listed(names: list[str]) -> str:
    more = len(names) - NAMED_MAX
    shown = ", ".join(names[:NAMED_MAX])
    return f"{shown} and {more} more" if more > 0 else shown


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
