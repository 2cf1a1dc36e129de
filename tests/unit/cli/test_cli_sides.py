"""syncache/cli/sides.py: inside and outside the wrong way round."""

from __future__ import annotations

import pytest

from syncache import AccessList, Ring
from syncache.acl import permit
from syncache.cli import main
from syncache.cli import sides as module
from syncache.cli.sides import NETWORKS_MIN, SYNS_MIN, Sides, left_out, suspicions
from syncache.flow import Side
from syncache.segment import ACK, SYN, Segment

ROUTE = """\
Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0
{0} 000012C6 00000000 0001 0 0 0 0000FFFF 0 0 0
{1} 00FF12C6 00000000 0001 0 0 0 00FFFFFF 0 0 0
"""
ROUTE6 = """\
fd000018000000000000000000000000 40 {zero} 00 {zero} 100 1 0 1 {0}
{zero} 00 {zero} 00 {zero} 400 1 0 1 o0
"""
ARP = """\
IP address HW type Flags HW address Mask Device
198.18.0.2 0x1 0x2 02:fc:00:00:00:05 * {0}
198.18.0.9 0x1 0x0 00:00:00:00:00:00 * o0
"""
WEB = "permit tcp any host 198.18.0.2 eq www\npermit tcp any host fd00:18::2 eq www"


@pytest.fixture
def proc(tmp_path):
    """A folder like /proc/net; `write` fills it."""

    def write(one, two="eth1", six="lo", neighbour="eth9"):
        (tmp_path / "route").write_text(ROUTE.format(one, two))
        (tmp_path / "ipv6_route").write_text(ROUTE6.format(six, zero="0" * 32))
        (tmp_path / "arp").write_text(ARP.format(neighbour))
        return tmp_path

    return write


def seen(acl, proc):
    texts = suspicions("o0", "i0", AccessList.parse(acl, name="web"), proc)
    assert all("of list web is reached through o0, the outside" in t for t in texts)
    return [text.split()[0] for text in texts]


def test_server_behind_the_outside_is_suspicious(proc):
    """By a route or a neighbour of either family; the most specific one counts."""
    assert ["198.18.0.2/32"] == seen(WEB, proc("o0", neighbour="o0"))
    assert ["198.18.0.2/32"] == seen(WEB, proc("i0", neighbour="o0"))
    assert ["fd00:18::2/128"] == seen(WEB, proc("i0", six="o0", neighbour="i0"))
    assert ["198.18.0.0/16"] == seen(
        "permit tcp any 198.18.0.0 0.0.255.255", proc("o0")
    )
    nearer = "permit tcp any 198.18.255.0 0.0.0.255"
    assert ["198.18.255.0/24"] == seen(nearer, proc("i0", "o0"))
    assert [] == seen(nearer, proc("o0", "i0"))


def test_what_the_kernel_does_not_know_is_not_suspicious(proc, tmp_path):
    """Nor what it reaches inside; nor by its default route, or without a list."""
    assert [] == seen(WEB, proc("i0", neighbour="i0"))
    assert [] == seen("permit tcp any any", proc("o0"))
    assert [] == seen("permit tcp any host 203.0.113.1", proc("eth1"))
    assert [] == seen("deny tcp any host 198.18.0.2", proc("o0"))
    assert [] == seen("permit tcp any 198.18.0.0 0.255.0.255", proc("o0"))
    assert [] == suspicions("o0", "i0", None, proc("o0"))
    assert [] == suspicions("o0", "i0", AccessList.parse(WEB), tmp_path / "none")


def ring(*segments):
    made = Ring(max(16, len(segments)))
    for segment in segments:
        made.push(segment.packet())
    return made


def to(server, number=0, flags=SYN):
    client = "2001:db8::7" if ":" in server else "198.51.100.7"
    return Segment(src=client, dst=server, sport=1000 + number, dport=80, flags=flags)


@pytest.mark.parametrize("server", ["198.18.0.2", "fd00:18::2"])
def test_connections_to_a_server_from_the_inside_are_said_once(server):
    """With the list that protects it; nothing is said of answers, or of others."""
    sides = Sides(lambda: AccessList.parse(WEB, name="web"), "i0")
    noise = (to(server, n, ACK) for n in range(9))
    sides.look(ring(*noise, to("198.18.0.7")), Side.SERVER)
    sides.look(ring(*(to(server, n) for n in range(9))), Side.CLIENT)
    assert sides.turn(10.0) is None
    many = ring(*(to(server, n) for n in range(SYNS_MIN)))
    sides.look(many, Side.SERVER)
    assert sides.turn(10.5) is None  # not due
    said = sides.turn(11.0)
    assert f"3 connections to {server} port 80 of list web begin at i0" in said
    sides.look(many, Side.SERVER)
    assert sides.turn(99.0) is None


def test_long_list_is_asked_about_one_server_a_look(monkeypatch):
    """And about each once: packets wait meanwhile."""
    asked = []

    def is_protected(_, address, port):
        asked.append(address)
        return address == "198.18.0.9"

    monkeypatch.setattr(module, "_is_protected", is_protected)
    acl = AccessList("long")
    sides = Sides(lambda: acl, "i0")
    servers = [f"198.18.0.{n}" for n in (7, 8, 9)]
    for now in (1, 2, 3):
        assert now - 1 == len(asked)
        sides.look(ring(*(to(s, n) for s in servers for n in range(9))), Side.SERVER)
        said = sides.turn(float(now))
        if said:
            break
    assert "9 connections to 198.18.0.9" in said
    assert len(asked) == len({*asked})


def test_table_of_too_many_routes_says_nothing(proc, monkeypatch):
    """Of a part one cannot tell which route is the longest."""
    monkeypatch.setattr(module, "ROWS_MAX", 2)
    assert [] == seen(WEB, proc("o0", neighbour="i0"))


@pytest.mark.parametrize("acl", [None, AccessList.parse("permit tcp any any")])
def test_list_that_names_no_server_accuses_nobody(acl):
    """Then servers may call others."""
    sides = Sides(lambda: acl, "i0")
    sides.look(ring(*(to("203.0.113.1", n) for n in range(9))), Side.SERVER)
    assert sides.turn(10.0) is None


@pytest.mark.parametrize("family", [4, 6])
def test_connections_of_many_networks_from_the_inside_are_said_once(family):
    """More than a large site has; unless the outside has as many."""
    source = {4: "10.{}.{}.1", 6: "2001:db8:{:x}{:02x}::1"}[family]
    server = {4: "198.18.0.2", 6: "fd00:18::2"}[family]

    def networks(count):
        names = (source.format(n >> 8, n & 0xFF) for n in range(count))
        return ring(
            *(Segment(src=n, dst=server, sport=1, dport=80, flags=SYN) for n in names)
        )

    sides = Sides(lambda: None, "i0")
    sides.look(networks(NETWORKS_MIN * 2 // 3), Side.SERVER)
    assert sides.turn(10.0) is None
    sides.look(networks(2000), Side.SERVER)
    sides.look(networks(1000), Side.CLIENT)
    assert sides.turn(11.0) is None
    sides.look(networks(2000), Side.CLIENT)
    assert sides.turn(12.0) is None
    sides.look(networks(2000), Side.SERVER)
    assert "networks begin at i0, the inside, and of 0 outside" in sides.turn(13.0)
    sides.look(networks(2000), Side.SERVER)
    assert sides.turn(14.0) is None


def test_default_route_through_the_inside_is_suspicious(proc):
    """Unless there is one through the outside too."""

    def doubted(outside, inside):
        return suspicions(outside, inside, None, proc("eth8"))

    assert "through eth0, the inside: if" in doubted("eth1", "eth0")[0]
    assert "through o0, the inside: if" in doubted("eth1", "o0")[0]
    assert [] == doubted("eth0", "i0")
    assert [] == doubted("eth0", "o0")


@pytest.mark.parametrize(
    ("rules", "family"),
    [
        ("permit tcp any any", 6),
        ("permit ip any any", 6),
        ("deny tcp any any eq 22\npermit tcp any host 198.18.0.2", 6),
        ("permit tcp any host 2001:db8::1", 4),
        ("permit ipv6 any any", 4),
        ("permit tcp any any\ndeny ipv6 any any", None),
        ("permit ipv6 any any\ndeny tcp any any", None),
        (WEB, None),
        ("deny tcp any any", None),
    ],
)
def test_list_of_one_family_says_what_is_not_protected(rules, family):
    """And what to do; the rule that it names ends the warning."""
    texts = left_out(AccessList.parse(rules, name="web"))
    assert (family is not None) == len(texts)
    for text in texts:
        assert text.startswith(f"list web has no rule of IPv{family}, so connections")
        for remedy in (1, 3):
            rule = text.split("`")[remedy]
            assert [] == left_out(AccessList.parse(f"{rules}\n{rule}"))


def test_list_of_rules_for_both_families_leaves_out_none():
    """As rules made in Python can be; and there may be no list."""
    assert [] == left_out(AccessList("web", [permit("tcp")]))
    assert [] == left_out(AccessList("web"))
    assert [] == left_out(None)


def test_check_and_start_say_what_the_list_leaves_out(capsys, tmp_path):
    """One line on the standard error; exit status 0."""
    rules = tmp_path / "web.acl"
    rules.write_text("permit tcp any any\n")
    links = ["--outside", "o0", "--inside", "i0", "--tun"]
    assert 0 == main(["intercept", *links, "--list", str(rules), "--check"])
    error = capsys.readouterr().err
    assert error.startswith("syncache intercept: list web has no rule of IPv6, so")
    assert 1 == error.count("\n")
    assert 0 == main(["inspect", *links, "--check"])
    assert capsys.readouterr().err == ""
