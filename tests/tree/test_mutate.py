"""The mutation script: what it changes is there to be changed."""

from __future__ import annotations

import pytest
from mutate import CSRC, ROOMS, changes, code_of, mutants
from seeded_faults import FAULTS, Fault


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_seeded_fault_stands_once_in_the_core(fault: Fault) -> None:
    """A fault whose place has moved would be put in nowhere, and be caught by luck."""
    for path, text in fault.files().items():
        assert text != path.read_text()


def test_mutants_of_a_line_are_those_of_its_operators() -> None:
    """Every operator that fits a line gives one mutant for each place."""
    line = "    if (a < 1 && b)"
    assert sorted(changes(code_of(line))) == [
        ("condition", "    if (!(a < 1 && b))"),
        ("constant", "    if (a < 0 && b)"),
        ("logic", "    if (a < 1 || b)"),
        ("relation", "    if (a <= 1 && b)"),
    ]


def test_lines_without_behaviour_have_no_mutants() -> None:
    """Asserts, comments and sizes of array parameters change nothing."""
    for line in ("    assert(a < 1);", "    /* a < 1 */", "    uint8_t key[16])"):
        assert list(changes(code_of(line))) == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_with_code_has_mutants(room: str) -> None:
    """A file that the script cannot read would count as tested."""
    for path in (CSRC / room).glob("*.c"):
        assert mutants(path), path
