"""echo.c and loop.c: C that runs beside a Python loop, on the same rings."""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from syncache import _core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from syncache import Ring, Syncache

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SOURCES = [HERE / "echo.c", HERE / "loop.c"]
HEADER = ROOT / "csrc" / "syncache.h"
WORDS = ["cc", "-std=c11", "-O3", "-fPIC", "-shared", f"-I{HEADER.parent}"]


@cache
def library() -> ctypes.CDLL:
    """Compile it unless that has been done; load it."""
    text = b"".join(path.read_bytes() for path in [*SOURCES, HEADER])
    digest = hashlib.sha256(text).hexdigest()[:16]
    target = ROOT / "build" / "bench" / f"beside-{digest}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        made = target.with_suffix(f".{os.getpid()}")
        subprocess.run([*WORDS, *SOURCES, "-o", made], check=True)
        made.rename(target)
    return ctypes.CDLL(str(target))


def address(cdata: object) -> int:
    """Return where C finds something that cffi holds."""
    return int(_core.ffi.cast("uintptr_t", cdata))


class Echo:
    """What `Syncache.burst` is replaced by to see what the link allows."""

    def __init__(self, rx: Ring, tx: Ring) -> None:
        self._rings = (
            ctypes.c_void_p(address(rx.cdata)),
            ctypes.c_void_p(address(tx.cdata)),
        )
        self._echo = library().echo

    def burst(self, _rx: Ring, _tx: Ring, _now: float) -> int:
        """Turn SYNs into SYN-ACKs and do nothing else."""
        return self._echo(*self._rings)


class Loop:
    """Rings that are filled with new SYNs, and a C loop over them."""

    def __init__(self, rings: Sequence[Ring], tx: Ring) -> None:
        pointers = [address(ring.cdata) for ring in rings]
        self._rings = (ctypes.c_void_p * len(rings))(*pointers)
        self._tx = ctypes.c_void_p(address(tx.cdata))
        self._state = ctypes.c_uint64(1)
        burst = _core.ffi.addressof(_core.lib, "syncache_burst")
        self._burst = ctypes.c_void_p(address(burst))

    def fill(self) -> None:
        """Fill every ring with SYNs of new peers."""
        count = ctypes.c_uint32(len(self._rings))
        library().fill(self._rings, count, ctypes.byref(self._state))

    def run(self, cache: Syncache, now_ms: int) -> None:
        """Hand every ring to the engine, as python_side.py does."""
        engine = ctypes.c_void_p(address(cache._core._cache))  # noqa: SLF001
        now, count = ctypes.c_uint64(now_ms), ctypes.c_uint32(len(self._rings))
        library().loop(self._burst, engine, now, self._rings, count, self._tx)
