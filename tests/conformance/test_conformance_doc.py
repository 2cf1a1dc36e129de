"""docs/conformance.md: no claim without a function and a test that are there."""

from __future__ import annotations

import re

import pytest

from syncache.tunables import KNOBS
from tests.conformance import trace

ROWS = trace.rows()
CLAIMS = [row for row in ROWS if row.kind != "absent"]


def ids(row):
    return f"{row.stem or row.kind} {row.number}"


def test_page_is_what_the_tests_say():
    """If not: python docs/generate.py."""
    page = (trace.ROOT / "docs" / "conformance.md").read_text("utf-8")
    assert trace.page() == page, "docs/conformance.md is stale: python docs/generate.py"


@pytest.mark.parametrize("kind", ["statement", "departure"])
def test_all_are_there_once_and_in_order(kind):
    """1 to 61, and 1 to 13."""
    count = {"statement": trace.STATEMENTS, "departure": trace.DEPARTURES}[kind]
    numbers = [int(row.number) for row in ROWS if row.kind == kind]
    assert list(range(1, count + 1)) == numbers


@pytest.mark.parametrize("row", CLAIMS, ids=ids)
def test_claim_has_tests_that_exist(row):
    """At least one, and each where it is said to be."""
    assert row.tests
    assert [] == [test for test in row.tests if not trace.has_test(test)]


@pytest.mark.parametrize("row", CLAIMS, ids=ids)
def test_claim_names_functions_or_tunables_that_exist(row):
    """In that file; a departure's under net.inet.tcp."""
    assert row.where
    if row.kind == "departure":
        names = [name for name in row.where if name != "-"]
        full = [
            f"net.inet.tcp.{'syncache.' if name[:2] == 'x.' else ''}{name}"
            for name in names
        ]
        assert [] == [name for name in full if name not in KNOBS]
        return
    assert [] == [where for where in row.where if not trace.has_function(where)]


def test_every_requirement_is_claimed_once():
    """Two lines about one number would be two owners of one fact."""
    keys = [(row.kind, row.stem, row.number) for row in ROWS]
    assert len(set(keys)) == len(keys)


def test_every_test_of_an_rfc_shows_a_requirement():
    """None is left out of the page, and every file has its title."""
    listed = {test for row in ROWS for test in row.tests}
    files = {path.stem for path in trace.HERE.glob("test_rfc*.py")}
    stems = {re.sub(r"test_(rfc\d+).*", r"\1", stem) for stem in files}
    assert set(trace.TITLES) == stems
    for stem in stems:
        assert [] == [test for test in trace.tests_of(stem) if test not in listed]


def test_every_test_of_a_statement_belongs_to_one():
    """A number beyond the last would be listed nowhere."""
    listed = {test for row in ROWS for test in row.tests}
    named = [t for t in trace.tests_by_name() if "::test_statement_" in t]
    assert [] == [test for test in named if test not in listed]


@pytest.mark.parametrize(
    ("test", "number", "found"),
    [
        ("f::test_MUST_1_window", "MUST-1", True),
        ("f::test_MUST_11_window", "MUST-1", False),
        ("f::test_SHLD_5_MAY_3_mss", "MAY-3", True),
        ("f::test_s4_2_2_data", "4.2.2", True),
        ("f::test_s4_2_2_data", "4.2", False),
        ("f::test_rfc2018_s2_sack", "RFC 2018 2", True),
        ("f::test_rfc2018_s2_sack", "2", False),
    ],
)
def test_names_hold_numbers(test, number, found):
    """How a test is told to be a requirement's."""
    assert found is trace.covers(test, number)


def test_missing_names_are_noticed():
    """The checks of this file can fail."""
    assert not trace.has_function("core/add.c:no_such_function")
    assert not trace.has_function("core/no_such_file.c:syncache_add")
    assert not trace.has_test("tests/c/test_table.c::test_no_such")
    assert not trace.has_test("tests/no_such.py::test_any")
    (row,) = trace.rows("rfc | rfc9293 | MUST-999 | nothing | core/wire.c:wire_parse")
    assert [] == row.tests


def test_attack_history_and_its_tests_belong_together():
    """Every pattern of docs/security.md has tests, and every such test a pattern."""
    page = (trace.ROOT / "docs" / "security.md").read_text("utf-8")
    patterns = re.findall(r"`(test_\w+_)\*`", page)
    tests = [t.partition("::")[2] for t in trace.tests_by_name() if "/test_secur" in t]
    unused = [p for p in patterns if not any(test.startswith(p) for test in tests)]
    unnamed = [test for test in tests if not test.startswith(tuple(patterns))]
    assert ([], []) == (unused, unnamed)
    assert 20 == len(patterns)
    files = (trace.ROOT / "tests").rglob("test_*.py")
    everywhere = {name for file in files for name in trace.tests_in(str(file))}
    assert set() == set(re.findall(r"`(test_\w+\w)`", page)) - everywhere
