"""The table of half-open entries, the clock, and what every event needs.

A bucket is a list, oldest entry first.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from . import cookie
from .answer import Writer, packed
from .pause import Pause
from .siphash import siphash24
from .state import Endpoint, Entry, Keys, Known, Tunables, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .cookie import Tuple4
    from .packet import Packet

BACKOFF = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512, 512, 512)
DUE_MS = 4  # deadlines are rounded up to this
MASK32 = 0xFFFFFFFF


def signed(value: int) -> int:
    """Read a difference of sequence numbers as a signed one."""
    value &= MASK32
    return value - (1 << 32) if value >> 31 else value


class Table:
    """Entries, endpoints and keys of one engine."""

    def __init__(self, tune: Tunables, keys: Keys, *, known_max: int = 65536) -> None:
        self.tune = tune
        self.keys = keys
        self.known_max = known_max
        self.now = 0
        self.started: int | None = None
        self.buckets: list[list[Entry]] = [[] for _ in range(tune.hashsize)]
        self.overflowed: dict[int, int] = {}  # bucket: second of its last overflow
        self.known: dict[Tuple4, Known] = {}
        self.redeemed: set[tuple[Tuple4, int, int]] = set()
        self.endpoints: list[Endpoint] = []
        self.clock = cookie.KeyClock(keys.cookie)
        self.pause = Pause(tune.pause_policy)
        self.paused_ms = 0
        self.write = Writer(tune, keys.ts)
        self.count: Counter[str] = Counter()

    # Time

    def advance(self, now: int) -> None:
        """Take the time; one before the last counts as the last."""
        last, self.now = self.now, max(self.now, now)
        self.write.now = self.now
        if self.pause.paused and self.pause.until is not None:
            self.paused_ms += max(0, min(self.now, self.pause.until) - last)
        if self.started is None:
            self.started = self.now
        self.clock.advance(self.now, self.lifetime)
        if not self.tune.syncookies:
            self.pause.paused = False
        policy = self.tune.pause_policy if self.tune.syncookies else "none"
        self.pause.policy = policy
        self.pause.advance(self.now, self.tune.pause_age_ms, self.tune.capacity)

    def tune_to(self, values: Mapping[str, int | str]) -> None:
        """Change tunables; without cookies no pause goes on."""
        self.tune.take(values)
        if not self.tune.syncookies:
            self.pause.paused = False

    @property
    def lifetime(self) -> int:
        """A key's period in milliseconds."""
        return self.tune.cookie_lifetime * 1000

    @property
    def second(self) -> int:
        """Whole seconds since the first call."""
        return (self.now - (self.started or 0)) // 1000

    @property
    def paused(self) -> bool:
        """Is insertion paused."""
        return self.pause.paused and bool(self.tune.syncookies)

    @property
    def cookies_only(self) -> bool:
        """Whether nothing is looked up or stored."""
        stopped = self.paused and self.tune.pause_policy == "bucket"
        return stopped or bool(self.tune.syncookies_only)

    @property
    def mints(self) -> bool:
        """Is every ISS a cookie."""
        return bool(self.tune.syncookies or self.tune.syncookies_only)

    # Entries

    def entries(self) -> Iterator[Entry]:
        """All entries, bucket by bucket, oldest first."""
        for bucket in self.buckets:
            yield from bucket

    def bucket_of(self, tup: Tuple4) -> int:
        """The bucket of a tuple."""
        return siphash24(self.keys.bucket, packed(tup)) & (self.tune.hashsize - 1)

    def find(self, tup: Tuple4) -> Entry | None:
        """The entry of a tuple."""
        bucket = self.buckets[self.bucket_of(tup)]
        return next((e for e in bucket if e.tup == tup), None)

    def remove(self, entry: Entry) -> None:
        """Take an entry out."""
        self.buckets[self.bucket_of(entry.tup)].remove(entry)

    def stamp(self, endpoint: Endpoint) -> None:
        """Note that honest peers of this endpoint may now come with a cookie."""
        endpoint.stamped = self.now

    def listener(self, tup: Tuple4) -> Endpoint | None:
        """The endpoint for a tuple; an exact address wins."""
        _, _, laddr, lport = tup
        found = [e for e in self.endpoints if e.open and e.port == lport]
        for address in (laddr, None):
            for endpoint in found:
                if endpoint.address == address:
                    return endpoint
        return None

    def arm(self, entry: Entry, timeout: int) -> None:
        """Set the entry's deadline."""
        entry.deadline = -(-(self.now + timeout) // DUE_MS) * DUE_MS

    def arm_after_syn_ack(self, entry: Entry) -> None:
        """Set the deadline after a SYN-ACK, and count that one."""
        tune = self.tune
        timeout = tune.rexmit_initial
        if entry.rxmits:
            timeout = tune.rexmit_initial * BACKOFF[entry.rxmits] + tune.rexmit_slop
            timeout = min(max(timeout, tune.rexmit_min), tune.rexmit_max)
        entry.rxmits += 1
        self.arm(entry, timeout)

    def refuse(self, packet: Packet, endpoint: Endpoint) -> Verdict:
        """Answer an ACK to a listener that belongs to nothing."""
        if self.tune.blackhole >= 3:
            return Verdict("DROP_BLACKHOLE")
        if self.known_max == 0:
            return Verdict("PASS_NO_ENDPOINT")
        self.count["rst_sent"] += 1
        return Verdict("REPLY_RST", self.write.reset(packet, endpoint))
