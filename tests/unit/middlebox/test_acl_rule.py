"""syncache/acl/rule.py: one rule, its ends, and how their parts are spelled."""

from __future__ import annotations

import pytest

from syncache import acl
from syncache.acl import rule as acl_rule
from syncache.acl.rule import masked, packed_address, prefix, protocol_number


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
    with pytest.raises(ValueError, match=r"'300\.1\.1\.1' is no address"):
        packed_address("300.1.1.1")
    with pytest.raises(ValueError, match="a wildcard mask is one of IPv4"):
        masked("2001:db8::1", "0.0.0.255")
    with pytest.raises(ValueError, match="is no prefix"):
        prefix("10.0.0.1/8")
    assert prefix("10.0.0.1/8", strict=False) == prefix("10.0.0.0/8")
