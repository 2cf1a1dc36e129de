"""The mutation script: what it changes is there to be changed."""

from __future__ import annotations

import pytest
from c_mutants import changes, code_of, mutants
from mutate import CSRC, ROOMS
from mutate_python import function_of, own_tests, packages
from python_mutants import mutants as python_mutants
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


MODULE = """
__all__ = ["f"]
def f(a: int | None) -> int | None:
    if a is None and g(1, a):
        h()
    return a + 2
"""


def test_python_mutants_are_those_of_each_place_with_behaviour() -> None:
    """Not of annotations and of what a module exports."""
    assert [
        (m.operator, m.before, m.after) for m in python_mutants("m.py", MODULE)
    ] == [
        ("relation", "a is None", "a is not None"),
        ("condition", "a is None and g(1, a)", "(not (a is None and g(1, a)))"),
        ("logic", "a is None and g(1, a)", "((a is None) or (g(1, a)))"),
        ("operand", "a is None and g(1, a)", "((a is None))"),
        ("operand", "a is None and g(1, a)", "((g(1, a)))"),
        ("constant", "1", "0"),
        ("arguments", "1, a", "a, 1"),
        ("deletion", "h()", "pass"),
        ("result", "return a + 2", "return None"),
        ("arithmetic", "a + 2", "a - 2"),
        ("constant", "2", "3"),
    ]
    for mutant in python_mutants("m.py", MODULE):
        compile(mutant.apply(MODULE), "m.py", "exec")
        assert function_of(MODULE, mutant) == ("f", 3)


def test_python_modules_have_tests_of_their_own() -> None:
    """A module without them would be judged by others' alone."""
    for path in (path for paths in packages().values() for path in paths):
        if not path.stem.startswith("__"):
            assert own_tests(path), path
