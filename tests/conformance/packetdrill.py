"""Reads packetdrill scripts: the subset that handshakes need.

Understood: times (absolute, +relative, ranges with ~, blocking calls with ..., *),
injected < and expected > TCP segments with options, class, TTL, flow label, ECN marks
and ACE counters, numbers that are any (...) or those of the wire (!), signatures (md5
valid), injected ICMP errors, the calls of one passive socket, sysctl lines in
backticks, FreeBSD's names and a few of Linux's, and #ifdef, #ifndef, #else, #endif for
the symbols that are given.  `--option_order=any` in a script, or the argument of that
name, lets its options come in any order.  Asserts in %{ }% and other shell commands are
passed over with a notice.  What is not understood is an error that names the line;
nothing is skipped in silence.

As packetdrill has it, a SYN and a SYN-ACK tell the numbers that all later segments
are relative to; each listener has one peer of its own.

Not here: playing (player.py), many scripts at once (suite.py), other protocols,
encapsulation, active opens, poll and epoll.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .calls import ASKED_OPTIONS
from .packetdrill_call import read_call
from .packetdrill_icmp import is_icmp, read_icmp
from .packetdrill_packet import read_segment
from .packetdrill_sysctl import is_for_linux, read_shell
from .script import (
    Call,
    Expect,
    Icmp,
    Inject,
    Script,
    ScriptError,
    Shape,
    Step,
    Tune,
)

if TYPE_CHECKING:
    from pathlib import Path

TOLERANCE_S = 0.005
QUIET_S = 0.005
ANY_TIME_S = 600.0
TIME = r"\+?(?:\d+(?:\.\d+)?|\.\d+)"
EVENT = re.compile(rf"^({TIME}|\*)(?:\s*(~|\.\.\.)\s*({TIME}))?\s*(.*)$", re.DOTALL)
MTU = re.compile(r"(?:ip link set|ifconfig)\b.*\bmtu (\d+)")
# What a script may ask for by #ifdef: the system whose behaviour is ours.
SYMBOLS = frozenset({"FreeBSD", "__FreeBSD__"})
CONDITION = re.compile(r"^\s*#(ifdef|ifndef|else|endif|define)\b\s*(\w+)?")
STARTS = re.compile(rf"^(?:{TIME}|\*)[\s~.<>`%]|^`|^--|^%{{")
ASKED = {(name,) for name in ASKED_OPTIONS}


@dataclass
class Reader:
    """What a script says so far."""

    option_order: str | None = None  # of expected packets
    steps: list[Step] = field(default_factory=list)
    tunables: dict[str, int | str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    family: int = 4
    tolerance: float = TOLERANCE_S
    clock: float = 0.0  # time of the last event
    for_linux: bool = False
    md5_secret: str = "conformance"
    blocked: list[Call] = field(default_factory=list)  # calls that have not returned
    mtu: int = 1500
    first: dict[str, int] = field(default_factory=dict)  # numbers of SYN and SYN-ACK


def load(path: Path, **options: Any) -> Script:
    """Read one script file; ValueError names the file and the line."""
    return read(path.read_text(encoding="utf-8"), path.stem, **options)


def read(
    text: str,
    name: str,
    *,
    defined: frozenset[str] = SYMBOLS,
    option_order: str | None = None,
    linux: bool = False,
) -> Script:
    """Read one script; `defined` are the symbols of its #ifdef lines.

    `option_order` is "exact" or "any"; None: any in scripts that were written for
    Linux (`linux`: it is known to be one), which has another order than ours, exact in
    the others.
    """
    reader = Reader(option_order, for_linux=linux)
    for number, event in _events(_chosen(text, name, defined)):
        try:
            _read_event(reader, event)
        except ScriptError as error:
            raise ValueError(f"{name}:{number}: {error}") from error
    _return_calls(reader, ANY_TIME_S)
    last = max((step.at for step in reader.steps), default=0.0)
    return Script(
        name=name,
        steps=tuple(reader.steps),
        family=reader.family,
        listening=False,
        tunables=reader.tunables,
        end=last + QUIET_S,
        notices=tuple(reader.notices),
        md5_secret=reader.md5_secret,
        mtu=reader.mtu,
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
    if end and start.startswith("+"):
        end = f"+{end.lstrip('+')}"
    until = (_time(reader, end) if joint == "~" else _end(at, end)) if end else at
    _return_calls(reader, at)
    reader.clock = at
    _read_action(reader, rest.strip(), (at, until), floating=start == "*")


def _end(at: float, text: str) -> float:
    """Return when a call that begins at `at` returns: +0...0.2 is 0.2 s later."""
    if text.startswith("+"):
        return round(at + float(text), 6)
    return float(text)


def _return_calls(reader: Reader, now: float) -> None:
    """Put the calls that have returned before this time among the steps."""
    for call in sorted(reader.blocked, key=lambda call: call.at):
        if call.at < now:
            reader.steps.append(call)
            reader.blocked.remove(call)


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
    elif name == "--mtu" and value.isdigit():
        reader.mtu = int(value)
    elif name == "--tcp_md5_secret":
        reader.md5_secret = value.strip("\"'")
    elif name == "--option_order" and value in ("any", "exact"):
        reader.option_order = value
    else:
        reader.notices.append(f"passed over: {word}")


def _read_action(
    reader: Reader, text: str, when: tuple[float, float], *, floating: bool
) -> None:
    at, until = when
    if text.startswith("`"):
        _read_settings(reader, text, at)
    elif text.startswith("%{"):
        reader.notices.append("passed over: an assert in %{ }%")
    elif text.startswith("<") and is_icmp(text[1:]):
        kind, seq, mtu = read_icmp(text[1:].strip(), reader.family)
        reader.steps.append(Icmp(at, kind, seq, mtu))
    elif text.startswith("<"):
        shape = read_segment(text[1:].strip(), expected=False)
        reader.steps.append(Inject(at, _relative(reader, shape, "peer", "own")))
    elif text.startswith(">"):
        reader.for_linux |= is_for_linux(text)
        any_order = (reader.option_order or "exact") == "any"
        if reader.option_order is None:
            any_order = reader.for_linux
        shape = read_segment(text[1:].strip(), expected=True, any_order=any_order)
        shape = _relative(reader, shape, "own", "peer")
        late = ANY_TIME_S if floating else reader.tolerance
        early = reader.tolerance
        step = Expect(at, until + late, shape, floating=floating, early=early)
        reader.steps.append(step)
    else:
        _read_call(reader, text, when)


def _relative(reader: Reader, shape: Shape, sender: str, receiver: str) -> Shape:
    """Return a SYN with numbers relative to the first ones, as others have them."""
    if "S" not in (shape.flags or "") or shape.seq is None or shape.absolute:
        return shape
    seq = shape.seq - reader.first.setdefault(sender, shape.seq)
    ack = shape.ack and shape.ack - reader.first.get(receiver, 0)
    return replace(shape, seq=seq, ack=ack)


def _read_settings(reader: Reader, text: str, at: float) -> None:
    reader.for_linux |= is_for_linux(text)
    if match := MTU.search(text):
        reader.mtu = int(match[1])
    tunables, notices = read_shell(text.strip("`"))
    reader.notices += [text for text in notices if not MTU.search(text)]
    for name, value in tunables:
        if reader.steps:
            reader.steps.append(Tune(at, name, value))
        else:
            reader.tunables[name] = value


def _read_call(reader: Reader, text: str, when: tuple[float, float]) -> None:
    at, until = when
    call = read_call(text, until)
    if call.name == "getsockopt" and call.args[2:3] not in ASKED:
        reader.notices.append(f"passed over: {text}")
    elif until > at and call.name != "write":
        reader.blocked.append(call)
    else:
        _return_calls(reader, at + QUIET_S / 10)
        reader.steps.append(call)
    if call.name == "listen":
        reader.first.clear()
