"""How many sessions began and were half-open, second by second, from an audit trail.

Contents: counts in buckets of time that grow wider with the log, so that memory is
bounded by their number, and the samples that `advise` needs where there is no capture.
A session whose responder sent nothing was half-open from its START to its STOP, any
other for a second at most.  What cannot be known from a log is said in `RESTS_ON`.
"""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

MINUTE = 60
SHORTEST = 0.001  # seconds, so that each ends behind its begin
BUCKETS_MAX = 100_000  # a day by seconds, two months by minutes
UNANSWERED_MAX = 300_000  # 24 bytes each, and 150 while they are sorted
RESTS_ON = (
    "from the audit trail: a session counts as half-open from START to STOP if its "
    "responder sent nothing, else for one second"
)


class LoadSample(NamedTuple):
    """How things stood in one bucket, as `Inspection.sample` reports it."""

    time: float
    incomplete: int
    one_minute: int
    host_count: int


class Load:
    """Takes sessions in the order of their lines."""

    def __init__(self) -> None:
        self.width = 1
        self.left_out = 0
        self._begun: dict[int, int] = {}
        self._from = array("d")
        self._until = array("d")
        self._host = array("L")
        self._hosts: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._begun)

    def started(self, time: float, number: int = 1) -> None:
        """A session began, or several at one time."""
        bucket = int(time // self.width)
        self._begun[bucket] = self._begun.get(bucket, 0) + number
        if len(self._begun) > BUCKETS_MAX:
            self._widen()

    def unanswered(self, began: float, ended: float, host: str) -> None:
        """A session ended that its responder, `host`, never answered."""
        if len(self._from) >= UNANSWERED_MAX:
            self.left_out += 1
            return
        self._from.append(began)
        self._until.append(max(ended, began + SHORTEST))
        self._host.append(self._hosts.setdefault(host, len(self._hosts)))

    def _widen(self) -> None:
        """Make the buckets twice as wide: two, four ... seconds."""
        self.width *= 2
        wider: dict[int, int] = {}
        for bucket, number in self._begun.items():
            wider[bucket // 2] = wider.get(bucket // 2, 0) + number
        self._begun = wider

    def samples(self) -> list[LoadSample]:
        """Return one sample a bucket, without gaps, as far as `BUCKETS_MAX` allows."""
        if not self._begun:
            return []
        while self._span() > BUCKETS_MAX:
            self._widen()
        first, last = min(self._begun), max(self._begun)
        half_open, hosts = self._half_open(first, last)
        rates = self._rates(first, last)
        return [
            LoadSample(
                float((first + at) * self.width), half_open[at], rates[at], hosts[at]
            )
            for at in range(last - first + 1)
        ]

    def _span(self) -> int:
        return max(self._begun) - min(self._begun) + 1

    def _rates(self, first: int, last: int) -> list[int]:
        """Return the sessions of the minute that ends with each bucket."""
        wide = max(1, MINUTE // self.width)
        running, rates = 0, []
        for bucket in range(first, last + 1):
            running += self._begun.get(bucket, 0)
            running -= self._begun.get(bucket - wide, 0)
            rates.append(-(-running * MINUTE // (wide * self.width)))
        return rates

    def _half_open(self, first: int, last: int) -> tuple[list[int], list[int]]:
        """Return the half-open sessions of each bucket, in all and at the worst host.

        Both are the highest of the bucket.
        """
        size = last - first + 1
        everywhere, worst = [0] * size, [0] * size
        changes = sorted(self._changes())
        open_at: Counter[int] = Counter()
        having: Counter[int] = Counter()  # how many hosts have so many
        total = highest = at = 0
        for bucket in range(first, last + 1):
            # Answered handshakes are half-open within the second that they begin in.
            place = bucket - first
            begun = -(-self._begun.get(bucket, 0) // self.width)
            everywhere[place], worst[place] = total + begun, highest
            while at < len(changes) and changes[at][0] < (bucket + 1) * self.width:
                _, step, host = changes[at]
                at += 1
                total += step
                count = open_at[host]
                having[count] -= 1
                having[count + step] += 1
                open_at[host] = count + step
                highest = max(highest, count + step)
                while highest and not having[highest]:
                    highest -= 1
                everywhere[place] = max(everywhere[place], total)
                worst[place] = max(worst[place], highest)
        return everywhere, worst

    def _changes(self) -> Iterable[tuple[float, int, int]]:
        for began, ended, host in zip(self._from, self._until, self._host, strict=True):
            yield began, 1, host
            yield ended, -1, host
