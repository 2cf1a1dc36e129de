"""`Stats`: the engine's counters at one moment, and their text as netstat(1) has it.

Names are FreeBSD's `tcps_sc_*` where it has one.  docs/counters.md is generated from
this class and from the C structure.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from .verdict import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

Profile = Literal["syncache", "freebsd", "intime"]

# counter, key of libxo, text for one, text for other numbers, tabs in front.
CACHE_LINES = (
    ("sc_added", "entries-added", "syncache entry added", "syncache entries added", 1),
    ("sc_retransmitted", "retransmitted", "retransmitted", "retransmitted", 2),
    ("sc_dupsyn", "duplicates", "dupsyn", "dupsyn", 2),
    ("sc_dropped", "dropped", "dropped", "dropped", 2),
    ("sc_completed", "completed", "completed", "completed", 2),
    ("sc_bucketoverflow", "bucket-overflow", "bucket overflow", "bucket overflow", 2),
    ("sc_cacheoverflow", "cache-overflow", "cache overflow", "cache overflow", 2),
    ("sc_reset", "reset", "reset", "reset", 2),
    ("sc_stale", "stale", "stale", "stale", 2),
    ("sc_aborted", "aborted", "aborted", "aborted", 2),
    ("sc_badack", "bad-ack", "badack", "badack", 2),
    ("sc_unreach", "unreachable", "unreach", "unreach", 2),
    ("sc_zonefail", "zone-failures", "zone failure", "zone failures", 2),
)
# "receivd-cookies" is how FreeBSD spells it.
COOKIE_LINES = (
    ("sc_sendcookie", "sent-cookies", "cookie sent", "cookies sent", 1),
    ("sc_recvcookie", "receivd-cookies", "cookie received", "cookies received", 1),
    ("sc_spurcookie", "spurious-cookies", "cookie spurious", "cookies spurious", 1),
    ("sc_failcookie", "failed-cookies", "cookie failed", "cookies failed", 1),
)
# 4.x did not count cookies sent, and indented the other line.
INTIME_COOKIE_LINES = (
    ("sc_recvcookie", "receivd-cookies", "cookie received", "cookies received", 2),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Every counter, in the order of `struct syncache_stats`; none ever falls.

    `verdicts` counts packets by outcome.
    """

    # struct syncache_stats, by docs/generate.py: begin
    sc_added: int
    sc_retransmitted: int
    sc_dupsyn: int
    sc_dropped: int
    sc_completed: int
    sc_bucketoverflow: int
    sc_cacheoverflow: int
    sc_reset: int
    sc_stale: int
    sc_aborted: int
    sc_badack: int
    sc_unreach: int
    sc_zonefail: int
    sc_sendcookie: int
    sc_recvcookie: int
    sc_spurcookie: int
    sc_failcookie: int
    sndacks: int
    sndtotal: int
    rcvtotal: int
    accepts: int
    listendrop: int
    badrst: int
    badsyn: int
    ecn_shs: int
    evicted: int
    purged: int
    cookie_only_synacks: int
    pauses: int
    paused_ms: int
    challenge_acks: int
    rst_sent: int
    replayed: int
    ts_refused: int
    offer_timeout: int
    cookie_over_entry: int
    cookie_no_key: int
    cookie_bad_mac: int
    fastopen_cookies: int
    fastopen_refused: int
    syn_no_key: int
    rexmit_withheld: int
    # struct syncache_stats: end
    verdicts: Mapping[Reason, int]

    @classmethod
    def of_counters(cls, counters: tuple[int, ...]) -> Stats:
        """Make one of the numbers of the C structure, in its order."""
        named = dict(zip(COUNTERS, counters, strict=False))
        verdicts = dict(zip(Reason, counters[len(COUNTERS) :], strict=True))
        return cls(**named, verdicts=verdicts)

    def delta(self, earlier: Stats) -> Stats:
        """Return the counts since."""
        named = {
            name: getattr(self, name) - getattr(earlier, name) for name in COUNTERS
        }
        verdicts = {
            reason: count - earlier.verdicts[reason]
            for reason, count in self.verdicts.items()
        }
        return Stats(**named, verdicts=verdicts)

    def as_dict(self) -> dict[str, int]:
        """Return every counter by name, verdicts under the names of their reasons."""
        named = {name: getattr(self, name) for name in COUNTERS}
        verdicts = {reason.name: count for reason, count in self.verdicts.items()}
        return named | verdicts

    def netstat(self, profile: Profile = "syncache", *, zeroes: bool = True) -> str:
        """Return the lines of `netstat -s -p tcp`.

        Args:
            profile: freebsd and intime print what those systems print, syncache adds
                our own counters to FreeBSD's.
            zeroes: print counters that are zero, as -s does and -ss does not.
        """
        cookies = INTIME_COOKIE_LINES if profile == "intime" else COOKIE_LINES
        lines = [
            _line(getattr(self, name), one, more, tabs)
            for name, _, one, more, tabs in (*CACHE_LINES, *cookies)
            if zeroes or getattr(self, name)
        ]
        if profile == "syncache":
            lines += [
                _line(getattr(self, name), words := name.replace("_", " "), words, 1)
                for name in COUNTERS[COUNTERS.index("evicted") :]
                if zeroes or getattr(self, name)
            ]
        return "".join(lines)

    def libxo(self) -> dict[str, int]:
        """Return FreeBSD's counters under the keys of its JSON output."""
        return {
            key: getattr(self, name) for name, key, *_ in (*CACHE_LINES, *COOKIE_LINES)
        }


COUNTERS: tuple[str, ...] = tuple(
    field.name for field in fields(Stats) if field.name != "verdicts"
)


def _line(count: int, one: str, more: str, tabs: int) -> str:
    words = one if count == 1 else more
    return "\t" * tabs + f"{count} {words}\n"
