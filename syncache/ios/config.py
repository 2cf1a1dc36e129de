"""Reading an IOS configuration: lines in, tunables, access lists and rules out.

Contents: the dispatcher, which finds a line's command by its longest known
beginning and names file and line of whatever is wrong.  Elsewhere: the commands, each
in the module of its feature: `ios_intercept`, `ios_access`, `ios_inspect`.

A configuration is all or nothing: `read` collects, and nothing has changed until
`Sysctl.assign` takes the whole.  `!` begins a comment.  Keywords may be short and in
capitals.  Lines of other features are counted and skipped, so that a whole `show
running-config` can be read, and with `strict` errors; those of ours are understood.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..abbreviation import SHORTEST, keyword
from ..textfile import read_text
from . import access as ios_access
from . import inspect as ios_inspect
from . import intercept as ios_intercept
from . import zone as ios_zone
from .inspect import finish, forget
from .intercept import INTERCEPT, LIST
from .intercept import configuration as written
from .marks import bare, joined
from .others import refuse_binary, refuse_others, relative
from .syntax import Block, Config, Handler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "COMMANDS",
    "INTERCEPT",
    "LIST",
    "Config",
    "changes",
    "read",
    "read_lines",
    "written",
]

ACCESS_LISTS = "access lists"
_THRESHOLDS = [
    f"{engine}{name}"
    for engine in (INTERCEPT, "net.inet.inspect.")
    for name in ("max_incomplete", "one_minute")
]
WRAPPED_MIN = 60  # columns of a terminal that broke lines
SHOWN_MAX = 80  # characters of a line that is not understood
# Beginnings of commands of which every line is understood or an error.
_OURS = {
    ("ip", "tcp", "intercept"),
    ("ip", "inspect"),
    ("access-list",),
    ("object-group",),
}


def _no_intercept(config: Config) -> None:
    """Take back all that was said of TCP Intercept."""
    for name in [name for name in config.changes if name.startswith(INTERCEPT)]:
        config.restore(name)


# Features that `no` and their first words end.
_WHOLE = {("ip", "inspect"): forget, ("ip", "tcp", "intercept"): _no_intercept}
# Below a group of clients, a line, a web page: text between two ^C as well.
_TEXT_BELOW = re.compile(r"[^^]*(?:banner|message|prompt|title)\b[^^]*(\^C)")
_MACRO_END = "@ alone"
_BRACE_END = "}"
# Only in configurations of firewalls, whose banners are lines without an end mark.
_FIREWALL = re.compile(
    r"(?:ASA|PIX|FWSM|NGFW) Version |: Saved|\s*(?:nameif|security-level) "
)
_BANNERS = {"motd", "login", "exec", "incoming", "slip-ppp", "prompt-timeout"}
COMMANDS: dict[tuple[str, ...], Handler] = {
    **ios_access.COMMANDS,
    **ios_intercept.COMMANDS,
    **ios_inspect.COMMANDS,
    **ios_zone.COMMANDS,
}


def read(
    source: str | Path | Sequence[str],
    known: Sequence[str] = (),
    *,
    strict: bool = False,
) -> Config:
    """Read a configuration.

    Args:
        source: a path, or the lines themselves.
        known: names of access lists that exist beside those of the configuration.
        strict: lines of other features are errors.

    Raises:
        OSError: the file cannot be read, or has more than 16 MiB.
        ValueError: a line is not understood, with file and line in front.
    """
    if isinstance(source, (str, Path)):
        lines = read_text(source).split("\n")
        return read_lines(lines, f"{source}:", known, strict=strict)
    return read_lines(source, "line ", known, strict=strict)


def read_lines(
    lines: Sequence[str], place: str, known: Sequence[str] = (), *, strict: bool = False
) -> Config:
    """Read lines; `place` and the number stand in front of an error."""
    try:
        return _read_whole(bare(lines), place, known, strict=strict, raw=lines)
    except ValueError as error:
        width = max(map(len, lines), default=0)
        broken = [at for at, line in enumerate(lines, 1) if len(line) == width]
        at_fault = any(str(error).startswith(f"{place}{at}: ") for at in broken)
        if strict or width < WRAPPED_MIN or not at_fault:
            raise
        whole = bare(joined(lines, width, _is_command))
        try:
            config = _read_whole(whole, place, known, strict=False, raw=lines)
        except ValueError:
            raise error from None
    text = f"lines of {width} columns go on in the next"
    config.notes.append(f"{place}{broken[0]}: {text}")
    return config


def _is_command(line: str) -> bool:
    """True if a line begins as the commands do that are read."""
    path, handler = _command(line.split())
    return handler is not None or any(path[: len(ours)] == ours for ours in _OURS)


def _read_whole(
    lines: Sequence[str],
    place: str,
    known: Sequence[str],
    *,
    strict: bool,
    raw: Sequence[str],
) -> Config:
    last = 0 if strict or any(map(_FIREWALL.match, lines)) else len(lines)
    config, began = _read_lines(lines, place, Config(strict=strict), last)
    if began:
        last = began - 1
        config, _ = _read_lines(lines, place, Config(strict=strict), last)
    if config.unknown & config.names.keys():  # their addresses stand behind the rules
        again = Config(strict=strict, later=config.names)
        config, _ = _read_lines(lines, place, again, last)
    if began:
        where, config.where = config.where, f"{place}{began}: "
        config.note("a banner does not end: it is taken for one line")
        config.where = where
    name = str(config.changes.get(LIST, ""))
    ios_access.judge(config, name)
    if not config.said:
        refuse_binary(raw, place)
        refuse_others(lines, place)
    if config.said.keys() <= {ACCESS_LISTS} and (found := relative(lines)):
        text = f"this is {found[1]}, not IOS: its access lists alone are read"
        config.notes.insert(0, f"{place}{found[0]}: {text}")
    if name and name not in {*config.drafts, *known}:
        raise ValueError(f"{config.places[LIST]}there is no access list {name}")
    return config


def _read_lines(
    lines: Sequence[str], place: str, config: Config, last: int
) -> tuple[Config, int]:
    """Read lines into a new state; those up to `last` may begin texts.

    Returns also the number of a line whose text does not end; 0: there is none.
    """
    block: Block | None = None
    delimiter = ""
    base = 0  # how far the command of the block is indented
    began = 0
    for number, line in enumerate(lines, 1):
        config.where = f"{place}{number}: "
        if delimiter or (number <= last and _begins_text(line)):
            config.skipped += 1
            began = began if delimiter else number
            delimiter = _text_end(line, delimiter)
            continue
        words = line.partition("!")[0].split()
        if not words or words == ["end"]:
            continue
        try:
            before = block
            block = _take(config, block, words, _indent(line) > base)
            if block is None or block is not before:
                base = 0 if block is None else _indent(line)
        except ValueError as error:
            faults = [draft.fault for draft in config.drafts.values() if draft.fault]
            first = "" if config.skipped else "".join(faults[:1])
            raise ValueError(first or f"{config.where}{error}") from None
    finish(config)
    for draft in config.drafts.values():
        draft.resolve()
    return config, began if delimiter else 0


def changes(config: Config, values: Mapping[str, int | str]) -> dict[str, int | str]:
    """Return the changes of a configuration to tunables that have these values.

    Where a router is told one of two thresholds and it contradicts the other, that one
    becomes the same; a router says so, and so does a note.
    """
    changed = dict(config.changes)
    for name in _THRESHOLDS:
        low, high = f"{name}.low", f"{name}.high"
        said = [each for each in (low, high) if each in changed]
        if len(said) != 1:
            continue
        value = changed[said[0]]
        other = low if said[0] == high else high
        below = changed.get(low, values[low])
        above = changed.get(high, values[high])
        assert isinstance(below, int)
        assert isinstance(above, int)
        if below > above > 0:
            changed[other] = value
            words = f"{other} becomes {value} too, as on a router"
            config.notes.append(f"{config.places[said[0]]}{words}")
    return changed


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _begins_text(line: str) -> bool:
    """True if a line begins text of the operator's: no line of it is a command."""
    words = line.lower().split(None, 3)
    if _TEXT_BELOW.match(line):
        return True
    if line[:1].isspace() or len(words) < 2:
        return False
    if words[0] in {"banner", "macro"}:
        if words[1:3] == ["auto", "execute"]:
            return line.count("{") > line.count("}")
        return words[0] == "banner" or words[1] == "name"
    if words[:2] == ["aaa", "authentication"]:
        return words[2:3] in (["banner"], ["fail-message"])
    return words[0] == "menu" and words[2:3] in (["title"], ["prompt"])


def _text_end(line: str, delimiter: str) -> str:
    """Return the end mark of the text that a line begins or continues; "": over."""
    if delimiter == _MACRO_END:
        return "" if line.strip() == "@" else delimiter
    if delimiter:
        return "" if delimiter in line else delimiter
    words = line.lower().split(None, 1)
    if words[0] == "macro":
        return _MACRO_END if words[1].startswith("name") else _BRACE_END
    if below := _TEXT_BELOW.match(line):
        return "" if "^C" in line[below.end() :] else "^C"
    text = line.split(None, 1)[1]
    for _ in range(0 if words[0] == "banner" else 2):
        text = text.partition(" ")[2].lstrip(" ")
    if words[0] == "banner" and keyword((text.split() or [""])[0], _BANNERS):
        text = text.partition(" ")[2].lstrip(" ")
    delimiter = "^C" if text.startswith("^C") else text[:1].strip(" \r\n")
    return "" if delimiter in text[len(delimiter) :] else delimiter


def _take(
    config: Config, block: Block | None, words: list[str], indented: bool
) -> Block | None:
    """Apply one line; return the block that the next may belong to."""
    # What is not said otherwise has its default: `default` takes back, as `no` does.
    no = words[0].lower() == "no" or keyword(words[0], ("default",), 3) is not None
    rest = words[1:] if no else words
    if len(rest) > 1 and rest[0].lower() == "ipv6" and keyword(rest[1], ("inspect",)):
        rest = ["ip", *rest[1:]]  # one engine inspects both families
    if block is not None and rest and block.takes(rest, indented):
        if rest != ["exit"] or no:
            block.line(rest, no)
            return block
        return None
    path, handler = _command(rest)
    if handler is not None:
        if feature := _feature(path):
            config.said[feature] = config.said.get(feature, 0) + 1
        return handler(config, rest[len(path) :], no)
    shown = " ".join(words)[:SHOWN_MAX]
    if any(path[: len(ours)] == ours for ours in _OURS):
        if no and rest and path in _WHOLE and len(path) == len(rest):
            _WHOLE[path](config)
            return None
        if len(path) == len(rest):
            raise ValueError(f"{shown!r} is not understood: more has to follow")
        if _is_binding(path, rest) and not config.strict:
            config.note("ip inspect ... in and out are ignored: no interface is named")
            return None
        word = rest[len(path)][:SHOWN_MAX]
        raise ValueError(f"{word!r} is not understood in {shown!r}")
    if config.strict or (block is not None and block.claims(indented)):
        raise ValueError(f"{shown!r} is not understood")
    config.skipped += 1
    return block if block is not None and block.claims(True) is False else None


def _is_binding(path: tuple[str, ...], words: list[str]) -> bool:
    """Tell a line below an interface, which `show running-config | include` prints."""
    return (
        path == ("ip", "inspect")
        and len(words) == len(path) + 2
        and keyword(words[-1], ("in", "out"), 1) is not None
    )


def _command(words: list[str]) -> tuple[tuple[str, ...], Handler | None]:
    """Find the longest command that words begin with, and how far they are known."""
    path: tuple[str, ...] = ()
    best: tuple[tuple[str, ...], Handler | None] = ((), None)
    for word in words:
        size = len(path)
        choices = {
            name[size] for name in COMMANDS if len(name) > size and name[:size] == path
        }
        name = keyword(word, choices, 1 if path in _OURS else SHORTEST)
        if name is None:
            break
        path = (*path, name)
        if path in COMMANDS:
            best = path, COMMANDS[path]
    return best if best[1] is not None else (path, None)


def _feature(path: tuple[str, ...]) -> str:
    """Name the feature that a command belongs to."""
    if {"access-list", "access", "object-group"} & set(path):
        return ACCESS_LISTS
    if path[:2] == ("ip", "inspect"):
        return "ip inspect"
    return "ip tcp intercept" if path[:2] == ("ip", "tcp") else ""
