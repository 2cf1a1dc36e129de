"""Half-open entries in short steps: a part of the door to C, see `_core`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import NEVER, WALK_ENTRIES, ffi, lib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from . import Core

_RANK_BITS = 8  # of a cursor: bucket << 8 | rank


def half_open_slices(core: Core, look: int, first: int) -> Iterator[bytes]:
    """Yield the half-open entries, as C keeps them: `halfopen.read`.

    A step looks at `look` buckets and lists 256 entries at most, so that a large table
    does not hold up packets.  The engine may do anything else in between; an entry that
    is made or removed meanwhile may or may not be among them.  It begins with bucket
    `first`.
    """
    cursor = ffi.new("uint64_t *", first << _RANK_BITS)
    found = ffi.new("struct syncache_half_open[]", WALK_ENTRIES)
    view = ffi.buffer(found)
    size = ffi.sizeof("struct syncache_half_open")
    while cursor[0] != NEVER:
        with core:
            cache = core._cache  # noqa: SLF001 - which close() has taken away
            count = lib.syncache_walk_some(cache, cursor, look, found, WALK_ENTRIES)
        yield view[: count * size]
