"""Capture files of other formats: their formats, and the programs that help.

By their first bytes, as `compressed` does it; a kind that has none is not named.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Formats that Wireshark's editcap makes pcapng of.
_FORMATS: dict[bytes, str] = {
    b"snoop\0": "snoop",
    b"RTSS": "Network Monitor",
    b"GMBU": "Network Monitor",
    b"TRSNIFF data": "Sniffer",
    b"XCP\0": "NetXRay or Sniffer",
    b"ObserverPktBuffer": "Observer",
    b"\x05VNF": "Visual Networks",
    b"\x7fver": "Omnipeek",
    b"iptrace ": "iptrace",
    b"\x54\x52\x00\x64\x00": "nettl",
    b"\xaa\xaa\xaa\xaa": "5View",
    b"\0\0\x02\0\x12\x05\0\x10": "K12",
    b"+---------+---------------+----------+": "K12 text",
}
TEXT_BYTES = 512  # are enough to see that it is text
_CONTROL = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")


def pipe(program: str, path: str | Path) -> str:
    """Return a command line that has a program write to `syncache inspect`."""
    return f"{program} | syncache inspect -".replace("FILE", named(path))


def named(path: str | Path) -> str:
    """Return a file's name as a shell takes it."""
    return "FILE" if str(path) == "-" else shlex.quote(str(path))


def advice(path: str | Path, head: bytes) -> str:
    """Name the format of a file by its first bytes, and the command that helps."""
    no = f"{path} is not a pcap or pcapng file"
    editcap = pipe("editcap FILE -", path)
    for magic, name in _FORMATS.items():
        if head.startswith(magic):
            return f"{no}, but of the format {name}: {editcap}"
    if _is_text(head):
        return (
            f"{no}, but text: `syncache log {named(path)}` reads logs, and text2pcap "
            "makes a capture of a hex dump"
        )
    return f"{no}; Wireshark's editcap may know its format: {editcap}"


def _is_text(head: bytes) -> bool:
    some = head[:TEXT_BYTES]
    try:
        some.decode()
    except UnicodeDecodeError as error:
        if error.start < len(some) - 3:  # not only a character that was cut
            return False
    return _CONTROL.isdisjoint(some)
