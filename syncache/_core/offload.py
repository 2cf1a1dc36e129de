"""The offload's part of the door to C: see `_core`, whose rules hold here too.

The calls are described in csrc/link/carried.h and csrc/flow/flow.h; the structures of
the maps in csrc/bpf/offload_abi.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ffi, lib
from .flow import SPLICE_BYTES
from .mirror import layout, limit

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from .._ffi import CData
    from .flow import FlowCore

RECORDS = limit("LINK_CARRIED_MAX")
UNDER_WAY_MS = 16  # a packet is in the kernel's programs for far less
HANDED_BYTES = ffi.sizeof("struct flow_handed_session")
CONFIG = layout("offload_config", "outside inside off key")
PROCESSOR = layout("offload_processor", "carried taken back lost")
FAMILIES = (4, 6)


def config(key: bytes, outside: int, inside: int, *, off: bool = False) -> bytes:
    """Return the configuration of the programs.

    Args:
        key: Of the names of IPv6 connections, 16 bytes.
        outside: Index of the clients' interface.
        inside: Of the servers'.
        off: Everything goes to the process.
    """
    state = ffi.new("uint64_t[4]")
    lib.shield_key(state, key)
    return CONFIG.pack(outside, inside, off, *state)


def catch_up(maps: Mapping[str, int], told: bytes, splices: bytes) -> tuple[bytes, int]:
    """Bring exported connections up to maps that another process left behind.

    Args:
        maps: Descriptors, as of `Carried`.
        told: What its programs were told (`config`).
        splices: The connections.

    Returns:
        The connections, and how many were found.
    """
    known = ffi.new("struct link_carried *")
    known.map4, known.map6 = maps["carried4"], maps["carried6"]
    known.key = CONFIG.unpack(told)[3:]
    fresh = bytearray(splices)
    count = len(fresh) // SPLICE_BYTES
    records = ffi.from_buffer("struct flow_splice[]", fresh)
    found = lib.link_carried_catch_up(known, records, count)
    return bytes(fresh), found


class Carried:
    """The connections of an engine that programs of the kernel carry.

    Args:
        core: The engine's.
        maps: Descriptors by the names that csrc/bpf/offload_maps.h has for them.
        key: That the programs are told.
    """

    def __init__(self, core: FlowCore, maps: Mapping[str, int], key: bytes) -> None:
        self._core = core
        self._maps = ffi.new("struct link_carried *")
        self._maps.map4, self._maps.map6 = maps["carried4"], maps["carried6"]
        self._maps.events = maps["events"]
        lib.shield_key(self._maps.key, key)
        self._records = ffi.new("struct flow_handed_session[]", RECORDS)

    def offer(self, on: bool) -> None:
        """Have the engine give connections away, or no more."""
        with self._core as core:
            core.hand_over(on)

    def put(self, now: float) -> tuple[int, int]:
        """Give the kernel what the engine gives away; how many, and how many failed."""
        given = failed = 0
        with self._core as core:
            flow, now_ms = core.at(now)
            records = self._records
            while count := lib.flow_handed(flow, now_ms, records, RECORDS):
                left = lib.link_carried_put(self._maps, records, count)
                lib.flow_handed_back(flow, now_ms, records, left)
                given += count - left
                failed += left
                if left:
                    break
        return given, failed

    def take_events(self, now: float) -> int:
        """Give the engine what the kernel has given back; how many."""
        total = 0
        records = self._records
        while count := lib.link_carried_events(self._maps, records, RECORDS):
            with self._core as core:
                lib.flow_handed_back(*core.at(now), records, count)
            total += count
        return total

    def look(self, now: float) -> Generator[int, float, None]:
        """Tell the engine of all that the kernel has, a part at each step.

        Removes what the engine has no more.  Yields how many were looked at.
        """
        began_ms = None
        for family in FAMILIES:
            walk = ffi.new("struct link_carried_walk *")
            while not walk.done:
                count = self._read(family, walk)
                with self._core as core:
                    flow, now_ms = core.at(now)
                    began_ms = now_ms if began_ms is None else began_ms
                    lib.flow_handed_seen(flow, now_ms, self._records, count)
                lib.link_carried_drop(self._maps, self._records, count, UNDER_WAY_MS)
                now = yield count
        with self._core as core:
            flow, _ = core.at(now)
            lib.flow_handed_looked(flow, began_ms or 0)

    def take_all(self, now: float) -> int:
        """Take everything back, the programs having been told to stop; how many."""
        total = 0
        for family in FAMILIES:
            walk = ffi.new("struct link_carried_walk *")
            while not walk.done:
                count = self._read(family, walk)
                with self._core as core:
                    lib.flow_handed_back(*core.at(now), self._records, count)
                total += count
        return total

    def drop_all(self) -> None:
        """Empty the maps."""
        for family in FAMILIES:
            left = 1
            while left:
                left = 0
                walk = ffi.new("struct link_carried_walk *")
                while not walk.done:
                    count = self._read(family, walk)
                    left += lib.link_carried_drop(self._maps, self._records, count, 0)

    def _read(self, family: int, walk: CData) -> int:
        count: int = lib.link_carried_look(
            self._maps, family, walk, self._records, RECORDS
        )
        if count < 0:
            raise OSError(-count, "bpf(2)")
        return count
