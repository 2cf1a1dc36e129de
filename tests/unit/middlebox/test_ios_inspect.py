"""Inspection in the words of the original: show commands and configuration lines."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from syncache import Sysctl
from syncache.flow_event import Place
from syncache.flow_session import Session, State
from syncache.inspect_rule import APPLICATIONS, APPLICATIONS_MAX, Rule, RuleSet
from syncache.inspection import Inspection, Statistics
from syncache.ios.config import read
from syncache.ios.inspect import (
    Interface,
    chosen,
    draft_of,
    show_config,
    show_interfaces,
    show_sessions,
    show_statistics,
    written,
)

OUTBOUND = RuleSet("OutBound", tuple(map(Rule, ("tcp", "udp", "icmp"))))
_I = "net.inet.inspect."
CONFIG = """\
Session audit trail is disabled
Session alert is enabled
one-minute (sampling period) thresholds are [400 : 500] connections
max-incomplete sessions thresholds are [400 : 500]
max-incomplete tcp connections per host is 50. Block-time 0 minute.
tcp synwait-time is 30 sec -- tcp finwait-time is 5 sec
tcp idle-time is 3600 sec -- udp idle-time is 30 sec
dns-timeout is 5 sec
Inspection Rule Configuration
 Inspection name OutBound
    tcp alert is on audit-trail is off timeout 3600
    udp alert is on audit-trail is off timeout 30
    icmp alert is on audit-trail is off timeout 10
"""


def test_config_is_what_a_router_prints():
    """Defaults, byte for byte."""
    assert CONFIG == show_config(Sysctl(), OUTBOUND)


def test_config_shows_what_holds_for_each_rule():
    """A rule's own words before the tunables; DNS by its timeout always."""
    sysctl = Sysctl({_I + "audit_trail": 1, _I + "tcp.block_time_s": 90})
    rules = RuleSet(
        "a", (Rule("tcp", alert=False, timeout=60), Rule("dns", timeout=9), Rule("sip"))
    )
    text = show_config(sysctl, rules)
    assert "Session audit trail is enabled\n" in text
    assert "Block-time 90 second.\n" in text
    assert "    tcp alert is off audit-trail is on timeout 60\n" in text
    assert "    dns alert is on audit-trail is on timeout 5\n" in text
    assert "    sip alert is on audit-trail is on timeout 30\n" in text


def test_unlimited_is_a_word():
    """0 is never printed where it means no limit."""
    sysctl = Sysctl()
    sysctl.preset("cbac-modern")
    text = show_config(sysctl, OUTBOUND)
    assert 2 == text.count("[unlimited : unlimited]")
    assert "per host is unlimited." in text


SESSION = Session(
    client=Place("10.1.1.2", 11000),
    server=Place("20.1.1.2", 23),
    protocol=6,
    state=State.SYNRCVD,
    mode="",
    counted=True,
    side=0,
    rule=0,
    rexmts=0,
    client_wscale=None,
    server_wscale=None,
    told_wscale=None,
    delta=0,
    id=0x63938D28,
    icmp_id=0,
    created=100.0,
    last=103.5,
    deadline=130.0,
    client_bytes=360,
    server_bytes=0,
)


def test_sessions_stand_under_their_state():
    """Half-open, established, terminating; empty groups have no title."""
    established = replace(SESSION, state=State.ESTAB, created=90.0, id=0x66F96EB0)
    closing = replace(SESSION, state=State.CLOSING, created=80.0, id=1)
    half = " Session 63938D28 (10.1.1.2:11000)=>(20.1.1.2:23) tcp SIS_OPENING\n"
    assert f"Half-open Sessions\n{half}" == show_sessions([SESSION], OUTBOUND, 110.0)
    text = show_sessions([closing, SESSION, established], OUTBOUND, 110.0)
    assert text == (
        f"Half-open Sessions\n{half}"
        "Established Sessions\n"
        " Session 66F96EB0 (10.1.1.2:11000)=>(20.1.1.2:23) tcp SIS_OPEN\n"
        "Terminating Sessions\n"
        " Session 00000001 (10.1.1.2:11000)=>(20.1.1.2:23) tcp SIS_CLOSING\n"
    )
    assert "" == show_sessions([], OUTBOUND, 0.0)


def test_detail_adds_times_and_bytes():
    """ICMP says what it asked for."""
    ping = replace(SESSION, protocol=1, client=Place("10.1.1.2", 8))
    text = show_sessions([ping], OUTBOUND, 110.0, detail=True)
    assert "(10.1.1.2:8)=>(20.1.1.2:23) icmp SIS_OPENING\n" in text
    assert "  Created 00:00:10, Last heard 00:00:06\n  ECHO request\n" in text
    assert "  Bytes sent (initiator:responder) [360:0]\n" in text
    assert "ECHO" not in show_sessions([SESSION], OUTBOUND, 110.0, detail=True)


def test_statistics_are_what_a_router_prints():
    """The block of the zone firewall's sample, byte for byte."""
    statistics = Statistics(
        tcp_packets=1276,
        udp_packets=1296,
        icmp_packets=3,
        sessions_created=116,
        established=53,
        half_open=6,
        half_open_udp=1,
        terminating=0,
        established_max=53,
        half_open_max=18,
        terminating_max=3,
        last_created=99.5,
        one_minute=115,
        one_minute_max=115,
        last_half_open=6,
        aggressive=False,
        aggressive_since=None,
        hosts_blocked=0,
    )
    text = """\
Packet inspection statistics [process switch:fast switch]
  tcp packets: [1276:0]
  udp packets: [1296:0]
Interfaces configured for inspection 1
Session creations since subsystem startup or last reset 116
Current session counts (estab/half-open/terminating) [53:6:0]
Maxever session counts (estab/half-open/terminating) [53:18:3]
Last session created 00:00:00
Last statistic reset never
Last session creation rate 115
Maxever session creation rate 115
Last half-open session total 6
"""
    assert text == show_statistics(statistics, 100.0)
    fresh = replace(statistics, last_created=None)
    assert "Last session created never\n" in show_statistics(fresh, 100.0)


def test_interfaces_show_what_is_bound_to_them():
    """Rules with their lines, lists, or `not set`."""
    interface = Interface("Ethernet0", {"out": "OutBound"}, {"in": "103"})
    text = show_interfaces(Sysctl(), OUTBOUND, [interface])
    assert text == (
        "Interface Configuration\n"
        " Interface Ethernet0\n"
        "  Inbound inspection rule is not set\n"
        "  Outgoing inspection rule is OutBound\n"
        "    tcp alert is on audit-trail is off timeout 3600\n"
        "    udp alert is on audit-trail is off timeout 30\n"
        "    icmp alert is on audit-trail is off timeout 10\n"
        "  Inbound access list is 103\n"
        "  Outgoing access list is not set\n"
    )


WHOLE = """\
ip inspect alert-off
ip inspect audit-trail
ip inspect max-incomplete low 300 high 400
ip inspect one-minute low 500 high 600
ip inspect tcp synwait-time 20
ip inspect tcp finwait-time 1
ip inspect tcp idle-time 60
ip inspect udp idle-time 20
ip inspect dns-timeout 7
ip inspect hashtable-size 2048
ip inspect tcp max-incomplete host 300 block-time 2
ip inspect name OutBound tcp alert on timeout 60
ip inspect name OutBound http audit-trail on
ip inspect name OutBound icmp alert off audit-trail off timeout 10
interface Ethernet 0/1
 ip inspect OutBound out
 ip access-group 103 in"""


def test_every_line_is_read_and_written_back():
    """All of section 2.1, and `ip inspect name`."""
    engine = Inspection(seed=bytes(16))
    engine.configure(WHOLE.splitlines())
    assert WHOLE == engine.configuration()
    assert "OutBound" == engine.rules.name
    assert 20 == engine.sysctl[_I + "tcp.synwait_time"]


def test_no_restores_one_default():
    """Each command has its `no`."""
    engine = Inspection(seed=bytes(16))
    commands = [line for line in WHOLE.splitlines() if line.startswith("ip inspect ")]
    undo = [f"no {line}" for line in commands if " name " not in line]
    undo = [re.sub(r" (low|high) \d+", r" \1", line) for line in undo]
    undo = [re.sub(r"(time|timeout|size) \d+$", r"\1", line) for line in undo]
    undo = [re.sub(r" host .*", " host", line) for line in undo]
    engine.configure([*WHOLE.splitlines(), "exit", *undo])
    default = Inspection(rules=engine.rules, seed=bytes(16))
    assert default.config() == engine.config()


def test_no_name_removes_a_protocol_or_all():
    """The last protocol takes the name with it."""
    config = read(["ip inspect name a tcp", "ip inspect name a udp"])
    assert ["tcp", "udp"] == [rule.protocol for rule in chosen(config)]
    config = read(
        ["ip inspect name a tcp", "ip inspect name a udp", "no ip inspect name a tcp"]
    )
    assert ["udp"] == [rule.protocol for rule in chosen(config)]
    assert chosen(read(["ip inspect name a tcp", "no ip inspect name a"])) is None
    config = read(["ip inspect name a tcp", "no ip inspect name a tcp"])
    assert {} == draft_of(config).sets()


def test_the_applied_rules_are_the_ones_of_an_interface():
    """Two names, one bound."""
    names = ["ip inspect name a tcp", "ip inspect name b udp", "interface e0"]
    assert "b" == chosen(read([*names, "ip inspect b in"])).name
    with pytest.raises(ValueError, match="can be applied, not a and b"):
        chosen(read(names))
    with pytest.raises(ValueError, match="no ip inspect name c"):
        chosen(read([*names, "ip inspect c in"]))
    config = read([*names, "ip inspect a in", "no ip inspect a in", "ip inspect b out"])
    assert "b" == chosen(config).name
    assert not draft_of(read([*names, "no interface e0"])).interfaces


def test_binding_of_a_pair_of_routers_is_taken_with_a_note():
    """The rules hold; that the other router knows the sessions is no matter here."""
    lines = ["ip inspect name a tcp", "interface e0"]
    config = read([*lines, " ip inspect a in redundancy stateful HA1"])
    assert {"in": "a"} == draft_of(config).interfaces["e0"].rules
    assert ["line 3: redundancy is ignored: the sessions of a pair are not shared"] == (
        config.notes
    )


def test_commands_after_an_interface_are_global_again():
    """`ip inspect name` and access lists are of no interface."""
    config = read(
        [
            "interface e0",
            " description the way out",
            " ip inspect a in",
            "ip inspect name a tcp",
            "ip access-list extended list",
            " permit tcp any any",
        ]
    )
    assert "a" == chosen(config).name
    assert "list" in config.lists


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ip inspect tcp synwait-time", "one number is wanted"),
        ("ip inspect tcp synwait-time 0", "is 1 to 2147483"),
        ("ip inspect tcp synwait-time 1 2", "one number is wanted, not '1 2'"),
        ("ip inspect alert-off now", "nothing follows"),
        ("ip inspect tcp max-incomplete host", "host wants a number"),
        ("ip inspect tcp max-incomplete host 5 block-time", "host wants a number"),
        ("ip inspect tcp max-incomplete host 5 for 2", "host wants a number"),
        ("ip inspect tcp max-incomplete host 5 block-time 35792", "0 to 35791"),
        ("ip inspect max-incomplete 5", "low or high is wanted"),
        ("ip inspect name", "a name is wanted"),
        ("ip inspect name a", "a protocol is wanted behind a"),
        ("ip inspect name a tdp", "'tdp' is not one of tcp"),
        (
            "ip inspect name a h323 router-traffic timeout 180 9",
            "'9' is not understood",
        ),
        ("ip inspect name a tcp timeout", "'timeout' is not understood"),
        ("ip inspect name a tcp timeout x", "timeout 'x' is not understood"),
        ("ip inspect name a tcp alert maybe", "alert 'maybe' is not understood"),
        ("interface", "interface wants a name"),
        ("ip inspect frobnicate 1", "'frobnicate' is not understood in"),
    ],
)
def test_a_wrong_line_is_named(line, message):
    """Number, and what is wrong with it."""
    with pytest.raises(ValueError, match=r"^line 1: .*" + re.escape(message)):
        read([line])


@pytest.mark.parametrize("line", ["no ip inspect name a", "no ip inspect name a tcp"])
def test_rules_that_are_not_there_can_be_removed(line):
    """As on a router, whose templates begin so; it is said, and refused if strict."""
    text = line.removeprefix("no ")
    config = read([line, "ip inspect name a udp"])
    assert [f"line 1: there is no {text} to remove"] == config.notes
    with pytest.raises(ValueError, match=f"^line 1: there is no {text}$"):
        read([line], strict=True)


@pytest.mark.parametrize("line", [" ip inspect a in", "ip inspect a OUT"])
def test_binding_without_its_interface_is_ignored(line):
    """As `show running-config | include ip inspect` prints it."""
    config = read(["ip inspect name a tcp", line])
    assert "line 2: ip inspect ... in and out are ignored" in config.notes[0]
    with pytest.raises(ValueError, match=r"^line 2: 'a' is not understood"):
        read(["ip inspect name a tcp", line], strict=True)


@pytest.mark.parametrize(
    ("lines", "then"),
    [
        (["max-incomplete high 300"], (300, 300)),
        (["max-incomplete low 800"], (800, 800)),
        (["max-incomplete high 450"], (400, 450)),
        (["max-incomplete high 300", "max-incomplete low 200"], (200, 300)),
    ],
)
def test_one_threshold_takes_the_other_along(lines, then):
    """As a router does, and says: `Also resetting low threshold`."""
    engine = Inspection(seed=bytes(16))
    notes = engine.configure([f"ip inspect {line}" for line in lines])
    name = "net.inet.inspect.max_incomplete."
    assert then == (engine.sysctl[name + "low"], engine.sysctl[name + "high"])
    assert (then[0] == then[1]) == any("too, as on a router" in note for note in notes)


@pytest.mark.parametrize(
    ("lines", "rules", "lists"),
    [
        (["no ip access-group in"], {"in": "a"}, {"out": "2"}),
        (["no ip access-group out"], {"in": "a"}, {"in": "1"}),
        (["no ip access-group 2"], {"in": "a"}, {"in": "1"}),
        (["no ip access-group"], {"in": "a"}, {}),
        (["no ip inspect a in"], {}, {"in": "1", "out": "2"}),
        (["no ip inspect in"], {}, {"in": "1", "out": "2"}),
    ],
)
def test_what_an_interface_has_is_taken_back_without_its_name(lines, rules, lists):
    """As scripts do, which do not know it."""
    bound = ["ip inspect a in", "ip access-group 1 in", "ip access-group 2 out"]
    config = read(["ip inspect name a tcp", "interface e0", *bound, *lines])
    interface = draft_of(config).interfaces["e0"]
    assert (rules, lists) == (interface.rules, interface.lists)


def test_dns_timeout_may_be_cut_short():
    """Only one command begins so."""
    config = read(["ip inspect dns 7"])
    assert {"net.inet.inspect.dns_timeout": 7} == config.changes


@pytest.mark.parametrize("line", ["ip inspect a b in", "ip access-group in"])
def test_a_wrong_line_of_an_interface_is_named(line):
    """A name and a direction."""
    with pytest.raises(ValueError, match=r"line 2: .*wants a name, then in or out"):
        read(["interface e0", line])


def test_defaults_need_no_line():
    """Only the rules are written."""
    lines = [f"ip inspect name OutBound {name}" for name in ("tcp", "udp", "icmp")]
    assert lines == written(Sysctl(), OUTBOUND).splitlines()


@pytest.mark.parametrize(
    ("line", "rule", "note"),
    [
        ("tcp router-traffic", "tcp", "router-traffic is ignored"),
        (
            "H323 router-traffic timeout 180",
            "h323 timeout 180",
            "router-traffic is ignored",
        ),
        (
            "http java-list 3 urlfilter alert on",
            "http alert on",
            "urlfilter is ignored",
        ),
        (
            "smtp max-data 9 audit-trail ON",
            "smtp audit-trail on",
            "max-data is ignored",
        ),
        ("esmtp", "esmtp", ""),
        ("igmpv3lite", "igmpv3lite", ""),
        ("fragment maximum 256 timeout 1", "", "fragment is ignored"),
        ("rpc program-number 100003 wait-time 1", "", "rpc is ignored"),
        ("appfw FW", "", "appfw is ignored"),
        ("parameter max-sessions 9", "", "parameter is ignored"),
    ],
)
def test_line_of_a_name_gives_its_inspecting_part(line, rule, note):
    """What has no meaning here is named once."""
    config = read([f"ip inspect name a {line}", f"ip inspect name a {line}"])
    assert [rule] == [str(rule) for rule in chosen(config) or [""]]
    assert note in " ".join(config.notes)
    assert bool(note) <= bool(config.notes)


@pytest.mark.parametrize(
    "line", ["log drop-pkt", "tcp reassembly queue length 16", "tcp block-non-session"]
)
def test_command_without_meaning_is_named(line):
    """It changes nothing."""
    config = read([f"ip inspect {line}"])
    assert {} == config.changes
    assert "is ignored" in config.notes[0]


def test_rules_of_two_bound_names_are_both_applied():
    """One name may still be chosen."""
    config = read(
        [
            "ip inspect name out tcp timeout 60",
            "ip inspect name out ftp",
            "ip inspect name back tcp",
            "ip inspect name back smtp",
            "ip inspect name back esmtp",
            "interface e0",
            " ip inspect out out",
            " ip address 192.0.2.1 255.255.255.0",
            " ip inspect back in",
        ]
    )
    assert ["tcp", "smtp", "ftp"] == [str(rule) for rule in chosen(config)]
    assert "another application has its port" in config.notes[0]
    assert "out" == chosen(config, "out").name
    with pytest.raises(ValueError, match="no ip inspect name x"):
        chosen(config, "x")


def test_more_applications_than_rules_are_inspected_by_protocol():
    """A router's long list is taken, and the rest is named."""
    ends = {end: name for name, end in reversed(APPLICATIONS.items())}
    config = read([f"ip inspect name a {name}" for name in ends.values()])
    assert APPLICATIONS_MAX == len(chosen(config).rules)
    assert "are inspected as tcp, udp" in config.notes[0]


@pytest.mark.parametrize(
    ("line", "direction"),
    [
        ("ip inspect X i", "in"),
        ("ip inspect X I", "in"),
        ("ip inspect X o", "out"),
        ("IP INS X OU", "out"),
        ("ip access-group X i", "in"),
        ("ip access-gr X o", "out"),
    ],
)
def test_direction_may_be_as_short_as_on_a_router(line, direction):
    """Nothing else can stand there, so one letter says it."""
    lines = ["ip inspect name X tcp", "interface Gi0/0", f" {line}"]
    (interface,) = read(lines).inspection["draft"].interfaces.values()
    bound = interface.rules if "ins" in line.lower() else interface.lists
    assert {direction: "X"} == bound


def test_command_of_one_letter_is_taken_where_all_are_known():
    """`ip inspect n` can be nothing else; `i i` is no command of ours."""
    config = read(["ip inspect n X tcp", "i i n X udp"])
    assert 1 == config.skipped


@pytest.mark.parametrize("number", ["unlimited", "4294967295"])
def test_largest_number_is_no_limit(number):
    """As `show ip inspect config` prints it, and as it can be typed."""
    config = read([f"ip inspect tcp max-incomplete host {number} block-time 0"])
    assert 0 == config.changes[_I + "tcp.max_incomplete_host"]
