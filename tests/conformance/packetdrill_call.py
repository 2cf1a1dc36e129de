"""Reads the socket calls of packetdrill scripts: `accept(3, ..., ...) = 4`."""

from __future__ import annotations

import re

from .script import Call, ScriptError

CALL = re.compile(r"^(\w+)\s*\((.*)\)\s*=\s*(.*)$", re.DOTALL)
VECTOR = re.compile(r"\{\s*\.\.\.\s*,\s*(\d+)\s*\}")
CONSTANTS = {  # of <netinet/ip.h>
    **{f"IPTOS_DSCP_CS{n}": n << 5 for n in range(8)},
    **{f"IPTOS_DSCP_AF{n}{m}": n << 5 | m << 3 for n in range(1, 5) for m in (1, 2, 3)},
    "IPTOS_DSCP_EF": 0xB8,
    "IPTOS_LOWDELAY": 0x10,
    "IPTOS_THROUGHPUT": 0x08,
    "IPTOS_RELIABILITY": 0x04,
}
# Calls that only an application with other needs than ours makes, by what they are for.
OTHER_CALLS = {
    "connect": "opens a connection itself",
    "sendfile": "sends a file",
    "splice": "sends a file",
    **dict.fromkeys(
        ("epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "poll", "select"),
        "waits for several sockets",
    ),
    **dict.fromkeys(("pipe", "open", "inject"), "has files or faults of its own"),
}


def read_call(text: str, at: float) -> Call:
    """Read one call with the result that it must have."""
    match = CALL.match(text)
    if match is None:
        raise ScriptError(f"neither a packet nor a call: {text!r}")
    name, arguments, result = match.groups()
    if name in OTHER_CALLS:
        raise ScriptError(f"{name}(): {OTHER_CALLS[name]}")
    if "MSG_ERRQUEUE" in arguments:
        raise ScriptError(f"{name}(): has files or faults of its own")
    words = [part.strip() for part in _split(arguments)]
    if name == "socket" and "SOCK_STREAM" not in arguments:
        raise ScriptError(f"a socket that is not TCP: {text!r}")
    if name in ("readv", "writev", "recvmsg", "sendmsg"):
        size = sum(int(n) for n in VECTOR.findall(arguments))
        words = [words[0], "...", str(size)]
        name = {"r": "read", "w": "write", "s": "write"}[name[0]]
    args = tuple(_value(word) for word in words)
    return Call(at, name, args, _result(result))


def _split(text: str) -> list[str]:
    """Split at commas outside of brackets."""
    parts, depth, part = [], 0, ""
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [p for p in [*parts, part] if p.strip()]


def _value(text: str) -> object:
    """Return an argument: a number, what [brackets] hold, or the text."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return _value(text[1:-1])
    if text in CONSTANTS:
        return CONSTANTS[text]
    try:
        return int(text, 0)
    except ValueError:
        return text.strip('"')


def _result(text: str) -> object:
    text = text.strip()
    if text == "...":
        return None
    match = re.match(r"^-1\s+(E\w+)", text)
    if match:
        return match[1]
    number = re.match(r"^(0x[0-9a-fA-F]+|-?\d+)", text)
    if number is None:
        raise ScriptError(f"result {text!r}")
    return int(number[1], 0)
