"""Names and sums of what was not looked at."""

from __future__ import annotations

import pytest

from syncache._core.capture import _REASONS
from syncache._core.capture import TUNNELS as CORE_TUNNELS
from syncache.links.passed import NUMBERED, PLAIN, TUNNELS, Passed, lines, total


def test_each_reason_of_c_has_a_name():
    """But the one that is none."""
    assert (
        set(_REASONS.values()) - {"none", "tunnel", "reason_count"}
        <= NUMBERED.keys() | PLAIN.keys()
    )


def test_each_tunnel_of_c_has_a_name():
    """But the one that is none."""
    assert set(CORE_TUNNELS) - {"none", "count"} == TUNNELS.keys()


@pytest.mark.parametrize(
    ("passed", "name"),
    [
        (Passed("linktype", 189, 1), "USB (link type 189)"),
        (Passed("linktype", 999, 1), "link type 999"),
        (Passed("ethertype", 0x0806, 1), "ARP (EtherType 0x0806)"),
        (Passed("llc", 0x42, 1), "spanning tree (LLC 0x42)"),
        (Passed("snap", 0x2000, 1), "CDP (SNAP 0x2000)"),
        (Passed("ppp", 0xC021, 1), "LCP (PPP 0xc021)"),
        (Passed("protocol", 89, 1), "OSPF (IP protocol 89)"),
        (Passed("cut", 0, 1), "cut off within their headers"),
        (Passed("rest", 0, 1), "of other kinds"),
        (Passed("tunnel", CORE_TUNNELS.index("gre"), 1), "GRE tunnel (see --tunnels)"),
    ],
)
def test_names_are_those_of_operators(passed, name):
    """With the number, so that it can be looked up."""
    assert name == passed.name
    record = passed.record()
    assert (name, 1, passed.reason) == (
        record["name"],
        record["packets"],
        record["kind"],
    )


def test_sums_of_captures_have_the_commonest_first():
    """Kinds of several captures are added."""
    arp, ospf = Passed("ethertype", 0x0806, 2), Passed("protocol", 89, 3)
    assert [Passed("ethertype", 0x0806, 4), ospf] == total([[arp, ospf], [arp]])


def test_lines_end_with_each_kind():
    """One line says that there is none."""
    assert ["not looked at: nothing"] == lines([])
    assert ["not looked at: 3 packets", "         3  OSPF (IP protocol 89)"] == lines(
        [Passed("protocol", 89, 3)]
    )
