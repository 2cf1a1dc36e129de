"""In-memory comparisons: the C cases of native.py, and the Python loop.

Case names are native.py's; NAME@ISA is a case at that instruction set level.  A level
that the processor lacks, or a table that the memory cannot hold, is said and left out.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from syncache import _core

from . import native, one_tuple, python_side
from .figure import Family, Figure, Goal
from .machine import levels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .figure import Arms

SYN_NS = "ns a SYN"
BURSTS = (1, 8, 64, 256)
SIZES = ("15k", "1m", "16m")
TURN_NS, BURST_MAX = 60e6, 256
LINE_RATE_25G, LINE_RATE_10G = 37.2, 14.88  # Mpps of frames of 84 bytes on the wire
HASHSIZE, BUCKETLIMIT = 512, 30


@contextmanager
def cases(*names: str) -> Iterator[Arms]:
    """Make the worlds of some cases; what cannot be here is said."""
    with ExitStack() as stack:
        arms: Arms = {}
        for name in names:
            level = name.partition("@")[2]
            if level and level not in levels():
                print(f"  {name}: this processor has no {level}")
                continue
            try:
                case = stack.enter_context(native.Case(name))
            except MemoryError as error:
                print(f"  {error}")
                continue
            arms[name] = partial(case.run, enough(case))
        yield arms


def enough(case: native.Case) -> int:
    """Return how many operations make a turn: fewer of those that take long."""
    ops = case.about.ops
    most = TURN_NS / case.run(max(ops // 8, BURST_MAX))
    while ops > most and ops > BURST_MAX:
        ops //= 2
    return ops


@contextmanager
def entry() -> Iterator[Arms]:
    """Tell what an entry takes at FreeBSD's default size."""
    config = _core.ffi.new("struct syncache_config *")
    config.struct_size = _core.ffi.sizeof("struct syncache_config")
    config.hashsize, config.bucketlimit = HASHSIZE, BUCKETLIMIT
    config.cachelimit = HASHSIZE * BUCKETLIMIT
    config.endpoint_max, config.ts_hz = 8, 1000
    millibytes = _core.lib.syncache_entry_millibytes(config)
    yield {"entry": lambda: millibytes / 1000}


def family(
    name: str, unit: str, arms: tuple[str, ...], *figures: Figure, times: int = 1
) -> Family:
    """Make a family of native cases."""
    return Family(name, unit, "memory", partial(cases, *arms), figures, times=times)


def beats(
    name: str, what: str, ours: str, theirs: str, goal: float | None = None
) -> Figure:
    """Make a figure of how many times less ours costs."""
    bound = Goal(goal) if goal else None
    return Figure(name, what, ours, theirs, inverse=True, goal=bound)


PATH = (
    "siphash_25",
    "syn_cookie_straight",
    "syn_cookie_single",
    *(f"syn_cookie_burst64@{level}" for level in ("portable", "avx2", "avx512")),
)
BURST_SIZES = tuple(
    f"syn_cookie_burst{size}@{level}"
    for level in ("portable", "avx2", "avx512")
    for size in BURSTS
)


def stored(size: str, goal: float) -> Family:
    """Compare a SYN stored with eviction with the list-and-malloc cache's."""
    ours, theirs = f"syn_evict_burst64_{size}", f"syn_evict_list_{size}"
    paused = f"syn_pause_list_{size}"
    return family(
        f"stored_{size}",
        SYN_NS,
        (ours, f"syn_evict_single_{size}", theirs, paused),
        beats(
            f"syn_evict_vs_list_{size}",
            f"SYN to SYN-ACK with insert and eviction, {size}: burst against list",
            ours,
            theirs,
            goal,
        ),
        beats(
            f"syn_evict_vs_list_pause_{size}",
            f"the same, {size}: the list cache pauses as FreeBSD does, cookies only",
            ours,
            paused,
        ),
    )


def table(size: str, goal: float | None, batch: float | None) -> Family:
    """Compare the table alone: with the list cache, and with itself one at a time."""
    ours, single = f"table_evict_{size}", f"table_evict_single_{size}"
    arms, figures = [ours, single], []
    if goal is not None:
        arms.append(f"list_evict_{size}")
        what = f"insert with eviction, table alone, {size}: ours against the list cache"
        figures.append(beats(f"evict_vs_list_{size}", what, ours, arms[-1], goal))
    if batch is not None:
        what = f"insert with eviction, {size}: bursts with prefetch against singly"
        figures.append(beats(f"batch_vs_single_{size}", what, ours, single, batch))
    return family(f"table_{size}", "ns an insert", tuple(arms), *figures)


FAMILIES = (
    family(
        "path",
        SYN_NS,
        PATH,
        Figure(
            "single_vs_siphash",
            "one SYN to its SYN-ACK, cookies only, against one SipHash-2-4 of 25 bytes",
            "syn_cookie_single",
            "siphash_25",
            goal=Goal(3.5, at_most=True),
        ),
        beats(
            "burst_avx512_vs_single",
            "bursts of 64 at AVX-512 against single packets, cookies only",
            "syn_cookie_burst64@avx512",
            "syn_cookie_single",
            2.5,
        ),
        beats(
            "burst_avx2_vs_single",
            "bursts of 64 at AVX2 against single packets, cookies only",
            "syn_cookie_burst64@avx2",
            "syn_cookie_single",
            1.5,
        ),
        beats(
            "burst_avx512_vs_straight",
            "bursts of 64 at AVX-512 against a path written like FreeBSD's",
            "syn_cookie_burst64@avx512",
            "syn_cookie_straight",
            5,
        ),
        times=5,
    ),
    family("bursts", SYN_NS, BURST_SIZES),
    table("15k", 30, None),
    table("1m", 100, 2),
    table("16m", None, 3),
    stored("15k", 10),
    stored("1m", 40),
    family(
        "sizes",
        SYN_NS,
        tuple(f"syn_evict_burst64_{size}" for size in SIZES),
        Figure(
            "syn_16m_vs_15k",
            "SYN to SYN-ACK with insert and eviction: 16 M entries against 15 k",
            "syn_evict_burst64_16m",
            "syn_evict_burst64_15k",
            goal=Goal(2.5, at_most=True),
        ),
    ),
    family(
        "timers",
        "ns a firing",
        ("timer_due_1m", "timer_due_list_1m", "poll_due_1m", "poll_due_list_1m"),
        beats(
            "timers_vs_walk_1m",
            "a due timer of 1 M entries: due lines against walking the lists",
            "timer_due_1m",
            "timer_due_list_1m",
            50,
        ),
        beats(
            "poll_vs_walk_1m",
            "the same with the SYN-ACK that is sent again",
            "poll_due_1m",
            "poll_due_list_1m",
        ),
    ),
    Family(
        "python",
        SYN_NS,
        "memory",
        python_side.enter,
        (
            Figure(
                "python_vs_c",
                "a Python loop over bursts of 64, cookies only, against the same in C",
                "python_stateless",
                "c_stateless",
                goal=Goal(1.25, at_most=True),
            ),
            Figure(
                "python_vs_c_insert_1m",
                "the same with insert and eviction at 1 M entries",
                "python_insert_1m",
                "c_insert_1m",
                goal=Goal(1.25, at_most=True),
            ),
            Figure(
                "python_stateless_mpps",
                "SYN to SYN-ACK from Python, cookies only; theirs: 25 GbE's line rate",
                "python_stateless",
                1e3 / LINE_RATE_25G,
                goal=Goal(20, of_ours=True),
                mpps=True,
            ),
            Figure(
                "python_insert_1m_mpps",
                "the same with insert at 1 M entries; theirs: 10 GbE's line rate",
                "python_insert_1m",
                1e3 / LINE_RATE_10G,
                goal=Goal(8, of_ours=True),
                mpps=True,
            ),
        ),
    ),
    *one_tuple.FAMILIES,
    Family(
        "entry",
        "bytes",
        "memory",
        entry,
        (
            Figure(
                "bytes_per_entry",
                "memory of an entry at capacity, metadata included; theirs: the bound",
                "entry",
                72.0,
                goal=Goal(72, at_most=True, of_ours=True),
            ),
        ),
    ),
)
