"""`KeyFeed`: gives an engine in C the cookie keys that a time needs, and in time.

Both kinds of engine take keys by the same three calls (`syncache_set_key`,
`syncache_set_epoch`, `syncache_epoch`, and `flow_...`).  What keys there are is the
keyring's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .mirror import limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..keyring import Keyring

KEY_BYTES = limit("SYNCACHE_KEY_BYTES")
UINT64_MASK = 2**64 - 1


class KeyCalls(NamedTuple):
    """The calls of C; the first argument of each is the engine."""

    set_key: Callable[[Any, int, bytes], None]
    set_epoch: Callable[[Any, int, int], None]
    epoch: Callable[[Any, int, Any], int]


class KeyFeed:
    """The keys that one engine has been given.

    Args:
        calls: Of the engine.
        number: Memory for the time of the next epoch, as `calls.epoch` wants it.
        keys: Where keys come from.
    """

    __slots__ = ("_calls", "_given", "_number", "keys")

    def __init__(self, calls: KeyCalls, number: Any, keys: Keyring) -> None:
        self._calls = calls
        self._given: set[int] | None = None
        self._number = number
        self.keys = keys

    def renew(self, engine: Any, now_ms: int, lifetime_ms: int) -> int:
        """Give the keys that this time needs; return when more are needed."""
        keys, calls = self.keys, self._calls
        if self._given is None:
            self._given = set()
            begun = keys.begin(now_ms, lifetime_ms)
            if begun is not None:
                epoch, start_ms = begun
                calls.set_epoch(engine, epoch, start_ms & UINT64_MASK)
        epoch = calls.epoch(engine, now_ms, self._number)
        needed = {epoch}
        if keys.shared:
            # At an edge of epochs a machine whose clock is late is two behind; who was
            # here in the epoch before has that key.
            before = 1 if epoch - 1 in self._given else 2
            needed |= {epoch + 1, *range(max(epoch - before, 0), epoch)}
        for wanted in sorted(needed - self._given):
            key = keys.key(wanted, lifetime_ms)
            if len(key) < KEY_BYTES:  # C reads as many
                raise ValueError(f"a key of {len(key)} bytes is too small")
            calls.set_key(engine, wanted, key)
        self._given = needed
        due: int = self._number[0]
        return due
