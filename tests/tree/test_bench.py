"""The bench: what its figures mean, and that its programs still fit the library.

Nothing here judges a time.
"""

from __future__ import annotations

import os
import subprocess

import pytest

from bench import __main__ as program
from bench import established, figure, memory, offload, shielded, wire, wired, xdp_time
from bench.figure import Family, Figure, Goal
from bench.rivals import ECHO, IN_PLACE, KERNEL, OURS, SERVING

FAMILIES = (
    *memory.FAMILIES,
    *wired.FAMILIES,
    *shielded.FAMILIES,
    *xdp_time.FAMILIES,
    *offload.FAMILIES,
    *established.FAMILIES,
)


def drawn(ours, theirs, **words):
    """Draw a figure from values."""
    words = {"ours": "a", "theirs": "b"} | words
    shape = Figure("name", "what", **words)
    return figure.compare(shape, "ns", {"a": ours, "b": theirs})


@pytest.mark.parametrize("warm", [True, False])
def test_measure_takes_turns_and_leaves_out_the_warming_one(warm):
    """Arms are measured by turns, so that a pair shares its moment."""
    order = []

    def arm(name, values):
        def measure():
            order.append(name)
            return values.pop(0)

        return measure

    values = {"a": [9] * warm + [1, 2], "b": [9] * warm + [3, 4]}
    arms = {name: arm(name, values[name]) for name in values}
    runs = figure.measure(arms, 2, warm=warm)
    assert ["a", "b"] * (2 + warm) == order
    assert {"a": [1, 2], "b": [3, 4]} == runs


@pytest.mark.parametrize(
    ("asked", "limit", "times", "turns"),
    [(9, None, 1, 9), (9, 5, 1, 5), (9, None, 5, 45)],
)
def test_family_says_how_often(asked, limit, times, turns):
    """What takes long has fewer turns, and what takes no time more."""
    shape = Family("f", "u", "memory", None, (), limit, times)
    assert turns == shape.turns(asked)


def test_ratio_is_the_median_of_pairs():
    """A moment in which all was slow weighs no more than any other."""
    result = drawn([10.0, 100.0, 30.0], [20.0, 100.0, 90.0], inverse=True)
    assert [2.0, 1.0, 3.0] == result.ratios
    assert 2.0 == result.ratio


def test_figure_without_its_arm_is_left_out():
    """A level that the processor lacks leaves no figure behind."""
    assert figure.compare(Figure("n", "w", "a", "missing"), "ns", {"a": [1.0]}) is None


@pytest.mark.parametrize(
    ("goal", "ours", "word"),
    [
        (Goal(2), 4.0, "reached"),
        (Goal(2), 3.0, "SHORT"),
        (Goal(1.5, at_most=True), 3.0, "reached"),
        (Goal(1.5, at_most=True), 4.0, "SHORT"),
        (Goal(3.5, of_ours=True), 4.0, "4 ns, reached"),
        (Goal(3.5, of_ours=True), 3.0, "3 ns, SHORT"),
        (None, 3.0, ""),
    ],
)
def test_goal_is_said_to_be_reached_or_short(goal, ours, word):
    """A figure that misses its goal is never silent about it."""
    result = drawn([ours], [2.0], goal=goal)
    assert word == figure.word(result)
    assert word in figure.table_of_results([result])


def test_mpps_is_of_nanoseconds():
    """50 ns a packet are 20 Mpps."""
    result = drawn([50.0], [100.0], mpps=True)
    assert ([20.0], "Mpps", 2.0) == (result.ours, result.unit, result.ratio)


def test_names_of_figures_are_unique():
    """A name finds one figure or one family."""
    names = [f.name for family in FAMILIES for f in family.figures]
    names += [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)


def test_figures_compare_arms_of_their_family():
    """Every arm that a figure names is one that its family measures."""
    known = {*KERNEL, *OURS, *ECHO, *SERVING}
    assert {*KERNEL, *OURS, *ECHO} == {*wired.SYNACKS}
    known |= {*IN_PLACE, *shielded.CALM}
    for family in (*wired.FAMILIES, *shielded.FAMILIES):
        for shape in family.figures:
            assert {shape.ours, shape.theirs} <= known
    downloads, _ = offload.FAMILIES
    compared = {arm for f in downloads.figures for arm in (f.ours, f.theirs)}
    assert compared == {*offload.ARMS} - {"spliced_64k"}


def test_choosing_a_figure_takes_its_family():
    """A figure needs its family, and --quick keeps to the memory."""
    chosen = program.choose(FAMILIES, ["bytes_per_entry"], quick=False)
    assert ["entry"] == [family.name for family in chosen]
    quick = program.choose(FAMILIES, [], quick=True)
    assert list(memory.FAMILIES) == quick


def test_unknown_name_ends_with_the_remedy():
    """A misspelt name is no silent run of nothing."""
    with pytest.raises(SystemExit, match="--list"):
        program.choose(FAMILIES, ["nonesuch"], quick=False)


def test_quick_without_anything_in_memory_ends_with_the_remedy():
    """A run of nothing is no success."""
    with pytest.raises(SystemExit, match="--quick"):
        program.choose(FAMILIES, ["synacks"], quick=True)


def test_wire_that_cannot_be_is_said(capsys):
    """Without the privilege the rest still runs."""

    def enter():
        raise wire.WireError("run as root")

    runs, results = program.run([Family("f", "u", "wire", enter, ())], 1)
    assert ({}, []) == (runs, results)
    assert "left out: run as root" in capsys.readouterr().out


def test_flood_goes_to_the_benchmark_range_alone(tmp_path):
    """It is no tool against anybody."""
    flood = wire.build(tmp_path, "flood", "flood.c", "flood_bpf.c")
    words = [flood, "lo", "02:00:00:00:00:02", "192.0.2.1", "80", "1", "0", "0"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (1, "flood: only to 198.18.0.0/15\n") == (done.returncode, done.stderr)


def test_wire_needs_root(monkeypatch, tmp_path):
    """Whoever may not is told so before anything is made."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(wire, "which", lambda tool: tool)
    with pytest.raises(wire.WireError, match="root"):
        wire.Wire(tmp_path)
