"""Keywords in either case, whole or shortened."""

from __future__ import annotations

import pytest

from syncache.abbreviation import keyword

CHOICES = ("permit", "deny", "ip", "ipv6", "tcp", "time")


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("permit", "permit"),
        ("PERMIT", "permit"),
        ("per", "permit"),
        ("Ip", "ip"),
        ("ipv", "ipv6"),
        ("t", None),
        ("p", None),
        ("", None),
        ("permits", None),
        ("x", None),
    ],
)
def test_word_means_the_one_keyword_that_it_begins(word, meaning):
    """The whole word comes first; what fits two keywords is neither."""
    assert meaning == keyword(word, CHOICES)


def test_word_that_fits_two_keywords_means_neither():
    """`re` could be either."""
    assert keyword("re", ("reset", "remark")) is None
