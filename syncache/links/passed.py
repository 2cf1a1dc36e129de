"""The records of a capture that were not looked at, by kind and number.

The reasons are those of csrc/link/encap.h; here they get the names that operators know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .._core.capture import TUNNELS as CORE_TUNNELS
from ..plural import plural
from .linktypes import LINKTYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ETHERTYPES = {
    0x0806: "ARP",
    0x0842: "wake-on-LAN",
    0x2000: "CDP",
    0x22F0: "AVTP",
    0x6003: "DECnet",
    0x8035: "RARP",
    0x809B: "AppleTalk",
    0x80F3: "AppleTalk ARP",
    0x8137: "IPX",
    0x8808: "flow control",
    0x8809: "LACP and other slow protocols",
    0x8863: "PPPoE discovery",
    0x888E: "802.1X",
    0x8892: "PROFINET",
    0x88A2: "ATA over Ethernet",
    0x88A4: "EtherCAT",
    0x88CC: "LLDP",
    0x88E5: "MACsec",
    0x88F7: "PTP",
    0x8902: "connectivity fault management",
    0x8906: "FCoE",
    0x9000: "loopback test",
}
LLC = {0x42: "spanning tree", 0xE0: "IPX", 0xF0: "NetBIOS", 0xFE: "OSI", 0xFF: "IPX"}
PPP = {
    0x003D: "multilink",
    0x00FD: "compressed",
    0x8021: "IPCP",
    0x8057: "IPv6CP",
    0xC021: "LCP",
    0xC023: "PAP",
    0xC223: "CHAP",
}
PROTOCOLS = {
    0: "hop-by-hop options",
    2: "IGMP",
    4: "IPv4",
    41: "IPv6",
    46: "RSVP",
    47: "GRE",
    50: "ESP",
    51: "AH",
    58: "ICMPv6 in IPv4",
    59: "nothing",
    88: "EIGRP",
    89: "OSPF",
    97: "EtherIP",
    103: "PIM",
    108: "IPComp",
    112: "VRRP or CARP",
    115: "L2TP",
    132: "SCTP",
    136: "UDP-Lite",
    137: "MPLS",
}
# Reason: what its number is, how that is written, and the names of numbers.
NUMBERED: dict[str, tuple[str, str, dict[int, str]]] = {
    "linktype": ("link type", "d", LINKTYPES),
    "ethertype": ("EtherType", "#06x", ETHERTYPES),
    "llc": ("LLC", "#04x", LLC),
    "snap": ("SNAP", "#06x", ETHERTYPES),
    "ppp": ("PPP", "#06x", PPP),
    "version": ("IP version", "d", {}),
    "protocol": ("IP protocol", "d", PROTOCOLS),
}
# enum link_tunnel
TUNNELS = {
    "gre": "GRE",
    "erspan": "ERSPAN",
    "ipip": "IP in IP",
    "6in4": "IPv6 in IPv4",
    "etherip": "EtherIP",
    "mpls": "MPLS over IP or UDP",
    "vxlan": "VXLAN",
    "geneve": "Geneve",
    "gtpu": "GTP-U",
    "l2tp": "L2TP",
    "teredo": "Teredo",
    "lisp": "LISP",
    "tzsp": "TZSP",
    "capwap": "CAPWAP",
    "ayiya": "AYIYA",
    "lwapp": "LWAPP",
    "pim": "PIM register",
}
PLAIN = {
    "mpls": "MPLS without IP",
    "cut": "cut off within their headers",
    "long": "longer than 524,416 bytes",
    "interface": "of an interface that the file does not describe",
    "fragment": "IP fragments (of TCP, or not the first)",
    "double": "recorded before, left out by --dedup",
    "bad": "with IP or TCP headers that contradict themselves",
    "rest": "of other kinds",
}


class Passed(NamedTuple):
    """Packets that were not looked at, for one reason."""

    reason: str
    number: int
    packets: int

    @property
    def name(self) -> str:
        """Their name, for a reader."""
        if self.reason == "tunnel":
            return f"{TUNNELS[CORE_TUNNELS[self.number]]} tunnel (see --tunnels)"
        if self.reason not in NUMBERED:
            return PLAIN[self.reason]
        what, form, names = NUMBERED[self.reason]
        number = f"{what} {self.number:{form}}"
        name = names.get(self.number)
        return f"{name} ({number})" if name else number

    def record(self) -> dict[str, str | int]:
        """Return it as a JSON object."""
        return {
            "kind": self.reason,
            "number": self.number,
            "name": self.name,
            "packets": self.packets,
        }


def total(parts: Iterable[Sequence[Passed]]) -> list[Passed]:
    """Add up the lists of several captures, the commonest first."""
    sums: dict[tuple[str, int], int] = {}
    for part in parts:
        for reason, number, packets in part:
            sums[reason, number] = sums.get((reason, number), 0) + packets
    found = [Passed(*key, packets) for key, packets in sums.items()]
    return sorted(found, key=lambda each: (-each.packets, each.reason, each.number))


def lines(passed: Sequence[Passed]) -> list[str]:
    """Return the list for a reader."""
    packets = sum(each.packets for each in passed)
    if not packets:
        return ["not looked at: nothing"]
    rows = [f"{each.packets:10d}  {each.name}" for each in passed]
    return [f"not looked at: {packets} {plural(packets, 'packet')}", *rows]
