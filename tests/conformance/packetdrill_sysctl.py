"""Reads the shell lines of packetdrill scripts: sysctl settings become our tunables.

FreeBSD's names are ours.  Linux's are translated where they mean the same thing.
What this library has no tunable for is passed over with a notice.
"""

from __future__ import annotations

import re

from syncache.tunables import KNOBS

Setting = tuple[str, int | str]

TCP = "net.inet.tcp."
LINUX: dict[str, dict[str, list[Setting]]] = {
    "net.ipv4.tcp_syncookies": {
        "0": [(f"{TCP}syncookies", 0), (f"{TCP}syncookies_only", 0)],
        "1": [(f"{TCP}syncookies", 1), (f"{TCP}syncookies_only", 0)],
        "2": [(f"{TCP}syncookies", 1), (f"{TCP}syncookies_only", 1)],
    },
    "net.ipv4.tcp_sack": {v: [(f"{TCP}sack.enable", int(v))] for v in "01"},
    "net.ipv4.tcp_ecn": {v: [(f"{TCP}ecn.enable", int(v))] for v in "0123"},
    "net.ipv4.tcp_timestamps": {
        "0": [(f"{TCP}rfc1323", 2)],
        "1": [(f"{TCP}rfc1323", 1)],
    },
    "net.ipv4.tcp_window_scaling": {
        "0": [(f"{TCP}rfc1323", 3)],
        "1": [(f"{TCP}rfc1323", 1)],
    },
    "net.ipv4.tcp_synack_retries": {
        str(n): [(f"{TCP}syncache.rexmtlimit", n)] for n in range(13)
    },
    "net.ipv4.tcp_abort_on_overflow": {
        v: [(f"{TCP}syncache.rst_on_sock_fail", int(v))] for v in "01"
    },
}


def read_shell(text: str) -> tuple[list[Setting], list[str]]:
    """Return the settings of a shell line, and notices of what was passed over."""
    settings: list[Setting] = []
    notices: list[str] = []
    for command in re.split(r"[;\n]|&&", text):
        words = command.split()
        if not words:
            continue
        if words[0] != "sysctl":
            notices.append(f"passed over: {command.strip()}")
            continue
        for word in words[1:]:
            if "=" not in word:
                continue
            name, _, value = word.partition("=")
            settings_of = LINUX.get(name, {}).get(value)
            if settings_of is not None:
                settings += settings_of
            elif name in KNOBS:
                settings.append((name, int(value) if value.isdigit() else value))
            else:
                notices.append(f"passed over: {word}")
    return settings, notices
