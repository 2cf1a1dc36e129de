"""syncache/alerts/yaml_record.py: records of a log as YAML."""

from __future__ import annotations

import pytest

from syncache.alerts.document import Unpacker
from syncache.alerts.wrapped import Wrapped
from syncache.alerts.yaml_record import Record, plain

TEXT = "%FW-4-ALERT_ON: getting aggressive, count (501/500) current 1-min rate: 250"
SAID = "2026-11-29T10:00:00Z"
FIRST, _, REST = TEXT.partition(" count ")
REST = f"count {REST}"


def texts(lines):
    """What a log of such lines holds."""
    unpacker = Unpacker()
    found = [text for line in lines for text in unpacker.add(line + "\n") or []]
    return found + unpacker.finish()


@pytest.mark.parametrize(
    "lines",
    [
        [f"- time: {SAID}", "  host: r1", f'  message: "{TEXT}"'],
        [f"- message: '{FIRST}", f"    {REST}'", f"  time: '{SAID}'", "  host: r1"],
        ["---", f"time: {SAID}", "host: r1", "message: >-", f"  {FIRST}", f"  {REST}"],
        ["---", "host: r1", "", f"message: {TEXT}", f"time: {SAID}", "---"],
    ],
)
def test_record_has_text_time_and_host(lines):
    """In a list or alone; a value may go on over lines."""
    (found,) = texts(lines)
    text = found.text.replace("  ", " ")
    assert Wrapped(TEXT, None, SAID, "r1") == found._replace(text=text)


def test_each_record_of_a_list_is_one_text():
    """And a line that is none of it ends the last; it is read itself."""
    lines = [f"- time: {SAID}", f"  msg: {TEXT}"]
    found = texts([*lines, *lines, f"Nov 29 10:00:00 r1 {TEXT}"])
    assert [SAID, SAID, ""] == [each.said for each in found]
    assert found[-1].text.startswith("Nov 29")


def test_lines_that_begin_with_a_dash_may_be_no_record():
    """They are read as they are."""
    assert Record.begun(f"- {TEXT}") is None
    assert [] == texts([f"- - {TEXT}", "-- Boot 1 --"])
    assert Unpacker().add(f"- {TEXT}\n") is None
    assert [] == texts(["---", f"000123: Nov 29 10:00:00: {TEXT}", f"r1: {TEXT}"])


def test_memory_of_a_record_is_bounded():
    """Values and their number; beyond them it is over."""
    record = Record()
    taken = [record.add(f"n{i}: {'x' * 9000}") for i in range(300)]
    assert 256 == sum(taken)
    assert not any(record.add(" " * 8 + "y" * 9000) is False for _ in range(9))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'it''s'", "it's"),
        ('"a\\u0041"', "aA"),
        ('"cut', "cut"),
        ("| a b", "a b"),
        ("a", "a"),
    ],
)
def test_quotes_of_a_value_are_taken_off(value, expected):
    """As YAML has them."""
    assert expected == plain(value)
