"""docs/performance.md: its figures are the bench's, and those of the run beside it."""

from __future__ import annotations

import json
import re

from tidy import ROOT

from bench import memory, page, wired

PAGE = (ROOT / "docs" / "performance.md").read_text()
FIGURES = {
    shape.name: shape
    for family in (*memory.FAMILIES, *wired.FAMILIES)
    for shape in family.figures
}
ROWS = dict(re.findall(r"^\| `(\w[\w.]*)` \|.*\| ([^|]*) \|$", PAGE, re.MULTILINE))


def test_page_has_every_figure_and_no_other():
    """A figure that is gone leaves no row, and a new one has its row."""
    assert FIGURES.keys() == ROWS.keys()


def test_page_repeats_the_goals_of_the_bench():
    """A goal has one home."""
    assert {n: str(f.goal or "") for n, f in FIGURES.items()} == {
        name: goal.strip() for name, goal in ROWS.items()
    }


def test_page_is_made_of_the_run_beside_it():
    """No number of a table is typed by hand."""
    document = json.loads(page.FIGURES.read_text())
    assert PAGE == page.BLOCK.sub(lambda m: page.block(m[1], document), PAGE)


def test_every_short_figure_has_its_reason():
    """What falls short is named where the reasons are told."""
    document = json.loads(page.FIGURES.read_text())
    reasons = PAGE.split("## What falls short, and why", 1)[1]
    short = [f["name"] for f in document["figures"] if f["reached"] is False]
    assert [] == [name for name in short if f"`{name}`" not in reasons]


def test_pictures_of_the_page_are_there():
    """Each picture that is shown exists, and each that exists is shown."""
    shown = set(re.findall(r"\(pictures/(\S+)\)", PAGE))
    assert shown == {path.name for path in (ROOT / "docs" / "pictures").iterdir()}
