"""The commands of access lists and object groups in an IOS configuration.

    access-list 100 permit tcp any any eq www   ip access-list extended NAME, then rules
    access-list 100 remark for the web          ipv6 access-list NAME, then rules
    access-list NAME extended permit ...        as PIX and ASA have it (`acl.firewall`)
    ip access-list NAME, then rules             ipv4 access-list NAME: NX-OS, IOS XR

Elsewhere: rules (`acl_parse`), object groups and names of hosts (`group`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import address as addresses
from ..abbreviation import keyword
from ..acl import AccessList, firewall, parse_rule, parse_standard
from ..acl.names import UnknownHost, resolved
from ..acl.parse import ACTIONS, LeftOut, has_group
from ..ports import numbered
from ..tunables import KNOBS
from . import group
from .intercept import LIST
from .syntax import Config, Handler, ignored

if TYPE_CHECKING:
    from ..acl import Rule

_SEQUENCE_STEP = 10
_SEQUENCE_MAX = 2**31 - 1
_WITHOUT_EFFECT = {"evaluate", "dynamic"}
_EXTENDED = (range(100, 200), range(2000, 2700))
_STANDARD = (range(1, 100), range(1300, 2000))
# What other systems have in a list beside rules; not to be shortened.
_OTHERS_IN_BLOCK = {"statistics", "counters", "ignore", "fragments", "hardware"}
# Some switches have `ipv6 access-list extended NAME`.
_IPV6_KINDS = {addresses.IPV4: (), addresses.IPV6: ("extended", "standard")}
_ICMPV6 = ("icmp6", "icmpv6")  # as other systems call it
# In the place of a name: commands about lists.
_NO_NAMES = {
    *("resequence", "logging", "log-update", "role-based", "fqdn", "helper"),
    *("match-local-traffic", "persistent", "dynamic-extended", "commit"),
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A rule that names a group, whose members may come later in the file."""

    words: tuple[str, ...]
    where: str = field(compare=False)


@dataclass(slots=True)
class Draft:
    """An access list that is being written; rules by family and sequence number."""

    config: Config
    name: str
    standard: bool = False
    rules: dict[int, dict[int, list[Rule] | Waiting]] = field(default_factory=dict)
    fault: str = ""  # the first rule that was not understood

    def add(self, words: list[str], family: int, sequence: int | None = None) -> None:
        """Add a rule, behind the others unless it has a number.

        Raises:
            ValueError: it is not understood.  Beside other features, the list may be
                theirs: its fault is kept until the file has been read.
        """
        rules = self.rules.setdefault(family, {})
        try:
            rule = self._entry(words, family)
            if sequence is None:
                sequence = max(rules, default=0) + _SEQUENCE_STEP
            elif rules.get(sequence, rule) != rule:
                raise ValueError(f"there is a rule {sequence} already")  # noqa: TRY301
        except ValueError as error:
            if self.config.strict:
                raise
            self.fault = self.fault or f"{self.config.where}{error}"
            return
        rules[sequence] = rule

    def remove(self, words: list[str], family: int, sequence: int | None) -> None:
        """Remove a rule by its number or its words."""
        rules = self.rules.get(family, {})
        if sequence is None:
            rule = self._entry(words, family)
            sequence = next((n for n, other in rules.items() if other == rule), None)
        if sequence in rules:
            del rules[sequence]
        elif self.config.strict:
            raise ValueError(f"list {self.name} has no such rule")
        else:
            self.config.note(f"list {self.name} has no such rule to remove")

    def resolve(self) -> None:
        """Read the rules that waited for their groups, now that the file is over.

        Raises:
            ValueError: one is not understood, in a strict reading.
        """
        for family, rules in self.rules.items():
            for sequence, rule in rules.items():
                if not isinstance(rule, Waiting):
                    continue
                rules[sequence] = []
                self.config.where = rule.where
                try:
                    rules[sequence] = self._parse(list(rule.words), family)
                except ValueError as error:
                    if self.config.strict:
                        raise ValueError(f"{rule.where}{error}") from None
                    self.fault = self.fault or f"{rule.where}{error}"

    def _entry(self, words: list[str], family: int) -> list[Rule] | Waiting:
        """Read a rule, unless it has to wait."""
        if has_group(words):
            return Waiting(tuple(words), self.config.where)
        return self._parse(words, family)

    def _parse(self, words: list[str], family: int) -> list[Rule]:
        notes: list[str] = []
        rules: list[Rule] = []
        if words[1:] and words[1].lower() == "ipv4":
            words = [words[0], "ip", *words[2:]]
        if not self.config.strict:
            words = numbered(words)
        try:
            for line in resolved(words, self.config.hosts, family):
                if self.standard:
                    rules += parse_standard(line, notes)
                else:
                    rules += parse_rule(line, family, notes, self.config.groups)
        except LeftOut as why:
            if isinstance(why, UnknownHost):
                self.config.unknown.add(why.name)
            notes.append(str(why))
        self.config.note(*notes)
        return rules

    def finished(self) -> AccessList:
        """Return the list; rules of two families do not meet, so IPv4's come first."""
        rules = [
            rule
            for family in sorted(self.rules)
            for sequence in sorted(self.rules[family])
            if not isinstance(entry := self.rules[family][sequence], Waiting)
            for rule in entry
        ]
        return AccessList(self.name, rules)


@dataclass(slots=True)
class RuleBlock:
    """The rules under `ip access-list extended NAME` or `ipv6 access-list NAME`."""

    draft: Draft
    family: int

    def takes(self, words: list[str], indented: bool) -> bool:
        """Tell whether this is a rule, a remark or the end, or meant to be."""
        if keyword(words[0], ACTIONS, 1) is not None or words[0].isdecimal():
            return True
        return indented and not self.draft.config.strict

    def claims(self, indented: bool) -> bool:
        """Tell whether a line is below the command."""
        return indented

    def line(self, words: list[str], no: bool) -> None:
        """Add or remove a rule."""
        numbered = keyword(words[0], ACTIONS, 1) == "sequence"
        rest = words[1:] if numbered else words
        sequence = None
        if numbered or rest[0].isdecimal():
            sequence, rest = _sequence(rest[0] if rest else ""), rest[1:]
        word = rest[0] if rest else ""
        name = word if word in _OTHERS_IN_BLOCK else keyword(word, ACTIONS, 1)
        if name in {*_WITHOUT_EFFECT, *_OTHERS_IN_BLOCK}:
            self.draft.config.note(f"{name} is ignored")
            return
        if name == "remark":
            return
        if self.family == addresses.IPV6 and not self.draft.config.strict:
            rest = ["icmp" if word.lower() in _ICMPV6 else word for word in rest]
            rest = _with_protocol(rest)
        if no:
            self.draft.remove(rest, self.family, sequence)
        else:
            self.draft.add(rest, self.family, sequence)


def _sequence(word: str) -> int:
    if not (word.isascii() and word.isdecimal()) or not 1 <= int(word) <= _SEQUENCE_MAX:
        raise ValueError(f"a sequence number is 1 to {_SEQUENCE_MAX}, not {word!r}")
    return int(word)


def _numbered(config: Config, words: list[str], no: bool) -> None:
    """Read `access-list N permit ...`, `... remark ...`, `no access-list N`."""
    name, *rest = words or [""]
    if not name.isascii() or not name.isdecimal():
        _firewall(config, name.rstrip(";"), rest, no)
        return
    standard = any(int(name) in numbers for numbers in _STANDARD)
    if not standard and not any(int(name) in numbers for numbers in _EXTENDED):
        if config.strict:
            raise ValueError(f"an extended list is 100-199 or 2000-2699, not {name}")
        config.note("access lists of other protocols are ignored")
    elif no and not rest:
        _forget(config, name)
    elif rest and keyword(rest[0], ("remark",)):
        return
    elif rest and keyword(rest[0], ("dynamic",)):
        config.note("dynamic rules are ignored")
    elif no:
        _existing(config, name, standard).remove(rest, addresses.IPV4, None)
    else:
        draft = config.drafts.setdefault(name, Draft(config, name, standard))
        draft.add(rest, addresses.IPV4)


def _firewall(config: Config, name: str, words: list[str], no: bool) -> None:
    """Read a rule of a list with a name, as PIX and ASA have them."""
    if config.strict:
        raise ValueError(f"an access list here has a number, not {name!r}")
    if keyword(name, ("cached", "mode", "alert-interval", "deny-flow-max")):
        return  # of the firewall itself, or a line of `show access-list`
    KNOBS[LIST].check(name)
    if no and not words:
        _forget(config, name)
        return
    try:
        found = [
            rule
            for line in resolved(words, config.hosts, addresses.IPV4)
            if (rule := firewall.rule(line)) is not None
        ]
    except LeftOut as why:
        if isinstance(why, UnknownHost):
            config.unknown.add(why.name)
        config.note(str(why))
        return
    for rest, standard, family in found:
        if no:
            _existing(config, name, standard).remove(rest, family, None)
        else:
            draft = config.drafts.setdefault(name, Draft(config, name, standard))
            draft.add(rest, family)


def _named(family: int, *, standard: bool = False) -> Handler:
    """Return the reader of the command that begins a named list of a family."""

    def begin(config: Config, words: list[str], no: bool) -> RuleBlock | None:
        if len(words) > 1 and not config.strict and words[0] in _IPV6_KINDS[family]:
            words = words[1:]
        if words and not config.strict and words[0].lower() in _NO_NAMES:
            config.note(f"access-list {words[0]} is ignored")
            return None
        inline = words[1:] if not config.strict else []
        if len(words) != 1 + len(inline):
            raise ValueError(f"one name is wanted, not {' '.join(words)!r}")
        if not words:
            raise ValueError("a name is wanted")
        name = words[0]
        KNOBS[LIST].check(name)
        if no and not inline:
            if config.strict or name in config.drafts:
                _existing(config, name).rules.pop(family, None)
                if not config.drafts[name].rules:
                    _forget(config, name)
            return None
        draft = config.drafts.setdefault(name, Draft(config, name, standard))
        draft.rules.setdefault(family, {})
        block = RuleBlock(draft, family)
        if not inline:
            return block
        _inline(block, inline, no)
        return None

    return begin


def _with_protocol(words: list[str]) -> list[str]:
    """Return a rule of IPv6 with what old systems and standard lists leave out."""
    if not _is_place("".join(words[1:2])):
        return words
    end = 3 if words[1].lower() == "host" else 2
    rest = words[end:]
    if not _is_place("".join(rest[:1])):
        rest = ["any", *rest]
    return [words[0], "ipv6", *words[1:end], *rest]


def _is_place(word: str) -> bool:
    return ":" in word or word.lower() in {"any", "host"}


def _inline(block: RuleBlock, words: list[str], no: bool) -> None:
    """Read a rule in the line of its list's name, as firewalls and old IOS have it."""
    if len(words) > 1 and keyword(words[0], ("line",)):
        words = words[2:]
    if words and not keyword(words[0], ("remark",)):
        block.line(words, no)


def _existing(config: Config, name: str, standard: bool = False) -> Draft:
    if name not in config.drafts:
        if config.strict:
            raise ValueError(f"there is no access list {name}")
        return Draft(config, name, standard)
    return config.drafts[name]


def _forget(config: Config, name: str) -> None:
    """Delete a list; scripts delete one before they write it, as a router allows."""
    if config.strict:
        _existing(config, name)
    config.drafts.pop(name, None)


def judge(config: Config, used: str) -> None:
    """Leave out lists with faults, if they are of other features.

    They are where the file has lines of other features and none of ours uses them.

    Raises:
        ValueError: the first fault of a list that may be ours.
    """
    for each in config.groups.values():
        if each.fault and not config.skipped:
            raise ValueError(each.fault)
    for name, draft in [*config.drafts.items()]:
        if not draft.fault:
            continue
        if name == used or not config.skipped:
            raise ValueError(draft.fault)
        config.where = ""
        config.note(
            f"{draft.fault}; access list {name}, which nothing uses, is left out"
        )
        del config.drafts[name]


COMMANDS: dict[tuple[str, ...], Handler] = {
    ("access-list",): _numbered,
    ("ip", "access-list", "extended"): _named(addresses.IPV4),
    ("ip", "access-list", "standard"): _named(addresses.IPV4, standard=True),
    ("ipv6", "access-list"): _named(addresses.IPV6),
    ("ip", "access-list"): _named(addresses.IPV4),
    ("ipv4", "access-list"): _named(addresses.IPV4),
    **group.COMMANDS,
    # As `show access-lists` heads them.
    ("extended", "ip", "access", "list"): _named(addresses.IPV4),
    ("standard", "ip", "access", "list"): _named(addresses.IPV4, standard=True),
    ("ipv6", "access", "list"): _named(addresses.IPV6),
    **{
        ("access-list", word): ignored(f"access-list {word}")
        for word in ("compiled", "dynamic-extended", "rate-limit")
    },
}
