"""syncache/cli/sides.py: inside and outside the wrong way round."""

from __future__ import annotations

import pytest

from syncache import AccessList, Ring
from syncache.cli.sides import SYNS_MIN, Sides, suspicions
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
    made = Ring(16)
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
    sides.look(ring(*(to(server, n, ACK) for n in range(9)), to("198.18.0.7")))
    assert sides.turn(10.0) is None
    many = ring(*(to(server, n) for n in range(SYNS_MIN)))
    sides.look(many)
    assert sides.turn(10.5) is None  # not due
    said = sides.turn(11.0)
    assert f"3 connections to {server} port 80 of list web begin at i0" in said
    sides.look(many)
    assert sides.turn(99.0) is None


@pytest.mark.parametrize("acl", [None, AccessList.parse("permit tcp any any")])
def test_list_that_names_no_server_accuses_nobody(acl):
    """Then servers may call others."""
    sides = Sides(lambda: acl, "i0")
    sides.look(ring(*(to("203.0.113.1", n) for n in range(9))))
    assert sides.turn(10.0) is None
