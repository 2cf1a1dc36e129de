"""Object groups, objects and names of hosts in configurations of several systems."""

from __future__ import annotations

import pytest

from syncache.ios.config import read


def rules(text, name="L", **options):
    """Return the rules of a list, and the notes."""
    config = read(text.strip("\n").split("\n"), **options)
    return [str(rule) for rule in config.lists[name].rules], config.notes


def test_groups_of_switches_have_numbers_and_wildcards():
    """NX-OS: members and rules are numbered, a list has no kind."""
    found, notes = rules(
        """
hostname n9k
object-group ip address HOSTS
  10 host 10.0.0.1
  20 10.1.0.0/16
  30 10.2.0.0 0.0.255.255
object-group ip port WEB
  10 eq 80
  20 gt 60000
ip access-list L
  statistics per-entry
  10 permit tcp any addrgroup HOSTS eq 443
  20 permit tcp 10.0.0.0/8 any portgroup WEB
  30 deny ip any any
"""
    )
    assert [
        "permit tcp any host 10.0.0.1 eq 443",
        "permit tcp any 10.1.0.0 0.0.255.255 eq 443",
        "permit tcp any 10.2.0.0 0.0.255.255 eq 443",
        "permit tcp 10.0.0.0 0.255.255.255 any eq 80",
        "permit tcp 10.0.0.0 0.255.255.255 any gt 60000",
        "deny ip any any",
    ] == found
    assert ["line 10: statistics is ignored"] == notes


def test_groups_of_ios_xr():
    """Groups say their family, and contain others by the word object-group."""
    found, _ = rules(
        """
hostname xr
object-group network ipv4 MORE
 range 10.0.0.8 10.0.0.9
!
object-group network ipv4 SRV
 host 192.0.2.1
 object-group MORE
!
object-group port PG
 eq www
!
ipv4 access-list L
 10 permit tcp any net-group SRV port-group PG
 20 deny ipv4 any any
"""
    )
    assert [
        "permit tcp any host 192.0.2.1 eq 80",
        "permit tcp any 10.0.0.8 0.0.0.1 eq 80",
        "deny ip any any",
    ] == found


def test_objects_and_names_of_firewalls():
    """Names stand for addresses, objects for services, groups for protocols."""
    found, _ = rules(
        """
ASA Version 8.2
names
name 192.0.2.13 web description ours
name 10.0.0.0 net10
object-group network W
 network-object host web
 network-object net10 255.0.0.0
object service S
 service tcp destination eq 8443
object-group service GS
 service-object object S
object-group protocol TU
 protocol-object tcp
 protocol-object udp
access-list L extended permit tcp any host web eq https
access-list L extended permit tcp any net10 255.0.0.0
access-list L extended permit tcp any object-group W eq ssh
access-list L extended permit object S any any
access-list L extended permit object-group GS any host web
access-list L extended permit object-group TU any any eq domain
"""
    )
    assert [
        "permit tcp any host 192.0.2.13 eq 443",
        "permit tcp any 10.0.0.0 0.255.255.255",
        "permit tcp any host 192.0.2.13 eq 22",
        "permit tcp any 10.0.0.0 0.255.255.255 eq 22",
        "permit tcp any any eq 8443",
        "permit tcp any host 192.0.2.13 eq 8443",
        "permit tcp any any eq 53",
        "permit udp any any eq 53",
    ] == found


def test_hosts_of_a_router_have_addresses():
    """One rule for each; a name that nothing says leaves its rule out."""
    found, notes = rules(
        """
ip host web 192.0.2.10
ip host vrf X dual 8080 192.0.2.11 192.0.2.12
ip host gone 192.0.2.99
no ip host gone
ip access-list extended L
 permit tcp any host web eq www
 permit tcp any host dual
 permit tcp any host gone
"""
    )
    assert [
        "permit tcp any host 192.0.2.10 eq 80",
        "permit tcp any host 192.0.2.11",
        "permit tcp any host 192.0.2.12",
    ] == found
    assert ["line 8: rules with host gone, of unknown address, left out"] == notes


def test_addresses_of_hosts_may_stand_behind_the_rules_that_name_them():
    """As in a file that an operator put together; also for members of a group."""
    found, notes = rules(
        """
object-group network G
 host mail
ip access-list extended L
 permit tcp any host web eq www
 permit tcp any object-group G
 permit tcp any host gone
banner motd # never ended
ip host web 192.0.2.10
ip host mail 192.0.2.25
"""
    )
    assert [
        "permit tcp any host 192.0.2.10 eq 80",
        "permit tcp any host 192.0.2.25",
    ] == found
    assert [
        "line 6: rules with host gone, of unknown address, left out",
        "line 7: a banner does not end: it is taken for one line",
    ] == notes


def test_names_of_vlans_are_no_hosts():
    """They are lines of another feature; strict is an error."""
    lines = ["vlan 10", " name Users", "access-list 100 permit tcp any any"]
    assert 2 == read(lines).skipped
    with pytest.raises(ValueError, match=r"line 1: 'name Users' is not understood"):
        read([" name Users"], strict=True)


WRONG = ["object-group network G", " host 192.0.2.300"]


@pytest.mark.parametrize("rest", [[], ["access-list 100 permit ip object-group G any"]])
def test_fault_in_a_group_that_may_be_ours_is_an_error(rest):
    """With its line, if there is nothing of other features or a rule needs it."""
    with pytest.raises(ValueError, match=r"line 2: '192.0.2.300' is not an address"):
        read([*WRONG, *rest])


def test_fault_in_a_group_of_another_feature_is_passed_over():
    """A list that uses it is left out and named, like one with a fault of its own."""
    lines = ["hostname r1", *WRONG, "object-group cheese A", " brie"]
    lines += ["access-list 100 permit ip any any"]
    assert {"100"} == set(read(lines).lists)
    lines += ["access-list 101 permit ip object-group G any"]
    config = read(lines)
    assert {"100"} == set(config.lists)
    assert "object-group G: line 3: '192.0.2.300' is not an address" in config.notes[0]
    with pytest.raises(ValueError, match="line 2: "):
        read(WRONG, strict=True)


def test_firewall_rules_may_be_of_ipv6():
    """Of the access list with both families, or in lines of their own."""
    config = read(
        [
            "hostname asa",
            "access-list L extended permit tcp any6 host 2001:db8::1 eq https",
            "access-list L extended permit icmp6 any6 any6",
            "ipv6 access-list L line 3 permit tcp any 2001:db8::/32 eq 80",
            "ipv6 access-list L remark old",
            "ipv6 access-list M permit any host 2001:db8::2",
            "ipv6 access-list standard N",
            " permit 2001:db8::/32",
            "ipv6 access-list log-update threshold 5",
        ]
    )
    found = {n: [str(r) for r in each.rules] for n, each in config.lists.items()}
    assert {
        "L": [
            "permit tcp any host 2001:db8::1 eq 443",
            "permit icmp any any",
            "permit tcp any 2001:db8::/32 eq 80",
        ],
        "M": ["permit ipv6 any host 2001:db8::2"],
        "N": ["permit ipv6 2001:db8::/32 any"],
    } == found


BEHIND = [
    "object-group network SERVERS",
    " host 192.0.2.1",
    " group-object MORE",
    "object-group service WEB",
    " tcp eq www",
    "object-group network MORE",
    " host 192.0.2.2",
]
USES = [
    "ip access-list extended L",
    " permit tcp any object-group SERVERS eq 22",
    " permit object-group WEB any object-group SERVERS",
    " permit udp any any eq domain",
]


@pytest.mark.parametrize("strict", [False, True])
def test_groups_behind_the_rules_that_name_them_are_known(strict):
    """A pasted file may have any order; the rules are those of the usual one."""
    first = read([*BEHIND, *USES], strict=strict)
    last = read([*USES, *BEHIND], strict=strict)
    assert [] == last.notes
    assert 5 == len(last.lists["L"].rules)
    assert first.lists["L"].rules == last.lists["L"].rules


def test_members_behind_a_rule_are_members_too():
    """A group that goes on behind the rule has all its members in it."""
    more = ["object-group network MORE", " host 192.0.2.3"]
    found = read([*BEHIND, *USES, *more]).lists["L"].rules
    assert 7 == len(found)


def test_ports_of_a_firewall_may_be_behind_their_rule():
    """The group's kind says what its name stands for, wherever it is."""
    found, notes = rules(
        """
access-list L extended permit tcp any any object-group PORTS
access-list L extended permit tcp any object-group NETS object-group PORTS
object-group service PORTS tcp
 port-object eq https
object-group network NETS
 network-object 192.0.2.0 255.255.255.0
"""
    )
    assert [
        "permit tcp any any eq 443",
        "permit tcp any 192.0.2.0 0.0.0.255 eq 443",
    ] == found
    assert [] == notes


def test_a_rule_that_waits_for_a_group_is_removed_by_its_words():
    """Its number holds its place too, and one of a group never defined is noted."""
    found, notes = rules(
        """
ip access-list extended L
 10 permit tcp any object-group G
 20 permit tcp any object-group H
 no permit tcp any object-group G
 30 permit tcp any any eq www
 5 deny tcp any object-group I
object-group network I
 host 192.0.2.9
object-group network G
 host 192.0.2.8
"""
    )
    assert ["deny tcp any host 192.0.2.9", "permit tcp any any eq 80"] == found
    assert ["line 3: rules with object-group H, which is not known, left out"] == notes


@pytest.mark.parametrize("strict", [False, True])
def test_a_fault_in_a_rule_with_a_group_has_the_line_of_the_rule(strict):
    """Although it is found when the file is over."""
    lines = ["access-list 100 permit tcp any object-group G zonk", *BEHIND]
    lines[1] = "object-group network G"
    with pytest.raises(ValueError, match=r"^line 1: 'zonk' is more than a rule"):
        read(lines, strict=strict)
