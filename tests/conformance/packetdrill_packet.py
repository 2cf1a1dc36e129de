"""Reads the packets of packetdrill scripts: TCP segments and ICMP errors."""

from __future__ import annotations

import re

from ..model.option import Option
from .script import UNREACHABLE, Shape


class ScriptError(ValueError):
    """A line that this importer does not understand."""


ECN = {"noecn": 0, "ect1": 1, "ect0": 2, "ce": 3}
SEGMENT = re.compile(
    r"""^(?:[\[(](?P<ip>[^\])]*)[\])]\s*)?
        (?P<flags>[FSRPEWUAN.\-]+)\s+
        (?P<seq>\d+!?|\.\.\.):(?P<end>\d+!?|\.\.\.)\((?P<len>\d+|\.\.\.)\)
        (?:\s+ack\s+(?P<ack>\d+|\.\.\.))?
        (?:\s+win\s+(?P<win>\d+|\.\.\.))?
        (?:\s+urg\s+(?P<urg>\d+))?
        (?:\s*<(?P<opts>[^>]*)>)?$""",
    re.VERBOSE,
)
ICMP = re.compile(
    r"""^icmp(?:v6)?\s+(?P<type>\w+)(?:\s+(?P<code>\w+))?
        (?:\s+mtu\s+(?P<mtu>\d+))?\s*\[(?P<quoted>[^\]]*)\]$""",
    re.VERBOSE,
)


def read_segment(text: str, *, expected: bool, any_order: bool = False) -> Shape:
    """Read a TCP segment as `S. 0:0(0) ack 1 win 65535 <mss 1460>`.

    `...` for a number is any, if the segment is expected; `!` behind one means that it
    is that of the wire.
    """
    match = SEGMENT.match(" ".join(text.split()))
    if match is None:
        raise ScriptError(f"segment {text!r}")
    if not expected and "..." in (match["seq"], match["len"], match["ack"]):
        raise ScriptError(f"{text!r} cannot be sent: its numbers are not told")
    seq, end, size = (_number(match[name]) for name in ("seq", "end", "len"))
    if None not in (seq, end, size) and (end or 0) - (seq or 0) != size:
        raise ScriptError(f"sequence numbers and length of {text!r} disagree")
    ecn, tos, ttl = _ip(match["ip"])
    return Shape(
        flags=_flags(match["flags"]),
        seq=seq,
        ack=_number(match["ack"]),
        win=_number(match["win"]),
        opts=_options(match["opts"], expected=expected),
        exact=True,
        len=size,
        urg=int(match["urg"] or 0),
        ip_ecn=ecn,
        ip_tos=tos,
        ip_ttl=ttl,
        any_order=any_order,
        absolute=match["seq"].endswith("!"),
    )


def _number(text: str | None) -> int | None:
    """Return a number, or None for any and for none."""
    return None if text in (None, "...") else int((text or "").rstrip("!"))


def _ip(text: str | None) -> tuple[int | None, int | None, int | None]:
    """Return what is said of the IP header: ECN mark, class, TTL or hop limit.

    A class is told with its ECN bits, as it stands in the header.
    """
    ecn = tos = ttl = None
    for part in filter(None, (text or "").split(",")):
        match part.split():
            case [word] if word in ECN:
                ecn = ECN[word]
            case ["tos" | "tclass", value]:
                number = int(value, 0)
                ecn, tos = number & 3, number & ~3
            case ["ttl" | "hlim" | "hop_limit", value]:
                ttl = int(value, 0)
            case _:
                raise ScriptError(f"IP header {part.strip()!r}")
    return ecn, tos, ttl


def _flags(text: str) -> str:
    """Return our letters: packetdrill's dot is ACK, A or N is AE, - is none."""
    letters = text.replace("A", "N").replace(".", "A").replace("-", "")
    return "".join(sorted(set(letters)))


def _options(text: str | None, *, expected: bool) -> tuple[Option, ...] | None:
    """Read options; `...` is any, nothing is none."""
    if text is None:
        return ()
    if text.strip() == "...":
        return None
    return tuple(_option(part.split(), expected) for part in text.split(","))


def _option(words: list[str], expected: bool) -> Option:
    match words:
        case ["nop" | "eol" as name]:
            return (name,)
        case ["sackOK"]:
            return ("sack_ok",)
        case ["mss", value]:
            return ("mss", int(value))
        case ["wscale", value]:
            return ("ws", int(value))
        case ["sack", *blocks]:
            return ("sack", *(int(n) for block in blocks for n in block.split(":")))
        case ["TS", "val", val, "ecr", ecr]:
            absolute = ("absolute",) if ecr.endswith("!") else ()
            if not expected and "..." in (val, ecr):
                raise ScriptError(f"option {' '.join(words)!r} cannot be sent")
            return ("ts", _number(val), _number(ecr), *absolute)
        case ["FO"]:
            return ("tfo", "")
        case ["FO", "TFO_COOKIE"]:
            return ("tfo", "<8 bytes>" if expected else "<valid>")
        case ["FO", value]:
            return ("tfo", value)
        case ["md5", value]:
            return ("md5", value)
    raise ScriptError(f"option {' '.join(words)!r}")


def read_icmp(text: str) -> tuple[str, int, int]:
    """Read an ICMP error; return its kind, the quoted sequence number, the MTU."""
    match = ICMP.match(" ".join(text.split()))
    if match is None:
        raise ScriptError(f"ICMP error {text!r}")
    seq = re.search(r"(\d+):\d+\(\d+\)", match["quoted"])
    kind = match["code"] if match["code"] and match["code"] != "mtu" else match["type"]
    kind = {"time_exceeded": "ttl_exceeded", "packet_too_big": "frag_needed"}.get(
        kind, kind
    )
    if kind not in UNREACHABLE:
        raise ScriptError(f"ICMP error {kind!r}")
    return kind, int(seq[1]) if seq else 0, int(match["mtu"] or 0)
