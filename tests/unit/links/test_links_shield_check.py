"""`--check` with an interface that is made up; the programs are asked in netns/."""

from __future__ import annotations

import pytest

from syncache import Sysctl
from syncache.links import LinkError, ethtool, shield_check
from syncache.links.rtnetlink import IFF_LOOPBACK, InterfaceInfo


def info(**fields):
    known = {
        "name": "eth0",
        "index": 2,
        "mac": bytes(6),
        "mtu": 1500,
        "kind": "",
        "below": 0,
        "is_below_elsewhere": False,
        "is_up": True,
        "xdp_program": 0,
    }
    return InterfaceInfo(**known | fields)


@pytest.fixture
def machine(monkeypatch):
    """An interface without fault, and programs that do not load."""

    class Machine:
        def __init__(self):
            self.interface, self.flags, self.tagged = info(), 0, []

    made = Machine()

    def refuse(_):
        raise LinkError("no programs here")

    monkeypatch.setattr(shield_check, "interface", lambda _: made.interface)
    monkeypatch.setattr(shield_check, "tags_off", lambda _: made.tagged)
    monkeypatch.setattr(
        shield_check, "holder", lambda i: "xyz" if i.xdp_program else ""
    )
    monkeypatch.setattr(shield_check, "peer_has_xdp", lambda _: False)
    monkeypatch.setattr(ethtool, "flags", lambda _: made.flags)
    monkeypatch.setattr(shield_check.host_settings, "in_the_way", list)
    monkeypatch.setattr(shield_check.netfilter, "loses_connections", lambda: False)
    monkeypatch.setattr(shield_check, "BpfObject", refuse)
    return made


def found(machine, xdp="auto"):
    """Return what is found beside the programs."""
    *others, last = shield_check.check("eth0", [], Sysctl(), xdp)
    assert ("fail", "no programs here") == last
    return others


def test_good_interface_is_not_spoken_of(machine):
    """What cannot be loaded is, in the loader's words."""
    assert [] == found(machine)


@pytest.mark.parametrize(
    ("fields", "level", "words"),
    [
        ({"is_up": False}, "note", "ip link set eth0 up"),
        ({"xdp_program": 9}, "fail", "an XDP program, xyz: "),
        ({"kind": "veth"}, "note", "answered in tc"),
        ({"kind": "bond"}, "note", "a shield on each port"),
        ({"kind": "ifb"}, "note", "put the shield there"),
        ({"kind": "macvtap"}, "note", "into the machine behind it"),
        ({"flags": IFF_LOOPBACK}, "note", "own SYNs, which pass"),
    ],
)
def test_interface_with_a_fault_is_told_what_to_do(machine, fields, level, words):
    """One line each."""
    machine.interface = info(**fields)
    (finding,) = found(machine)
    assert level == finding.level
    assert words in finding.text


@pytest.mark.parametrize("mac", [b"", bytes(4), bytes(8)])
def test_device_without_ethernet_is_one_line(machine, mac):
    """Tunnels; the programs, which know frames, are not asked."""
    machine.interface = info(mac=mac)
    (finding,) = shield_check.check("eth0", [("192.0.2.1", 80)], Sysctl())
    assert "fail" == finding.level
    assert "eth0 is not an Ethernet device" in finding.text
    assert "tcp_syncookies=1" in finding.text


@pytest.mark.parametrize(
    ("fields", "remedies"),
    [({}, 1), ({"kind": "veth", "is_below_elsewhere": True}, 0)],
)
def test_tags_that_the_card_takes_off_are_seen_in_tc(machine, fields, remedies):
    """In the driver there is a remedy, where the driver answers at all."""
    machine.tagged = ["eth0.7"]
    machine.interface = info(**fields)
    *_, finding = found(machine)
    assert "note" == finding.level
    assert "the VLAN tags of eth0.7 off" in finding.text
    assert remedies == finding.text.count("ethtool -K eth0 rxvlan off")


VETH = {"kind": "veth"}


@pytest.mark.parametrize(
    ("fields", "xdp", "levels"),
    [
        ({}, "tc", ["note"]),
        (VETH, "auto", ["note", "note"]),
        (VETH, "tc", ["note"]),
        ({}, "native", ["fail"]),
        ({}, "generic", ["fail"]),
        (VETH, "native", ["fail", "note"]),
    ],
)
def test_program_of_another_is_in_the_way_of_xdp_alone(machine, fields, xdp, levels):
    """Where SYNs are answered in tc it goes before us."""
    machine.interface = info(xdp_program=9, **fields)
    findings = found(machine, xdp)
    assert levels == [finding.level for finding in findings]
    assert "an XDP program, xyz" in findings[0].text


@pytest.mark.parametrize(("xdp", "levels"), [("native", ["fail"]), ("tc", [])])
def test_tags_are_in_the_way_of_who_insists_on_the_driver(machine, xdp, levels):
    machine.tagged = ["eth0.7"]
    assert levels == [finding.level for finding in found(machine, xdp)]


def test_lro_is_nothing_to_tc(machine):
    machine.flags = ethtool.LRO
    assert [] == found(machine, "tc")


def test_lro_is_refused(machine):
    machine.flags = ethtool.LRO
    (finding,) = found(machine)
    assert ("fail", True) == (finding.level, "lro off" in finding.text)


def test_interface_that_is_not_there_is_all_that_is_said(monkeypatch):
    def refuse(_):
        raise LinkError("there is no interface eth9")

    monkeypatch.setattr(shield_check, "interface", refuse)
    findings = list(shield_check.check("eth9", [("192.0.2.1", 80)], Sysctl()))
    assert [("fail", "there is no interface eth9")] == findings


def test_nat_that_loses_connections_is_told(machine, monkeypatch):
    """Before the first client is refused."""
    monkeypatch.setattr(shield_check.netfilter, "loses_connections", lambda: True)
    ((level, text),) = found(machine)
    assert level == "note"
    assert "sysctl -w net.netfilter.nf_conntrack_tcp_loose=0" in text
