"""The door to C: `_ffi` is imported, and cdata seen, here and in the modules beside it.

Arguments are already checked (types, ranges, addresses); results are numbers and bytes.
Times come in as seconds and go on as whole milliseconds.  The modules above explain the
values, csrc/syncache.h the calls.  Long because engine, token and rings are one thing;
the rest (`_core.flow` and others) takes `ffi` and `lib` from here.

The GIL is released around every call, so two threads could meet inside one engine.
`with core:` takes the engine's only token or raises RuntimeError; that is `door.Door`,
in C with the GIL held, and so is the burst of an engine, which is called most often.
Counters are read without the token (`Block.pinned`), from any thread and while a call
runs.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from .block import NOW_MAX_MS, OneProcess, allocate, milliseconds, refusal, wipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typing_extensions import Buffer

    from .._ffi import CData, ResultStruct, RingStruct, SlotStruct
    from ..keyring import Keyring

if getattr(sys.modules["syncache"], "__distribution__", "") != "tcp-syncache":
    raise ImportError(  # pragma: no cover - test_core.py has a process for it
        "the top-level module syncache is that of the unrelated distribution of this "
        "name: pip uninstall syncache, then pip install --force-reinstall tcp-syncache"
    )
try:
    from .._ffi import ffi as ffi
    from .._ffi import lib as lib
except ImportError as error:  # pragma: no cover - and two for this
    raise ImportError(refusal(str(error))) from error

from .door import Door, Place
from .keyfeed import UINT64_MASK, KeyCalls, KeyFeed
from .mirror import layout, limit

NEVER = UINT64_MASK
ALIGNMENT = 64
WALK_ENTRIES = 256
SLOTS_MAX = limit("SYNCACHE_SLOTS_MAX")
SLOT_SIZE_MIN = limit("SYNCACHE_REPLY_MAX")  # a reply fits each
DUE_SLOTS = 64

_SLOT = layout(
    "syncache_slot",
    "size link_size checksum verdict gso_size request handle",
)
_NO_REQUEST = limit("SYNCACHE_NO_REQUEST")
_STATISTICS = layout("syncache_stats")
_REPLY = ffi.offsetof("struct syncache_result", "reply")
_KEY_CALLS = KeyCalls(lib.syncache_set_key, lib.syncache_set_epoch, lib.syncache_epoch)

_accepted = lib.syncache_accepted  # looked up once: it is called for every handshake
_ARRIVAL_BYTES = ffi.sizeof("struct syncache_arrival")
_CONN = ffi.typeof("struct syncache_conn *")  # a name would be looked up at each call


class Block(Door, OneProcess):
    """The memory block of an engine, and the token of who may use it."""

    __slots__ = ("_block", "_memory")

    def __init__(self, size: int) -> None:
        self._memory = allocate(size + ALIGNMENT)
        self._block = ffi.from_buffer(self._memory)

    def start(self) -> CData:
        """Return the first aligned byte, behind which there is the size asked for."""
        place: CData = self._block + -address(self._block) % ALIGNMENT
        return place

    def _refusal(self) -> RuntimeError:
        state = "closed" if self.closed else "in use by another call"
        return RuntimeError(f"this engine is {state}")

    def pinned(self) -> memoryview:
        """Return a view of the block that keeps it in place until it is released.

        For calls that only read: they need no token, and take it from nobody.
        """
        try:
            view = memoryview(self._memory)
        except ValueError:
            raise self._refusal() from None
        if self.closed:  # wiped by another thread between the two
            view.release()
            raise self._refusal()
        return view

    def close(self) -> None:
        """Overwrite the block and give it back; every later call raises."""
        self.closed = True
        ffi.release(self._block)
        wipe(self._memory)
        # Another thread may be reading: then the system has it back with that view.
        with suppress(BufferError):
            self._memory.close()

    @property
    def memory_bytes(self) -> int:
        """Size of the engine's block, which never changes."""
        with self.pinned() as view:
            return len(view)


class Core(Block):
    """One engine: its memory block, and the keys that C is given in time."""

    __slots__ = (
        "_cache",
        "_cache_at",
        "_counters",
        "_due",
        "_feed",
        "_keys_due",
        "_lifetime_ms",
        "_result",
        "_tunables",
        "_view",
        "isa",
    )

    def __init__(self, config: Mapping[str, int], seed: bytes, keys: Keyring) -> None:
        settings = ffi.new("struct syncache_config *", dict(config))
        settings.struct_size = ffi.sizeof("struct syncache_config")
        size = lib.syncache_size(settings)
        if size == 0:
            raise ValueError(f"no engine can have this configuration: {config}")
        super().__init__(size)
        self._cache = lib.syncache_init(self.start(), size, settings, seed)
        assert self._cache != ffi.NULL
        self._cache_at = self._cache  # for who has pinned the block
        self._engine = address(self._cache)
        counters = lib.syncache_statistics(self._cache)
        self._counters = ffi.buffer(counters, _STATISTICS.size)
        self._due: RingCore | None = None  # made when `due` is first called
        self.isa: int = lib.syncache_isa(self._cache)  # enum syncache_isa of bursts
        self._result: ResultStruct = ffi.new("struct syncache_result *")
        self._view = ffi.buffer(self._result)
        self._tunables = ffi.new("struct syncache_tunables *")
        self._lifetime_ms = 0
        self.set_keys(keys)

    def close(self) -> None:
        """Overwrite the block and give it back; every later call raises."""
        super().close()
        self._cache = ffi.NULL

    def set_tunables(self, fields: Mapping[str, int]) -> bool:
        """Replace all tunables; False if C finds one out of range."""
        tunables = self._tunables
        tunables.struct_size = ffi.sizeof("struct syncache_tunables")
        for name, value in fields.items():
            setattr(tunables, name, value)
        if not lib.syncache_set_tunables(self._cache, tunables):
            return False
        if fields["cookie_lifetime_ms"] != self._lifetime_ms:
            self._lifetime_ms = fields["cookie_lifetime_ms"]
            self.set_keys(self._feed.keys)
        return True

    def set_keys(self, keys: Keyring) -> None:
        """Take cookie keys from here from the next call on that tells a time."""
        self._feed = KeyFeed(_KEY_CALLS, ffi.new("uint64_t *"), keys)
        self._keys_due, self._keys_until = 0, 0.0  # ms, and seconds, a little early

    def set_ts(self, key: bytes, base: int) -> None:
        """Replace the key of the timestamp offsets, and their clock at 0."""
        lib.syncache_set_ts_key(self._cache, ffi.from_buffer("uint8_t[16]", key))
        lib.syncache_set_ts_base(self._cache, base & 0xFFFFFFFF)

    def _at(self, now: float) -> int:
        """Return the time for C, which by then has the keys that this time needs."""
        now_ms = milliseconds(now)
        if now_ms >= self._keys_due:
            self._keys_due = self._feed.renew(self._cache, now_ms, self._lifetime_ms)
            self._keys_until = (min(self._keys_due, NOW_MAX_MS) - 1) / 1000
        return now_ms

    def packet(self, packet: Buffer, now: float) -> int:
        """Take one packet; the verdict, whose fields are handle, reply and conn."""
        now_ms = self._at(now)
        data = packet if type(packet) is bytes else ffi.from_buffer(_bytes(packet))
        return lib.syncache_packet(
            self._cache, now_ms, data, len(data), 0, self._result
        )

    def segment(
        self,
        tuple_: tuple[int, bytes, bytes],
        segment: Buffer,
        now: float,
        payload_size: int | None,
        tos: int,
    ) -> int:
        """Take one segment between two packed addresses; see `packet`.

        Without payload_size the whole payload is there, and the checksum is verified.
        """
        family, faddr, laddr = tuple_
        now_ms = self._at(now)
        data = _bytes(segment)
        size = len(data)
        offset = data[12] >> 4 << 2 if size > 12 else size
        whole = max(size - offset, 0)
        return lib.syncache_segment(
            self._cache,
            now_ms,
            family,
            faddr,
            laddr,
            tos,
            ffi.from_buffer(data),
            size,
            whole if payload_size is None else payload_size,
            0 if payload_size is None else 1,  # enum syncache_checksum
            self._result,
        )

    def handle(self) -> int:
        """Return the handle that the last verdict found."""
        return self._result.handle

    def reply(self) -> bytes | None:
        """Return the packet that the last verdict made."""
        size = self._result.reply_size
        return self._view[_REPLY : _REPLY + size] if size else None

    def conn(self) -> bytes:
        """Return the bytes of the last verdict, which begin with its conn."""
        return self._view[:_REPLY]

    def due(self, now: float) -> list[bytes]:
        """Return the packets that are due."""
        if self._due is None:
            self._due = RingCore(DUE_SLOTS, SLOT_SIZE_MIN)
        ring = self._due
        packets: list[bytes] = []
        while True:
            ring.clear()
            if lib.syncache_poll(self._cache, self._at(now), ring.cdata) == 0:
                return packets
            packets += [bytes(ring[index]) for index in range(len(ring))]

    def next_deadline(self) -> float | None:
        """Return when poll() is due."""
        due: int = lib.syncache_next_deadline(self._cache)
        return None if due == NEVER else due / 1000

    def listen(self, fields: Mapping[str, object]) -> int | None:
        """Begin to listen; the endpoint's number, or None if C refuses."""
        number = ffi.new("uint32_t *")
        endpoint = ffi.new("struct syncache_endpoint *", dict(fields))
        listens = lib.syncache_listen(self._cache, endpoint, number)
        return int(number[0]) if listens else None

    def unlisten(self, number: int) -> None:
        """End listening."""
        lib.syncache_unlisten(self._cache, number)

    def md5_key(self, number: int, peer: tuple[int, bytes], key: bytes) -> bool:
        """Add a peer's RFC 2385 key to an endpoint."""
        family, faddr = peer
        return lib.syncache_md5_key(self._cache, number, family, faddr, key, len(key))

    def address(self, family: int, laddr: bytes) -> bool:
        """Make an address ours."""
        return lib.syncache_address(self._cache, family, laddr)

    def accepted(self, conn: bytes, handle: int, ok: bool) -> None:
        """Tell how an offer ended."""
        with self:
            _accepted(self._cache, ffi.from_buffer(_CONN, conn), handle, ok)

    def opened(self, tuple_: bytes, handle: int) -> bool:
        """Register an active open."""
        return lib.syncache_opened(self._cache, tuple_of(tuple_), handle)

    def forget(self, tuple_: bytes) -> None:
        """Forget a known tuple."""
        lib.syncache_closed(self._cache, tuple_of(tuple_))

    def unsent(self, tuple_: bytes, seq: int) -> None:
        """Say that a reply could not be sent."""
        lib.syncache_unsent(self._cache, tuple_of(tuple_), seq)

    def unreach(self, tuple_: bytes, seq: int, now: float) -> None:
        """Take an ICMP error that quotes a segment of ours."""
        lib.syncache_unreach(self._cache, self._at(now), tuple_of(tuple_), seq)

    def rehash(self, seed: bytes) -> None:
        """Draw the bucket hash anew; every entry is purged."""
        lib.syncache_rehash(self._cache, seed)

    def entries(self) -> Iterator[bytes]:
        """Yield the C structures of the entries, some at a time."""
        cursor = ffi.new("uint64_t *")
        found = ffi.new("struct syncache_half_open[]", WALK_ENTRIES)
        view = ffi.buffer(found)
        size = ffi.sizeof("struct syncache_half_open")
        while count := lib.syncache_walk(self._cache, cursor, found, WALK_ENTRIES):
            yield view[: count * size]

    # Without the token: what is read in one step, however the engine is used meanwhile.

    def count(self) -> int:
        """Return the number of entries."""
        with self.pinned():
            return lib.syncache_count(self._cache_at)

    def paused(self) -> bool:
        """Tell whether insertion is paused."""
        with self.pinned():
            return lib.syncache_paused(self._cache_at)

    def statistics(self) -> tuple[int, ...]:
        """Return every counter, in the order of the C structure."""
        with self.pinned():
            return _STATISTICS.unpack(self._counters)

    def pulse(self) -> bytes:
        """Return the bytes of every counter: the same while nothing happens."""
        with self.pinned():
            return self._counters[:]


def _bytes(data: Buffer) -> memoryview:
    """See a buffer as bytes; TypeError if they do not lie side by side."""
    try:
        return memoryview(data).cast("B")
    except TypeError:
        kind = type(data).__name__
        raise TypeError(f"packets are contiguous bytes, not a {kind}") from None


def tuple_of(raw: bytes) -> CData:
    """Point at the bytes of a struct syncache_tuple."""
    pointer: CData = ffi.from_buffer("struct syncache_tuple *", raw)
    return pointer


def address(pointer: CData) -> int:
    """Return where a pointer leads, for `door`."""
    return int(ffi.cast("uintptr_t", pointer))


class RingCore(Place, OneProcess):
    """The memory of a ring, pinned once; `cdata` is for this module only."""

    __slots__ = ("_arrivals", "_conn", "_slot", "_store", "cdata", "memory")

    def __init__(self, slots: int, slot_size: int) -> None:
        if not 1 <= slots <= SLOTS_MAX:
            raise ValueError(f"a ring has 1 to {SLOTS_MAX} slots, not {slots}")
        if slot_size < SLOT_SIZE_MIN or slot_size % ALIGNMENT:
            raise ValueError(
                f"slot_size is a multiple of {ALIGNMENT}, at least {SLOT_SIZE_MIN}, "
                f"not {slot_size}"
            )
        store = ffi.new("uint8_t[]", slots * slot_size + ALIGNMENT)
        begin = -address(store) % ALIGNMENT
        slot = ffi.new("struct syncache_slot[]", slots)
        conn = ffi.new("struct syncache_conn[]", slots)
        passed = ffi.new("uint32_t[]", slots)
        arrival = ffi.new("struct syncache_arrival[]", slots)
        # cdata does not keep these alive.
        self._store = store, slot, conn, passed, arrival
        # Of the whole store: a view that outlives the ring keeps it alive.
        self.memory = memoryview(ffi.buffer(store))[begin : begin + slots * slot_size]
        self._arrivals = memoryview(ffi.buffer(arrival))
        self._slot = ffi.buffer(slot)
        self._conn = ffi.buffer(conn)
        self.cdata: RingStruct = ffi.new("struct syncache_ring *")
        self.cdata.memory = store + begin
        self.cdata.slot = slot
        self.cdata.conn = conn
        self.cdata.passed = passed
        self.cdata.arrival = arrival
        self.cdata.slots = slots
        self.cdata.slot_size = slot_size
        self._ring = address(self.cdata)

    @property
    def slots(self) -> int:
        """Packets that it can hold."""
        return self.cdata.slots

    @property
    def slot_size(self) -> int:
        """Bytes that a slot can hold."""
        return self.cdata.slot_size

    @property
    def free(self) -> int:
        """Slots left."""
        return self.cdata.slots - self.cdata.count

    @property
    def next(self) -> int:
        """Index of the first packet not yet consumed."""
        return self.cdata.next

    @property
    def passed(self) -> list[int]:
        """Indices of the packets of the last burst that are the stack's."""
        return ffi.unpack(self.cdata.passed, self.cdata.passed_count)

    @property
    def arrivals(self) -> memoryview:
        """The struct syncache_arrival of each packet in `passed`."""
        return self._arrivals[: self.cdata.passed_count * _ARRIVAL_BYTES]

    def __len__(self) -> int:
        return self.cdata.count

    def __getitem__(self, index: int) -> memoryview:
        slot = self._at(index)
        start = self._place(index) * self.cdata.slot_size + slot.link_size
        return self.memory[start : start + slot.size]

    def advance(self, count: int) -> None:
        """Count the next packets as consumed."""
        if not 0 <= count <= self.cdata.count - self.cdata.next:
            raise ValueError(f"cannot consume {count} of {self!r}")
        self.cdata.next += count

    def handle(self, i: int) -> int:
        """Return the stack's handle of the tuple of packet `i`; 0: none."""
        return self._at(i).handle

    def gso_size(self, i: int) -> int:
        """Return the payload of each segment of a super-segment; 0: ordinary."""
        return self._at(i).gso_size

    def fill(self, size: int, checksum: int, gso_size: int) -> None:
        """Count in the packet that lies in the first free slot."""
        cdata = self.cdata
        index = cdata.count
        slot = (size, 0, checksum, 0, gso_size, _NO_REQUEST, 0)
        _SLOT.pack_into(self._slot, index * _SLOT.size, *slot)
        cdata.count = index + 1

    def _place(self, index: int) -> int:
        count = self.cdata.count
        place = index + count if index < 0 else index
        if not 0 <= place < count:
            raise IndexError(f"no packet {index} of {count}")
        return place

    def _at(self, index: int) -> SlotStruct:
        return self.cdata.slot[self._place(index)]

    def _verdict(self, index: int) -> int:
        return self._at(index).verdict

    def _checksum(self, index: int) -> int:
        return self._at(index).checksum

    def _append(self, packet: Buffer, checksum: int, gso_size: int) -> None:
        ring = self.cdata
        index = ring.count
        if index == ring.slots:
            raise BufferError(f"all {index} slots are taken")
        data = packet if type(packet) is bytes else memoryview(packet).cast("B")
        size = len(data)
        slot_size = ring.slot_size
        if size > slot_size:
            raise ValueError(f"{size} bytes do not fit into {slot_size}")
        start = index * slot_size
        self.memory[start : start + size] = data
        self.fill(size, checksum, gso_size)
