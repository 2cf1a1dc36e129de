"""The knobs of the tunables that C has: each is made of its row in a header.

The rows are in csrc/syncache_tunables.h and csrc/flow/flow_tunables.h.  Here a row
becomes a `Knob`, in the unit of its name, and a relation of members one of names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.mirror import words
from .._core.registry import tables
from .knob import BOOL, Knob

if TYPE_CHECKING:
    from .._core.registry import Row
    from .knob import Engine, Settable

_NUMBERS = ("number", "power_of_two", "zero_unlimited")
_MS = 1000

TABLES = tuple(tables())


def knobs(engine: Engine) -> tuple[Knob, ...]:
    """Return the knobs of an engine's rows."""
    return tuple(
        _knob(row, engine, "boot" if table.settable == "boot" else "always")
        for table in TABLES
        if table.engine == engine
        for row in table.rows
    )


def not_above(engine: Engine) -> tuple[tuple[str, int, str, int], ...]:
    """Return the relations between an engine's tunables, as `NOT_ABOVE` has them."""
    found = []
    for table in TABLES:
        rows = {row.member: row for row in table.rows if table.engine == engine}
        for below, below_times, above, above_times in table.orders if rows else ():
            low = below_times * _scale(rows[below])
            high = above_times * _scale(rows[above])
            found.append((rows[below].name, low, rows[above].name, high))
    return tuple(found)


def _scale(row: Row) -> int:
    """How many of the member's units one of the name's is."""
    return _MS if row.unit == "s" and row.member.endswith("_ms") else 1


def _knob(row: Row, engine: Engine, settable: Settable) -> Knob:
    default: int | str
    legal: tuple[int, int] | tuple[str, ...]
    scale = _scale(row)
    if row.kind == "flag":
        default, legal = row.value, BOOL
    elif row.kind in _NUMBERS:
        default, legal = row.value // scale, (-(-row.low // scale), row.high // scale)
    else:
        legal = words(row.kind)[row.low : row.high + 1]
        default = legal[row.value]
    return Knob(
        row.name,
        default,
        legal,
        row.meaning,
        unit=row.unit,
        field=row.member,
        settable=settable,
        scale=scale,
        power_of_two=row.kind == "power_of_two",
        engine=engine,
        zero_unlimited=row.kind == "zero_unlimited",
    )
