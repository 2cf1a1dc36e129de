"""syncache/acl/object_group.py: sets of addresses and services, and rules with them."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncache.acl.object_group import Group
from syncache.acl.parse import RULES_MAX, LeftOut, parse_rule, prefixes
from syncache.ios.config import read

CONFIG = """
object-group network FARM
 description the farm
 host 198.51.100.5
 198.51.100.64 255.255.255.192
 198.51.100.128 /30
 range 198.51.100.200 198.51.100.202
object-group network ALL
 group-object FARM
 203.0.113.9
object-group service WEB
 tcp eq www
 tcp 8080
 tcp source gt 1023 range 9000 9001
 udp domain
object-group service BOTH
 tcp-udp eq domain
 group-object WEB
 icmp echo
 esp
object-group v6-network SIX
 host 2001:DB8::5
 2001:DB8:1::/48
ip access-list extended X
"""


def rules(*lines, family="extended"):
    """Read rules below the groups; return them as text."""
    head = [] if family == "extended" else ["ipv6 access-list X"]
    config = read([*CONFIG.splitlines(), *head, *(f" {line}" for line in lines)])
    return [str(rule) for rule in config.lists["X"].rules], config.notes


def test_addresses_of_a_group_become_rules():
    """Hosts, subnets by mask or length, ranges; of inner groups too."""
    found, notes = rules("permit tcp any object-group FARM eq 80")
    assert [
        "permit tcp any host 198.51.100.5 eq 80",
        "permit tcp any 198.51.100.64 0.0.0.63 eq 80",
        "permit tcp any 198.51.100.128 0.0.0.3 eq 80",
        "permit tcp any 198.51.100.200 0.0.0.1 eq 80",
        "permit tcp any host 198.51.100.202 eq 80",
    ] == found
    assert [] == notes
    found, _ = rules("permit ip object-group ALL any")
    assert "permit ip host 203.0.113.9 any" in found
    assert 6 == len(found)


def test_services_of_a_group_become_rules():
    """With ports of either end, a bare port meaning eq."""
    found, _ = rules("permit object-group WEB any host 198.51.100.5")
    assert [
        "permit tcp any host 198.51.100.5 eq 80",
        "permit tcp any host 198.51.100.5 eq 8080",
        "permit tcp any gt 1023 host 198.51.100.5 range 9000 9001",
        "permit udp any host 198.51.100.5 eq 53",
    ] == found
    found, _ = rules("permit object-group BOTH any any")
    assert ["permit tcp any any eq 53", "permit udp any any eq 53"] == found[:2]
    assert "permit esp any any" in found
    assert "permit icmp any any" in found
    assert 8 == len(found)


def test_both_ends_may_be_groups():
    """Every combination."""
    found, _ = rules("deny tcp object-group FARM addrgroup ALL neq 22 log")
    assert 5 * 6 == len(found)
    assert all(rule.endswith("neq 22") for rule in found)


def test_groups_of_ipv6_are_for_rules_of_ipv6():
    """A rule of the other family finds the group empty."""
    found, _ = rules("permit tcp any object-group SIX eq 443", family="six")
    assert [
        "permit tcp any host 2001:db8::5 eq 443",
        "permit tcp any 2001:db8:1::/48 eq 443",
    ] == found
    found, notes = rules("permit tcp any object-group SIX eq 443")
    assert [] == found
    assert "an empty one" in notes[0]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("permit tcp any object-group NONE", "not known"),
        ("permit object-group FARM any any", "a group of kind network"),
        ("permit tcp any object-group WEB", "ports of object-group WEB"),
        ("permit tcp any portgroup WEB any", "ports of object-group WEB"),
    ],
)
def test_rule_that_its_group_does_not_fit_is_left_out(line, why):
    """And a note says why."""
    found, notes = rules(line)
    assert [] == found
    assert why in notes[0]


def test_group_of_a_name_is_left_out():
    """What a host name stands for is not known here."""
    config = read(
        [
            "object-group network A",
            " host mail.example.com",
            "access-list 100 permit tcp any object-group A",
        ]
    )
    assert () == config.lists["100"].rules if "100" in config.lists else True
    assert "mail.example.com is a name" in config.notes[0]


def test_groups_that_contain_each_other_end():
    """A circle is walked once, a long chain is left out."""
    circle = {name: Group(name, "network") for name in "ab"}
    circle["a"].take(["group-object", "b"])
    circle["b"].take(["group-object", "a"])
    circle["b"].take(["host", "192.0.2.1"])
    assert 1 == len(circle["a"].places(circle, 4))
    chain = {str(n): Group(str(n), "network") for n in range(40)}
    for n in range(39):
        chain[str(n)].take(["group-object", str(n + 1)])
    with pytest.raises(LeftOut):
        chain["0"].places(chain, 4)


def test_too_many_rules_are_left_out():
    """Two groups of a hundred are ten thousand rules."""
    group = Group("a", "network")
    for n in range(100):
        group.take(["host", f"192.0.2.{n}"])
    notes = []
    words = ["permit", "ip", "object-group", "a", "object-group", "a"]
    assert [] == parse_rule(words, 4, notes, {"a": group})
    assert str(RULES_MAX) in notes[0]


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("network", "range 10.0.0.9 10.0.0.1"),
        ("network", "range 10.0.0.9 2001:db8::1"),
        ("network", "10.0.0.0 255.255.255.0 9"),
        ("network", "300.0.0.1"),
        ("network", "group-object"),
        ("service", "tcp eq"),
        ("service", "tcp eq www x"),
        ("service", "tpc eq www"),
        ("service", "esp eq 5"),
    ],
)
def test_wrong_member_is_an_error_with_its_line(kind, line):
    """As every line of a feature that is understood."""
    with pytest.raises(ValueError, match=r"^line 2: "):
        read([f"object-group {kind} A", f" {line}"])


def test_wrong_group_is_an_error():
    """It wants a kind and a name."""
    for line in ("object-group", "object-group network", "object-group cheese"):
        with pytest.raises(ValueError, match="network or service"):
            read([line])
    with pytest.raises(ValueError, match="network or service"):
        read(["object-group cheese A"], strict=True)
    assert {} == read(["object-group network A", "no object-group network A"]).groups


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_prefixes_are_exactly_the_range(one, other):
    """Neither an address more nor one less, and none twice."""
    low, high = sorted((one, other))
    at = low
    for packed, wildcard in prefixes(4, low, high):
        assert at == int(ipaddress.ip_address(packed[:4]))
        at += int.from_bytes(wildcard[:4], "big") + 1
    assert high + 1 == at
