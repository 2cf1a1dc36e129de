"""Every C case: hashes, the table and its rival, packets to replies, timers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import native

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

NAMES = list(native.cases())


def group(name: str) -> str:
    """Name what is worth comparing: one operation at one size, whoever does it."""
    words = [word for word in name.split("_") if word not in {"table", "list"}]
    return " ".join(word for word in words if not word.startswith(("burst", "single")))


@pytest.mark.parametrize("name", NAMES)
def test_case(
    name: str, benchmark: BenchmarkFixture, run_case: Callable[[str], None]
) -> None:
    """It runs, and what it says that it does happens: the case itself checks."""
    benchmark.group = group(name)
    run_case(name)


def test_names_are_as_documented() -> None:
    """Every group of names that native.py's head explains is there."""
    sizes = ("15k", "1m", "16m")
    operations = ("evict", "insert", "duplicate", "miss", "expand")
    wanted = {f"table_{op}_{size}" for op in operations for size in sizes}
    wanted |= {f"table_{op}_single_{size}" for op in operations for size in sizes}
    wanted |= {f"list_{op}_{size}" for op in operations for size in sizes[:2]}
    for family in ("", "6"):
        wanted |= {f"syn{family}_cookie_burst{n}" for n in (1, 8, 64, 256)}
        wanted |= {f"{kind}{family}_burst64" for kind in ("duplicate", "rst", "junk")}
        wanted |= {f"ack{family}_{via}_burst64" for via in ("cache", "cookie")}
    wanted |= {"timer_due_1m", "timer_due_list_1m", "timer_idle_1m", "poll_due_1m"}
    assert set() == wanted - set(NAMES)


def test_too_large_a_world_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is allocated."""
    monkeypatch.setattr(native, "available_mib", lambda: 1)
    with pytest.raises(MemoryError, match=r"table_evict_15k needs \d+ MiB, 1 are free"):
        native.Case("table_evict_15k")
