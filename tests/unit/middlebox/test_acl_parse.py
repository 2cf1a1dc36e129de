"""syncache/acl/parse.py: one line of an access list, as a router spells it."""

from __future__ import annotations

import pytest

from syncache.acl.parse import parse_rule, parse_standard


def parsed(line, family=4):
    """Return the rules of a line as text, and its notes."""
    notes = []
    rules = [str(rule) for rule in parse_rule(line.split(), family, notes)]
    return rules, notes


@pytest.mark.parametrize(
    "line",
    [
        "permit tcp any any eq 80 log",
        "permit tcp any any eq 80 log WEB-HIT",
        "permit tcp any any eq 80 log-input tag_1.2",
        "PERM TCP ANY ANY EQ WWW",
        "permit tcp any any eq www (12 matches)",
        "permit tcp any any eq www (3 matches) sequence 10",
        "permit tcp any any eq www syn",
    ],
)
def test_what_does_not_matter_is_passed_over(line):
    """Logs and their tags, counts, sequence numbers, capitals, the flag of a SYN."""
    assert (["permit tcp any any eq 80"], []) == parsed(line)


@pytest.mark.parametrize(
    "line",
    [
        "permit tcp any any ttl eq 255",
        "permit tcp any any ttl range 1 9",
        "permit tcp any any option any-options",
        "permit tcp any any time-range WORK",
        "permit tcp any any time-range range",
        "permit tcp any any precedence critical",
        "permit tcp any any tos normal",
        "permit tcp any any reflect MIRROR",
        "permit tcp any any timeout 300",
        "permit tcp any any dscp ef log",
        "permit tcp any any log dscp ef",
    ],
)
def test_condition_that_is_not_judged_is_noted(line):
    """The rule holds without it."""
    rules, notes = parsed(line)
    assert ["permit tcp any any"] == rules
    assert "is ignored: the rule holds without it" in notes[0]


@pytest.mark.parametrize(
    "line",
    [
        "permit tcp any any established",
        "permit tcp any any ack",
        "permit tcp any any match-all +syn -ack",
        "permit ip any any fragments",
        "permit icmp any any echo-reply",
        "permit icmp any any 3 4",
    ],
)
def test_rule_that_no_first_packet_matches_is_left_out(line):
    """And noted."""
    rules, notes = parsed(line)
    assert [] == rules
    assert "left out" in notes[0]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("permit tcp any any ttl eq", "ttl wants a value"),
        ("permit tcp any any frobnicate", "'frobnicate' is more than"),
        ("permit tcp any any log a!b", "'a!b' is more than"),
        ("allow tcp any any", "'allow'"),
        ("permit tcp any", "is not any, host A"),
        ("permit tcp any object-group", "wants a name"),
    ],
)
def test_wrong_word_is_named(line, word):
    """Not the one behind it."""
    with pytest.raises(ValueError, match=word):
        parsed(line)


def test_standard_rule_is_for_every_protocol():
    """As it is configured, and as it is shown."""
    for line in (
        "permit 10.0.0.0 0.0.0.255",
        "permit 10.0.0.0, wildcard bits 0.0.0.255 (12 matches)",
    ):
        (rule,) = parse_standard(line.split(), [])
        assert "permit ip 10.0.0.0 0.0.0.255 any" == str(rule)
    (rule,) = parse_standard(["permit", "10.0.0.1", "log"], [])
    assert "permit ip host 10.0.0.1 any" == str(rule)


@pytest.mark.parametrize(
    "condition",
    [
        "auth",
        "dest-option",
        "dest-option-type 5",
        "hbh",
        "mobility",
        "mobility-type 1",
        "routing",
        "routing-type 0",
        "undetermined-transport",
    ],
)
def test_rule_for_an_extension_header_is_left_out(condition):
    """What IPv6 lists of published configurations end with."""
    rules, notes = parsed(f"deny ipv6 any any {condition} log", family=6)
    assert [] == rules
    assert f"rules with {condition.split()[0]} are left out" in notes


def test_standard_rule_without_an_address_is_refused():
    """In the words of what is missing."""
    with pytest.raises(ValueError, match="is not any, host A"):
        parse_standard(["permit"], [])


def test_standard_rule_with_one_address_is_a_host():
    """Alone, or in front of other words."""
    for line in ("deny 10.0.0.1", "deny host 10.0.0.1", "deny 10.0.0.1 0.0.0.0"):
        (rule,) = parse_standard(line.split(), [])
        assert "deny ip host 10.0.0.1 any" == str(rule)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("p t a e 80 h 192.0.2.1", "permit tcp any eq 80 host 192.0.2.1"),
        ("permit u any any e 53", "permit udp any any eq 53"),
        ("deny tcp any g 1023 any n 25", "deny tcp any gt 1023 any neq 25"),
        ("permit tcp any r 5 9 any", "permit tcp any range 5 9 any"),
    ],
)
def test_one_letter_is_enough_where_a_router_knows_one_such_word(line, rule):
    """As a router takes it."""
    assert ([rule], []) == parsed(line)


@pytest.mark.parametrize(
    "line",
    [
        "permit tcp any any e 80",  # established
        "permit tcp any any r 5 9",  # rst
        "d tcp any any",  # dynamic
        "permit i any any",  # icmp
    ],
)
def test_one_letter_that_could_be_two_words_is_an_error(line):
    """A router calls it ambiguous."""
    with pytest.raises(ValueError, match=r"more than|begins with|one of"):
        parsed(line)
