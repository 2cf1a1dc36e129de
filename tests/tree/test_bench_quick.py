"""`python -m bench --quick` from end to end: every figure in memory, and its type."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from tidy import ROOT

from bench import machine, memory

FIELDS = {
    "name": str,
    "what": str,
    "ratio": float,
    "ratio_min": float,
    "ratio_max": float,
    "ours": float,
    "theirs": float,
    "unit": str,
    "repeats": int,
}


# A machine where tables of a million entries are for `make bench`: to fill them takes
# most of a run, and what has no room has to be said.  Without the compiler's optimiser,
# which would take most of the rest, and of a few packets: nobody reads these figures.
FREE_MIB = 150
PROGRAM = f"""
import sys
from bench import __main__, native, one_tuple
native.available_mib = lambda: {FREE_MIB}
native.FLAGS += ["-O0", "-g0"]
one_tuple.ROUNDS = 20
sys.exit(__main__.main())
"""


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The folder of a run with one repeat, its document, and what it printed."""
    folder = tmp_path_factory.mktemp("quick")
    target = folder / "figures.json"
    words = [sys.executable, "-c", PROGRAM, "--quick", "--repeats", "1"]
    words += ["--json", str(target), "--pictures", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(target.read_text()), done.stdout


def expected(printed):
    """Return the names of figures whose arms this machine can have."""
    absent = set(re.findall(r"^  (\S+) needs \d+ MiB", printed, re.MULTILINE))
    absent |= set(re.findall(r"^  (\S+): this processor has no", printed, re.MULTILINE))
    return [
        shape.name
        for family in memory.FAMILIES
        for shape in family.figures
        if not {shape.ours, shape.theirs} & absent
    ]


def test_quick_run_has_every_figure_in_memory(quick):
    """What is missing was said to be missing."""
    _, document, printed = quick
    assert "table_evict_1m needs 256 MiB, 150 are free" in printed
    assert expected(printed) == [found["name"] for found in document["figures"]]


def test_quick_run_says_where_it_was_made(quick):
    """A figure without its machine is worth nothing."""
    _, document, _ = quick
    assert {"machine", "commit", "versions", "figures"} <= document.keys()
    assert machine.levels() == document["machine"]["levels"]


def test_quick_run_gives_numbers(quick):
    """Every field has the type that is promised, and spreads hold their median."""
    _, document, _ = quick
    for found in document["figures"]:
        assert FIELDS == {name: type(found[name]) for name in FIELDS}
        assert 0 < found["ratio_min"] <= found["ratio"] <= found["ratio_max"]
        assert (found["goal"] is None) == (found["reached"] is None)


def test_quick_run_says_which_goals_are_missed(quick):
    """The last line names exactly the figures that are not reached."""
    _, document, printed = quick
    short = [f["name"] for f in document["figures"] if f["reached"] is False]
    last = printed.splitlines()[-1]
    assert last.endswith(f"{len(short)} short: {', '.join(short) or 'none'}")


def test_quick_run_draws_its_pictures(quick):
    """Pictures are drawn of what was measured."""
    folder, _, _ = quick
    drawn = {path.name for path in folder.glob("*.png")}
    assert {"table-size.png", "burst-size.png"} == drawn
