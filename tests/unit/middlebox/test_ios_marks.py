"""What stands in front of lines: pagers, prompts, quotations, numbers, files' names."""

from __future__ import annotations

import pytest

from syncache.ios.config import INTERCEPT, read
from syncache.ios.inspect import chosen
from syncache.ios.marks import bare


@pytest.mark.parametrize(
    "front",
    [
        " --More-- " + "\b" * 9 + " " * 8 + "\b" * 9,
        "--More--",
        "<--- More --->\r" + " " * 14 + "\r",
        "\x1b[7m--More--\x1b[m\x1b[K",
        "R1(config)#",
        "a-b(config-if)# ",
    ],
)
def test_what_a_terminal_leaves_in_front_is_passed_over(front):
    """A pager's mark with its backspaces, and the prompt of configuration mode."""
    config = read([f"{front}ip tcp intercept mode watch"])
    assert "watch" == config.changes[INTERCEPT + "mode"]
    assert 0 == config.skipped


def test_line_behind_a_pager_is_of_its_block():
    """Its own blank is not the pager's."""
    pager = " --More-- " + "\b" * 9 + " " * 8 + "\b" * 9
    lines = ["interface Gi0/0", f"{pager} ip inspect A in"]
    assert ["interface Gi0/0", " ip inspect A in"] == bare(lines)


LONG = "ip inspect name INTERNET_EDGE_FIREWALL_RULES_FOR_OUTBOUND {} timeout 3600"
BROKEN = [LONG.format(f"{p} alert on audit-trail on") for p in ("tcp", "udp", "ftp")]


@pytest.mark.parametrize("width", [80, 90])
def test_lines_that_a_terminal_broke_are_whole_again(width):
    """Those of the longest line's width, where one of them makes no sense alone."""
    lines = ["hostname r1"]
    for line in BROKEN:
        lines += [line[:width], line[width:]]
    config = read(lines)
    rules = list(chosen(config))
    assert ["tcp", "udp", "ftp"] == [rule.protocol for rule in rules]
    assert {3600} == {rule.timeout for rule in rules}
    assert [f"line 2: lines of {width} columns go on in the next"] == config.notes
    with pytest.raises(ValueError, match="line 1: 'hostname"):
        read(lines, strict=True)


def test_a_long_line_that_is_wrong_is_named_as_it_stands():
    """The line behind it does not help, so it is no part of it."""
    with pytest.raises(ValueError, match="line 1: 'bogus"):
        read(["ip inspect name F bogus" + "x" * 60, "hostname r1"])


def test_no_command_is_taken_for_the_end_of_a_long_line():
    """Neither a wrong one behind a line of another feature nor a right one."""
    long = "description " + "x" * 68
    with pytest.raises(ValueError, match="line 2: 'bogus"):
        read([long, "ip inspect bogus"])
    first, rest = BROKEN[0][:80], BROKEN[0][80:]
    lines = [first, rest, long, "ip tcp intercept mode watch"]
    assert "watch" == read(lines).changes[INTERCEPT + "mode"]
    with pytest.raises(ValueError, match="line 1: 'audit-tra"):
        read([first, rest, long, "ip inspect bogus"])


def test_zeros_of_telnet_are_passed_over():
    """It sends one behind a carriage return."""
    assert ["ip inspect F", "end"] == bare(["\0ip ins\0pect F\0", "end\0"])


TEXT = ["ip access-list extended X", " permit tcp any any", "end"]


@pytest.mark.parametrize(
    "front",
    [
        ("> ", "> ", "> "),
        ("> > ", "> > ", ">> "),
        ("| ", "| ", "| "),
        ("     9\t", "    10\t", "    11\t"),
        ("  9 ", " 10 ", " 11 "),
        ("3:", "17:", "203:"),
        ("12: ", "13: ", "14: "),
        ("r1.cfg:3:", "r1.cfg:17:", "r1.cfg:203:"),
        ("r1.cfg:", "r1.cfg:", "r1.cfg:"),
    ],
)
def test_what_is_in_front_of_every_line_is_passed_over(front):
    """A quotation's mark, numbers that rise, the name of a file; blocks stay blocks."""
    lines = [mark + line for mark, line in zip(front, TEXT, strict=True)]
    assert TEXT == bare(lines)


@pytest.mark.parametrize(
    "lines",
    [
        ["10 permit tcp any any", "20 deny ip any any"],
        ["2 permit tcp any any", "1 deny ip any any"],
        ["a:b", "c:d"],
        ["> quoted", "and not"],
        ["1 alone"],
        [],
    ],
)
def test_what_is_in_front_of_some_lines_stays(lines):
    """Numbers of rules are theirs, and names that differ are of different files."""
    assert lines == bare(lines)


def test_what_the_router_refused_and_questions_are_no_commands():
    """Of a session at a terminal; a refusal is of the command before it alone."""
    config = read(
        [
            "R1(config)#ip tcp intercept mode watch",
            "R1(config)#ip inspect name A tpc",
            "                           ^",
            "% Invalid input detected at '^' marker.",
            "",
            "R1(config)#ip inspect ?",
            "  name  Specify an inspection rule",
            "% Incomplete command.",
        ]
    )
    assert "watch" == config.changes[INTERCEPT + "mode"]
    assert {"ip tcp intercept": 1} == config.said
