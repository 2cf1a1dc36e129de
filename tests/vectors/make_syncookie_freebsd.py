"""
Write syncookie_freebsd.txt: the cookies of freebsd-cookies.json, one a line.

C units read that form with fscanf.  Run it as
`python tests/vectors/make_syncookie_freebsd.py`; test_syncookie.py fails if the
committed file differs.

A cookie that was minted: `mint` family faddr laddr fport lport key0 key1 secmod irs iss
parity mss wscale sack mss' wscale' sack', the primed ones as decoded.  One to refuse:
`refuse` and the same up to iss.  Addresses have 16 bytes; wscale 255 is no option.
"""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SOURCE = HERE / "freebsd-cookies.json"
VECTORS = HERE / "syncookie_freebsd.txt"
NO_WSCALE = 255


def address(text: str) -> str:
    """Return 16 bytes in hexadecimal, an IPv4 address in the first four."""
    return ip_address(text).packed.ljust(16, b"\0").hex()


def wscale(value: int | None) -> int:
    """Return the number that stands for a window scale option or its absence."""
    return NO_WSCALE if value is None else value


def common(case: dict[str, Any], irs: int, iss: int) -> list[object]:
    """Return the fields that both kinds of line begin with."""
    return [
        case["family"],
        address(case["foreign_addr"]),
        address(case["local_addr"]),
        case["foreign_port"],
        case["local_port"],
        case["key0"],
        case["key1"],
        int(case["secmod"], 16),
        irs,
        iss,
    ]


def minted(case: dict[str, Any]) -> list[object]:
    """Return the line of a cookie and of what its ACK restores."""
    decoded = case["ack_decode"]
    return [
        "mint",
        *common(case, case["irs"], case["iss"]),
        case["oddeven"] & 1,
        case["peer_mss"],
        wscale(case["peer_wscale"]),
        int(case["sack_permitted"]),
        decoded["mss"],
        wscale(decoded["snd_wscale"]),
        int(decoded["sack"]),
    ]


def refused(case: dict[str, Any]) -> list[object]:
    """Return the line of an ACK that carries no cookie of ours."""
    irs = (case["th_seq"] - 1) % 2**32
    iss = (case["th_ack"] - 1) % 2**32
    return ["refuse", *common(case, irs, iss)]


def lines() -> list[str]:
    """Return the file's lines."""
    source = json.loads(SOURCE.read_text(encoding="ascii"))
    rows = [minted(case) for case in source["generate"]]
    rows += [refused(case) for case in source["invalid_acks"]]
    return [" ".join(str(field) for field in row) for row in rows]


if __name__ == "__main__":
    VECTORS.write_text("\n".join(lines()) + "\n", encoding="ascii")
