"""Port conditions of access lists: operators, and Cisco's names of ports."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from ._core.mirror import words
from .abbreviation import keyword

if TYPE_CHECKING:
    from collections.abc import Iterable

TCP, UDP = 6, 17

OPERATORS = words("flow_port_op")
PORT_MAX = 65535

# Cisco's names of ports.
_BOTH_PORTS = {
    "discard": 9,
    "domain": 53,
    "echo": 7,
    "pim-auto-rp": 496,
    "sunrpc": 111,
    "tacacs": 49,
    "talk": 517,
    "time": 37,
}
_TCP_PORTS = {
    "bgp": 179,
    "chargen": 19,
    "cmd": 514,
    "connectedapps-plain": 15001,
    "connectedapps-tls": 15002,
    "daytime": 13,
    "drip": 3949,
    "exec": 512,
    "finger": 79,
    "ftp": 21,
    "ftp-data": 20,
    "gopher": 70,
    "hostname": 101,
    "ident": 113,
    "irc": 194,
    "klogin": 543,
    "kshell": 544,
    "login": 513,
    "lpd": 515,
    "msrpc": 135,
    "nntp": 119,
    "onep-plain": 15001,
    "onep-tls": 15002,
    "pop2": 109,
    "pop3": 110,
    "smtp": 25,
    "syslog": 514,
    "telnet": 23,
    "uucp": 540,
    "whois": 43,
    "www": 80,
}
_UDP_PORTS = {
    "biff": 512,
    "bootpc": 68,
    "bootps": 67,
    "dnsix": 195,
    "isakmp": 500,
    "mobile-ip": 434,
    "nameserver": 42,
    "netbios-dgm": 138,
    "netbios-ns": 137,
    "netbios-ss": 139,
    "non500-isakmp": 4500,
    "ntp": 123,
    "rip": 520,
    "ripv6": 521,
    "snmp": 161,
    "snmptrap": 162,
    "syslog": 514,
    "tftp": 69,
    "who": 513,
    "xdmcp": 177,
}
PORT_NAMES = {TCP: _BOTH_PORTS | _TCP_PORTS, UDP: _BOTH_PORTS | _UDP_PORTS}

# Names that PIX and ASA firewalls have beside these.
_FIREWALL_PORTS = {
    "aol": 5190,
    "cifs": 3020,
    "citrix-ica": 1494,
    "ctiqbe": 2748,
    "h323": 1720,
    "http": 80,
    "https": 443,
    "imap4": 143,
    "kerberos": 750,
    "ldap": 389,
    "ldaps": 636,
    "lotusnotes": 1352,
    "netbios-ssn": 139,
    "nfs": 2049,
    "pcanywhere-data": 5631,
    "pcanywhere-status": 5632,
    "pptp": 1723,
    "radius": 1645,
    "radius-acct": 1646,
    "rsh": 514,
    "rtsp": 554,
    "secureid-udp": 5510,
    "sip": 5060,
    "sqlnet": 1521,
    "ssh": 22,
    "vxlan": 4789,
}
_EVERY_PORT = PORT_NAMES[UDP] | PORT_NAMES[TCP] | _FIREWALL_PORTS


class Ports(NamedTuple):
    """Which ports: an operator of `OPERATORS`, and its bounds, both inclusive."""

    operator: str = "any"
    low: int = 0
    high: int = 0

    def admit(self, port: int) -> bool:
        """Tell whether a port is one of them."""
        return {
            "any": True,
            "eq": port == self.low,
            "neq": port != self.low,
            "lt": port < self.low,
            "gt": port > self.low,
            "range": self.low <= port <= self.high,
        }[self.operator]

    def __str__(self) -> str:
        if self.operator == "any":
            return ""
        bounds = f"{self.low} {self.high}" if self.operator == "range" else self.low
        return f" {self.operator} {bounds}"


ANY_PORT = Ports()


def take_ports(
    words: list[str], protocol: int, others: Iterable[str] = ()
) -> list[Ports]:
    """Take an operator and its operands from the front, if there is one.

    `eq` and `neq` may have several operands, which makes several conditions of which
    one has to hold.  `others` are keywords that may stand in the operator's place.
    """
    operator = keyword(words[0], (*OPERATORS[1:], *others), 1) if words else None
    if operator not in OPERATORS[1:]:
        return [ANY_PORT]
    words.pop(0)
    if protocol not in PORT_NAMES:
        raise ValueError(f"{operator}: only tcp and udp have ports")
    low = _port(words, protocol)
    if operator == "range":
        high = _port(words, protocol)
        if low > high:
            raise ValueError(f"range {low} {high} is the wrong way round")
        return [Ports(operator, low, high)]
    ports = [low]
    while operator in {"eq", "neq"} and words and _is_port(words[0], protocol):
        ports.append(_port(words, protocol))
    if operator == "neq" and len(ports) > 1:
        return _gaps(ports)
    return [Ports(operator, port, port) for port in ports]


def numbered(words: list[str]) -> list[str]:
    """Return a rule's words with the numbers of ports that a router has no name for.

    Those are names that only firewalls know, and for UDP those of TCP, and inversely.
    """
    udp = any(word.lower() == "udp" for word in words[:2])
    known = PORT_NAMES[UDP if udp else TCP]
    made: list[str] = []
    in_ports = False
    for word in words:
        low = word.lower()
        number = _EVERY_PORT.get(low) if in_ports and low not in known else None
        if low in OPERATORS[1:]:
            in_ports = True
        elif in_ports:
            in_ports = number is not None or low in known or low.isdecimal()
        made.append(word if number is None else str(number))
    return made


def _gaps(ports: list[int]) -> list[Ports]:
    """Return the ranges between ports."""
    edges = [-1, *sorted(set(ports)), PORT_MAX + 1]
    return [
        Ports("range", low + 1, high - 1)
        for low, high in itertools.pairwise(edges)
        if low + 1 <= high - 1
    ]


def _is_port(word: str, protocol: int) -> bool:
    return word.isdecimal() or word.lower() in PORT_NAMES[protocol]


def _port(words: list[str], protocol: int) -> int:
    word = words.pop(0) if words else ""
    name = keyword(word, PORT_NAMES[protocol])
    if name is not None:
        return PORT_NAMES[protocol][name]
    if word.isascii() and word.isdecimal() and int(word) <= PORT_MAX:
        return int(word)
    raise ValueError(f"{word!r} is not a port: 0 to {PORT_MAX}, or a name such as www")
