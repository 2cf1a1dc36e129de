"""The commands of access lists and object groups in an IOS configuration.

    access-list 100 permit tcp any any eq www   ip access-list extended NAME, then rules
    access-list 100 remark for the web          ipv6 access-list NAME, then rules
    access-list NAME extended permit ...        as PIX and ASA have it (`acl.firewall`)
    object-group network NAME, then members     object-group service NAME, likewise

Elsewhere: rules (`acl_parse`) and members of groups (`object_group`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import address as addresses
from ..abbreviation import keyword
from ..acl import AccessList, firewall, parse_rule, parse_standard
from ..acl.object_group import NETWORK, SERVICE, Group
from ..acl.parse import LeftOut
from ..tunables import KNOBS
from .intercept import LIST
from .syntax import Config, Handler, ignored

if TYPE_CHECKING:
    from ..acl import Rule

_SEQUENCE_STEP = 10
_SEQUENCE_MAX = 2**31 - 1
_IN_BLOCK = {"permit", "deny", "remark", "sequence", "exit"}
_WITHOUT_EFFECT = ("evaluate", "dynamic")
_EXTENDED = (range(100, 200), range(2000, 2700))
_STANDARD = (range(1, 100), range(1300, 2000))
_KINDS = {"network": NETWORK, "v6-network": NETWORK, "service": SERVICE}
_KINDS |= {"v6-service": SERVICE, "ip": NETWORK}
_MEMBERS = (
    *("host", "range", "group-object", "tcp-udp", "exit"),
    *("network-object", "service-object", "port-object"),
    *("protocol-object", "icmp-object"),
)
# Some switches have `ipv6 access-list extended NAME`.
_IPV6_KINDS = {addresses.IPV4: (), addresses.IPV6: ("extended", "standard")}
_OTHER_KINDS = ("security", "fqdn", "geo", "protocol", "icmp-type", "user")


@dataclass(slots=True)
class Draft:
    """An access list that is being written; rules by family and sequence number."""

    config: Config
    name: str
    standard: bool = False
    rules: dict[int, dict[int, list[Rule]]] = field(default_factory=dict)
    fault: str = ""  # the first rule that was not understood

    def add(self, words: list[str], family: int, sequence: int | None = None) -> None:
        """Add a rule, behind the others unless it has a number.

        Raises:
            ValueError: it is not understood.  Beside other features, the list may be
                theirs: its fault is kept until the file has been read.
        """
        try:
            rule = self._parse(words, family)
        except ValueError as error:
            if self.config.strict:
                raise
            self.fault = self.fault or f"{self.config.where}{error}"
            return
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
            rules = parse_rule(words, family, notes, self.config.groups)
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

    def takes(self, words: list[str], indented: bool) -> bool:  # noqa: ARG002
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
        _existing(config, name).remove(rest, addresses.IPV4, None)
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
        rule = firewall.rule(words)
    except LeftOut as why:
        config.note(str(why))
        return
    if rule is None:
        return
    rest, standard = rule
    if no:
        _existing(config, name).remove(rest, addresses.IPV4, None)
        return
    draft = config.drafts.setdefault(name, Draft(config, name, standard))
    draft.add(rest, addresses.IPV4)


def _named(family: int, *, standard: bool = False) -> Handler:
    """Return the reader of the command that begins a named list of a family."""

    def begin(config: Config, words: list[str], no: bool) -> RuleBlock | None:
        if len(words) > 1 and not config.strict and words[0] in _IPV6_KINDS[family]:
            words = words[1:]
        if len(words) != 1:
            raise ValueError(f"one name is wanted, not {' '.join(words)!r}")
        (name,) = words
        KNOBS[LIST].check(name)
        if no:
            if config.strict or name in config.drafts:
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


@dataclass(slots=True)
class GroupBlock:
    """The members under `object-group network NAME` and its kin."""

    group: Group

    def takes(self, words: list[str], indented: bool) -> bool:
        """Tell whether a line is below the command, or looks like a member."""
        return indented or keyword(words[0], _MEMBERS) is not None

    def claims(self, indented: bool) -> bool:
        """Tell whether a line is below the command."""
        return indented

    def line(self, words: list[str], no: bool) -> None:
        """Add a member; a removed one cannot be told from one that stays."""
        if no:
            self.group.unclear = f"{' '.join(words)!r} is removed from it"
            return
        self.group.take(words)


def _group(config: Config, words: list[str], no: bool) -> GroupBlock | None:
    """Read `object-group network NAME`, `service NAME`, and others."""
    kind = keyword(words[0] if words else "", (*_KINDS, *_OTHER_KINDS))
    names = words[1:]
    if kind == "ip" and names and keyword(names[0], ("address",)):
        names = names[1:]  # as `show object-group` of switches heads it
    elif kind == "ip" and len(names) > 1 and keyword(names[0], ("port",)):
        kind, names = "ports", names[1:]  # of a `portgroup`
    # A service group may say its protocol behind its name: tcp, udp, tcp-udp.
    if kind is None or not names:
        raise ValueError("object-group wants network or service, and a name")
    if no:
        config.groups.pop(names[0], None)
        return None
    group = config.groups.setdefault(names[0], Group(names[0], _KINDS.get(kind, kind)))
    return GroupBlock(group)


@dataclass(slots=True)
class ObjectBlock:
    """What is under `object network NAME` of a firewall: one address, or several."""

    group: Group

    def takes(self, words: list[str], indented: bool) -> bool:  # noqa: ARG002
        """Tell whether a line is below the command."""
        return indented

    def claims(self, indented: bool) -> bool:
        """Tell whether a line is below the command."""
        return indented

    def line(self, words: list[str], no: bool) -> None:  # noqa: ARG002
        """Take the address; NAT and names are not expressed here."""
        kind = keyword(words[0], ("host", "subnet", "range", "nat", "description"))
        if kind in {"host", "range"}:
            self.group.take(words)
        elif kind == "subnet":
            self.group.take(words[1:])
        elif kind is None:
            self.group.unclear = f"{words[0]} is not expressed here"


def _object(config: Config, words: list[str], no: bool) -> ObjectBlock | None:
    """Read `object network NAME`; NAT of it may come later under the same name."""
    if len(words) != 1:
        raise ValueError(f"one name is wanted, not {' '.join(words)!r}")
    if no:
        config.groups.pop(words[0], None)
        return None
    found = config.groups.setdefault(words[0], Group(words[0], NETWORK))
    return ObjectBlock(found)


COMMANDS: dict[tuple[str, ...], Handler] = {
    ("access-list",): _numbered,
    ("ip", "access-list", "extended"): _named(addresses.IPV4),
    ("ip", "access-list", "standard"): _named(addresses.IPV4, standard=True),
    ("ipv6", "access-list"): _named(addresses.IPV6),
    ("object-group",): _group,
    ("object", "network"): _object,
    # As `show access-lists` heads them.
    ("extended", "ip", "access", "list"): _named(addresses.IPV4),
    ("standard", "ip", "access", "list"): _named(addresses.IPV4, standard=True),
    ("ipv6", "access", "list"): _named(addresses.IPV6),
    **{
        ("access-list", word): ignored(f"access-list {word}")
        for word in ("compiled", "dynamic-extended", "rate-limit")
    },
}
