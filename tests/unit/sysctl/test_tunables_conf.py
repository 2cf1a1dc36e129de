"""syncache/tunables/conf.py: the syntax of sysctl.conf(5), as FreeBSD reads it."""

from __future__ import annotations

import pytest

from syncache.tunables.conf import (
    assignment,
    comment_start,
    is_line_of_others,
    is_ours,
    number,
    statement,
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", ""),
        ("# all of it", ""),
        ("  a=1\t# why\r\n", "a=1"),
        ("a='x # y' # why", "a='x # y'"),
        ('a="x # y" # why', 'a="x # y"'),
        ("a='x' # it's", "a='x'"),
        ("a=1 # don't # do", "a=1"),
        ("a='never closed # x", "a='never closed # x"),
        ("a=1\\#2 # why", "a=1\\#2"),
        ("a=1#", "a=1"),
    ],
)
def test_comment_begins_at_a_hash_outside_quotes(line, expected):
    """A backslash in front of it, or quotation marks around it, keep a hash."""
    assert expected == statement(line)


def test_comment_start_is_where_the_comment_stands():
    """The place is what an editor of the file keeps."""
    assert "# why" == "a='#' # why"[comment_start("a='#' # why") :].lstrip()
    assert 3 == comment_start("a=1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b=1", ("a.b", "1")),
        ("a.b : 1", ("a.b", "1")),
        ("a.b=1:2", ("a.b", "1:2")),
        ("a.b:1=2", ("a.b", "1=2")),
        ("a.b = 'c d'", ("a.b", "c d")),
        ('a.b="c"', ("a.b", "c")),
        ("a.b='c\"", ("a.b", 'c"')),
        ("a.b=c'", ("a.b", "c'")),
        ("a.b='", ("a.b", "")),
        ("a.b=", ("a.b", "")),
        ("a.b", ("a.b", None)),
        ("=1", ("", "1")),
    ],
)
def test_assignment_is_split_at_the_first_sign(text, expected):
    """An equals sign or a colon; one pair of quotation marks is removed."""
    assert expected == assignment(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("12", 12),
        ("02000", 1024),
        ("0x1F", 31),
        ("0XfF", 255),
        ("-1", -1),
        ("+7", 7),
        ("00", 0),
        (str(2**64), 2**64),
    ],
)
def test_number_is_read_as_strtol_reads_it(text, expected):
    """Base 0 means decimal, octal or hexadecimal by the first digits."""
    assert expected == number(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "08", "0x", "1_0", "0b1", "0o7", "1 2", "--1", "\u0661", "9" * 65, "1.0"],
)
def test_number_that_c_does_not_read_is_refused(text):
    """Python's own spellings are no numbers here."""
    with pytest.raises(ValueError, match="not a number"):
        number(text)


def test_names_below_our_trees_are_ours():
    """An unknown one there is a mistake; elsewhere it is another program's."""
    assert is_ours("net.inet.tcp.syncache.no")
    assert is_ours("net.inet.inspect.no")
    assert not is_ours("net.inet.tcp.tso")
    assert not is_ours("kern.maxfiles")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("; a comment of Linux's", True),
        ("kern.ostype", True),
        ("-net.ipv4.conf.all.rp_filter", True),
        ("net/ipv4/conf/eth0.5/rp_filter", True),
        ("dev.cpu.%parent", True),
        ("net.inet.tcp.syncache.count", False),
        ("net.inet.inspect.x 1", False),
        ("word", True),
        ("kern.ostype FreeBSD", True),
        ("<<<<<<< HEAD", True),
        ("\x7fELF", False),
    ],
)
def test_line_without_a_value_may_be_of_others(text, expected):
    """Below our trees nothing is anybody else's."""
    assert expected is is_line_of_others(text)
