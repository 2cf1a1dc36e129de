"""What stands in front of lines: pagers, prompts, quotations, numbers, files' names."""

from __future__ import annotations

import pytest

from syncache.ios.config import INTERCEPT, read
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
