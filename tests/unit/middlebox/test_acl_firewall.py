"""syncache/acl/firewall.py: access lists as PIX and ASA firewalls write them."""

from __future__ import annotations

import pytest

from syncache.acl import firewall
from syncache.acl.parse import LeftOut
from syncache.ios.config import read_lines


def rules(*lines):
    """Return the rules of the list named L, and the notes."""
    config = read_lines(list(lines), "f:")
    draft = config.drafts.get("L")
    found = str(draft.finished()).splitlines()[1:] if draft else []
    return [line.strip() for line in found], config.report("")


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (
            "extended permit tcp any host 198.51.100.5 eq https",
            "permit tcp any host 198.51.100.5 eq 443",
        ),
        ("permit tcp any host 198.51.100.5 eq www", None),
        (
            "extended permit tcp any4 198.51.100.0 255.255.255.0 eq ssh",
            "permit tcp any 198.51.100.0 0.0.0.255 eq 22",
        ),
        (
            "line 3 extended deny ip any any (hitcnt=12) 0x8cdb39f8",
            "deny ip any any",
        ),
        (
            "extended permit tcp any any range ftp-data ftp log debugging interval 300",
            "permit tcp any any range 20 21",
        ),
        ("extended permit tcp any any log disable", "permit tcp any any"),
        (
            "standard permit 10.0.0.0 255.0.0.0",
            "permit ip 10.0.0.0 0.255.255.255 any",
        ),
        ("standard permit host 10.0.0.1", "permit ip host 10.0.0.1 any"),
        (
            "extended permit udp 192.0.2.0/24 any eq sip",
            "permit udp 192.0.2.0 0.0.0.255 any eq 5060",
        ),
    ],
)
def test_a_rule_is_that_of_a_router(words, rule):
    """Masks are those of subnets; counters and levels of the log are passed over."""
    found, _ = rules(f"access-list L {words}")
    expected = rule or "permit tcp any host 198.51.100.5 eq 80"
    assert [expected] == found


def test_groups_and_objects_of_a_firewall_stand_for_their_members():
    """Addresses, services, ports, and objects in groups."""
    found, notes = rules(
        "object network web",
        " host 198.51.100.7",
        " nat (inside,outside) static 203.0.113.7",
        "object-group network WEB",
        " network-object host 198.51.100.5",
        " network-object 198.51.100.64 255.255.255.192",
        " network-object object web",
        "object-group service PORTS tcp",
        " port-object eq https",
        " port-object range 8000 8010",
        "object-group service MIX",
        " service-object tcp destination eq 22",
        "access-list L extended permit tcp any object-group WEB object-group PORTS",
        "access-list L extended permit object-group MIX any object web",
    )
    targets = (
        "host 198.51.100.5",
        "198.51.100.64 0.0.0.63",
        "host 198.51.100.7",
    )
    ports = ("eq 443", "range 8000 8010")
    assert [
        *(f"permit tcp any {to} {port}" for to in targets for port in ports),
        "permit tcp any host 198.51.100.7 eq 22",
    ] == found
    assert not any("left out" in note for note in notes)


@pytest.mark.parametrize(
    "line",
    [
        "access-list L remark for the web",
        "access-list L; 3 elements; name hash: 0x1234",
        "access-list cached ACL log flows: total 0, denied 0",
        "access-list alert-interval 300",
    ],
)
def test_lines_that_are_no_rules_are_passed_over(line):
    """Remarks, and what `show access-list` prints."""
    assert [] == rules(line)[0]


@pytest.mark.parametrize(
    "words",
    [
        "extended permit ip any6 any4",
        "extended permit tcp host 192.0.2.1 2001:db8::/32",
        "extended permit tcp any any inactive",
        "extended permit tcp any interface outside eq 25",
        "extended permit ip user X\\y any any",
        "ethertype permit bpdu",
    ],
)
def test_what_cannot_be_said_is_left_out_with_a_note(words):
    """The note names the reason."""
    with pytest.raises(LeftOut):
        firewall.rule(words.split())
    found, notes = rules(f"access-list L {words}")
    assert [] == found
    assert any("left out" in note or "ignored" in note for note in notes)


def test_a_fault_names_its_line_and_word():
    """As in any list; with `strict` a name in the place of a number is one."""
    with pytest.raises(ValueError, match=r"f:1: 'nonsense'"):
        rules("access-list L extended permit tcp any any nonsense")
    with pytest.raises(ValueError, match="has a number"):
        read_lines(["access-list L extended permit ip any any"], "f:", strict=True)


def test_a_rule_is_removed_by_its_words():
    """And the whole list by its name."""
    line = "access-list L extended permit tcp any any eq https"
    assert [] == rules(line, "no " + line)[0]
    assert [] == rules(line, "no access-list L")[0]
