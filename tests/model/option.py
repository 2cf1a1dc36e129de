"""TCP options between bytes and plain tuples such as ("mss", 1460) or ("nop",).

A tuple form can say what a parser refuses: ("raw", "08010303") is those bytes.  Reading
follows the listener's rules: EOL stops, NOP is skipped, a length below 2 or beyond the
end stops, a known kind of a wrong length is skipped, the last duplicate wins.
See RFC 9293 3.1 and 3.2, RFC 7323, RFC 2018, RFC 2385, RFC 7413.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Option = tuple[Any, ...]


def encode(options: list[Option]) -> bytes:
    """Return the bytes of a list of options, padded with EOL and zeros to words."""
    data = b"".join(_encode_one(option) for option in options)
    return data + bytes(-len(data) % 4)


def _encode_one(option: Option) -> bytes:
    kind, *values = option
    if kind == "raw":
        return bytes.fromhex(values[0])
    if kind == "eol":
        return b"\0"
    if kind == "nop":
        return b"\1"
    if kind == "mss":
        return b"\2\4" + int(values[0]).to_bytes(2, "big")
    if kind == "ws":
        return bytes([3, 3, values[0]])
    if kind == "sack_ok":
        return b"\4\2"
    if kind == "sack":
        edges = b"".join(int(edge).to_bytes(4, "big") for edge in values)
        return bytes([5, 2 + len(edges)]) + edges
    if kind == "ts":
        return b"\x08\x0a" + b"".join((v or 0).to_bytes(4, "big") for v in values)
    if kind in ("md5", "tfo"):
        body = bytes.fromhex(values[0])
        return bytes([19 if kind == "md5" else 34, 2 + len(body)]) + body
    raise ValueError(f"unknown option {kind!r}")


def decode(data: bytes) -> list[Option]:
    """Return every option of well-formed bytes, NOP and EOL included."""
    out: list[Option] = []
    i = 0
    while i < len(data):
        kind = data[i]
        if kind < 2:
            out.append(("nop",) if kind else ("eol",))
            i += 1
            continue
        size = data[i + 1] if i + 1 < len(data) else 0
        if size < 2 or i + size > len(data):
            out.append(("raw", data[i:].hex()))
            break
        out.append(_decode_one(kind, data[i + 2 : i + size]))
        i += size
    return out


def _decode_one(kind: int, body: bytes) -> Option:
    def word(at: int) -> int:
        return int.from_bytes(body[at : at + 4], "big")

    if (kind, len(body)) == (2, 2):
        return ("mss", int.from_bytes(body, "big"))
    if (kind, len(body)) == (3, 1):
        return ("ws", body[0])
    if (kind, len(body)) == (4, 0):
        return ("sack_ok",)
    if kind == 5 and len(body) % 8 == 0:
        return ("sack", *(word(at) for at in range(0, len(body), 4)))
    if (kind, len(body)) == (8, 8):
        return ("ts", word(0), word(4))
    if (kind, len(body)) == (19, 16):
        return ("md5", body.hex())
    if kind == 34:
        return ("tfo", body.hex())
    return ("raw", bytes([kind, len(body) + 2]).hex() + body.hex())


@dataclass
class Seen:
    """What a listener takes from the options of one segment."""

    mss: int | None = None
    ws: int | None = None
    sack: bool = False
    ts: tuple[int, int] | None = None
    md5: bytes | None = None
    tfo: bytes | None = None


def read(data: bytes, *, syn: bool) -> Seen:
    """Read options by the listener's rules; some count only on a SYN."""
    seen = Seen()
    for option in decode(data):
        kind = option[0]
        if kind == "eol":
            break
        if kind == "mss" and syn:
            seen.mss = option[1]
        elif kind == "ws" and syn:
            seen.ws = min(option[1], 14)
        elif kind == "sack_ok" and syn:
            seen.sack = True
        elif kind == "ts":
            seen.ts = (option[1], option[2])
        elif kind == "md5":
            seen.md5 = bytes.fromhex(option[1])
        elif kind == "tfo" and syn:
            seen.tfo = bytes.fromhex(option[1])
    return seen


def syn_ack(options: list[Option]) -> bytes:
    """Lay out a SYN-ACK's options: FreeBSD's order, alignment and padding."""
    order = ["mss", "ws", "sack_ok", "ts", "md5", "sack", "tfo"]
    align = {"mss": (4, 0), "ws": (2, 1), "sack_ok": (2, 0)}
    align |= {"ts": (4, 2), "md5": (4, 2)}
    out = b""
    for option in sorted(options, key=lambda o: order.index(o[0])):
        step, rest = align.get(option[0], (1, 0))
        nops = (rest - len(out)) % step
        piece = b"\1" * nops + _encode_one(option)
        if len(out) + len(piece) <= 40:
            out += piece
    return out + bytes(-len(out) % 4)
