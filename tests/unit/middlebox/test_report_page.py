"""syncache/report_page.py: a page that needs nothing else, and lets nothing in."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncache.report_page import (
    CELL_MAX,
    POINTS_MAX,
    SPANS_MAX,
    Chart,
    Page,
    escaped,
    nice,
    thinned,
)

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\x1b[2J"


class Tags(HTMLParser):
    """Collects the tags of a document, their attributes and the text."""

    def __init__(self, document):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(document)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def page_with(text):
    """Return a page that holds a text in every place."""
    page = Page(text, text)
    page.heading(text)
    page.paragraph(text)
    page.table((text, text), [(text, 5)])
    page.table((text, "b", "c", "d"), [(text, 5, 6, 7)])
    page.copy(text, [text, text])
    page.chart(
        Chart(
            text,
            [(0.0, 1.0), (9.0, 4.0)],
            [(3.0, text, True)],
            [(2.0, 3.0)],
            lambda _: text,
            text,
        )
    )
    return page


def test_text_of_the_network_stays_text():
    """Whatever it is: no tag, no attribute and no script comes of it."""
    plain, evil = Tags(page_with("x").html()), Tags(page_with(EVIL).html())
    assert plain.tags == evil.tags
    assert [name for name, _ in plain.attributes] == [n for n, _ in evil.attributes]
    assert "alert(1)" in evil.text
    assert "\x1b" not in page_with(EVIL).html()


@given(st.text(min_size=1))
def test_any_text_gives_the_same_tags(text):
    """As for the evil one."""
    assert Tags(page_with("x").html()).tags == Tags(page_with(text).html()).tags


def test_page_needs_nothing_else():
    """No address of another file or host; scripts beside its own are forbidden."""
    document = page_with("x").html()
    assert not re.search(r"https?://|src=|href=|url\(|@import", document)
    assert "default-src 'none'" in document
    assert "unsafe-eval" not in document
    assert 1 == document.count("<script>")
    assert document.startswith("<!doctype html>")
    assert 'name="viewport"' in document


def test_lines_to_copy_are_not_broken_on_a_narrow_page():
    """Half of a number on the next line is misread; the box is scrolled instead."""
    (rule,) = re.findall(r"\npre\{([^}]*)\}", page_with("x").html())
    assert {"white-space:pre", "overflow-x:auto"} <= set(
        rule.replace("\n", "").split(";")
    )


def test_numbers_stand_on_the_right_with_commas():
    """If a whole column is of numbers."""
    page = Page("t")
    page.table(("name", "n"), [("a", 12345), ("b", 6)])
    page.table(("name", "n"), [("a", 5), ("b", "six")])
    document = page.html()
    assert '<td class="n">12,345</td>' in document
    assert "<td>six</td>" in document


def test_what_is_empty_leaves_nothing():
    """No table without rows, no chart without points."""
    page = Page("t")
    page.table(("a",), [])
    page.chart(Chart("c", []))
    tags = Tags(page.html()).tags
    assert "table" not in tags
    assert "svg" not in tags


def test_chart_is_bounded():
    """Its points, its spans, and every coordinate lies within it."""
    chart = Chart(
        "c",
        [(float(i), float(i % 97)) for i in range(10 * POINTS_MAX)],
        [(1e9, "far", True), (50.0, "near", False)],
        [(float(i), i + 0.5) for i in range(-9, 3 * SPANS_MAX)],
    )
    svg = chart.svg()
    assert SPANS_MAX == svg.count("<rect")
    assert "near" in svg
    assert "far" not in svg
    drawn = re.search(r'points="([^"]*)"', svg)[1].split()
    assert POINTS_MAX >= len(drawn)
    for point in drawn:
        x, y = map(float, point.split(","))
        assert 0 <= x <= 720
        assert 0 <= y <= 210


def test_peaks_survive_thinning():
    """Of several points the highest is drawn."""
    points = [(float(i), 0.0) for i in range(100_000)]
    points[77_777] = (77_777.0, 9.0)
    assert (77_777.0, 9.0) in thinned(points)


@pytest.mark.parametrize(
    ("value", "end"), [(0, 1), (1, 1), (1.5, 2), (3, 4), (9, 10), (81, 100), (500, 800)]
)
def test_axes_end_with_round_numbers(value, end):
    """One, two, four or eight times a power of ten."""
    assert end == nice(value)


def test_one_point_is_a_chart():
    """Of one second, or of several at one time."""
    assert "<polyline" in Chart("c", [(5.0, 0.0)]).svg()
    assert "<polyline" in Chart("c", [(5.0, 0.0), (5.0, 3.0)], spans=[(1, 2)]).svg()


def test_chart_of_one_moment_has_a_width():
    """Of a log of one second; a time since 1970 leaves no digits for less."""
    now = 1795946403.0
    drawn = Chart("x", [(now, 3)], spans=[(now, now), (now - 1, now + 1)]).svg()
    assert 2 == drawn.count('class="span"')


def test_labels_of_levels_that_lie_close_together_are_one():
    """Else one is written over the other; a level at the top stays readable."""
    levels = [(20, "low 20", False), (25, "high 25", True), (4000, "top", True)]
    drawn = Chart("x", [(0, 0), (1, 4000)], levels=levels).svg()
    assert 1 == drawn.count(">high 25, low 20<")
    assert 1 == drawn.count(">top<")
    apart = Chart("x", [(0, 0), (1, 40)], levels=levels[:2]).svg()
    assert ">high 25<" in apart
    assert ">low 20<" in apart


def test_long_text_is_cut():
    """A cell is no book."""
    assert len(escaped("x" * 10**6)) < CELL_MAX + 10
