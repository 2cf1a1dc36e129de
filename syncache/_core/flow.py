"""The middlebox modes' part of the door to C: see `_core`, whose rules hold here too.

The calls are described in csrc/flow/flow.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import NEVER, Block, ffi, lib
from .block import milliseconds
from .keyfeed import KeyCalls, KeyFeed
from .mirror import limit, numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..keyring import Keyring
    from . import RingCore

INTERCEPT, INSPECT = numbers("flow_kind", "intercept inspect")
PACKET_MAX: int = limit("FLOW_PACKET_MAX")  # of a generated packet
SPLICE_BYTES = ffi.sizeof("struct flow_splice")
UINT32_MASK = 2**32 - 1
_RECORDS = 256  # sessions, events or splices of one call

_KEY_CALLS = KeyCalls(lib.flow_set_key, lib.flow_set_epoch, lib.flow_epoch)
_STATISTICS: tuple[str, ...] = tuple(
    name for name, _ in ffi.typeof("struct flow_stats").fields if name != "reserved"
)
_KINDS = {
    INTERCEPT: ("struct flow_intercept_tunables", lib.flow_set_intercept),
    INSPECT: ("struct flow_inspect_tunables", lib.flow_set_inspect),
}


class FlowCore(Block):
    """One engine of either middlebox mode: its memory block, and its cookie keys."""

    __slots__ = (
        "_events",
        "_feed",
        "_flow",
        "_flow_at",
        "_keys_due",
        "_kind",
        "_lifetime_ms",
        "_now_ms",
        "_redeemed",
        "_sessions",
    )

    def __init__(
        self, kind: int, config: Mapping[str, int], seed: bytes, keys: Keyring
    ) -> None:
        settings = ffi.new("struct flow_config *", dict(config))
        settings.struct_size = ffi.sizeof("struct flow_config")
        settings.kind = kind
        size = lib.flow_size(settings)
        if size == 0:
            raise ValueError(f"no engine can have this configuration: {config}")
        super().__init__(size)
        self._flow = lib.flow_init(self.start(), size, settings, seed)
        assert self._flow != ffi.NULL
        self._flow_at = self._flow  # for who has pinned the block
        self._events = ffi.new("struct flow_event[]", _RECORDS)
        self._sessions = ffi.new("struct flow_session_view[]", _RECORDS)
        self._kind = kind
        self._lifetime_ms = 0
        self._now_ms = 0
        self.set_keys(keys)

    def close(self) -> None:
        """Overwrite the block and give it back; every later call raises."""
        super().close()
        self._flow = ffi.NULL

    def set_tunables(self, fields: Mapping[str, object]) -> bool:
        """Replace all tunables; False, and nothing has changed, if C refuses them."""
        struct, call = _KINDS[self._kind]
        tunables = ffi.new(f"{struct} *", dict(fields))
        tunables.struct_size = ffi.sizeof(struct)
        if not call(self._flow, self._now_ms, tunables):
            return False
        if tunables.cookie_lifetime_ms != self._lifetime_ms:
            self._lifetime_ms = tunables.cookie_lifetime_ms
            self.set_keys(self._feed.keys)
        return True

    def set_keys(self, keys: Keyring) -> None:
        """Take cookie keys from here from the next call on that tells a time."""
        self._feed = KeyFeed(_KEY_CALLS, ffi.new("uint64_t *"), keys)
        self._keys_due = 0

    def set_ts_key(self, key: bytes) -> None:
        """Replace the key of the timestamp offsets."""
        lib.flow_set_ts_key(self._flow, ffi.from_buffer("uint8_t[16]", key))

    def set_ts_base(self, base_ms: int) -> None:
        """Set the clock of timestamps: its value when the time is 0."""
        lib.flow_set_ts_base(self._flow, base_ms & UINT32_MASK)

    def set_redeemed(self, block: Any) -> None:
        """Have cookies redeemed once in a group; the block lives as long as this."""
        lib.flow_set_redeemed(self._flow, block)
        self._redeemed = block

    def set_rules(self, rules: bytes | None) -> bool:
        """Replace the access list: an array of struct flow_rule; None: there is none.

        False if C refuses it.
        """
        compiled = ffi.from_buffer("struct flow_rule[]", rules or b"")
        on = rules is not None
        return lib.flow_set_rules(self._flow, compiled, len(compiled), on)

    def _at(self, now: float) -> int:
        """Return the time for C, which by then has the keys that this time needs."""
        now_ms = milliseconds(now)
        if now_ms >= self._keys_due:
            self._keys_due = self._feed.renew(self._flow, now_ms, self._lifetime_ms)
        self._now_ms = max(self._now_ms, now_ms)
        return now_ms

    def at(self, now: float) -> tuple[Any, int]:
        """Return the engine and the time, for calls of another part of the door."""
        return self._flow, self._at(now)

    def hand_over(self, on: bool) -> None:
        """Offer connections to who would carry them, or no more."""
        lib.flow_hand_over(self._flow, on)

    def burst(
        self,
        rx: RingCore,
        side: int,
        client_tx: RingCore | None,
        server_tx: RingCore | None,
        now: float,
    ) -> int:
        """Take the packets in rx; the number of packets consumed."""
        now_ms = self._at(now)
        client, server = _ring(client_tx), _ring(server_tx)
        return lib.flow_burst(self._flow, now_ms, rx.cdata, side, client, server)

    def poll(
        self, client_tx: RingCore | None, server_tx: RingCore | None, now: float
    ) -> int:
        """Run the timers that are due; the number of packets appended."""
        now_ms = self._at(now)
        client, server = _ring(client_tx), _ring(server_tx)
        return lib.flow_poll(self._flow, now_ms, client, server)

    def next_deadline(self) -> float | None:
        """Return when poll() is due."""
        due: int = lib.flow_next_deadline(self._flow)
        return None if due == NEVER else due / 1000

    def sessions(self) -> Iterator[bytes]:
        """Yield the C structures of the sessions, some at a time."""
        cursor = ffi.new("uint64_t *")
        found = self._sessions
        view = ffi.buffer(found)
        size = ffi.sizeof("struct flow_session_view")
        while count := lib.flow_walk(self._flow, cursor, found, _RECORDS):
            yield view[: count * size]

    def session_slices(self, look: int, first: int = 0) -> Iterator[bytes]:
        """Yield C structures as `sessions`, of so many places of the table a time."""
        cursor = ffi.new("uint64_t *", first)
        found = ffi.new("struct flow_session_view[]", min(look, _RECORDS))
        view = ffi.buffer(found)
        size = ffi.sizeof("struct flow_session_view")
        while cursor[0] != NEVER:
            count = lib.flow_walk_some(self._flow, cursor, look, found, len(found))
            yield view[: count * size]

    def events(self, most: int = _RECORDS) -> bytes:
        """Take out the C structures of the oldest events, 256 at most."""
        count = lib.flow_events(self._flow, self._events, min(most, _RECORDS))
        size = ffi.sizeof("struct flow_event")
        return ffi.buffer(self._events)[: count * size]

    def splices(self, now: float) -> Iterator[bytes]:
        """Yield the C structures of the spliced connections, some at a time."""
        now_ms = self._at(now)
        cursor = ffi.new("uint64_t *")
        found = ffi.new("struct flow_splice[]", _RECORDS)
        view = ffi.buffer(found)
        call = lib.flow_export
        while count := call(self._flow, now_ms, cursor, found, _RECORDS):
            yield view[: count * SPLICE_BYTES]

    def import_splices(self, splices: bytes, now: float) -> int:
        """Take up connections; how many made sense and found room."""
        now_ms = self._at(now)
        array = ffi.from_buffer("struct flow_splice[]", splices)
        count = len(splices) // SPLICE_BYTES
        return lib.flow_import(self._flow, now_ms, array, count)

    def statistics(self, now: float | None = None) -> dict[str, Any]:
        """Return every counter by name; tuples of those that are counted by kind.

        Without `now` it needs no token: any thread may ask, while another call runs.
        """
        stats = ffi.new("struct flow_stats *")
        if now is None:
            with self.pinned():
                lib.flow_counters(self._flow_at, stats)
        else:
            with self:
                lib.flow_statistics(self._flow, self._at(now))
                lib.flow_counters(self._flow, stats)
        values = ((name, getattr(stats, name)) for name in _STATISTICS)
        return {
            name: value if isinstance(value, int) else tuple(value)
            for name, value in values
        }

    def pulse(self) -> bytes:
        """Return the bytes of every counter, as they are without the time."""
        stats = ffi.new("struct flow_stats *")
        with self.pinned():
            lib.flow_counters(self._flow_at, stats)
        return ffi.buffer(stats)[:]


def _ring(ring: RingCore | None) -> Any:
    return ffi.NULL if ring is None else ring.cdata


def verdict(ring: RingCore, index: int) -> int:
    """Return the verdict on a packet of a ring: enum flow_verdict."""
    if not 0 <= index < ring.cdata.count:
        raise IndexError(f"no packet {index} of {ring.cdata.count}")
    return ring.cdata.slot[index].verdict
