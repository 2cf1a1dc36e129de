"""The shield's part of the door to C: see `_core`, whose rules hold here too.

The structures are those of csrc/bpf/shield_abi.h, which its programs read and write.
"""

from __future__ import annotations

import struct

from . import ffi, lib
from .mirror import layout, numbers

KEYS: int = lib.SHIELD_KEYS
OFF, WATCH, AUTO, ALWAYS = numbers("shield_mode", "off watch auto always")
TS_PORTS, TS_CHECK, TS_REQUIRED, GATE_OPEN, VERIFY, REPLAY, BLOCKED, SHARED, ONLY = (
    numbers(
        "shield_flag",
        "ts-ports ts-check ts-required gate-open verify replay blocked shared only",
    )
)
NO_EPOCH = UINT64_MASK = 2**64 - 1
COUNTERS: tuple[str, ...] = tuple(
    name for name, _ in ffi.typeof("struct shield_counters").fields
)
PROCESSOR = layout("shield_processor", "counters")
PLACES: int = lib.SHIELD_PLACES
PLACE_FACTOR: int = lib.SHIELD_PLACE_FACTOR
PLACE_SHIFT: int = lib.SHIELD_PLACE_SHIFT
PLACE = layout("shield_place", "key service")
SERVICE4 = layout("shield_service4", "address port")
SERVICE6 = layout("shield_service6", "address port")
SERVICE = layout("shield_service", "flood_ns refused full_ns made seen trusted")
EVENT = layout("shield_event", "time_ns kind number address port v6")
NETWORK_BYTES: int = ffi.sizeof("struct shield_network")
FRESH: int = lib.SHIELD_FRESH
FILTERS: int = lib.SHIELD_FILTERS
FILTER_BYTES: int = lib.SHIELD_FILTER_BYTES
FILTER = layout("shield_filter", "end_ns size bits")
REDEEMED = layout("shield_redeemed", "address ports iss irs")
SAMPLED: int = lib.SHIELD_SAMPLED
SAMPLES: int = lib.SHIELD_SAMPLES
SAMPLES_BYTES: int = ffi.sizeof("struct shield_samples")
_NETWORK = layout("shield_network", "bits address")
_SAMPLE = layout("shield_sample", "source target port")
_COUNT = layout("shield_samples", "count", part=True)
_SAMPLES_AT = SAMPLES_BYTES - SAMPLES * _SAMPLE.size
_ADDRESS, _ADDRESSES = struct.Struct("=4I"), struct.Struct("=8I")
TRIAL: int = lib.SHIELD_TRIAL
EVENTS_BYTES: int = lib.SHIELD_EVENTS_BYTES
FLOOD: int = lib.SHIELD_EVENT_FLOOD
FULL: int = lib.SHIELD_EVENT_FULL
REFUSED: int = lib.SHIELD_EVENT_REFUSED


class Config:
    """`struct shield_config`: the settings of the programs."""

    __slots__ = ("_config",)

    def __init__(self) -> None:
        self._config = ffi.new("struct shield_config *")
        for slot in (*self._config.key, *self._config.former):
            slot.epoch = NO_EPOCH

    def put(self, **fields: int) -> None:
        """Set fields by their names in C."""
        for name, value in fields.items():
            setattr(self._config, name, value)

    def mss(self, least: tuple[int, int], ours: tuple[int, int]) -> None:
        """Set the least MSS of a peer and ours, of IPv4 and of IPv6."""
        for family, low, high in zip(self._config.family, least, ours, strict=True):
            family.mss_least, family.mss_ours = low, high

    def hop_limits(self, limits: tuple[int, int]) -> None:
        """Set the hop limit of SYN-ACKs, of IPv4 and of IPv6."""
        for family, limit in zip(self._config.family, limits, strict=True):
            family.hop_limit = limit

    def mac(self, address: bytes) -> None:
        """Set the Ethernet address that frames for us have."""
        self._config.mac[0], self._config.mac[1] = struct.unpack("=IH", address)

    def shape(self, layout: int, secmod: int) -> None:
        """Set the cookie's tables; our scale has been set."""
        lib.shield_shape(self._config, layout, secmod)

    def key(self, epoch: int, key: bytes) -> None:
        """Put a key in its place."""
        slot = self._config.key[epoch % KEYS]
        lib.shield_key(slot.state, key)
        slot.epoch = epoch

    def keep(self, end_ns: int) -> None:
        """Have the keys as former ones until a time; others come in their places."""
        self._config.former = self._config.key
        self._config.former_ns = end_ns

    def drop(self) -> None:
        """Wipe the former keys."""
        for slot in self._config.former:
            slot.state = (0, 0, 0, 0)
            slot.epoch = NO_EPOCH
        self._config.former_ns = 0

    def ts_key(self, key: bytes) -> None:
        """Set the key of timestamp offsets."""
        lib.shield_key(self._config.ts_key, key)

    def forget(self, keep: set[int]) -> None:
        """Wipe the keys of other epochs."""
        for slot in self._config.key:
            if slot.epoch not in keep:
                slot.state = (0, 0, 0, 0)
                slot.epoch = NO_EPOCH

    @property
    def window(self) -> int:
        """The window of SYN-ACKs."""
        return int(self._config.window)

    def content(self) -> bytes:
        """Return it as it is to lie in the map."""
        return ffi.buffer(self._config)[:]


def network(bits: int, address: bytes) -> bytes:
    """Return a network as the programs have it, of the 16 bytes of its address."""
    return _NETWORK.pack(bits, *_ADDRESS.unpack(address))


def samples(raw: bytes, seen: int) -> tuple[int, list[tuple[bytes, bytes, int]]]:
    """Read one processor's sample.

    Args:
        raw: A struct shield_samples.
        seen: How many it had taken before.

    Returns:
        How many it has taken by now; source, target and port, raw, of the new ones
        that are still there.
    """
    (count,) = _COUNT.unpack_from(raw)
    found = []
    for number in range(max(seen, count - SAMPLES), count):
        place = _SAMPLES_AT + number % SAMPLES * _SAMPLE.size
        *words, port = _SAMPLE.unpack_from(raw, place)
        addresses = _ADDRESSES.pack(*words)
        found.append((addresses[:16], addresses[16:], port))
    return count, found


def shared(key: bytes, first: int, count: int) -> bytes:
    """Return where the filters of others are, as the programs want it."""
    found = ffi.new("struct shield_shared *", {"first": first, "count": count})
    lib.shield_key(found.key, key)
    return ffi.buffer(found)[:]
