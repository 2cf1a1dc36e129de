"""Tests of the rows that C hands over: all are there, and as the compiler has them."""

from __future__ import annotations

import re

import pytest
from tidy import ROOT

from syncache._core.registry import tables

HEADERS = ("csrc/syncache_tunables.h", "csrc/flow/flow_tunables.h")


def test_every_row_of_the_headers_is_handed_over_once():
    """A list of rows that registry.h forgets would be tunables that nobody can set."""
    text = "".join((ROOT / name).read_text("utf-8") for name in HEADERS)
    written = re.findall(r'\bROW\(\w+, "?\s*\\?\s*"?([\w.]+)"', text)
    read = [row.name for table in tables() for row in table.rows]
    assert sorted(written) == sorted(read)
    assert len(set(read)) == len(read)


@pytest.mark.parametrize(
    "table", list(tables()), ids=lambda t: f"{t.engine}-{t.settable}"
)
def test_default_is_within_the_range(table):
    """A row contradicts itself nowhere, and its relations are of members it has."""
    members = {row.member for row in table.rows}
    for row in table.rows:
        assert row.low <= row.value <= row.high, row
    for order in table.orders:
        assert {order.below, order.above} <= members


def test_macros_are_numbers():
    """The compiler evaluates what a row says; 64 bits are kept."""
    rows = {row.member: row for table in tables() for row in table.rows}
    assert 2**64 - 1 == rows["secmod"].high
    assert (32_000, 1000, 3_600_000, "s") == rows["cookie_lifetime_ms"][3:7]
