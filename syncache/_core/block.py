"""Memory of an engine, from the system; time in units of C; what C is missing."""

from __future__ import annotations

import mmap
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NoReturn, SupportsIndex

HUGE_PAGE = 2 * 1024 * 1024
NOW_MAX_MS = 2**62  # far enough from 2^64 for any sum that C makes


def allocate(size: int) -> mmap.mmap:
    """Return zeroed memory of whole pages; huge ones where one would be filled."""
    size += -size % mmap.PAGESIZE
    if hasattr(mmap, "MAP_PRIVATE"):
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    else:
        memory = mmap.mmap(-1, size)
    if size >= HUGE_PAGE and hasattr(mmap, "MADV_HUGEPAGE"):
        # A kernel without huge pages refuses; small ones do as well.
        with suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


class OneProcess:
    """A class whose objects are neither pickled nor copied, and say so."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(
            f"cannot pickle or copy {type(self).__name__!r}: it is memory of this "
            "process; make another one, with the same keys and tunables"
        )


def refusal(why: str) -> str:
    """Return the remedy if the compiled module cannot be imported."""
    if "subinterpreter" in why:
        return (
            "syncache works in the main interpreter and in subinterpreters that share "
            f"its lock, not in isolated ones ({why})"
        )
    if archive := getattr(__spec__.loader, "archive", ""):  # zipimport's
        return (
            "syncache has a compiled module, which Python does not load out of a zip "
            f"file: unpack {archive}, or pip install tcp-syncache"
        )
    return (
        "the compiled core syncache._ffi is missing or does not fit this Python: "
        "pip install tcp-syncache, or in a checkout "
        f"`python setup.py build_ext --inplace` ({why})"
    )


def wipe(memory: mmap.mmap) -> None:
    """Overwrite everything with zeros."""
    page = bytes(mmap.PAGESIZE)
    for start in range(0, len(memory), mmap.PAGESIZE):
        memory[start : start + mmap.PAGESIZE] = page


def milliseconds(now: float) -> int:
    """Convert a time to whole milliseconds, the nearest.

    Raises:
        ValueError: it is not finite.
        TypeError: it is not a number.
    """
    try:
        ms = int(now * 1000 + 0.5)
    except TypeError:
        raise TypeError(f"now is a number of seconds, not {now!r}") from None
    except (ValueError, OverflowError):
        if not -inf < now < inf:
            raise ValueError(
                f"now is a finite number of seconds, not {now!r}"
            ) from None
        ms = NOW_MAX_MS if now > 0 else 0  # finite, but not once in milliseconds
    if 0 <= ms <= NOW_MAX_MS:
        return ms
    return 0 if ms < 0 else NOW_MAX_MS
