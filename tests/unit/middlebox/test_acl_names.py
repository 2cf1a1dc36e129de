"""Names of hosts in rules."""

from __future__ import annotations

import pytest

from syncache.acl.names import COMBINATIONS_MAX, is_name, resolved
from syncache.acl.parse import LeftOut

NAMES = {
    "web": ["192.0.2.10", "2001:db8::10"],
    "dual": ["192.0.2.11", "192.0.2.12"],
    "net10": ["10.0.0.0"],
}


@pytest.mark.parametrize(
    ("text", "family", "lines"),
    [
        (
            "permit tcp any host web eq www",
            4,
            ["permit tcp any host 192.0.2.10 eq www"],
        ),
        ("permit tcp any host web", 6, ["permit tcp any host 2001:db8::10"]),
        (
            "permit tcp any host dual",
            4,
            ["permit tcp any host 192.0.2.11", "permit tcp any host 192.0.2.12"],
        ),
        ("permit ip net10 255.0.0.0 any", 4, ["permit ip 10.0.0.0 255.0.0.0 any"]),
        ("permit tcp any any log web", 4, ["permit tcp any any log web"]),
        ("permit tcp any host 10.0.0.300", 4, ["permit tcp any host 10.0.0.300"]),
        ("permit esp host any any", 4, ["permit esp host any any"]),
    ],
)
def test_name_stands_for_its_addresses(text, family, lines):
    """Of the rule's family, each in a line; what is no name stays for the parser."""
    found = resolved(text.split(), NAMES, family)
    assert lines == [" ".join(words) for words in found]


@pytest.mark.parametrize("name", ["other", "dual"])
def test_name_without_address_leaves_the_rule_out(name):
    """And says which."""
    with pytest.raises(LeftOut, match=name):
        resolved(["permit", "tcp", "any", "host", name], NAMES, 6)


def test_lines_are_bounded():
    """Names with many addresses make no more than so many rules."""
    many = {"many": [f"192.0.2.{i}" for i in range(20)]}
    words = ["permit", "ip", "host", "many", "host", "many"]
    assert len(resolved(words, many, 4)) == COMBINATIONS_MAX


def test_names_are_told_from_mistyped_addresses():
    """What has a letter and no colon is a name."""
    assert [True, True, False, False] == [
        is_name(word) for word in ("web-1", "10.0.0.x", "10.0.0.300", "2001:db8::g")
    ]
