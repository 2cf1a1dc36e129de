"""Tests of access lists: Cisco's syntax, first match, both families."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncache._core import ffi
from syncache.acl import (
    ICMP,
    ICMPV6,
    AccessList,
    deny,
    parse_rule,
    parse_standard,
    permit,
)
from syncache.ports import OPERATORS, UDP

C = ("192.0.2.10", 40000)
S = ("198.51.100.5", 80)
C6 = ("2001:db8:1::10", 40000)
S6 = ("2001:db8:2::5", 80)


def acl(*lines):
    return AccessList.parse(lines)


@pytest.mark.parametrize(
    ("line", "permitted"),
    [
        ("permit tcp any any", True),
        ("permit ip any any", True),
        ("permit udp any any", False),
        ("permit icmp any any", False),
        ("permit 6 any any", True),
        ("permit tcp any host 198.51.100.5", True),
        ("permit tcp any host 198.51.100.6", False),
        ("permit tcp host 192.0.2.10 any", True),
        ("permit tcp 192.0.2.0 0.0.0.255 any", True),
        ("permit tcp 192.0.3.0 0.0.0.255 any", False),
        ("permit tcp 192.0.2.8 0.0.0.2 any", True),
        ("permit tcp 192.0.2.8 0.0.0.1 any", False),
        # A wildcard mask need not be contiguous: every host .10 of 192.0/16.
        ("permit tcp 192.0.0.10 0.0.255.0 any", True),
        ("permit tcp any any eq www", True),
        ("permit tcp any any eq 80", True),
        ("permit tcp any any eq 443", False),
        ("permit tcp any any neq 443", True),
        ("permit tcp any any neq 80", False),
        ("permit tcp any any gt 79", True),
        ("permit tcp any any gt 80", False),
        ("permit tcp any any lt 81", True),
        ("permit tcp any any lt 80", False),
        ("permit tcp any any range 80 90", True),
        ("permit tcp any any range 70 80", True),
        ("permit tcp any any range 81 90", False),
        ("permit tcp any gt 1023 any eq www", True),
        ("permit tcp any lt 1023 any eq www", False),
        # Read literally: the source port.
        ("permit tcp any eq www any", False),
        ("deny tcp any any", False),
    ],
)
def test_rule_matches_what_it_says(line, permitted):
    """One rule against one packet of C to S."""
    assert permitted == acl(line).permits(C, S)


def test_first_match_wins_and_the_end_denies():
    """`deny host C; permit any`, and nothing at all."""
    rules = acl("deny tcp host 192.0.2.10 any", "permit tcp any any eq www")
    assert not rules.permits(C, S)
    assert rules.permits(("192.0.2.11", 1), S)
    assert not rules.permits(("192.0.2.11", 1), (S[0], 443))
    assert not acl().permits(C, S)


def test_other_protocols_are_told_apart():
    """`ip` is all of them."""
    assert acl("permit udp any any eq domain").permits(C, (S[0], 53), UDP)
    assert acl("permit ip any any").permits(C, S, 47)
    assert acl("permit icmp any any").permits((C[0], 0), (S[0], 0), ICMP)
    assert acl("permit icmp host 2001:db8::1 any").permits(
        ("2001:db8::1", 0), ("2001:db8::2", 0), ICMPV6
    )


@pytest.mark.parametrize(
    ("line", "permitted"),
    [
        ("permit tcp any 2001:db8:2::/48 eq www", True),
        ("permit tcp any 2001:db8:3::/48 eq www", False),
        ("permit tcp host 2001:db8:1::10 any", True),
        ("permit ipv6 any any", True),
        ("permit tcp 2001:db8:1::8/125 host 2001:db8:2::5 range www 90", False),
        ("permit tcp 2001:db8:1::10/125 host 2001:db8:2::5 range www 90", True),
    ],
)
def test_ipv6_rules_take_prefixes(line, permitted):
    """A prefix length stands for the wildcard mask."""
    assert permitted == acl(line).permits(C6, S6)


def test_a_rule_is_of_one_family():
    """Cisco's `any` in a list of IPv4 is not IPv6, and the other way round."""
    assert not acl("permit tcp any any").permits(C6, S6)
    assert not acl("permit ipv6 any any").permits(C, S)


def test_remarks_blanks_and_comments_are_no_rules():
    """What people write between the rules."""
    rules = acl("remark for the web", "", "permit tcp any any ! all", "!")
    assert 1 == len(rules.rules)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("allow tcp any any", "begins with permit or deny, not 'allow'"),
        ("permit", "a protocol is one of ip, icmp, tcp, udp, ahp"),
        ("permit tdp any any", "not 'tdp'"),
        ("permit 256 any any", "not '256'"),
        ("permit tcp", "is not any, host A or an address with its wildcard"),
        ("permit tcp any", "is not any, host A"),
        ("permit tcp any host", "'' is not an address"),
        ("permit tcp any eq www", "'' is not any"),
        ("permit tcp any 10.0.0.1", "an address with its wildcard"),
        ("permit tcp any 10.0.0.1 any", "'any' is not an address"),
        ("permit tcp any 10.0.0.256 0.0.0.0", "'10.0.0.256' is not an address"),
        ("permit tcp any any eq", "'' is not a port"),
        ("permit tcp any any eq https", "'https' is not a port"),
        ("permit tcp any any eq 65536", "'65536' is not a port"),
        ("permit tcp any any eq -1", "'-1' is not a port"),
        ("permit tcp any any eq ²", "'²' is not a port"),
        ("permit tcp any any range 90 80", "the wrong way round"),
        ("permit tcp any any range 80", "'' is not a port"),
        ("permit ip any any eq 80", "only tcp and udp have ports"),
        ("permit udp any any eq www", "'www' is not a port"),
        ("permit tcp any any establish me", "'me' is more than a rule"),
        ("permit tcp any any dscp", "dscp wants a value"),
        ("permit tcp any 2001:db8::1", "not any, host or an IPv6 prefix"),
        ("permit tcp any 2001:db8::1/129", "is not a prefix"),
        ("permit tcp host 10.0.0.1 host 2001:db8::1", "not an address of IPv6"),
    ],
)
def test_malformed_rule_is_refused_with_its_line(line, why):
    """An operator learns which line, and which word of it."""
    with pytest.raises(ValueError, match="line 2") as refused:
        acl("permit tcp any any", line)
    assert why in str(refused.value)


def test_constructor_takes_the_same_in_python():
    """Rules without text."""
    rules = AccessList(
        "web",
        [
            deny(source="192.0.2.0/28", dport="www"),
            permit("tcp", "192.0.2.8 0.0.0.7", "198.51.100.5", dport=(80, 90)),
            permit("tcp", "2001:db8:1::/48", dport="gt 79", sport=40000),
            permit("udp", dport="domain"),
            permit("ip", destination="2001:db8:2::5"),
        ],
    )
    assert ["deny", "permit", "permit", "permit", "permit"] == [
        str(rule).split()[0] for rule in rules.rules
    ]
    assert [4, 4, 6, 0, 6] == [rule.family for rule in rules.rules]
    assert not rules.permits(C, S)
    assert rules.permits(C6, S6)


def test_any_to_any_in_python_is_both_families():
    """`permit()` alone protects everything."""
    rules = AccessList(100, [permit()])
    assert "100" == rules.name
    assert rules.permits(C, S)
    assert rules.permits(C6, S6)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"source": "10.0.0.1", "destination": "::1"}, "of two families"),
        ({"source": "10.0.0.1/8"}, "is not a prefix"),
        ({"source": "nowhere"}, "nowhere"),
        ({"source": ":: ::1"}, "a wildcard mask is one of IPv4"),
        ({"protocol": "tdp"}, "not 'tdp'"),
        ({"dport": "www 80"}, "'www 80' is not a port"),
        ({"dport": "eq 80 90"}, "'eq 80 90' is not a port"),
        ({"dport": 65536}, "'65536' is not a port"),
        ({"dport": "xyz 80"}, "'xyz 80' is not a port"),
    ],
)
def test_constructor_refuses(arguments, why):
    """Wrong arguments raise, saying what is wrong."""
    with pytest.raises(ValueError, match=r".") as refused:
        permit(**arguments)
    assert why in str(refused.value)


def test_text_of_a_list_is_its_configuration():
    """What `str` prints a router would take."""
    rules = AccessList(
        "web",
        [
            permit(dport=80),
            deny("ip", "10.0.0.0/8"),
            permit("tcp", "any", "2001:db8::/32", dport=(80, 90)),
            permit("tcp", destination="10.1.0.3 0.0.255.0", sport="gt 1023"),
            permit(47, "10.9.9.9"),
        ],
    )
    assert (
        "ip access-list extended web\n"
        " permit tcp any any eq 80\n"
        " deny ip 10.0.0.0 0.255.255.255 any\n"
        " permit tcp any gt 1023 10.1.0.3 0.0.255.0\n"
        " permit gre host 10.9.9.9 any\n"
        "ipv6 access-list web\n"
        " permit tcp any any eq 80\n"
        " permit tcp any 2001:db8::/32 range 80 90"
    ) == str(rules)
    assert "ip access-list extended empty" == str(AccessList("empty"))
    assert (
        "ip access-list extended all\n"
        " permit ip any any\n"
        "ipv6 access-list all\n"
        " permit ipv6 any any"
    ) == str(AccessList("all", [permit("ip")]))


def test_compiled_rule_has_the_members_of_c():
    """What C is given, in the order of its enumeration of operators; made once."""
    rules = acl("permit tcp any lt 9 host 10.0.0.1 range 1 2")
    compiled = rules.compiled()
    assert compiled is rules.compiled()
    (rule,) = ffi.from_buffer("struct flow_rule[]", compiled)
    assert 1 == rule.permit
    assert (6, 4) == (rule.protocol, rule.family)
    assert b"\x0a\0\0\x01" + bytes(12) == bytes(rule.destination)
    assert bytes(4) + b"\xff" * 12 == bytes(rule.destination_wildcard)
    assert b"\xff" * 16 == bytes(rule.source_wildcard)
    assert ("lt", "range") == (
        OPERATORS[rule.source_op],
        OPERATORS[rule.destination_op],
    )
    assert (9, 1, 2) == (
        rule.source_lo,
        rule.destination_lo,
        rule.destination_hi,
    )


PORTS = st.sampled_from(
    ["", " eq www", " neq 22", " lt 1024", " gt 1023", " range 80 90", " eq 0"]
)
ENDS = {
    4: st.sampled_from(["any", "host 192.0.2.1", "10.0.0.0 0.255.255.255"]),
    6: st.sampled_from(["any", "host 2001:db8::1", "2001:db8::/32", "::/1"]),
}


@given(st.data(), st.sampled_from([4, 6]), st.sampled_from(["permit", "deny"]))
def test_rule_survives_its_own_text(data, family, action):
    """Reading what `str` wrote gives the same rule."""
    source, destination = data.draw(ENDS[family]), data.draw(ENDS[family])
    ports = data.draw(PORTS), data.draw(PORTS)
    line = f"{action} tcp {source}{ports[0]} {destination}{ports[1]}"
    (rule,) = parse_rule(line.split(), family, [])
    assert [rule] == parse_rule(str(rule).split(), family, [])


@given(st.text(max_size=60))
def test_any_text_is_a_rule_or_a_value_error(line):
    """Nothing else can come of a line."""
    with suppress(ValueError):
        AccessList.parse([line])


@pytest.mark.parametrize(
    ("line", "rules", "note"),
    [
        (
            "PERMIT TCP ANY HOST 10.0.0.1 EQ WWW LOG",
            ["tcp any host 10.0.0.1 eq 80"],
            "",
        ),
        ("per tcp an ho 10.0.0.1 log-input", ["tcp any host 10.0.0.1"], ""),
        ("permit esp any any (12 matches)", ["esp any any"], ""),
        ("permit udp any any eq ripv6 sequence 20", ["udp any any eq 521"], ""),
        (
            "permit tcp any any eq www 22",
            ["tcp any any eq 80", "tcp any any eq 22"],
            "",
        ),
        (
            "permit tcp any any neq 22 80",
            [f"tcp any any range {r}" for r in ("0 21", "23 79", "81 65535")],
            "",
        ),
        ("permit tcp any any time-range work", ["tcp any any"], "time-range is"),
        ("permit ip any any dscp ef", ["ip any any"], "dscp is"),
        ("permit tcp any any syn", ["tcp any any"], ""),
        ("permit tcp any any established", [], "established"),
        ("permit tcp any any ack", [], "ack"),
        ("permit tcp any any match-any +ack -rst", [], "match-any"),
        ("permit ip any any fragments", [], "fragments"),
        ("permit icmp any any echo-reply", [], "ICMP"),
        ("permit icmp any any 3 4", [], "ICMP"),
        ("permit tcp object-group web any", [], "object-group"),
    ],
)
def test_rule_as_a_router_has_it_makes_rules_or_a_note(line, rules, note):
    """What cannot decide about a SYN is left out, and named."""
    notes: list[str] = []
    found = parse_rule(line.split(), 4, notes)
    assert [f"permit {rule}" for rule in rules] == list(map(str, found))
    assert note in " ".join(notes)
    assert bool(note) == bool(notes)


def test_ipv6_prefix_loses_its_host_bits():
    """A router takes an address with its length."""
    (rule,) = parse_rule(["permit", "tcp", "any", "2001:db8::1/64"], 6, [])
    assert "permit tcp any 2001:db8::/64" == str(rule)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("permit any", "permit ip any any"),
        ("deny 10.0.0.1 log", "deny ip host 10.0.0.1 any"),
        ("permit host 10.0.0.1", "permit ip host 10.0.0.1 any"),
        ("permit 10.0.0.0 0.0.0.255", "permit ip 10.0.0.0 0.0.0.255 any"),
        (
            "permit 10.0.0.0, wildcard bits 0.0.0.255 (7 matches)",
            "permit ip 10.0.0.0 0.0.0.255 any",
        ),
    ],
)
def test_rule_of_a_standard_list_is_for_every_protocol(line, rule):
    """It names a source alone."""
    assert [rule] == list(map(str, parse_standard(line.split(), [])))
