"""Reads the TCP segments of packetdrill scripts."""

from __future__ import annotations

import re

from ..model.option import Option
from .script import ScriptError, Shape

ECN = {"noecn": 0, "ect1": 1, "ect0": 2, "ce": 3}
SEGMENT = re.compile(
    r"""^(?:[\[(](?P<ip>[^\])]*)[\])]\s*)?
        (?P<flags>[FSRPEWUAN0-7.\-]+)\s+
        (?P<seq>\d+!?|\.\.\.):(?P<end>\d+!?|\.\.\.)\((?P<len>\d+|\.\.\.)\)(?P<wire>!?)
        (?:\s+ack\s+(?P<ack>\d+!?|\.\.\.))?
        (?:\s+win\s+(?P<win>\d+|\.\.\.))?
        (?:\s+urg\s+(?P<urg>\d+))?
        (?:\s*<(?P<opts>[^>]*)>)?$""",
    re.VERBOSE,
)
ANOTHER = re.compile(r"^(?:[\[(][^\])]*[\])]\s*)?(udp|udplite|sctp)\b")
TUNNEL = re.compile(r"^(?:ipv4|ipv6|gre|mpls|psp|vxlan|udp)\b.*?[:(]")
MPTCP = frozenset(
    {
        *("mpcapable", "mp_capable", "mp_join_syn", "mp_join_syn_ack", "mp_join_ack"),
        *("mp_join", "dss", "add_address", "add_addr", "rm_addr", "remove_address"),
        *("mp_fail", "mp_fastclose", "mp_prio", "mp_reset"),
    }
)
ACCECN_KIND = {"e0b": 172, "e1b": 174}  # by the counter that is first
FAST_OPEN_EXPERIMENT = "f989"  # RFC 6994's identifier, in option 254


def read_segment(text: str, *, expected: bool, any_order: bool = False) -> Shape:
    """Read a TCP segment as `S. 0:0(0) ack 1 win 65535 <mss 1460>`.

    `...` for a number is any, if the segment is expected; `!` behind one means that it
    is that of the wire.
    """
    text = " ".join(text.split())
    match = SEGMENT.match(text)
    if match is None:
        raise ScriptError(_why_not(text))
    if not expected and "..." in (match["seq"], match["len"], match["ack"]):
        raise ScriptError(f"{text!r} cannot be sent: its numbers are not told")
    seq, end, size = (_number(match[name]) for name in ("seq", "end", "len"))
    if None not in (seq, end, size) and (end or 0) - (seq or 0) != size:
        raise ScriptError(f"sequence numbers and length of {text!r} disagree")
    ecn, tos, ttl, label = _ip(match["ip"])
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
        ip_label=label,
        any_order=any_order,
        absolute=bool(match["wire"]) or match["seq"].endswith("!"),
    )


def _why_not(text: str) -> str:
    if match := ANOTHER.match(text):
        return f"protocol {match[1]} is not TCP"
    if TUNNEL.match(text):
        return f"encapsulated packet {text!r}"
    return f"segment {text!r}"


def _number(text: str | None) -> int | None:
    """Return a number, or None for any and for none."""
    return None if text in (None, "...") else int((text or "").rstrip("!"))


def _ip(text: str | None) -> tuple[int | None, int | None, int | None, int | None]:
    """Return what is said of the IP header: ECN mark, class, TTL, flow label.

    A class is told with its ECN bits, as it stands in the header.
    """
    ecn = tos = ttl = label = None
    for part in filter(None, (text or "").split(",")):
        match part.split():
            case [word] if word in ECN:
                ecn = ECN[word]
            case ["tos" | "tclass" | "class", value]:
                number = int(value, 0)
                ecn, tos = number & 3, number & ~3
            case ["ttl" | "hlim" | "hop_limit" | "hoplimit", value]:
                ttl = int(value, 0)
            case ["flowlabel" | "flow_label", value]:
                label = int(value, 0)
            case _:
                raise ScriptError(f"IP header {part.strip()!r}")
    return ecn, tos, ttl, label


def _flags(text: str) -> str:
    """Return our letters: packetdrill's dot is ACK, A or N is AE, - is none.

    A digit is the value of AE, CWR and ECE together (accurate ECN's counter).
    """
    letters = text.replace("A", "N").replace(".", "A").replace("-", "")
    for digit in re.findall(r"\d", letters):
        bits = zip("NWE", (4, 2, 1), strict=True)
        letters += "".join(letter for letter, bit in bits if int(digit) & bit)
    return "".join(sorted(set(re.sub(r"\d", "", letters))))


def _options(text: str | None, *, expected: bool) -> tuple[Option, ...] | None:
    """Read options; `...` is any, nothing is none."""
    if text is None:
        return ()
    if text.strip() == "...":
        return None
    parts = (part.split() for part in text.split(","))
    return tuple(_option(words, expected) for words in parts if words)


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
        case ["md5", value]:
            return ("md5", "<valid>" if value == "valid" else value)
        case [name, *_] if name in MPTCP:
            raise ScriptError(f"option {name!r} of MPTCP")
    return _rare_option(words, expected)


def _rare_option(words: list[str], expected: bool) -> Option:
    """Read TCP Fast Open's and accurate ECN's."""
    match words:
        case ["FO"]:
            return ("tfo", "")
        case ["FO", "TFO_COOKIE"]:
            return ("tfo", "<8 bytes>" if expected else "<valid>")
        case ["FO", value]:
            return ("tfo", value)
        case ["FOEXP", *cookie]:
            body = FAST_OPEN_EXPERIMENT + "".join(cookie)
            return ("raw", f"fe{len(body) // 2 + 2:02x}{body}")
        case ["ECN", *counters]:
            first = counters[0] if counters else "e0b"
            kind = ACCECN_KIND.get(first, 172)
            body = "".join(f"{int(n) & 0xFFFFFF:06x}" for n in counters[1::2])
            return ("raw", f"{kind:02x}{len(body) // 2 + 2:02x}{body}")
    raise ScriptError(f"option {' '.join(words)!r}")
