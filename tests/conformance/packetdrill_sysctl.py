"""Reads the shell lines of packetdrill scripts: sysctl settings become our tunables.

FreeBSD's names are ours.  Linux's are translated where they mean the same thing, given
to sysctl or to set_sysctls.py, or by defaults.sh.
What this library has no tunable for is passed over with a notice.
"""

from __future__ import annotations

import re
import shlex
from math import prod

from syncache.tunables import KNOBS

from .script import ScriptError

Setting = tuple[str, int | str]

TCP = "net.inet.tcp."
LINUX: dict[str, dict[str, list[Setting]]] = {
    "net.ipv4.tcp_syncookies": {
        "0": [(f"{TCP}syncookies", 0), (f"{TCP}syncookies_only", 0)],
        "1": [(f"{TCP}syncookies", 1), (f"{TCP}syncookies_only", 0)],
        "2": [(f"{TCP}syncookies", 1), (f"{TCP}syncookies_only", 1)],
    },
    "net.ipv4.tcp_sack": {v: [(f"{TCP}sack.enable", int(v))] for v in "01"},
    "net.ipv4.tcp_ecn": {
        **{v: [(f"{TCP}ecn.enable", int(v))] for v in "0123"},
        **{v: [(f"{TCP}ecn.enable", 4)] for v in "45"},
    },
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


# What defaults.sh of the scripts for Linux sets, as far as it is ours.
DEFAULTS = (
    "net.ipv4.tcp_rmem=4096 540000 15728640",
    "net.ipv4.tcp_timestamps=1",
    "net.ipv4.tcp_synack_retries=5",
    "net.ipv4.tcp_sack=1",
    "net.ipv4.tcp_ecn=0",
    "net.ipv4.tcp_syncookies=1",
    "net.ipv4.tcp_fastopen=0x3",
)
PRODUCT = re.compile(r"\$\(\(([\d* ]+)\)\)")  # $((32*1024*1024))
# Settings, and the place of the NOPs in front of "SACK permitted".
FOR_LINUX = re.compile(
    r"defaults\.sh|net\.ipv4\.|/proc/sys/net/|> *S\..*<mss \d+,nop,nop,sackOK"
)


def is_for_linux(text: str) -> bool:
    """Whether a line is one of a script that was written for Linux."""
    return FOR_LINUX.search(text) is not None


def read_shell(text: str) -> tuple[list[Setting], list[str]]:
    """Return the settings of a shell line, and notices of what was passed over."""
    settings: list[Setting] = []
    notices: list[str] = []
    text = PRODUCT.sub(lambda match: str(prod(map(int, match[1].split("*")))), text)
    for command in re.split(r"[;\n]|&&", text):
        words = _words(command)
        if not words:
            continue
        if words[0].endswith("defaults.sh"):
            words = ["sysctl", *DEFAULTS]
        if words[:2] == ["tc", "qdisc"]:
            raise ScriptError(f"{command.strip()!r} has files or faults of its own")
        if not words[0].endswith(("sysctl", "set_sysctls.py")):
            notices.append(f"passed over: {command.strip()}")
            continue
        for word in words[1:]:
            if "=" not in word:
                continue
            name, _, value = word.partition("=")
            name = re.sub(r"^/proc/sys/", "", name).replace("/", ".")
            found = _settings(name, value.strip())
            if found is None:
                notices.append(f"passed over: {word}")
            settings += found or []
    return settings, notices


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # quotation marks that end in the next command
        return command.split()


def _settings(name: str, value: str) -> list[Setting] | None:
    """Return what a setting is among ours, None if nothing."""
    if name == "net.ipv4.tcp_rmem" and re.fullmatch(r"\d+\s+\d+\s+\d+", value):
        return [("kern.ipc.maxsockbuf", int(value.rsplit(maxsplit=1)[-1]))]
    if name == "net.ipv4.tcp_fastopen":
        return [(f"{TCP}fastopen.server_enable", int(value, 0) >> 1 & 1)]
    if value in LINUX.get(name, {}):
        return LINUX[name][value]
    if name in KNOBS:
        return [(name, int(value) if value.isdigit() else value)]
    return None
