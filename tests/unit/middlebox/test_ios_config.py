"""Tests of the reader of IOS configurations: commands, `no`, blocks, errors."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncache import Inspection, Intercept, Sysctl
from syncache.acl import AccessList
from syncache.ios.config import COMMANDS, INTERCEPT, read, written
from syncache.ios.inspect import chosen

C = ("192.0.2.10", 40000)
S = ("198.51.100.5", 80)

ARTICLE = """
! TCP Intercept, as the article has it
access-list 199 permit tcp any any eq www
ip tcp intercept list 199
ip tcp intercept mode intercept
ip tcp intercept drop-mode random
ip tcp intercept connection-timeout 3600
ip tcp intercept max-incomplete high 1500
ip tcp intercept max-incomplete low 1200
ip tcp intercept one-minute low 1200 high 1500
end
"""


def changes(*lines):
    """What lines say, without the prefix of the names."""
    said = read(lines, known=["100"]).changes
    return {name.removeprefix(INTERCEPT): value for name, value in said.items()}


def test_whole_configuration_is_one_transaction():
    """Lists and tunables together; numbers of a pair may come one by one."""
    config = read(ARTICLE.splitlines())
    sysctl = Sysctl()
    sysctl.assign(config.changes, config.places)
    assert "199" == sysctl[INTERCEPT + "list"]
    assert (1200, 1500) == (
        sysctl[INTERCEPT + "max_incomplete.low"],
        sysctl[INTERCEPT + "max_incomplete.high"],
    )
    assert 3600 == sysctl[INTERCEPT + "connection_timeout"]
    assert "random" == sysctl[INTERCEPT + "drop_mode"]
    assert config.lists["199"].permits(C, S)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ip tcp intercept list 100", {"list": "100"}),
        ("ip tcp intercept mode watch", {"mode": "watch"}),
        ("ip tcp intercept drop-mode random", {"drop_mode": "random"}),
        ("ip tcp intercept watch-timeout 60", {"watch_timeout": 60}),
        ("ip tcp intercept finrst-timeout 10", {"finrst_timeout": 10}),
        ("ip tcp intercept connection-timeout 60", {"connection_timeout": 60}),
        ("ip tcp intercept max-incomplete low 5", {"max_incomplete.low": 5}),
        (
            "ip tcp intercept one-minute high 9 low 5",
            {"one_minute.low": 5, "one_minute.high": 9},
        ),
        ("no ip tcp intercept list", {"list": ""}),
        ("no ip tcp intercept list 100", {"list": ""}),
        ("no ip tcp intercept mode watch", {"mode": "intercept"}),
        ("no ip tcp intercept drop-mode", {"drop_mode": "oldest"}),
        ("default ip tcp intercept drop-mode", {"drop_mode": "oldest"}),
        ("no ip tcp intercept watch-timeout", {"watch_timeout": 30}),
        ("no ip tcp intercept finrst-timeout 7", {"finrst_timeout": 5}),
        ("no ip tcp intercept connection-timeout", {"connection_timeout": 86400}),
        ("no ip tcp intercept max-incomplete low 5", {"max_incomplete.low": 900}),
        (
            "no ip tcp intercept one-minute",
            {"one_minute.low": 900, "one_minute.high": 1100},
        ),
        (
            "no ip tcp intercept one-minute low 1 high 2",
            {"one_minute.low": 900, "one_minute.high": 1100},
        ),
    ],
)
def test_command_and_its_no_form(line, said):
    """`no` restores that one default."""
    assert said == changes(line)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ip tcp intercept", "'ip tcp intercept' is not understood"),
        ("ip tcp intercept mode", "one value is wanted, not ''"),
        ("ip tcp intercept mode drop", "one of intercept, watch, not 'drop'"),
        ("ip tcp intercept mode watch me", "one value is wanted"),
        ("ip tcp intercept drop-mode newest", "one of oldest, random, heaviest"),
        ("ip tcp intercept connection-timeout 0", "1 to 2147483, not 0"),
        ("ip tcp intercept watch-timeout soon", "1 to 2147483, not 'soon'"),
        ("ip tcp intercept watch-timeout +5", "1 to 2147483, not '+5'"),
        ("ip tcp intercept watch-timeout 0x5", "1 to 2147483, not '0x5'"),
        ("ip tcp intercept watch-timeout \u0663", "1 to 2147483, not '\u0663'"),
        ("ip tcp intercept max-incomplete", "low or high is wanted"),
        ("ip tcp intercept max-incomplete 900", "low or high is wanted once each"),
        ("ip tcp intercept max-incomplete low", "low wants a number"),
        ("ip tcp intercept max-incomplete low high 5", "low wants a number"),
        ("ip tcp intercept max-incomplete low 1 low 2", "once each, not 'low'"),
        ("no ip tcp intercept mode intercept watch", "one value is wanted"),
        ("hostname router", "'hostname router' is not understood"),
        ("permit tcp any any", "'permit tcp any any' is not understood"),
        ("no", "'no' is not understood"),
        ("access-list", "has a number, not ''"),
        ("access-list web permit tcp any any", "has a number, not 'web'"),
        ("access-list 700 permit any", "100-199 or 2000-2699, not 700"),
        ("ip tcp intercept moda watch", "'moda' is not understood in"),
        ("access-list 101 permit", "a protocol is one of"),
        ("access-list 101", "a rule begins with permit or deny, not ''"),
        ("no access-list 101", "there is no access list 101"),
        ("no access-list 101 permit tcp any any", "there is no access list 101"),
        ("ip access-list extended", "one name is wanted, not ''"),
        ("ip access-list extended a b", "one name is wanted"),
        ("no ip access-list extended web", "there is no access list web"),
        ('ip access-list extended "web"', "a word of"),
        ("ip tcp intercept list 101", "there is no access list 101"),
    ],
)
def test_malformed_line_is_an_error_with_its_number(line, why):
    """Whatever is not understood stops the reading."""
    with pytest.raises(ValueError, match=r"^line 3: ") as refused:
        read(["!", "ip tcp intercept mode watch", line], strict=True)
    assert why in str(refused.value)


def test_pair_that_crosses_is_refused_with_its_line():
    """What only the whole can tell has a place too; nothing has changed."""
    config = read(
        ["ip tcp intercept mode watch", "ip tcp intercept one-minute low 2000"]
    )
    sysctl = Sysctl()
    before = dict(sysctl)
    with pytest.raises(ValueError, match=r"^line 2: .* 2000; .* 1100"):
        sysctl.assign(config.changes, config.places)
    assert before == dict(sysctl)


def test_list_may_come_behind_its_use():
    """`show running-config` prints access lists after `ip tcp intercept list`."""
    config = read(
        ["ip tcp intercept list 100", "access-list 100 permit tcp any any eq www"]
    )
    assert config.lists["100"].permits(C, S)


def test_named_blocks_of_both_families_are_one_list():
    """Rules, remarks, numbers, `no` and `exit` inside of a block."""
    config = read(
        [
            "ip access-list extended web",
            " remark the web",
            " permit tcp any any eq www",
            " 5 deny tcp host 192.0.2.10 any",
            " 30 permit tcp any any eq 443",
            " no 30",
            "ipv6 access-list web",
            " sequence 20 permit tcp any any eq 443",
            " permit tcp any any eq www",
            " no permit tcp any any eq 443",
            " exit",
            "ip tcp intercept list web",
        ]
    )
    assert [
        "deny tcp host 192.0.2.10 any",
        "permit tcp any any eq 80",
        "permit tcp any any eq 80",
    ] == [str(rule) for rule in config.lists["web"].rules]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("0 permit tcp any any", "a sequence number is 1 to"),
        ("10 deny tcp any any", "there is a rule 10 already"),
        ("sequence", "a sequence number is 1 to"),
        ("20", "begins with permit or deny"),
        ("no exit", "begins with permit or deny"),
        ("evoke x", "begins with permit or deny"),
    ],
)
def test_malformed_line_in_a_block(line, why):
    """A block's own errors have their line too."""
    lines = ["ip access-list extended web", " permit tcp any any", f" {line}"]
    with pytest.raises(ValueError, match=r"^line 3: ") as refused:
        read(lines)
    assert why in str(refused.value)


@pytest.mark.parametrize("line", ["no 20", "no deny tcp any any"])
def test_rule_that_is_not_there_can_be_removed(line):
    """A router goes on too; strict is an error."""
    lines = ["ip access-list extended web", " permit tcp any any", f" {line}"]
    config = read(lines)
    assert 1 == len(config.lists["web"].rules)
    assert ["line 3: list web has no such rule to remove"] == config.notes
    with pytest.raises(ValueError, match="has no such rule"):
        read(lines, strict=True)


def test_lists_can_be_taken_away_again():
    """`no access-list N` and its kin."""
    config = read(
        [
            "access-list 100 permit tcp any any",
            "access-list 100 deny tcp any any",
            "access-list 100 remark all",
            "no access-list 100 deny tcp any any",
            "access-list 101 permit tcp any any",
            "no access-list 101",
            "ip access-list extended web",
            "ipv6 access-list web",
            "no ip access-list extended web",
            "ip access-list extended gone",
            "no ip access-list extended gone",
        ]
    )
    assert ["100", "web"] == sorted(config.lists)
    assert 1 == len(config.lists["100"].rules)


def test_file_names_itself_in_errors(tmp_path):
    """A path is read as text, whatever its bytes."""
    path = tmp_path / "router.conf"
    path.write_bytes(b"\xef\xbb\xbfip tcp intercept mode watch\n\xff\xfe\n")
    with pytest.raises(ValueError, match=r"router\.conf:2: '"):
        read(path, strict=True)


def test_written_configuration_reads_back():
    """What is printed makes the same values and lists again."""
    config = read(ARTICLE.splitlines())
    sysctl = Sysctl()
    sysctl.assign(config.changes, config.places)
    text = written(sysctl, list(config.lists.values()))
    assert "ip tcp intercept one-minute low 1200 high 1500" in text
    again = read(text.splitlines())
    other = Sysctl()
    other.assign(again.changes, again.places)
    assert (dict(sysctl), config.lists) == (dict(other), again.lists)
    assert "" == written(Sysctl(), [])


WORDS = st.sampled_from(
    [word for command in COMMANDS for word in command]
    + ["no", "low", "high", "5", "100", "permit", "tcp", "any", "watch", "!", "exit"]
)


@given(st.lists(st.lists(WORDS, max_size=8).map(" ".join) | st.text(), max_size=8))
def test_any_text_is_a_configuration_or_a_value_error(lines):
    """Nothing else can come of a file."""
    try:
        config = read(lines)
    except ValueError:
        return
    assert set(config.changes) == set(config.places)


RUNNING = """\
Building configuration...

Current configuration : 4312 bytes
!
version 15.1
service timestamps log datetime msec
hostname border
!
enable secret 5 $1$mERr$hx5rVt7rPNoS4wqbXKX7m0
crypto pki certificate chain TP-self-signed-1
 certificate self-signed 01
  3082022B 30820194 A0030201 02020101 300D0609 2A864886
  \tquit
ip cef
ip tcp synwait-time 10
ip tcp intercept list SERVERS
ip tcp intercept mode watch
!
object-group network WEB
 host 198.51.100.7
!
interface GigabitEthernet0/0
 description to the provider!
 ip address 203.0.113.1 255.255.255.0
 ip access-group 110 in
 ip nat outside
 duplex auto
!
router ospf 1
 network 10.0.0.0 0.255.255.255 area 0
!
ip nat inside source list 10 interface GigabitEthernet0/0 overload
!
ip access-list extended SERVERS
 remark the shop
 permit tcp any host 198.51.100.5 eq www 443 log
 permit tcp any object-group WEB
 deny   tcp any any established
ip access-list standard ADMIN
 permit 10.0.0.0 0.0.0.255
ip prefix-list x seq 5 permit 10.0.0.0/8
!
access-list 10 permit 10.0.0.0 0.255.255.255
access-list 110 permit esp any any
access-list 110 permit icmp any any echo-reply
access-list 700 deny 0000.0000.0000 ffff.ffff.ffff
route-map out permit 10
 match ip address 110
!
banner motd ^C
ip inspect is no command here
access-list neither
^C
banner login #one line#
line vty 0 4
 access-class ADMIN in
 transport input ssh
!
end
"""


def test_running_configuration_is_read_past_other_features():
    """They are counted; what of ours has no effect is named with its first line."""
    config = read(RUNNING.splitlines())
    assert "watch" == config.changes[INTERCEPT + "mode"]
    web, tls, grouped = config.lists["SERVERS"].rules
    assert "permit tcp any host 198.51.100.7" == str(grouped)
    assert "permit tcp any host 198.51.100.5 eq 80" == str(web)
    assert "permit tcp any host 198.51.100.5 eq 443" == str(tls)
    assert {"SERVERS", "ADMIN", "10", "110"} == set(config.lists)
    number = 1 + RUNNING.splitlines().index(" deny   tcp any any established")
    notes = config.report("ip tcp intercept", "access lists")
    why = "rules with established are left out: established matches no SYN"
    assert f"line {number}: {why}" in notes
    assert f"{config.skipped} lines of other features are skipped" == notes[-1]
    assert 28 == config.skipped


def test_running_configuration_is_refused_when_strict():
    """Its first line is of no feature of ours."""
    with pytest.raises(ValueError, match=r"^line 1: 'Building .* not understood"):
        read(RUNNING.splitlines(), strict=True)


def test_words_may_be_short_and_in_capitals():
    """As a router takes them."""
    config = read(
        [
            "AC 110 PER TCP AN ANY EQ WWW",
            "ip tcp int list 110",
            "IP TCP INTERCEPT MODE WATCH",
            "ip tcp int max lo 5 hi 9",
            "ip insp na F TC AU OF AL ON TI 600",
        ]
    )
    assert "permit tcp any any eq 80" == str(config.lists["110"].rules[0])
    assert "watch" == config.changes[INTERCEPT + "mode"]
    assert 9 == config.changes[INTERCEPT + "max_incomplete.high"]
    (rule,) = chosen(config).rules
    assert (False, True, 600) == (rule.audit_trail, rule.alert, rule.timeout)


def test_shown_access_lists_are_read():
    """Heads, numbers and counts as `show access-lists` prints them."""
    config = read(
        [
            "Standard IP access list 10",
            "    10 permit 10.0.0.0, wildcard bits 0.0.0.255 (12 matches)",
            "Extended IP access list web",
            "    10 permit tcp any any eq www (3 matches)",
            "    20 deny ip any any (1 match)",
            "IPv6 access list web",
            "    permit tcp any any eq www (3 matches) sequence 10",
        ]
    )
    assert 3 == len(config.lists["web"].rules)
    assert "permit ip 10.0.0.0 0.0.0.255 any" == str(config.lists["10"].rules[0])
    assert 0 == config.skipped


def test_line_of_another_engine_is_named_by_each():
    """`ip inspect` means nothing to TCP Intercept."""
    config = read(["ip inspect alert-off", "access-list 101 permit tcp any any"])
    assert ["1 line of ip inspect has no effect here"] == config.report(
        "ip tcp intercept", "access lists"
    )
    assert ["1 line of access lists has no effect here"] == config.report("ip inspect")


FOLDER = Path(__file__).resolve().parents[2] / "vectors" / "ios"
# File -> rules of each access list, rules of each set, lines with an effect elsewhere.
WHOLE = {
    "01-old-intercept": ({"101": 1, "102": 2}, []),
    "02-home-dsl": ({"1": 1, "100": 3, "101": 2}, [("DEFAULT100", 14)]),
    "03-sdm-certificates": ({"23": 1, "103": 1, "104": 7}, [("SDM_LOW", 12)]),
    "04-two-directions": (
        {"INSIDE-IN": 1, "OUTSIDE-IN": 3},
        [("FROMOUTSIDE", 3), ("FROMINSIDE", 3)],
    ),
    "05-two-directions-unknown": ({}, [("LEFT+RIGHT", 3)]),
    "06-xe-object-groups": ({"FARM": 91, "SIX-IN": 3}, []),
    "07-provider-edge": ({"150": 71, "199": 1}, []),
    "08-switch": ({"CLIENTS": 7}, []),
    "09-pasted": ({"120": 2}, [("WEB", 2)]),
    "10-voice": ({}, [("VOICE", 8)]),
    "11-vpn-hub": ({"130": 1, "131": 4, "MIRROR": 2}, [("IN", 1), ("OUT", 6)]),
    "12-ipv6": ({"SIX": 5}, [("V6FW", 2)]),
    "13-automation": ({}, [("A", 2)]),
    "14-wireless": ({"51": 1, "151": 4}, [("WLAN", 5)]),
    "15-vrf": ({}, [("V", 2)]),
    "16-terminal-session": ({"100": 1, "10": 2, "110": 2, "SIX": 1}, []),
    "17-windows-file": ({"7": 1}, []),
    "18-data-centre": ({"BIG": 690}, []),
    "19-without-our-features": ({}, []),
    "20-changed-by-hand": ({"111": 1}, [("X", 2)]),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_running_configuration_is_taken_by_both_engines(name):
    """Of different ages and sizes, with banners, certificates and other features."""
    path = FOLDER / f"{name}.conf"
    lists, sets = WHOLE[name]
    config = read(path)
    assert lists == {of: len(acl.rules) for of, acl in config.lists.items()}
    rules = chosen(config)
    found = (
        [] if rules is None else [(one.name, len(one.rules)) for one in rules.sides()]
    )
    assert sets == found
    assert config.skipped > 0
    Inspection(seed=bytes(16)).configure(path)
    Intercept(acl=AccessList("x"), seed=bytes(16)).configure(path)
    with pytest.raises(ValueError, match="is not understood"):
        read(path, strict=True)


def test_every_whole_configuration_is_tried():
    """None lies in the folder untested."""
    assert sorted(WHOLE) == sorted(path.stem for path in FOLDER.glob("*.conf"))


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_written_of_a_whole_configuration_reads_the_same(name):
    """Tunables, lists and rules come back."""
    path = FOLDER / f"{name}.conf"
    box = Intercept(acl=AccessList("x"), seed=bytes(16))
    box.configure(path)
    again = Intercept(acl=AccessList("x"), seed=bytes(16))
    again.configure(box.configuration().splitlines())
    assert box.configuration() == again.configuration()
    engine, other = Inspection(seed=bytes(16)), Inspection(seed=bytes(16))
    engine.configure(path)
    other.configure(engine.configuration().splitlines())
    assert engine.rules.fields() == other.rules.fields()
    assert engine.configuration() == other.configuration()


@pytest.mark.parametrize(
    "lines",
    [
        ["banner exec ^C", "ip inspect nonsense", "^C"],
        ["banner motd #one line#"],
        ["menu ops title ^C", "access-list of things", "^C"],
        ["menu ops prompt %Pick one: %"],
        ["macro name desk", "access-list 199 nonsense $vlan", "interface @home", "@"],
        ["aaa authentication banner ^C", "access-list 5 permit everything", "^C"],
        ["aaa authentication fail-message %no", "ip tcp intercept x", "really%"],
        [" banner ^C", "ip inspect of a group of clients", "^C"],
        ["ip admission auth-proxy-banner http ^C", "ip inspect x", "^C"],
        [" refuse-message ^C", "no ip tcp intercept, no access-list^C"],
    ],
)
def test_text_of_the_operators_holds_no_command(lines):
    """Banners, menus, macros: up to what ends each."""
    config = read([*lines, "ip tcp intercept mode watch"])
    assert "watch" == config.changes[INTERCEPT + "mode"]
    assert len(lines) == config.skipped
