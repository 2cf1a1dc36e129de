"""Reads the packets of packetdrill scripts: TCP segments and ICMP errors."""

from __future__ import annotations

import re

from ..model.option import Option
from .script import UNREACHABLE, Shape


class ScriptError(ValueError):
    """A line that this importer does not understand."""


ECN = {"noecn": 0, "ect1": 1, "ect0": 2, "ce": 3}
SEGMENT = re.compile(
    r"""^(?:\[(?P<ecn>\w+)\]\s+)?
        (?P<flags>[FSRPEWUAN.\-]+)\s+
        (?P<seq>\d+):(?P<end>\d+)\((?P<len>\d+)\)
        (?:\s+ack\s+(?P<ack>\d+))?
        (?:\s+win\s+(?P<win>\d+))?
        (?:\s+urg\s+(?P<urg>\d+))?
        (?:\s*<(?P<opts>[^>]*)>)?$""",
    re.VERBOSE,
)
ICMP = re.compile(
    r"""^icmp(?:v6)?\s+(?P<type>\w+)(?:\s+(?P<code>\w+))?
        (?:\s+mtu\s+(?P<mtu>\d+))?\s*\[(?P<quoted>[^\]]*)\]$""",
    re.VERBOSE,
)


def read_segment(text: str, *, expected: bool) -> Shape:
    """Read a TCP segment as `S. 0:0(0) ack 1 win 65535 <mss 1460>`."""
    match = SEGMENT.match(" ".join(text.split()))
    if match is None:
        raise ScriptError(f"segment {text!r}")
    flags = _flags(match["flags"])
    size = int(match["len"])
    if int(match["end"]) - int(match["seq"]) != size:
        raise ScriptError(f"sequence numbers and length of {text!r} disagree")
    number = {k: None if match[k] is None else int(match[k]) for k in ("ack", "win")}
    return Shape(
        flags=flags,
        seq=int(match["seq"]),
        ack=number["ack"],
        win=number["win"],
        opts=_options(match["opts"], expected=expected),
        exact=True,
        len=size,
        urg=int(match["urg"] or 0),
        ip_ecn=_ecn(match["ecn"]),
    )


def _ecn(word: str | None) -> int | None:
    if word is not None and word not in ECN:
        raise ScriptError(f"ECN mark {word!r}")
    return None if word is None else ECN[word]


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
            return ("ts", int(val), int(ecr))
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
