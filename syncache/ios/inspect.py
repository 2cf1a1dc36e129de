"""The commands of inspection in an IOS configuration, read and written.

    ip inspect max-incomplete high 500      ip inspect name OutBound tcp timeout 60
    ip inspect one-minute low 400 high 500  ip inspect name OutBound icmp alert off
    ip inspect tcp max-incomplete host 50 block-time 2
    no ip inspect alert-off                 interface eth0, then ip inspect OutBound in

Elsewhere: the values (`inspection`, `inspect_rule`), and what `show ip inspect`
prints (`ios_inspect_show`; its functions can be had from here too).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..abbreviation import keyword
from ..inspect_application import APPLICATIONS, PORTLESS, TCP, UDP
from ..inspect_rule import APPLICATIONS_MAX, NAME_MAX, PROTOCOLS, Rule, RuleSet
from ..tunables import KNOBS
from .inspect_show import (
    HOST,
    MINUTES,
    SECONDS,
    UNLIMITED,
    show_config,
    show_interfaces,
    show_sessions,
    show_statistics,
)
from .syntax import Block, Config, Handler, ignored
from .table import Entry, Pair, Single, Switch, commands
from .table import written as lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = [
    "HOST",
    "MINUTES",
    "SECONDS",
    "UNLIMITED",
    "Draft",
    "Interface",
    "chosen",
    "draft_of",
    "finish",
    "show_config",
    "show_interfaces",
    "show_sessions",
    "show_statistics",
    "written",
]

_I = "net.inet.inspect."
_INSPECT = ("ip", "inspect")
# Behind a protocol: what is understood, and what has no effect and how many operands.
_OPTIONS = ("alert", "audit-trail", "timeout")
_MEANINGLESS = {
    "java-list": 1,
    "max-data": 1,
    "reset": 0,
    "router-traffic": 0,
    "secure-login": 0,
    "urlfilter": 0,
    "vrf": 1,
}
# In the place of a protocol: the whole line has no effect.
_WHOLE = ("appfw", "fragment", "parameter", "rpc", "user")
# Behind `ip nat` and `ip address`: what says where an interface leads.
_SIDES = {"outside", "inside", "dhcp", "negotiated"}
_DIRECTIONS = ("in", "out")
BINDING = 4  # words: ip inspect NAME in
_GLOBAL = (
    ("log",),
    ("l2-transparent",),
    ("waas",),
    ("routing-header",),
    ("redundancy",),
    ("tcp", "reassembly"),
    ("tcp", "block-non-session"),
    ("tcp", "window-scale-enforcement"),
)


@dataclass(slots=True)
class Interface:
    """The bindings of an interface: rules and access lists, by direction.

    `outside` is whether it leads outside, if the configuration says that it does: by
    address translation, by a crypto map, or because its address comes from a provider.
    """

    name: str
    rules: dict[str, str] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    outside: bool | None = None


@dataclass(frozen=True, slots=True)
class HostLimit:
    """`ip inspect tcp max-incomplete host N [block-time M]`."""

    path: tuple[str, ...] = (*_INSPECT, "tcp", "max-incomplete", "host")

    def take(self, config: Config, words: list[str], no: bool) -> None:
        """Read the words behind the command."""
        if no:
            config.restore(HOST)
            config.restore(MINUTES)
            return
        long = len(words) == 3 and keyword(words[1], ("block-time",))
        if len(words) != 1 and not long:
            raise ValueError("host wants a number, then block-time and minutes")
        config.set(HOST, words[0])
        config.set(MINUTES, words[2] if long else "0")

    def lines(self, values: Mapping[str, int | str]) -> list[str]:
        """Return the line that makes both values; none for the defaults."""
        if (values[HOST], values[MINUTES]) == (KNOBS[HOST].default, 0):
            return []
        return [f"{' '.join(self.path)} {values[HOST]} block-time {values[MINUTES]}"]


TABLE: tuple[Entry, ...] = (
    Switch((*_INSPECT, "alert-off"), _I + "alert", on=0),
    Switch((*_INSPECT, "audit-trail"), _I + "audit_trail", on=1),
    Pair((*_INSPECT, "max-incomplete"), _I + "max_incomplete"),
    Pair((*_INSPECT, "one-minute"), _I + "one_minute"),
    Single((*_INSPECT, "tcp", "synwait-time"), _I + "tcp.synwait_time"),
    Single((*_INSPECT, "tcp", "finwait-time"), _I + "tcp.finwait_time"),
    Single((*_INSPECT, "tcp", "idle-time"), _I + "tcp.idle_time"),
    Single((*_INSPECT, "udp", "idle-time"), _I + "udp.idle_time"),
    Single((*_INSPECT, "dns-timeout"), _I + "dns_timeout"),
    Single((*_INSPECT, "dns", "idle-time"), _I + "dns_timeout", alias=True),
    Single((*_INSPECT, "dns"), _I + "dns_timeout", alias=True),  # cut short
    Single((*_INSPECT, "hashtable-size"), _I + "hashtable_size"),
    HostLimit(),
)


def written(
    values: Mapping[str, int | str],
    rules: RuleSet,
    interfaces: Iterable[Interface] = (),
) -> str:
    """Return the `ip inspect` lines that make these values and rules."""
    lines = lines_of(TABLE, values)
    for one in rules.sides():
        for rule in one:
            if rule.port and rule.protocol not in APPLICATIONS:
                kind = "tcp" if rule.transport == TCP else "udp"
                lines.append(f"ip port-map {rule.protocol} port {kind} {rule.port}")
            lines.append(f"ip inspect name {one.name} {rule}")
    names = {one.name for one in rules.sides()}
    for interface in interfaces:
        lines.append(f"interface {interface.name}")
        if interface.outside is not None:
            side = "outside" if interface.outside else "inside"
            lines.append(f" ip nat {side}")
        for direction, name in interface.rules.items():
            # Sets that are applied together have one name between them.
            bound = name if name in names else rules.name
            lines.append(f" ip inspect {bound} {direction}")
        for direction, name in interface.lists.items():
            lines.append(f" ip access-group {name} {direction}")
    return "\n".join(lines)


@dataclass(slots=True)
class Draft:
    """The contents of the `ip inspect name` and `interface` lines so far."""

    rules: dict[str, dict[str, Rule]] = field(default_factory=dict)
    interfaces: dict[str, Interface] = field(default_factory=dict)
    # The operator's own applications, and the lines that name one.
    ports: dict[str, tuple[int, int]] = field(default_factory=dict)
    waiting: list[tuple[str, str, list[str], str]] = field(default_factory=list)

    def sets(self) -> dict[str, RuleSet]:
        """Return the rule sets by name."""
        return {
            name: RuleSet(name, tuple(of.values())) for name, of in self.rules.items()
        }


def draft_of(config: Config) -> Draft:
    """Return a configuration's inspection settings beside its tunables."""
    draft = config.inspection.setdefault("draft", Draft())
    assert isinstance(draft, Draft)
    return draft


def forget(config: Config) -> None:
    """Take back all that was said of inspection: `no ip inspect`."""
    config.inspection.pop("draft", None)
    for name in [name for name in config.changes if name.startswith(_I)]:
        config.restore(name)


def chosen(config: Config, name: str | None = None) -> RuleSet | None:
    """Return the rules that are applied; None: the configuration names none.

    Of several that are bound, each holds for the sessions that begin on its side, if
    the configuration says which interface leads outside; else those of all hold, in
    both directions.  `name` chooses one, or two: `OUTSIDE,INSIDE`.

    Raises:
        ValueError: several are named and no interface says which, or an interface
            names one that there is not.
    """
    draft = draft_of(config)
    sets = draft.sets()
    applied = {bound for i in draft.interfaces.values() for bound in i.rules.values()}
    applied = applied if name is None else set(name.split(","))
    for missing in sorted(applied - sets.keys()):
        raise ValueError(f"there is no ip inspect name {missing}")
    if name is not None and "," in name:
        outside, inside, *more = name.split(",")
        if more:
            raise ValueError(f"two names are wanted, OUTSIDE,INSIDE, not {name}")
        return RuleSet.directed(sets[outside], sets[inside])
    candidates = sorted(applied) or list(sets)
    if len(candidates) <= 1:
        return sets[candidates[0]] if candidates else None
    names = " and ".join(candidates)
    if not applied:
        raise ValueError(
            f"one set of rules can be applied, not {names}; "
            "bind one to an interface, or choose it with --rules"
        )
    begun = _begun(draft)
    if begun is not None and not all(begun):
        # As with one set: what is bound for one direction holds in both.
        return RuleSet.united([sets[one] for one in candidates])
    if begun is None:
        text = (
            f"the rules of {names} are applied together, in both directions: no ip nat "
            "outside shows what is outside; --rules OUTSIDE,INSIDE does"
        )
        config.notes += [] if text in config.notes else [text]
        return RuleSet.united([sets[one] for one in candidates])
    outside_rules, inside_rules = (
        RuleSet.united([sets[one] for one in sorted(side)]) for side in begun
    )
    return RuleSet.directed(outside_rules, inside_rules)


def _begun(draft: Draft) -> tuple[set[str], set[str]] | None:
    """Return the names that hold for sessions begun outside, and begun inside.

    None: the configuration does not say which interfaces lead outside.
    """
    interfaces = draft.interfaces.values()
    if not any(interface.outside for interface in interfaces):
        return None
    begun: tuple[set[str], set[str]] = (set(), set())
    for interface in interfaces:
        for direction, name in interface.rules.items():
            # Into the outside interface: begun outside; out of it: begun inside.
            inside = (direction == "in") != bool(interface.outside)
            begun[inside].add(name)
    return begun


def _name(config: Config, words: list[str], no: bool) -> None:
    """Read `ip inspect name NAME PROTOCOL` and its options."""
    draft = draft_of(config)
    name, *rest = words or [""]
    if not 0 < len(name) <= NAME_MAX:
        raise ValueError("a name is wanted, and a protocol")
    if no:
        rules = draft.rules.get(name, {})
        if not rules or (rest and rest[0] not in rules):
            text = f"there is no ip inspect name {' '.join(words[:2])}"
            if config.strict:
                raise ValueError(text)
            config.note(f"{text} to remove")
            return
        if rest:
            del rules[rest[0]]
        if not rest or not rules:
            del draft.rules[name]
        return
    if not rest:
        raise ValueError(f"a protocol is wanted behind {name}")
    if rest[0].lower().startswith("user-"):
        draft.waiting.append((name, rest[0], rest[1:], config.where))
        return
    known = (*PROTOCOLS, *APPLICATIONS, *PORTLESS, *_WHOLE)
    protocol = keyword(rest[0], known) or rest[0]
    if protocol in _WHOLE:
        config.note(f"ip inspect name ... {protocol} is ignored")
    elif protocol in PORTLESS:
        config.note(f"{protocol} has no port here: it is inspected as tcp or udp")
    else:
        _keep(config, name, _rule(config, Rule(protocol), rest[1:]))


def _keep(config: Config, name: str, rule: Rule) -> None:
    """Add a rule to those of a name."""
    rules = draft_of(config).rules.setdefault(name, {})
    protocol = rule.protocol
    others = [r for r in rules.values() if r.port and r.protocol != protocol]
    if rule.port and len(others) == APPLICATIONS_MAX:
        config.note(f"applications beyond {APPLICATIONS_MAX} are inspected as tcp, udp")
    elif any((r.transport, r.port) == (rule.transport, rule.port) for r in others):
        config.note(f"{protocol} is ignored: another application has its port")
    else:
        rules[protocol] = rule


def finish(config: Config) -> None:
    """Make the rules that name applications of the operator's own."""
    draft = draft_of(config)
    for name, protocol, words, where in draft.waiting:
        config.where = where
        if protocol not in draft.ports:
            config.note(f"{protocol} has no ip port-map: it is inspected as tcp or udp")
            continue
        transport, port = draft.ports[protocol]
        try:
            rule = Rule(protocol, transport=transport, port=port)
            _keep(config, name, _rule(config, rule, words))
        except ValueError as error:
            raise ValueError(f"{where}{error}") from None
    draft.waiting.clear()


def _port_map(config: Config, words: list[str], no: bool) -> None:
    """Read `ip port-map NAME port [tcp|udp] N ...`."""
    name = words[0] if words else ""
    rest = words[1:]
    if not name.lower().startswith("user-"):
        config.note("ip port-map of known applications is ignored")
        return
    if no:
        draft_of(config).ports.pop(name, None)
        return
    transport = TCP
    if rest and keyword(rest[0], ("port",)):
        rest.pop(0)
    if rest and keyword(rest[0], ("tcp", "udp")):
        transport = TCP if keyword(rest.pop(0), ("tcp",)) else UDP
    if rest and keyword(rest[0], ("from",)):
        rest.pop(0)
    port = rest[0] if rest else ""
    if not (port.isascii() and port.isdecimal() and 1 <= int(port) < 2**16):
        raise ValueError(f"a port is 1 to 65535, not {port!r}")
    found = (transport, int(port))
    first = draft_of(config).ports.setdefault(name, found)
    if first != found or "to" in rest or (rest[1:] and rest[1].isdecimal()):
        config.note("of several ports of an application the first counts")


def _rule(config: Config, rule: Rule, words: Sequence[str]) -> Rule:
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name = keyword(word, (*_OPTIONS, *_MEANINGLESS)) or ""
        if not name:
            raise ValueError(f"{word!r} is not understood")
        if name in _MEANINGLESS:
            if len(rest) < _MEANINGLESS[name]:
                raise ValueError(f"{word} wants a value behind it")
            del rest[: _MEANINGLESS[name]]
            config.note(f"{name} is ignored")
            continue
        if not rest:
            raise ValueError(f"{word!r} is not understood without a value")
        word, value = name, rest.pop(0).lower()
        switch = keyword(value, ("on", "off"))
        if word in {"alert", "audit-trail"} and switch is not None:
            on = switch == "on"
            key = "alert" if word == "alert" else "audit_trail"
            rule = replace(rule, **{key: on})  # type: ignore[arg-type]
        elif word == "timeout" and value.isascii() and value.isdecimal():
            rule = replace(rule, timeout=int(value))
        else:
            raise ValueError(f"{word} {value!r} is not understood")
    return rule


def _direction(word: str) -> str:
    """Return `in` or `out` of as much of it as a router needs, else the word."""
    return keyword(word, _DIRECTIONS, 1) or word


def _alone(words: list[str]) -> list[str]:
    """Return a binding without `redundancy stateful GROUP`, of a pair of routers."""
    paired = len(words) > BINDING and words[BINDING].lower() == "redundancy"
    return words[:BINDING] if paired else words


@dataclass(slots=True)
class InterfaceBlock:
    """The lines below `interface NAME` that bind rules and access lists to it."""

    interface: Interface
    known: dict[str, Interface]
    note: Callable[[str], None]

    def takes(self, words: list[str], indented: bool) -> bool:
        """Tell whether a line belongs here; `ip inspect name` is of no interface."""
        words = _alone(words)
        lower = [word.lower() for word in words]
        if lower[:2] == ["crypto", "map"]:
            return indented and len(words) == 3
        if lower[0] != "ip" or len(words) == 1:
            return lower[0] in {"exit", "description"}
        if lower[1] in {"nat", "address"}:
            return len(words) == 3 and lower[2] in _SIDES
        name = keyword(words[1], ("inspect", "access-group", "access-list"))
        if name == "inspect":
            return lower[-1] in _DIRECTIONS or (
                len(words) == BINDING and _direction(words[-1]) in _DIRECTIONS
            )
        return name == "access-group"

    def claims(self, indented: bool) -> bool:  # noqa: ARG002
        """Tell that other lines of an interface are not errors."""
        return False

    def line(self, words: list[str], no: bool) -> None:
        """Take one line."""
        if len(alone := _alone(words)) < len(words):
            self.note("redundancy is ignored: the sessions of a pair are not shared")
            words = alone
        lower = [word.lower() for word in words]
        if lower[0] == "description":
            return
        if lower[0] == "crypto" or lower[1] in {"nat", "address"}:
            self._leads(lower[-1], no)
            return
        inspects = keyword(words[1], ("inspect", "access-group")) == "inspect"
        bound = self.interface.rules if inspects else self.interface.lists
        if len(words) == BINDING:
            words = [*words[:3], _direction(words[3])]
        if len(words) == 3 and not inspects and lower[2] not in _DIRECTIONS:
            words = [*words, "out"]  # what a list without a direction is for
        if no and len(words) < 4:  # without the name of what is bound
            for direction in words[2:] or _DIRECTIONS:
                bound.pop(direction.lower(), None)
            return
        if len(words) != BINDING or words[3] not in _DIRECTIONS:
            raise ValueError(f"{' '.join(words[:2])} wants a name, then in or out")
        direction = words[3]
        if no:
            bound.pop(direction, None)
        else:
            self.known.setdefault(self.interface.name, self.interface)
            bound[direction] = words[2]

    def _leads(self, where: str, no: bool) -> None:
        """Remember a line's setting for the side that the interface leads to."""
        if no:
            return
        self.known.setdefault(self.interface.name, self.interface)
        self.interface.outside = where != "inside"


def _interface(config: Config, words: list[str], no: bool) -> Block | None:
    name = " ".join(words)
    interfaces = draft_of(config).interfaces
    if not name:
        raise ValueError("interface wants a name")
    if no:
        interfaces.pop(name, None)
        return None
    interface = interfaces.get(name) or Interface(name)
    return InterfaceBlock(interface, interfaces, config.note)


COMMANDS: dict[tuple[str, ...], Handler] = {
    **commands(TABLE),
    **{
        (*_INSPECT, *words): ignored(f"ip inspect {' '.join(words)}")
        for words in _GLOBAL
    },
    (*_INSPECT, "name"): _name,
    ("ip", "port-map"): _port_map,
    ("interface",): _interface,
}
