"""Reading an IOS configuration: lines in, tunables and access lists out.

What is here: the dispatcher, which finds a line's command by its longest known
beginning and tells file and line of whatever is wrong, and the commands of TCP
Intercept and of access lists.  What is not: rules (`acl`), and the commands of
inspection, which add themselves to `COMMANDS`.

    ip tcp intercept list 100           access-list 100 permit tcp any any eq www
    ip tcp intercept mode watch         access-list 100 remark for the web
    no ip tcp intercept mode            ip access-list extended NAME, then rules
    ip tcp intercept max-incomplete low 900 high 1100

A configuration is all or nothing: `read` collects, and nothing has changed until
`Sysctl.assign` takes the whole.  `!` begins a comment.  Keywords may be short and in
capitals.  Lines of other features are counted and skipped, so that a whole `show
running-config` can be read, and with `strict` errors; those of ours are understood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from . import address as addresses
from .abbreviation import keyword
from .acl import AccessList, parse_rule, parse_standard
from .tunables import KNOBS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .acl import Rule

INTERCEPT = "net.inet.tcp.intercept."
LIST = INTERCEPT + "list"
SHOWN_MAX = 80  # characters of a line that is not understood
_SEQUENCE_STEP = 10
_SEQUENCE_MAX = 2**31 - 1
_IN_BLOCK = {"permit", "deny", "remark", "sequence", "exit"}
_WITHOUT_EFFECT = ("evaluate", "dynamic")
_EXTENDED = (range(100, 200), range(2000, 2700))
_STANDARD = (range(1, 100), range(1300, 2000))
# Beginnings of commands of which every line is understood or an error.
_OURS = {("ip", "tcp", "intercept"), ("ip", "inspect"), ("access-list",)}
_BANNERS = {"motd", "login", "exec", "incoming", "slip-ppp", "prompt-timeout"}


class Block(Protocol):
    """Lines that belong to the command before them."""

    def takes(self, words: list[str]) -> bool:
        """Tell whether a line of these words, without `no`, is one of them."""

    def line(self, words: list[str], no: bool) -> None:
        """Take such a line; ValueError says what is wrong with it."""

    def claims(self, indented: bool) -> bool:
        """Tell whether a line that is not understood is an error of this block."""


@dataclass(slots=True)
class Config:
    """What a configuration says so far.

    `changes` are tunables by name, `places` where each was said, `lists` the access
    lists, `inspection` what the commands of inspection keep for themselves.  `said`
    counts the lines of each feature, `skipped` those of others; `notes` are sentences
    about what was read and has no effect.
    """

    changes: dict[str, int | str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    drafts: dict[str, Draft] = field(default_factory=dict)
    inspection: dict[str, object] = field(default_factory=dict)
    where: str = ""
    strict: bool = False
    said: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    notes: list[str] = field(default_factory=list)

    def note(self, *texts: str) -> None:
        """Remember what has no effect, once, with the first line that has it."""
        for text in texts:
            if not any(old.endswith(text) for old in self.notes):
                self.notes.append(f"{self.where}{text}")

    def report(self, *features: str) -> list[str]:
        """Return the notes for an engine that these features are for."""
        texts = [
            f"{number} lines of {name} have no effect here"
            for name, number in self.said.items()
            if name not in features
        ]
        if self.skipped:
            texts.append(f"{self.skipped} lines of other features are skipped")
        return [*self.notes, *texts]

    def set(self, name: str, text: str) -> None:
        """Set a tunable to what a word spells; a router takes decimal digits only."""
        knob = KNOBS[name]
        if knob.type == "int" and not (text.isascii() and text.isdecimal()):
            raise ValueError(f"{name} is {knob.range}, not {text!r}")
        self.keep(name, knob.check(knob.parse(text)))

    def restore(self, name: str) -> None:
        """Set a tunable to its default."""
        self.keep(name, KNOBS[name].default)

    def keep(self, name: str, value: int | str) -> None:
        """Remember a change and the line that made it."""
        self.changes[name] = value
        self.places[name] = self.where

    @property
    def lists(self) -> dict[str, AccessList]:
        """The access lists by name."""
        return {name: draft.finished() for name, draft in self.drafts.items()}


# What a command does with the words behind it: `no` was in front of it or not.
Handler = Callable[[Config, list[str], bool], "Block | None"]


@dataclass(slots=True)
class Draft:
    """An access list that is being written; rules by family and sequence number."""

    config: Config
    name: str
    standard: bool = False
    rules: dict[int, dict[int, list[Rule]]] = field(default_factory=dict)

    def add(self, words: list[str], family: int, sequence: int | None = None) -> None:
        """Add a rule, behind the others unless it has a number."""
        rule = self._parse(words, family)
        rules = self.rules.setdefault(family, {})
        if sequence is None:
            last = max(rules, default=0)
            sequence = last + _SEQUENCE_STEP
        elif sequence in rules:
            raise ValueError(f"there is a rule {sequence} already")
        rules[sequence] = rule

    def remove(self, words: list[str], family: int, sequence: int | None) -> None:
        """Remove a rule by its number or its words."""
        rules = self.rules.get(family, {})
        if sequence is None:
            rule = self._parse(words, family)
            sequence = next((n for n, other in rules.items() if other == rule), None)
        if sequence not in rules:
            raise ValueError(f"list {self.name} has no such rule")
        del rules[sequence]

    def _parse(self, words: list[str], family: int) -> list[Rule]:
        notes: list[str] = []
        if self.standard:
            rules = parse_standard(words, notes)
        else:
            rules = parse_rule(words, family, notes)
        self.config.note(*notes)
        return rules

    def finished(self) -> AccessList:
        """Return the list; rules of two families do not meet, so IPv4's come first."""
        rules = [
            rule
            for family in sorted(self.rules)
            for sequence in sorted(self.rules[family])
            for rule in self.rules[family][sequence]
        ]
        return AccessList(self.name, rules)


@dataclass(slots=True)
class RuleBlock:
    """The rules under `ip access-list extended NAME` or `ipv6 access-list NAME`."""

    draft: Draft
    family: int

    def takes(self, words: list[str]) -> bool:
        """Tell whether this is a rule, a remark or the end."""
        choices = (*_IN_BLOCK, *_WITHOUT_EFFECT)
        return keyword(words[0], choices) is not None or words[0].isdecimal()

    def claims(self, indented: bool) -> bool:
        """Tell whether a line is below the command."""
        return indented

    def line(self, words: list[str], no: bool) -> None:
        """Add or remove a rule."""
        name = keyword(words[0], (*_IN_BLOCK, *_WITHOUT_EFFECT))
        if name in _WITHOUT_EFFECT:
            self.draft.config.note(f"{name} is ignored")
            return
        rest = words[1:] if name == "sequence" else words
        sequence = None
        if rest is not words or rest[0].isdecimal():
            sequence, rest = _sequence(rest[0] if rest else ""), rest[1:]
        if rest and keyword(rest[0], ("remark",)):
            return
        if no:
            self.draft.remove(rest, self.family, sequence)
        else:
            self.draft.add(rest, self.family, sequence)


def _sequence(word: str) -> int:
    if not (word.isascii() and word.isdecimal()) or not 1 <= int(word) <= _SEQUENCE_MAX:
        raise ValueError(f"a sequence number is 1 to {_SEQUENCE_MAX}, not {word!r}")
    return int(word)


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
        OSError: the file cannot be read.
        ValueError: a line is not understood, with file and line in front.
    """
    if isinstance(source, (str, Path)):
        text = Path(source).read_text(encoding="utf-8-sig", errors="replace")
        return read_lines(text.split("\n"), f"{source}:", known, strict=strict)
    return read_lines(source, "line ", known, strict=strict)


def read_lines(
    lines: Sequence[str], place: str, known: Sequence[str] = (), *, strict: bool = False
) -> Config:
    """Read lines; `place` and the number stand in front of an error."""
    config = Config(strict=strict)
    block: Block | None = None
    delimiter = ""
    for number, line in enumerate(lines, 1):
        config.where = f"{place}{number}: "
        if delimiter or (not strict and line.lower().startswith("banner ")):
            config.skipped += 1
            delimiter = _banner(line, delimiter)
            continue
        words = line.partition("!")[0].split()
        if not words or words == ["end"]:
            continue
        try:
            block = _take(config, block, words, line[:1].isspace())
        except ValueError as error:
            raise ValueError(f"{config.where}{error}") from None
    if delimiter:
        config.note("a banner does not end: the lines behind it are skipped")
    name = str(config.changes.get(LIST, ""))
    if name and name not in {*config.drafts, *known}:
        raise ValueError(f"{config.places[LIST]}there is no access list {name}")
    return config


def _banner(line: str, delimiter: str) -> str:
    """Return what ends the banner that a line begins or continues; "": it is over."""
    if delimiter:
        return "" if delimiter in line else delimiter
    text = line.split(None, 1)[1] if len(line.split()) > 1 else ""
    if keyword((text.split() or [""])[0], _BANNERS):
        text = text.partition(" ")[2].lstrip(" ")
    delimiter = "^C" if text.startswith("^C") else text[:1].strip(" \r\n")
    return "" if delimiter in text[len(delimiter) :] else delimiter


def _take(
    config: Config, block: Block | None, words: list[str], indented: bool
) -> Block | None:
    """Do what one line says; return the block that the next may belong to."""
    no = words[0].lower() == "no"
    rest = words[1:] if no else words
    if block is not None and rest and block.takes(rest):
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
        if len(path) == len(rest):
            raise ValueError(f"{shown!r} is not understood: more has to follow")
        word = rest[len(path)][:SHOWN_MAX]
        raise ValueError(f"{word!r} is not understood in {shown!r}")
    if config.strict or (block is not None and block.claims(indented)):
        raise ValueError(f"{shown!r} is not understood")
    config.skipped += 1
    return block if block is not None and block.claims(True) is False else None


def _command(words: list[str]) -> tuple[tuple[str, ...], Handler | None]:
    """Find the longest command that words begin with, and how far they are known."""
    path: tuple[str, ...] = ()
    best: tuple[tuple[str, ...], Handler | None] = ((), None)
    for word in words:
        size = len(path)
        choices = {
            name[size] for name in COMMANDS if len(name) > size and name[:size] == path
        }
        name = keyword(word, choices)
        if name is None:
            break
        path = (*path, name)
        if path in COMMANDS:
            best = path, COMMANDS[path]
    return best if best[1] is not None else (path, None)


def _feature(path: tuple[str, ...]) -> str:
    """Name the feature that a command belongs to."""
    if "access-list" in path or "access" in path:
        return "access lists"
    if path[:2] == ("ip", "inspect"):
        return "ip inspect"
    return "ip tcp intercept" if path[:2] == ("ip", "tcp") else ""


# Access lists.


def _numbered(config: Config, words: list[str], no: bool) -> None:
    """Read `access-list N permit ...`, `... remark ...`, `no access-list N`."""
    name, *rest = words or [""]
    if not name.isascii() or not name.isdecimal():
        raise ValueError(f"an access list here has a number, not {name!r}")
    standard = any(int(name) in numbers for numbers in _STANDARD)
    if not standard and not any(int(name) in numbers for numbers in _EXTENDED):
        if config.strict:
            raise ValueError(f"an extended list is 100-199 or 2000-2699, not {name}")
        config.note("access lists of other protocols are ignored")
    elif no and not rest:
        _forget(config, name)
    elif rest and keyword(rest[0], ("remark",)):
        return
    elif no:
        _existing(config, name).remove(rest, addresses.IPV4, None)
    else:
        draft = config.drafts.setdefault(name, Draft(config, name, standard))
        draft.add(rest, addresses.IPV4)


def ignored(text: str) -> Handler:
    """Return the reader of a command that has no effect here."""

    def take(config: Config, words: list[str], no: bool) -> None:  # noqa: ARG001
        config.note(f"{text} is ignored")

    return take


def _named(family: int, *, standard: bool = False) -> Handler:
    """Return the reader of the command that begins a named list of a family."""

    def begin(config: Config, words: list[str], no: bool) -> RuleBlock | None:
        if len(words) != 1:
            raise ValueError(f"one name is wanted, not {' '.join(words)!r}")
        (name,) = words
        KNOBS[LIST].check(name)
        if no:
            _existing(config, name).rules.pop(family, None)
            if not config.drafts[name].rules:
                _forget(config, name)
            return None
        draft = config.drafts.setdefault(name, Draft(config, name, standard))
        draft.rules.setdefault(family, {})
        return RuleBlock(draft, family)

    return begin


def _existing(config: Config, name: str) -> Draft:
    if name not in config.drafts:
        raise ValueError(f"there is no access list {name}")
    return config.drafts[name]


def _forget(config: Config, name: str) -> None:
    _existing(config, name)
    del config.drafts[name]


# TCP Intercept.


def _single(name: str) -> Handler:
    """Return the reader of a command with one operand."""

    def take(config: Config, words: list[str], no: bool) -> None:
        if no and len(words) <= 1:
            config.restore(name)
        elif len(words) != 1:
            raise ValueError(f"one value is wanted, not {' '.join(words)!r}")
        else:
            legal = KNOBS[name].legal if KNOBS[name].type == "enum" else ()
            config.set(name, keyword(words[0], map(str, legal)) or words[0])

    return take


def pair(low: str, high: str) -> Handler:
    """Return the reader of `low N`, `high N`, `low N high N`; `no` restores."""
    names = {"low": low, "high": high}

    def take(config: Config, words: list[str], no: bool) -> None:
        if no and not words:
            words = ["low", "high"]
        rest = list(words)
        said: set[str] = set()
        while rest:
            which = keyword(word := rest.pop(0), names)
            if which is None or which in said:
                raise ValueError(f"low or high is wanted once each, not {word!r}")
            said.add(which)
            value = rest.pop(0) if rest and not keyword(rest[0], names) else None
            if no:
                config.restore(names[which])
            elif value is None:
                raise ValueError(f"{which} wants a number")
            else:
                config.set(names[which], value)
        if not said:
            raise ValueError("low or high is wanted")

    return take


COMMANDS: dict[tuple[str, ...], Handler] = {
    ("access-list",): _numbered,
    ("ip", "access-list", "extended"): _named(addresses.IPV4),
    ("ip", "access-list", "standard"): _named(addresses.IPV4, standard=True),
    ("ipv6", "access-list"): _named(addresses.IPV6),
    # As `show access-lists` heads them.
    ("extended", "ip", "access", "list"): _named(addresses.IPV4),
    ("standard", "ip", "access", "list"): _named(addresses.IPV4, standard=True),
    ("ipv6", "access", "list"): _named(addresses.IPV6),
    **{
        ("access-list", word): ignored(f"access-list {word}")
        for word in ("compiled", "dynamic-extended", "rate-limit")
    },
    **{
        ("ip", "tcp", "intercept", word): _single(INTERCEPT + name)
        for word, name in {
            "list": "list",
            "mode": "mode",
            "drop-mode": "drop_mode",
            "watch-timeout": "watch_timeout",
            "finrst-timeout": "finrst_timeout",
            "connection-timeout": "connection_timeout",
        }.items()
    },
    **{
        ("ip", "tcp", "intercept", word): pair(
            f"{INTERCEPT}{name}.low", f"{INTERCEPT}{name}.high"
        )
        for word, name in {
            "max-incomplete": "max_incomplete",
            "one-minute": "one_minute",
        }.items()
    },
}


def written(values: Mapping[str, int | str], lists: Sequence[AccessList]) -> str:
    """Return the configuration of TCP Intercept that makes these values."""
    lines = []
    for words, name in (
        ("list", "list"),
        ("mode", "mode"),
        ("drop-mode", "drop_mode"),
        ("watch-timeout", "watch_timeout"),
        ("finrst-timeout", "finrst_timeout"),
        ("connection-timeout", "connection_timeout"),
    ):
        value = values[INTERCEPT + name]
        if value != KNOBS[INTERCEPT + name].default:
            lines.append(f"ip tcp intercept {words} {value}")
    for words, name in (
        ("max-incomplete", "max_incomplete"),
        ("one-minute", "one_minute"),
    ):
        low, high = (f"{INTERCEPT}{name}.{end}" for end in ("low", "high"))
        if (values[low], values[high]) != (KNOBS[low].default, KNOBS[high].default):
            numbers = f"low {values[low]} high {values[high]}"
            lines.append(f"ip tcp intercept {words} {numbers}")
    return "\n".join([*lines, *map(str, lists)])
