"""syncache/ios/access.py: commands of access lists and object groups."""

from __future__ import annotations

import pytest

from syncache.ios.config import read


@pytest.mark.parametrize("text", ["a a", "A h 192.0.2.1", "an ho 192.0.2.1"])
def test_any_and_host_may_be_one_letter(text):
    """Nothing else stands there that begins so."""
    short = read([f"access-list 110 permit tcp {text}"]).lists["110"]
    words = {"a": "any", "an": "any", "h": "host", "ho": "host"}
    full = " ".join(words.get(word.lower(), word) for word in text.split())
    whole = read([f"access-list 110 permit tcp {full}"]).lists["110"]
    assert [str(rule) for rule in whole.rules] == [str(r) for r in short.rules]


def test_groups_end_where_other_lines_begin():
    """Indented lines are members, and lines that look like one; no others."""
    config = read(
        [
            "object-group network A",
            " 10.0.0.0 255.0.0.0",
            "host 192.0.2.1",
            "interface Ethernet0",
            " ip address 10.0.0.1 255.0.0.0",
            "access-list 100 permit ip any object-group A",
        ]
    )
    assert [
        "permit ip any 10.0.0.0 0.255.255.255",
        "permit ip any host 192.0.2.1",
    ] == [str(rule) for rule in config.lists["100"].rules]


def test_removed_member_leaves_its_group_unclear():
    """Rules with it are left out, and the note says why."""
    config = read(
        [
            "object-group network A",
            " host 192.0.2.1",
            " no host 192.0.2.1",
            "access-list 100 permit ip any object-group A",
            "access-list 100 permit ip any any",
        ]
    )
    assert 1 == len(config.lists["100"].rules)
    assert "is removed from it" in config.notes[0]


def test_group_of_another_kind_is_read_past():
    """And rules with it are left out."""
    config = read(
        [
            "object-group security TRUSTED",
            " security-group tag-id 12",
            "access-list 100 permit ip object-group TRUSTED any",
        ]
    )
    assert "security" in config.notes[0]


@pytest.mark.parametrize(
    "line",
    [
        "access-list 100 dynamic LOCK timeout 60 permit tcp any any",
        "access-list 700 permit 0000.0c00.0000 0000.00ff.ffff",
        "access-list compiled",
        "access-list 100 remark permit nothing",
    ],
)
def test_line_without_effect_makes_no_rule(line):
    """Nor an error."""
    assert {} == read([line]).lists or () == read([line]).lists["100"].rules


WRONG = "access-list 110 permit esp host any any"
BESIDE = ("hostname r1", WRONG, "access-list 101 permit tcp any any eq 80")


def test_fault_in_a_list_of_another_feature_leaves_that_list_out():
    """A router's whole configuration is read; the list and its line are named."""
    config = read([*BESIDE, "ip tcp intercept list 101"])
    assert {"101"} == set(config.lists)
    said = (
        "line 2: 'any' is not an address; access list 110, which nothing uses, is left"
    )
    assert any(note.startswith(said) for note in config.notes)


@pytest.mark.parametrize(
    "lines",
    [
        [*BESIDE, "ip tcp intercept list 110"],
        [WRONG],
        [WRONG, "ip tcp intercept list 102"],
        ["ip access-list extended X", " 10 permit esp host any any", " permit ip x"],
    ],
)
def test_fault_in_a_list_that_may_be_ours_is_an_error(lines):
    """The first one, with its line."""
    with pytest.raises(ValueError, match=r"^line [12]: 'any' is not an address"):
        read(lines)


def test_fault_in_any_list_is_an_error_when_strict():
    """Whatever the list is for."""
    with pytest.raises(ValueError, match="'any' is not an address"):
        read([WRONG, "ip tcp intercept list 101"], strict=True)


@pytest.mark.parametrize("line", ["no access-list 101", "no ip access-list extended X"])
def test_list_may_be_deleted_before_it_is_written(line):
    """As scripts do; strict is what it was."""
    config = read([line, "access-list 102 permit tcp any any"])
    assert {"102"} == set(config.lists)
    with pytest.raises(ValueError, match="there is no access list"):
        read([line], strict=True)


def test_port_groups_stand_for_ports():
    """A rule for each member, of either end."""
    config = read(
        [
            "object-group ip port WEB",
            " eq 80",
            " range 8000 8010",
            "object-group ip address HOSTS",
            " host 192.0.2.1",
            "ip access-list extended X",
            " permit tcp any any portgroup WEB",
            " permit tcp any portgroup WEB any",
            " permit tcp any addrgroup HOSTS eq 22",
        ]
    )
    assert [
        "permit tcp any any eq 80",
        "permit tcp any any range 8000 8010",
        "permit tcp any eq 80 any",
        "permit tcp any range 8000 8010 any",
        "permit tcp any host 192.0.2.1 eq 22",
    ] == [str(rule) for rule in config.lists["X"].rules]


@pytest.mark.parametrize("kind", ["", "extended ", "standard "])
def test_ipv6_lists_may_say_their_kind(kind):
    """As some switches do; the name is the last word."""
    config = read([f"ipv6 access-list {kind}V6", " permit tcp any any eq 22"])
    assert {"V6"} == set(config.lists)


@pytest.mark.parametrize(
    ("head", "rule", "why"),
    [
        ("ipv6 access-list X", "permit hbh any any", "hop-by-hop"),
        ("ip access-list extended X", "permit tcp any interface Dialer0", "interface"),
        ("ip access-list extended X", "permit sctp any any eq 2905", "SCTP"),
    ],
)
def test_rule_that_cannot_be_expressed_is_left_out(head, rule, why):
    """And named."""
    config = read([head, f" {rule}", " permit tcp any any"])
    assert 1 == len(config.lists["X"].rules)
    assert any(why in note and "left out" in note for note in config.notes)


@pytest.mark.parametrize("word", ["icmp", "icmpv6", "ICMP6", "58"])
def test_icmp_of_ipv6_has_several_names(word):
    """Other systems have another one than IOS."""
    config = read(["ipv6 access-list L", f" 10 permit {word} any any"])
    assert ["permit icmp any any"] == [str(r) for r in config.lists["L"].rules]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (" 10 permit ipv4 any any", "permit ip any any"),
        (" deny IPv4 host 192.0.2.1 any", "deny ip host 192.0.2.1 any"),
        (" sequence 5 permit tcp any any", "permit tcp any any"),
        (" 5 remark all", None),
    ],
)
def test_rule_of_another_system_is_that_of_a_router(line, rule):
    """`ipv4` is its `ip`."""
    rules = read(["ip access-list extended X", line]).lists["X"].rules
    assert [rule] * (rule is not None) == [str(one) for one in rules]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("evaluate BACK", "evaluate"),
        ("dynamic LOCK permit ip any any", "dynamic"),
        ("statistics per-entry", "statistics"),
        ("counters", "counters"),
        ("ignore routable", "ignore"),
        ("fragments permit-all", "fragments"),
        ("hardware statistics", "hardware"),
    ],
)
def test_line_of_a_list_that_is_no_rule_is_named(line, name):
    """It makes no rule, and the operator is told."""
    config = read(["ip access-list extended X", f" {line}", " permit tcp any any"])
    assert [f"line 2: {name} is ignored"] == config.notes
    assert 1 == len(config.lists["X"].rules)


@pytest.mark.parametrize("name", ["WEB", "101"])
def test_list_that_is_taken_back_is_gone(name):
    """With all its rules; what comes later begins a new one."""
    line = f"access-list {name} permit tcp any any eq 80"
    assert {} == read([line, f"no access-list {name}"]).lists
    again = read([line, f"no access-list {name}", line]).lists
    assert 1 == len(again[name].rules)


def test_sequence_numbers_order_rules_and_have_bounds():
    """10 apart where none is said; 1 to 2147483647."""
    config = read(
        [
            "ip access-list extended X",
            " permit tcp any any eq 1",
            " permit tcp any any eq 2",
            " 11 permit tcp any any eq 3",
            " 2147483647 permit tcp any any eq 4",
            " 1 permit tcp any any eq 5",
        ]
    )
    ports = [rule.destination.ports.low for rule in config.lists["X"].rules]
    assert [5, 1, 3, 2, 4] == ports
    with pytest.raises(ValueError, match="1 to 2147483647, not '2147483648'"):
        read(["ip access-list extended X", " 2147483648 permit tcp any any"])


@pytest.mark.parametrize(
    ("number", "standard"),
    [
        *((1, True), (99, True), (100, False), (199, False)),
        *((1300, True), (1999, True), (2000, False), (2699, False)),
    ],
)
def test_number_of_a_list_tells_its_kind(number, standard):
    """Standard lists say only where packets come from."""
    rule = "permit host 192.0.2.1" if standard else "permit ip host 192.0.2.1 any"
    rules = read([f"access-list {number} {rule}"]).lists[str(number)].rules
    assert ["permit ip host 192.0.2.1 any"] == [str(one) for one in rules]


@pytest.mark.parametrize("number", [0, 200, 1299, 2700])
def test_number_of_another_protocol_is_ignored_with_a_note(number):
    """Its rules are not read; strict is an error."""
    line = f"access-list {number} permit tcp any any"
    config = read([line])
    assert {} == config.lists
    assert ["line 1: access lists of other protocols are ignored"] == config.notes
    with pytest.raises(ValueError, match=f"100-199 or 2000-2699, not {number}"):
        read([line], strict=True)


def test_numbers_stand_in_front_of_whatever_a_list_has():
    """As newer systems write them, also before what has no effect here."""
    lines = ["ip access-list extended P", " 10 evaluate MIRROR", " 20 remark web"]
    lines += [" 30 dynamic T permit ip any any", " sequence 40 permit tcp any any"]
    config = read([*lines, "ip tcp intercept list P"])
    assert ["permit tcp any any"] == [str(rule) for rule in config.lists["P"].rules]
    assert ["line 2: evaluate is ignored", "line 4: dynamic is ignored"] == config.notes


def test_rule_with_names_to_be_asked_for_is_left_out():
    """No name server is asked."""
    rules = [" permit tcp any fqdn-group F eq 443", " permit tcp any any eq 80"]
    config = read(["ip access-list extended X", *rules, "ip tcp intercept list X"])
    assert ["permit tcp any any eq 80"] == [
        str(rule) for rule in config.lists["X"].rules
    ]
    assert "fqdn-group" in config.notes[0]
