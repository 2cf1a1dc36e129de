"""Configurations of other systems: most have nothing that could be read here.

Those of ASA and PIX firewalls, NX-OS, IOS XR and EOS have access lists that are read as
IOS's are (`acl`), and nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOKED_AT = 200  # lines
_OTHERS = {
    "CatOS": r"#version \d|set (?:system (?:name|location|contact)|vlan \d|port) ",
    "Junos": r"(?:set|deactivate) (?:version|system|groups|interfaces|security) |"
    r"(?:groups|system|security|firewall|interfaces|routing-options) \{\s*$|"
    r"## Last (?:commit|changed)",
    "FortiOS": r"#config-version=|config (?:system|firewall|vdom)\b.*$",
    "iptables": r"\*(?:filter|nat|mangle|raw|security)\s*$|-A (?:INPUT|FORWARD) ",
    "nftables": r"table (?:ip|ip6|inet|bridge|netdev) \S+ \{",
    "RouterOS": r"/ip(?:v6)? (?:address|firewall|route)\b",
    "HTML or XML": r"\s*<(?:\?xml|!doctype|html|head|rpc-reply|config)\b",
    "a patch": r"(?:diff |Index: |--- \S|\+\+\+ \S|@@ -\d)",
    "a playbook": r"\s*- (?:name|hosts|(?:cisco\.ios\.)?ios_\w+):",
    "JSON": r"\s*[\[{]\s*$|\s*\{\s*\"",
}
_PATTERNS = {name: re.compile(text, re.IGNORECASE) for name, text in _OTHERS.items()}
# What no text has: a zero, controls of ISO 8859-1, bytes that are no UTF-16.
_BINARY = re.compile("[\0\x80-\x9f\ufffd]")
_RELATIVES = {
    "ASA or PIX": re.compile(r"(?:ASA|PIX|FWSM|NGFW) Version "),
    "NX-OS": re.compile(r"!Command: show running-config|switchname |vdc \S+ id \d"),
    "IOS XR": re.compile(r"!! IOS XR Configuration"),
    "EOS": re.compile(r"! device: .*\bEOS-"),
}


def relative(lines: Iterable[str]) -> tuple[int, str] | None:
    """Return a system of which only access lists are read, and the line that tells."""
    for number, line in zip(range(1, LOOKED_AT + 1), lines, strict=False):
        for name, pattern in _RELATIVES.items():
            if pattern.match(line):
                return number, name
    return None


def refuse_binary(lines: Iterable[str], place: str) -> None:
    """Refuse a file that is no text.

    Raises:
        ValueError: it says so, with file and line in front.
    """
    for number, line in zip(range(1, LOOKED_AT + 1), lines, strict=False):
        if _BINARY.search(line):
            raise ValueError(
                f"{place}{number}: this is not text, so not a configuration"
            )


def refuse_others(lines: Iterable[str], place: str) -> None:
    """Refuse a configuration that is plainly another system's.

    Raises:
        ValueError: the system, with file and line in front.
    """
    for number, line in zip(range(1, LOOKED_AT + 1), lines, strict=False):
        for name, pattern in _PATTERNS.items():
            if pattern.match(line):
                raise ValueError(
                    f"{place}{number}: this is {name}, not a configuration of IOS "
                    "(show running-config)"
                )
