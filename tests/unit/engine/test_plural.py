"""syncache/plural.py: one line, two lines."""

from __future__ import annotations

from syncache.plural import plural


def test_noun_is_singular_for_one_alone():
    """None are several."""
    assert ["lines", "line", "lines"] == [plural(n, "line") for n in (0, 1, 2)]
    assert "packet was" == plural(1, "packet was", "packets were")
    assert "packets were" == plural(2, "packet was", "packets were")
