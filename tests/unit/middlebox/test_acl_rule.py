"""syncache/acl/rule.py: one rule, its ends, and how their parts are spelled."""

from __future__ import annotations

import pytest

from syncache import acl
from syncache.acl import rule as acl_rule
from syncache.acl.rule import End, masked, packed_address, prefix, protocol_number


def test_public_face_is_acl():
    """Rule and End are those of acl."""
    assert acl.Rule is acl_rule.Rule
    assert acl.End is acl_rule.End


def test_rule_is_spelled_as_it_is_read():
    """Names where there are names."""
    rule = acl.permit("tcp", "10.0.0.0/8", "198.51.100.5", dport=80)
    assert "permit tcp 10.0.0.0 0.255.255.255 host 198.51.100.5 eq 80" == str(rule)
    assert rule.matches(6, ("10.1.2.3", 5), ("198.51.100.5", 80))
    assert not rule.matches(17, ("10.1.2.3", 5), ("198.51.100.5", 80))
    assert not rule.matches(6, ("11.1.2.3", 5), ("198.51.100.5", 80))


def test_protocols_are_names_or_numbers():
    """What is neither is answered with what is legal."""
    names = acl_rule.PROTOCOLS[4]
    assert (6, 103, 0) == tuple(protocol_number(w, names) for w in ("TCP", "103", "ip"))
    for word in ("tpc", "256", "", "\u0665"):
        with pytest.raises(ValueError, match="a protocol is one of ip, icmp"):
            protocol_number(word, names)


def test_addresses_that_are_none_are_named():
    """In one line."""
    with pytest.raises(ValueError, match=r"'300\.1\.1\.1' is not an address"):
        packed_address("300.1.1.1")
    with pytest.raises(ValueError, match="a wildcard mask is one of IPv4"):
        masked("2001:db8::1", "0.0.0.255")
    with pytest.raises(ValueError, match="is not a prefix"):
        prefix("10.0.0.1/8")
    assert prefix("10.0.0.1/8", strict=False) == prefix("10.0.0.0/8")


@pytest.mark.parametrize(
    ("family", "number", "name"),
    [
        (4, 0, "ip"),
        (4, 1, "icmp"),
        (4, 2, "igmp"),
        (4, 4, "ipinip"),
        (4, 6, "tcp"),
        (4, 9, "igrp"),
        (4, 17, "udp"),
        (4, 47, "gre"),
        (4, 50, "esp"),
        (4, 51, "ahp"),
        (4, 88, "eigrp"),
        (4, 89, "ospf"),
        (4, 94, "nos"),
        (4, 103, "pim"),
        (4, 108, "pcp"),
        (4, 132, "sctp"),
        (6, 0, "ipv6"),
        (6, 58, "icmp"),
        (6, 51, "ahp"),
    ],
)
def test_name_of_a_protocol_is_its_number(family, number, name):
    """Those of IANA, both ways."""
    names = acl_rule.PROTOCOLS[family]
    assert number == protocol_number(name, names)
    rule = acl_rule.Rule(True, number, End(family), End(family))
    assert f"permit {name} any any" == str(rule)


def test_protocol_has_eight_bits():
    """The largest is one."""
    assert 255 == protocol_number("255", acl_rule.PROTOCOLS[4])
    with pytest.raises(ValueError, match="not '256'"):
        protocol_number("256", acl_rule.PROTOCOLS[4])


def test_one_end_with_a_family_is_enough_for_the_rule():
    """An end of any address takes that of the other."""
    some = End(6, packed_address("2001:db8::1")[1], bytes(16))
    for source, target in ((some, End()), (End(), some), (some, some)):
        assert 6 == acl_rule.Rule(True, 0, source, target).family
    assert 0 == acl_rule.Rule(True, 0, End(), End()).family


def test_end_of_a_family_admits_none_of_the_other():
    """Although the first bytes are the same."""
    four = End(4, packed_address("32.1.13.184")[1], bytes(4) + b"\xff" * 12)
    assert four.admits(4, packed_address("32.1.13.184")[1], 5)
    assert not four.admits(6, packed_address("2001:db8::1")[1], 5)
    assert End().admits(6, packed_address("2001:db8::1")[1], 5)


def test_every_bit_that_counts_is_compared():
    """The last of an address too; those of the wildcard are free."""
    whole = packed_address("2001:db8::1")[1]
    end, wild = End(6, whole, bytes(16)), End(6, whole, bytes(15) + b"\x01")
    for bit in range(128):
        other = (int.from_bytes(whole, "big") ^ (1 << bit)).to_bytes(16, "big")
        assert not end.admits(6, other, 0)
        assert (bit == 0) == wild.admits(6, other, 0)
