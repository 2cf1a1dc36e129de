"""Tests of the knobs made of rows: units, words, relations, and none beside them."""

from __future__ import annotations

import ast

import pytest
from tidy import ROOT

from syncache import Sysctl
from syncache._core import ffi, lib
from syncache.tunables import KNOBS
from syncache.tunables.rows import TABLES, knobs, not_above

X = "net.inet.tcp.syncache.x."


def test_seconds_of_a_name_are_milliseconds_of_its_member():
    """The lowest number of seconds is the first that the member can have."""
    knob = KNOBS[X + "cookie_lifetime"]
    assert (32, (1, 3600), 1000) == (knob.default, knob.legal, knob.scale)
    knob = KNOBS["net.inet.tcp.intercept.watch_timeout"]
    assert (30, (1, 2_147_483)) == (knob.default, knob.legal)
    assert 1 == KNOBS["net.inet.tcp.rexmit_min"].scale


def test_kinds_of_rows():
    """A flag, an enumeration, a power of two, a number where 0 is no bound."""
    assert "bool" == KNOBS["net.inet.tcp.syncookies"].type
    assert ("wide", "freebsd", "mss") == KNOBS[X + "cookie_layout"].legal
    assert KNOBS["net.inet.tcp.syncache.hashsize"].power_of_two
    assert KNOBS["net.inet.inspect.one_minute.high"].zero_unlimited


@pytest.mark.parametrize(
    "row", [row for table in TABLES for row in table.rows], ids=lambda row: row.name
)
def test_all_words_of_an_enumeration_are_legal(row):
    """A row ends with the last enumerator: a new word is not forgotten there."""
    if isinstance(KNOBS[row.name].legal[0], str):
        elements = ffi.typeof(f"enum {row.kind}").elements
        assert (row.low, row.high) == (0, max(elements))


def test_relations_of_members_are_relations_of_names():
    """In the units of the names."""
    assert (X + "clock_skew_ms", 2, X + "cookie_lifetime", 1000) in not_above(
        "syncache"
    )
    assert 2 == len(not_above("inspect"))


@pytest.mark.parametrize(
    ("engine", "struct", "fill"),
    [
        ("syncache", "syncache_tunables", lib.syncache_tunables_default),
        ("intercept", "flow_intercept_tunables", lib.flow_intercept_default),
        ("inspect", "flow_inspect_tunables", lib.flow_inspect_default),
    ],
)
def test_defaults_of_c_are_those_of_the_registry(engine, struct, fill):
    """An engine of C that sets nothing behaves as one of Python that sets nothing."""
    tunables = ffi.new(f"struct {struct} *")
    fill(tunables)
    for name, value in Sysctl().fields(boot=False, engine=engine).items():
        assert getattr(tunables, name) == value, name


def test_no_knob_of_a_member_of_c_is_written_by_hand():
    """A tunable that C sees has its row in a header, and nowhere else."""
    package = ROOT / "syncache"
    by_hand = [
        f"{path.relative_to(package)}:{node.lineno}"
        for path in package.rglob("*.py")
        if path != package / "tunables" / "rows.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Knob"
        and "field" in {word.arg for word in node.keywords}
    ]
    assert [] == by_hand
    assert {k.name for e in ("syncache", "intercept", "inspect") for k in knobs(e)} == {
        knob.name for knob in KNOBS.values() if knob.field
    }
