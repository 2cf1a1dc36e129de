"""Fixtures of `pytest bench/`: a C case with its world, measured by pytest-benchmark.

    pytest bench/                        everything, with pytest-benchmark's tables
    pytest bench/ -k "evict and 1m"      some
    pytest bench/ --benchmark-disable    each once, in seconds: does it all still work?

`pytest` alone does not come here.  What a C case says of itself is in
`python -m bench.native --list`; a run of it is many operations, so `extra_info` has the
nanoseconds of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import native

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 9
SMOKE_OPS = 200
SMOKE_ENTRIES = 100_000  # what fills in no time


@pytest.fixture
def once(request: pytest.FixtureRequest) -> bool:
    """Tell whether nothing is timed."""
    return bool(request.config.getoption("benchmark_disable"))


@pytest.fixture
def run_case(benchmark: BenchmarkFixture, once: bool) -> Callable[[str], None]:
    """Return a function that measures a C case."""

    def run(name: str) -> None:
        about = native.cases()[name]
        if once and about.entries > SMOKE_ENTRIES:
            pytest.skip(f"filling {about.entries} entries takes seconds: only if timed")
        if about.mib > native.available_mib():
            pytest.skip(
                f"its table takes {about.mib} MiB, {native.available_mib()} are free"
            )
        ops = SMOKE_OPS if once else about.ops
        with native.Case(name) as case:
            case.run(ops)  # caches, branch predictors
            times = [case.run(ops)]
            benchmark.pedantic(
                lambda: times.append(case.run(ops)), rounds=ROUNDS, iterations=1
            )
        benchmark.extra_info[f"ns a {about.unit}"] = round(min(times[1:] or times), 1)
        benchmark.extra_info["operations"] = ops

    return run
