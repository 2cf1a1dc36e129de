"""syncache/alerts/header_shape.py: what is read fast is what a search reads."""

from __future__ import annotations

import pytest

from syncache.alerts import header_shape
from syncache.alerts.header_shape import Header, Shapes
from syncache.alerts.log_line import HeaderReader

END = 1_796_000_000.0  # in November of 2026
LIKE = {
    "a log server's": ("Nov 29 08:57:01 r1 7: ", "Nov 29 08:57:42 r2 8: "),
    "another minute": ("Nov 29 08:57:01 r1 7: ", "Nov 29 08:58:42 r1 8: "),
    "milliseconds": ("*Nov 29 08:57:01.123 CET: ", "*Nov 29 08:57:02.456 CET: "),
    "commas": ("2026-11-29 08:57:01,123 r1 ", "2026-11-29 08:57:02,456 r1 "),
    "a zone": ("2026-11-29T08:57:01+01:00 r1 ", "2026-11-29T08:57:01+02:00 r1 "),
    "halves of a day": ("11/29/2026 8:57:01 PM r1 ", "11/29/2026 9:57:01 PM r1 "),
    "an address": ("Nov 29 08:57:01 10.0.0.1 7: ", "Nov 29 08:57:01 10.0.0.2 7: "),
    "two addresses": ("Nov 29 08:57:01 10.0.0.1 10.0.0.1: ",) * 2
    + ("Nov 29 08:57:01 10.0.0.2 10.0.0.1: ",),
    "seconds": ("1795942621.123456 r1 x[7]: ", "1795942622.123456 r2 x[7]: "),
    "an uptime": ("r1: 00:00:46: ", "r1: 00:01:46: "),
    "no time": ("<189>1 - r1 ", "<189>1 - r2 "),
    "not a year": ("10000000 08:57:01 r1 ", "20261129 08:57:01 r1 "),
    "a version": ("<189>2 - r1 ", "<189>1 - r1 "),
    "New Year": ("Nov 29 23:59:01 r1 ", "Jan  1 00:00:01 r1 ", "Nov 29 23:59:01 r1 "),
    "which is the month": (
        "3/4/2026 8:57:01 r1 ",
        "13/4/2026 8:57:01 r1 ",
        "3/4/2026 8:57:01 r1 ",
    ),
}


@pytest.mark.parametrize("heads", LIKE.values(), ids=LIKE)
def test_header_like_one_before_is_read_as_by_a_search(heads, monkeypatch):
    """Time and host, whatever the digits that differ mean."""
    reader = HeaderReader(END)
    fast = [reader.read(head) for head in heads]
    monkeypatch.setattr(Shapes, "read", lambda *_: None)
    reader = HeaderReader(END)
    assert fast == [reader.read(head) for head in heads]


def test_header_like_one_before_costs_no_search(monkeypatch):
    """One search is for a shape, and one for a minute."""
    searched = []
    search = HeaderReader._read
    monkeypatch.setattr(
        HeaderReader, "_read", lambda *args: searched.append(1) or search(*args)
    )
    reader = HeaderReader(END)
    for second in range(60):
        reader.read(f"Nov 29 08:57:{second:02} r{second % 10} {second % 10}: ")
    assert 1 == len(searched)


def test_shapes_are_bounded(monkeypatch):
    """A log of ever other headers takes no more memory."""
    monkeypatch.setattr(header_shape, "SHAPES_MAX", 3)
    reader = HeaderReader(END)
    for host in "abcdefgh":
        assert host == reader.read(f"Nov 29 08:57:01 {host} 7: ").host
    assert 3 >= len(reader._shapes._places)
    assert Header(None, "") == reader.read("x" * 400)
