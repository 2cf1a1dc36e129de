"""The rows of tunables (csrc/registry.h): a part of the door to C, see `_core`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from . import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Iterator


class Row(NamedTuple):
    """One row; values are those of its member in C."""

    member: str
    name: str
    kind: str
    value: int
    low: int
    high: int
    unit: str
    meaning: str


class Order(NamedTuple):
    """A relation: so many times the first member may not exceed the second."""

    below: str
    below_times: int
    above: str
    above_times: int


class Table(NamedTuple):
    """The rows and relations of one structure of one engine."""

    engine: str
    settable: str
    rows: list[Row]
    orders: list[Order]


def tables() -> Iterator[Table]:
    """Yield the tables, in the order of the header."""
    number = 0
    while table := lib.registry_table(number):
        yield Table(
            _text(table.engine),
            _text(table.settable),
            [_row(table.rows[i]) for i in range(table.rows_count)],
            [_order(table.orders[i]) for i in range(table.orders_count)],
        )
        number += 1


def _text(chars: Any) -> str:
    return ffi.string(chars).decode()


def _row(row: Any) -> Row:
    return Row(
        _text(row.member),
        _text(row.name),
        _text(row.kind),
        row.value,
        row.low,
        row.high,
        _text(row.unit),
        _text(row.meaning),
    )


def _order(order: Any) -> Order:
    return Order(
        _text(order.below), order.below_times, _text(order.above), order.above_times
    )
