"""Tests of `Knob`: types, ranges, and how text and C spell a value."""

import pytest

from syncache.tunables.knob import Knob

NUMBER = Knob("a.number", 3, (0, 12), "number")
SECONDS = Knob("a.time", 5, (1, 60), "time", unit="s", scale=1000)
SWITCH = Knob("a.switch", 0, (0, 1), "switch")
WORDS = Knob("a.words", "one", ("one", "two"), "words")
NAME = Knob("a.name", "", (0, 8), "name")
LIMIT = Knob("a.limit", 0, (0, 9), "limit", zero_unlimited=True)
POWER = Knob("a.power", 4, (1, 16), "power", power_of_two=True)


@pytest.mark.parametrize(
    ("knob", "kind", "span"),
    [
        (NUMBER, "int", "0 to 12"),
        (SWITCH, "bool", "0 to 1"),
        (WORDS, "enum", "one of one, two"),
        (NAME, "text", "a word of 0 to 8 printable characters"),
        (LIMIT, "int", "0 to 9, 0 for unlimited"),
        (POWER, "int", "a power of two, 1 to 16"),
    ],
    ids=str,
)
def test_type_and_range_follow_what_is_legal(knob, kind, span):
    """A knob says in words what it takes."""
    assert (kind, span) == (knob.type, knob.range)


@pytest.mark.parametrize("word", ["", "100", "web-list", "a_b.c:d"])
def test_text_takes_words(word):
    """A name is a word that a file of tunables can say."""
    assert word == NAME.check(NAME.parse(word))


@pytest.mark.parametrize(
    "word", ["123456789", "a b", "a#b", 'a"b', "a=b", "ä", "\n", 5]
)
def test_text_refuses_what_a_file_cannot_say(word):
    """Blanks, comments, quotation marks and what is too long."""
    with pytest.raises(ValueError, match="a word of 0 to 8"):
        NAME.check(word)


def test_to_c_converts_units_and_words():
    """C counts in its own unit and enumerates from zero."""
    assert 5000 == SECONDS.to_c(5)
    assert 1 == WORDS.to_c("two")


def test_parse_leaves_judgement_to_check():
    """Numbers as C spells them; a range is checked with other changes."""
    assert (12, -1) == (NUMBER.parse("0xc"), NUMBER.parse("-1"))
    with pytest.raises(ValueError, match="0 to 12, not 'x'"):
        NUMBER.parse("x")


@pytest.mark.parametrize(
    ("knob", "legal", "refused"),
    [
        (NUMBER, (0, 12), (-1, 13, True, "3", 3.0, None)),
        (SECONDS, (1, 60), (0, 61)),
        (SWITCH, (0, 1, False, True), (-1, 2)),
        (WORDS, ("one", "two"), ("", "three", 0)),
        (NAME, ("", "12345678"), ("123456789",)),
        (LIMIT, (0, 9), (-1, 10)),
        (POWER, (1, 2, 16), (0, 3, 12, 15, 32)),
    ],
    ids=str,
)
def test_first_and_last_legal_values_are_taken_and_their_neighbours_refused(
    knob, legal, refused
):
    """Also other types: a truth is no number, and a number is no word."""
    for value in legal:
        assert value == knob.check(value)
        assert type(knob.check(value)) in {int, str}
    for value in refused:
        with pytest.raises(ValueError, match=knob.range):
            knob.check(value)


def test_refused_word_is_shown_up_to_a_limit():
    """A line of a megabyte is no error text."""
    with pytest.raises(ValueError, match=f"not '{'x' * 80}'$"):
        NUMBER.parse("x" * 81)
