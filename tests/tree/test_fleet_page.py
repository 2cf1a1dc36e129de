"""docs/fleet.md: what it says was tested has a test."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_each_row_of_the_failures_names_tests_that_exist():
    """By their whole names."""
    page = (ROOT / "docs" / "fleet.md").read_text()
    table = page.partition("## Failures")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    known = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        known |= set(re.findall(r"def (test_\w+)", path.read_text()))
    named = [re.findall(r"`(test_\w+)`", row) for row in rows]
    assert len(rows) > 10
    assert [] == [row for row, tests in zip(rows, named, strict=True) if not tests]
    assert set() == {test for tests in named for test in tests} - known
