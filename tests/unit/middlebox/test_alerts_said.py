"""Messages of lines: what is kept of them changes no answer."""

from __future__ import annotations

import pytest

from syncache.alerts import said
from syncache.alerts.said import UNLIKE, Texts

ALERT = "%FW-4-ALERT_ON: getting aggressive, count ({}/500) current 1-min rate: 250"
FEW = 20


@pytest.fixture(autouse=True)
def few_are_kept(monkeypatch):
    """As if a thousand were twenty."""
    monkeypatch.setattr(said, "TEXTS_MAX", FEW)


def find(texts, line):
    """Return the message of a line."""
    return texts.find(line, line.find("%"))


def test_message_is_found_where_it_stands():
    """Both ends count from the line's end, so that any header may be in front."""
    texts = Texts()
    for head in ("", "Nov 29 08:00:00 r1: ", "r2 "):
        found = find(texts, f'{head}{ALERT.format(501)}",r1\n')
        assert found.message.half_open == 501
        assert found.begin == -len(f'{ALERT.format(501)}",r1\n')
        assert found.end == -len('",r1\n')
    assert texts.find("100 % of it", 4) is None


def test_texts_that_never_come_again_are_not_kept():
    """Where those that were kept were no use, the next lines go without a look."""
    texts = Texts()
    for number in range(FEW * 3):
        assert find(texts, ALERT.format(number)).message.half_open == number
    first, again = (find(texts, ALERT.format(9)) for _ in range(2))
    assert again.message == first.message
    assert again is not first
    for _ in range(FEW * UNLIKE):
        find(texts, ALERT.format(7))
    assert find(texts, ALERT.format(7)) is find(texts, ALERT.format(7))


def test_texts_that_come_again_stay_known():
    """A flood repeats its alerts; they are read once, however many kinds there are."""
    texts = Texts()
    for number in range(FEW):
        assert find(texts, ALERT.format(number)) is find(texts, ALERT.format(number))
    find(texts, ALERT.format(FEW))
    assert find(texts, ALERT.format(5)) is find(texts, ALERT.format(5))
