"""The C cases of the bench, built into one library and called by name.

    python -m bench.native --list
    python -m bench.native NAME[@ISA] ... [--repeats 9] [--ops N]

prints one JSON line per run, the cases alternating, every world kept in between:

    {"case": "table_evict_1m@avx2", "repeat": 0, "ns": 24.1, "unit": "entry",
     "ops": 65536}

`ns` is CPU time of the thread for one operation.  From Python the same is

    with native.Case("table_evict_1m", isa="avx2") as case:
        case.run()        # ns an operation; again and again, in the same world
    native.alternate(["table_evict_1m", "list_evict_1m"], repeats=9)

NAME@ISA, or `isa`, sets SYNCACHE_ISA while the case makes its engine; without it what
is set stays.  alternate() returns ns by name, for ratios of paired repeats.

Names.  A size is the table's: 15k (512 buckets of 30, FreeBSD's default), 1m (32,768)
or 16m (524,288).  `case.mib` says how much memory a case's world takes.

    siphash_25 siphash_49 cookie_mint cookie_check
    table_OP_SIZE         the table alone, tuples hashed in bursts, prefetching
    table_OP_single_SIZE  the same one at a time, without prefetching
    list_OP_SIZE          the list-and-malloc cache (rival_list.c), to 1m
                          OP: evict (insert into a full table), insert (half full),
                          duplicate (found), miss (not found), expand (find, remove)
    syn_cookie_burstN     SYN to SYN-ACK, cookies only, N of 1 8 64 256
    syn_cookie_single     the same by syncache_packet(), one packet a call
    syn_cookie_straight   the same, the straightforward path (rival_path.c)
    syn_evict_burst64_SIZE, syn_evict_single_SIZE    with insert and eviction
    syn_evict_list_SIZE   straightforward path over the list-and-malloc cache
    syn_pause_list_SIZE   the same with FreeBSD's pause: cookies once a bucket is full
    duplicate_burst64 ack_cache_burst64 ack_cookie_burst64 rst_burst64 known_burst64
    junk_burst64          what follows a SYN (case_segment.c)
                          with a 6 behind the first word all of these but the rivals
                          are IPv6: syn6_cookie_burst64, ack6_cache_burst64
    timer_due_1m          a due entry found and set again, 9,830 every 10 ms
    timer_due_list_1m     the same by a callout and a walk for each bucket
    timer_idle_1m         a look at a million deadlines that finds none due
    poll_due_1m           syncache_poll(): a SYN-ACK sent again
    poll_due_list_1m      the same, list walk and straightforward SYN-ACK
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FLAGS = ["-std=c11", "-O3", "-g", "-DNDEBUG", "-D_GNU_SOURCE", "-fPIC"]
FLAGS += [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc' / 'core'}", "-fvisibility=hidden"]
REPEATS = 9


class _Case(ctypes.Structure):
    """struct bench_case of bench.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("what", ctypes.c_char_p),
        ("unit", ctypes.c_char_p),
        ("entries", ctypes.c_uint32),
        ("burst", ctypes.c_uint32),
        ("ops", ctypes.c_uint32),
        ("mib", ctypes.c_uint32),
        ("flavour", ctypes.c_uint32),
        ("make", ctypes.c_void_p),
        ("run", ctypes.c_void_p),
        ("unmake", ctypes.c_void_p),
    )


class About(NamedTuple):
    """What a case says of itself."""

    index: int
    what: str
    unit: str
    entries: int
    burst: int
    ops: int
    mib: int


def sources() -> list[Path]:
    """List what the library is made of."""
    core = [p for room in ("core", "simd") for p in (ROOT / "csrc" / room).glob("*.c")]
    ours = [HERE / "native.c", HERE / "world.c"]
    ours += [p for kind in ("case", "rival") for p in HERE.glob(f"{kind}_*.c")]
    return sorted(core) + sorted(ours)


def compiler() -> str:
    """Return the C compiler, or say how to get one."""
    name = os.environ.get("CC", "cc")
    path = shutil.which(name)
    if path is None:
        sys.exit(f"no C compiler {name!r}: apt-get install gcc, or set CC")
    return path


@cache
def library() -> ctypes.CDLL:
    """Build the library if its sources changed; load it."""
    headers = [*(ROOT / "csrc").rglob("*.h"), *HERE.glob("*.h")]
    files = sources()
    digest = hashlib.sha256(repr([compiler(), FLAGS, files]).encode())
    for path in [*files, *sorted(headers)]:
        digest.update(path.read_bytes())
    target = ROOT / "build" / "bench" / f"native-{digest.hexdigest()[:16]}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        for stale in target.parent.glob("native-*.so"):
            stale.unlink()
        made = target.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler(), *FLAGS, "-shared", *files, "-o", made], check=True)
        made.rename(target)
    loaded = ctypes.CDLL(str(target))
    at = loaded.bench_case_at
    at.argtypes, at.restype = [ctypes.c_uint32], ctypes.POINTER(_Case)
    pointer = ctypes.POINTER(_Case)
    loaded.bench_make.argtypes = [pointer]
    loaded.bench_make.restype = ctypes.c_void_p
    loaded.bench_run.argtypes = [pointer, ctypes.c_void_p, ctypes.c_uint32]
    loaded.bench_run.restype = ctypes.c_uint64
    loaded.bench_unmake.argtypes = [pointer, ctypes.c_void_p]
    loaded.bench_unmake.restype = None
    return loaded


@cache
def cases() -> dict[str, About]:
    """Return every case there is, by name."""
    found: dict[str, About] = {}
    while pointer := library().bench_case_at(len(found)):
        case = pointer.contents
        found[case.name.decode()] = About(
            len(found),
            case.what.decode(),
            case.unit.decode(),
            case.entries,
            case.burst,
            case.ops,
            case.mib,
        )
    return found


def available_mib() -> int:
    """Tell how much memory may be taken without swapping."""
    try:
        text = Path("/proc/meminfo").read_text("ascii")
    except OSError:
        return sys.maxsize
    line = next(x for x in text.splitlines() if x.startswith("MemAvailable:"))
    return int(line.split()[1]) // 1024


@contextmanager
def level(isa: str | None) -> Iterator[None]:
    """Force an instruction set for the engines made inside."""
    before = os.environ.get("SYNCACHE_ISA")
    if isa is not None:
        os.environ["SYNCACHE_ISA"] = isa
    try:
        yield
    finally:
        if isa is not None:
            del os.environ["SYNCACHE_ISA"]
            if before is not None:
                os.environ["SYNCACHE_ISA"] = before


class Case:
    """One case with its world; `name` may end in @ISA."""

    def __init__(self, name: str, *, isa: str | None = None) -> None:
        self.name, _, at = name.partition("@")
        self.isa = isa or at or None
        self.about = cases()[self.name]
        self.mib = self.about.mib
        if self.mib > available_mib():
            raise MemoryError(
                f"{name} needs {self.mib} MiB, {available_mib()} are free"
            )
        self._case = library().bench_case_at(self.about.index)
        with level(self.isa):
            self._world = library().bench_make(self._case)

    def run(self, ops: int | None = None) -> float:
        """Run once more; return nanoseconds an operation."""
        ops = ops or self.about.ops
        return float(library().bench_run(self._case, self._world, ops)) / ops

    def close(self) -> None:
        """Give the world's memory back."""
        if self._world:
            library().bench_unmake(self._case, self._world)
            self._world = None

    def __enter__(self) -> Case:  # noqa: PYI034 - Self is of Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def alternate(
    names: Sequence[str], repeats: int = REPEATS, ops: int | None = None
) -> dict[str, list[float]]:
    """Run cases by turns, `repeats` times; return ns of each run, by name."""
    with ExitStack() as stack:
        made = {name: stack.enter_context(Case(name)) for name in names}
        runs: dict[str, list[float]] = {name: [] for name in names}
        for case in made.values():
            case.run(ops)  # caches, page tables, branch predictors
        for _ in range(repeats):
            for name, case in made.items():
                runs[name].append(case.run(ops))
    return runs


def main() -> None:
    """List the cases, or run some by turns."""
    parser = argparse.ArgumentParser(prog="bench.native")
    parser.add_argument("names", nargs="*", metavar="NAME[@ISA]")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--ops", type=int)
    options = parser.parse_args()
    if options.list:
        for name, about in cases().items():
            print(f"{name:26}{about.what}")
    for name, runs in alternate(options.names, options.repeats, options.ops).items():
        about = cases()[name.partition("@")[0]]
        for repeat, ns in enumerate(runs):
            row = {"case": name, "repeat": repeat, "ns": round(ns, 2)}
            ops = options.ops or about.ops
            print(json.dumps(row | {"unit": about.unit, "ops": ops}))


if __name__ == "__main__":
    main()
