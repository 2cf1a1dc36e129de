"""Reads packetdrill scripts: the subset that handshakes need.

Understood: times (absolute, +relative, ranges with ~, blocking calls with ..., *),
injected < and expected > TCP segments with options, class, TTL and ECN marks, numbers
that are any (...) or those of the wire (!), injected ICMP errors, the calls socket bind
listen accept close read write send recv shutdown setsockopt getsockopt fcntl, sysctl
lines in backticks, FreeBSD's names and a few of Linux's, and #ifdef, #ifndef, #else,
#endif for the symbols that are given.  `--option_order=any` in a script, or the
argument of that name, lets its options come in any order.  Asserts in %{ }% and other
shell commands are passed over with a notice.  What is not understood is an error that
names the line; nothing is skipped in silence.

Not here: playing (player.py), UDP encapsulation, active opens, poll and epoll.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .calls import ASKED_OPTIONS
from .packetdrill_packet import ScriptError, read_icmp, read_segment
from .packetdrill_sysctl import read_shell
from .script import Call, Expect, Icmp, Inject, Script, Step, Tune

if TYPE_CHECKING:
    from pathlib import Path

TOLERANCE_S = 0.005
QUIET_S = 0.005
ANY_TIME_S = 600.0
TIME = r"\+?(?:\d+(?:\.\d+)?|\.\d+)"
EVENT = re.compile(rf"^({TIME}|\*)(?:\s*(~|\.\.\.)\s*({TIME}))?\s*(.*)$", re.DOTALL)
# What a script may ask for by #ifdef: the system whose behaviour is ours.
SYMBOLS = frozenset({"FreeBSD", "__FreeBSD__"})
CONDITION = re.compile(r"^\s*#(ifdef|ifndef|else|endif|define)\b\s*(\w+)?")
STARTS = re.compile(rf"^(?:{TIME}|\*)[\s~.<>`%]|^`|^--|^%{{")
ASKED = {(name,) for name in ASKED_OPTIONS}
CALL = re.compile(r"^(\w+)\s*\((.*)\)\s*=\s*(.*)$", re.DOTALL)


@dataclass
class Reader:
    """What a script says so far."""

    steps: list[Step] = field(default_factory=list)
    tunables: dict[str, int | str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    family: int = 4
    tolerance: float = TOLERANCE_S
    clock: float = 0.0  # time of the last event
    any_order: bool = False  # of the options of expected packets


def load(path: Path, **options: Any) -> Script:
    """Read one script file; ValueError names the file and the line."""
    return read(path.read_text(encoding="utf-8"), path.stem, **options)


def read(
    text: str,
    name: str,
    *,
    defined: frozenset[str] = SYMBOLS,
    option_order: str = "exact",
) -> Script:
    """Read one script; `defined` are the symbols of its #ifdef lines."""
    reader = Reader(any_order=option_order == "any")
    for number, event in _events(_chosen(text, name, defined)):
        try:
            _read_event(reader, event)
        except ScriptError as error:
            raise ValueError(f"{name}:{number}: {error}") from error
    last = max((step.at for step in reader.steps), default=0.0)
    return Script(
        name=name,
        steps=tuple(reader.steps),
        family=reader.family,
        listening=False,
        tunables=reader.tunables,
        end=last + QUIET_S,
        notices=tuple(reader.notices),
    )


def _chosen(text: str, name: str, defined: frozenset[str]) -> str:
    """Return the text without the lines that its #ifdef lines leave out."""
    lines: list[str] = []
    taken: list[bool] = []
    known = set(defined)
    for number, line in enumerate(text.splitlines(), 1):
        match = CONDITION.match(line)
        word, symbol = match.groups() if match else (None, None)
        if word in ("ifdef", "ifndef"):
            taken.append((symbol in known) == (word == "ifdef"))
        elif word in ("else", "endif") and not taken:
            raise ValueError(f"{name}:{number}: #{word} without #ifdef")
        elif word == "else":
            taken[-1] = not taken[-1]
        elif word == "endif":
            taken.pop()
        elif word == "define" and all(taken):
            known.add(symbol or "")
        lines.append(line if match is None and all(taken) else "")
    if taken:
        raise ValueError(f"{name}: #ifdef without #endif")
    return "\n".join(lines)


def _events(text: str) -> list[tuple[int, str]]:
    """Split a text into events with their line numbers; comments are gone."""
    text = re.sub(
        r"/\*.*?\*/|%\{.*?\}%",
        lambda m: (
            "%{}%" + "\n" * m[0].count("\n")
            if m[0][0] == "%"
            else "\n" * m[0].count("\n")
        ),
        text,
        flags=re.DOTALL,
    )
    events: list[tuple[int, str]] = []
    quoted = False
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r"(^|\s)(//|#).*$", "", line).strip()
        if not bare:
            continue
        if not quoted and (STARTS.match(bare) or not events):
            events.append((number, bare))
        else:
            first, before = events[-1]
            events[-1] = (first, f"{before}\n{bare}")
        quoted ^= bare.count("`") % 2 == 1
    return events


def _read_event(reader: Reader, event: str) -> None:
    if event.startswith("--"):
        for word in event.split():
            _read_flag(reader, word)
        return
    if event.startswith(("`", "%{")):
        event = f"+0 {event}"
    match = EVENT.match(event)
    if match is None:
        raise ScriptError(f"not an event: {event!r}")
    start, joint, end, rest = match.groups()
    at = reader.clock if start == "*" else _time(reader, start)
    until = _time(reader, end) if end else at
    reader.clock = until if joint == "..." else at
    _read_action(reader, rest.strip(), (at, until), floating=start == "*")


def _time(reader: Reader, text: str) -> float:
    if text.startswith("+"):
        return round(reader.clock + float(text[1:]), 6)
    return float(text)


def _read_flag(reader: Reader, word: str) -> None:
    name, _, value = word.partition("=")
    if name == "--ip_version":
        reader.family = 6 if value == "ipv6" else 4
    elif name == "--tolerance_usecs":
        reader.tolerance = max(int(value) / 1e6, TOLERANCE_S)
    elif name == "--option_order" and value in ("any", "exact"):
        reader.any_order = value == "any"
    else:
        reader.notices.append(f"passed over: {word}")


def _read_action(
    reader: Reader, text: str, when: tuple[float, float], *, floating: bool
) -> None:
    at, until = when
    if text.startswith("`"):
        tunables, notices = read_shell(text.strip("`"))
        reader.notices += notices
        for name, value in tunables:
            if reader.steps:
                reader.steps.append(Tune(at, name, value))
            else:
                reader.tunables[name] = value
    elif text.startswith("%{"):
        reader.notices.append("passed over: an assert in %{ }%")
    elif text.startswith("< icmp"):
        kind, seq, mtu = read_icmp(text[1:].strip())
        reader.steps.append(Icmp(at, kind, seq, mtu))
    elif text.startswith("<"):
        shape = read_segment(text[1:].strip(), expected=False)
        reader.steps.append(Inject(at, shape))
    elif text.startswith(">"):
        order = reader.any_order
        shape = read_segment(text[1:].strip(), expected=True, any_order=order)
        late = ANY_TIME_S if floating else reader.tolerance
        reader.steps.append(Expect(at, until + late, shape, floating=floating))
    else:
        call = _read_call(text, until)
        if call.name == "getsockopt" and call.args[2:3] not in ASKED:
            reader.notices.append(f"passed over: {text}")
        else:
            reader.steps.append(call)


def _read_call(text: str, at: float) -> Call:
    match = CALL.match(text)
    if match is None:
        raise ScriptError(f"neither a packet nor a call: {text!r}")
    name, arguments, result = match.groups()
    args = tuple(_value(a) for a in _split(arguments))
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
    return [p.strip() for p in [*parts, part] if p.strip()]


def _value(text: str) -> object:
    """Return an argument: a number, what [brackets] hold, or the text."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return _value(text[1:-1])
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
