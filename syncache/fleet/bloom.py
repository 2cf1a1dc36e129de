"""`Redeemed`: handshakes that other members completed, exchanged as Bloom filters.

Opt-in (`bloom = yes`): an ACK that one member has taken is refused by the others from
about a second later on.  Each second a member puts the handshakes that it completed
into one small filter, and the others keep it for as long as a cookie can live.

A filter that errs refuses an honest client, so it errs seldom: 44 bits and 30 hashes
for each handshake are one in 10^9, for each filter that is kept.  The agent's thread
makes, seals and fetches filters.  `serve` notes and looks up a handshake when it
accepts a connection; a middlebox does so in its engine (csrc/flow/redeemed.h), which
the owner of the engine gives others' filters, and takes its own handshakes from.
"""

from __future__ import annotations

import ipaddress
import struct
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._core.redeemed import FILTER_BYTES_MAX, numbers
from . import FleetError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..conn import Conn

BITS_EACH = 44
HASHES = 30
ITEMS_MAX = FILTER_BYTES_MAX * 8 // BITS_EACH  # a second; more are not told
BYTES_MIN = 16
FULL = 0.6  # of its bits; who tells more refuses everything
FILTERS_MAX = 4096
Digest = tuple[int, ...]  # numbers of 16 bits; the first HASHES name a bit each


def kind_of(name: str) -> str:
    """Return the kind of message that a member's filter is."""
    return f"seen:{name}"


@dataclass(frozen=True, slots=True)
class Bloom:
    """A set of digests that errs only by having more in it."""

    bits: bytes

    @classmethod
    def of(cls, digests: Iterable[Digest]) -> Bloom:
        """Make one of a second's digests."""
        known = [*digests][:ITEMS_MAX]
        size = max(-(-len(known) * BITS_EACH // 8), BYTES_MIN)
        bits = bytearray(size)
        for digest in known:
            for number in digest[:HASHES]:
                place = number * 8 * size >> 16
                bits[place >> 3] |= 1 << (place & 7)
        return cls(bytes(bits))

    @classmethod
    def decode(cls, body: bytes) -> Bloom:
        """Read another member's.

        Raises:
            FleetError: it is none, or would refuse too much.
        """
        if not BYTES_MIN <= len(body) <= FILTER_BYTES_MAX:
            raise FleetError(f"a filter of {len(body)} bytes")
        if int.from_bytes(body, "little").bit_count() > FULL * 8 * len(body):
            raise FleetError("a filter that refuses too much")
        return cls(body)

    def __contains__(self, digest: Digest) -> bool:
        """Whether it was put in; wrongly so one time in 10^9."""
        bits = self.bits
        size = 8 * len(bits)
        for number in digest[:HASHES]:
            place = number * size >> 16
            if not bits[place >> 3] >> (place & 7) & 1:
                return False
        return True


def digest_of(key: bytes, packed: bytes) -> Digest:
    """Return the digest of a handshake, `packed` as redeemed_pack() does it."""
    return numbers(key, packed)


def packed_of(conn: Conn) -> bytes:
    """Return the key of a handshake: its ends, the client's ISN and ours."""
    ends = [ipaddress.ip_address(text) for text in (conn.faddr, conn.laddr)]
    return struct.pack(
        "!B16s16sHHII",
        ends[0].version,
        *(end.packed for end in ends),
        conn.fport,
        conn.lport,
        conn.irs,
        conn.iss,
    )


class Redeemed:
    """The handshakes of this member, and those of the others.

    Args:
        key: Common to the group.
        lives: Seconds that a cookie can live.
    """

    def __init__(self, key: bytes, lives: float) -> None:
        self.key = key
        self.lives = lives
        self._fresh: deque[Digest] = deque(maxlen=ITEMS_MAX)
        self.arrived: deque[bytes] = deque(maxlen=FILTERS_MAX)  # for an engine to hear
        self._others: deque[tuple[float, Bloom]] = deque(maxlen=FILTERS_MAX)
        self.refused = 0

    def admit(self, packed: bytes, *, by_cookie: bool) -> bool:
        """Note a handshake that was completed; False: another member had it before.

        Args:
            packed: Its addresses, ports and numbers.
            by_cookie: Nothing was stored here, so another may have had it.
        """
        if by_cookie and self.knows(packed):
            self.refused += 1
            return False
        self.note(digest_of(self.key, packed))
        return True

    def note(self, digest: Digest) -> None:
        """Tell others of a handshake that was completed here."""
        self._fresh.append(digest)

    def knows(self, packed: bytes) -> bool:
        """Whether another member has told of a handshake."""
        now = time.monotonic()
        digest = digest_of(self.key, packed)
        return any(digest in bloom for end, bloom in tuple(self._others) if now < end)

    def take(self) -> bytes:
        """Return the filter of the handshakes since the last call, or nothing."""
        if not self._fresh:
            return b""
        fresh = [self._fresh.popleft() for _ in range(len(self._fresh))]
        return Bloom.of(fresh).bits

    def hear(self, body: bytes) -> None:
        """Keep another member's filter; expired ones go.

        Raises:
            FleetError: it is none.
        """
        now = time.monotonic()
        while self._others and self._others[0][0] <= now:
            self._others.popleft()
        self._others.append((now + self.lives, Bloom.decode(body)))
        self.arrived.append(body)

    @property
    def kept(self) -> int:
        """The number of others' filters."""
        return len(self._others)
