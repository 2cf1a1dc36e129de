"""Inspection in the words of the original: `show ip inspect`, and `ip inspect` lines.

What is here: text as a router prints it, made of values; the commands that
`ios_config` reads for inspection, and the lines that make a configuration again.  What
is not: the values (`inspection`, `inspect_rule`) and log lines (`alerts`).

    ip inspect max-incomplete high 500      ip inspect name OutBound tcp timeout 60
    ip inspect one-minute low 400 high 500  ip inspect name OutBound icmp alert off
    ip inspect tcp max-incomplete host 50 block-time 2
    no ip inspect alert-off                 interface eth0, then ip inspect OutBound in
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from . import ios_config
from .abbreviation import keyword
from .flow_session import Session, State
from .inspect_rule import (
    APPLICATIONS,
    APPLICATIONS_MAX,
    NAME_MAX,
    PROTOCOLS,
    Rule,
    RuleSet,
)
from .ios import clock
from .ios_config import Block, Config, ignored, pair
from .tunables import KNOBS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .inspection import Statistics

_I = "net.inet.inspect."
MINUTES = _I + "tcp.block_time"
SECONDS = _I + "tcp.block_time_s"
HOST = _I + "tcp.max_incomplete_host"
UNLIMITED = "unlimited"
_PAIRS = {"max-incomplete": "max_incomplete", "one-minute": "one_minute"}
_SINGLE = {
    ("tcp", "synwait-time"): "tcp.synwait_time",
    ("tcp", "finwait-time"): "tcp.finwait_time",
    ("tcp", "idle-time"): "tcp.idle_time",
    ("udp", "idle-time"): "udp.idle_time",
    ("dns-timeout",): "dns_timeout",
    ("hashtable-size",): "hashtable_size",
}
_IDLE = {"tcp": "tcp.idle_time", "udp": "udp.idle_time", "icmp": "icmp.idle_time"}
# Behind a protocol: what is understood, and what has no effect and how many operands.
_OPTIONS = ("alert", "audit-trail", "timeout")
_MEANINGLESS = {
    "java-list": 1,
    "max-data": 1,
    "reset": 0,
    "router-traffic": 0,
    "secure-login": 0,
    "urlfilter": 0,
}
# In the place of a protocol: the whole line has no effect.
_WHOLE = ("appfw", "fragment", "parameter", "rpc", "user")
_GLOBAL = (
    ("log",),
    ("l2-transparent",),
    ("waas",),
    ("redundancy",),
    ("tcp", "reassembly"),
    ("tcp", "block-non-session"),
    ("tcp", "window-scale-enforcement"),
)
_STATES = {
    State.SYNRCVD: "SIS_OPENING",
    State.SYNSENT: "SIS_OPENING",
    State.ESTAB: "SIS_OPEN",
    State.CLOSING: "SIS_CLOSING",
}


@dataclass(slots=True)
class Interface:
    """What is bound to an interface: rules and access lists, by direction."""

    name: str
    rules: dict[str, str] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)


# Text.


def show_config(values: Mapping[str, int | str], rules: RuleSet) -> str:
    """Return what `show ip inspect config` prints."""
    of = {name: values[_I + name] for name in _SINGLE.values()}
    low, high = _thresholds(values, "one_minute")
    first, last = _thresholds(values, "max_incomplete")
    host = values[HOST] or UNLIMITED
    tcp_times = (
        f"tcp synwait-time is {of['tcp.synwait_time']} sec -- "
        f"tcp finwait-time is {of['tcp.finwait_time']} sec"
    )
    idle_times = (
        f"tcp idle-time is {of['tcp.idle_time']} sec -- "
        f"udp idle-time is {of['udp.idle_time']} sec"
    )
    lines = [
        f"Session audit trail is {_able(values[_I + 'audit_trail'])}",
        f"Session alert is {_able(values[_I + 'alert'])}",
        f"one-minute (sampling period) thresholds are [{low} : {high}] connections",
        f"max-incomplete sessions thresholds are [{first} : {last}]",
        f"max-incomplete tcp connections per host is {host}. {_block_time(values)}",
        tcp_times,
        idle_times,
        f"dns-timeout is {of['dns_timeout']} sec",
        "Inspection Rule Configuration",
        f" Inspection name {rules.name}",
        *_rule_lines(values, rules),
    ]
    return "\n".join(lines) + "\n"


def _rule_lines(values: Mapping[str, int | str], rules: RuleSet) -> list[str]:
    """Return a line for each protocol, with what holds for it in the end."""
    lines = []
    for rule in rules:
        alert = values[_I + "alert"] if rule.alert is None else rule.alert
        audit = values[_I + "audit_trail"]
        audit = audit if rule.audit_trail is None else rule.audit_trail
        lines.append(
            f"    {rule.protocol} alert is {_on(alert)} audit-trail is {_on(audit)} "
            f"timeout {_timeout(values, rule)}"
        )
    return lines


def _timeout(values: Mapping[str, int | str], rule: Rule) -> int | str:
    if rule.protocol == "dns":
        return values[_I + "dns_timeout"]
    if rule.timeout is not None:
        return rule.timeout
    transport = {6: "tcp", 17: "udp"}.get(rule.transport, rule.protocol)
    return values[_I + _IDLE[transport]]


def _block_time(values: Mapping[str, int | str]) -> str:
    if values[SECONDS]:
        return f"Block-time {values[SECONDS]} second."
    return f"Block-time {values[MINUTES]} minute."


def _thresholds(
    values: Mapping[str, int | str], name: str
) -> tuple[int | str, int | str]:
    low, high = values[f"{_I}{name}.low"], values[f"{_I}{name}.high"]
    if high == 0:
        return UNLIMITED, UNLIMITED
    return low, high


def _able(value: object) -> str:
    return "enabled" if value else "disabled"


def _on(value: object) -> str:
    return "on" if value else "off"


def show_sessions(
    sessions: Iterable[Session], rules: RuleSet, now: float, *, detail: bool = False
) -> str:
    """Return what `show ip inspect sessions` prints; `detail` adds times and bytes."""
    groups: dict[str, list[Session]] = {
        "Half-open Sessions": [],
        "Established Sessions": [],
        "Terminating Sessions": [],
    }
    for session in sorted(sessions, key=lambda session: session.created):
        title = "Half-open" if session.half_open else "Established"
        if session.state is State.CLOSING:
            title = "Terminating"
        groups[f"{title} Sessions"].append(session)
    lines = []
    for title, members in groups.items():
        if members:
            lines.append(title)
        for session in members:
            lines.append(_session_line(session, rules))
            if detail:
                lines += _session_detail(session, now)
    return "".join(f"{line}\n" for line in lines)


def _session_line(session: Session, rules: RuleSet) -> str:
    name = rules.name_of(session.protocol, session.server.port)
    ends = f"({session.client})=>({session.server})"
    return f" Session {session.id:08X} {ends} {name} {_STATES[session.state]}"


def _session_detail(session: Session, now: float) -> list[str]:
    created, heard = clock(now - session.created), clock(now - session.last)
    lines = [f"  Created {created}, Last heard {heard}"]
    if session.protocol in {1, 58}:
        lines.append("  ECHO request")
    sent = f"[{session.client_bytes}:{session.server_bytes}]"
    return [*lines, f"  Bytes sent (initiator:responder) {sent}"]


def show_statistics(counters: Statistics, now: float, interfaces: int = 1) -> str:
    """Return what `show ip inspect statistics` prints.

    The two numbers of packets are of process and fast switching; there is one path
    here, which stands in the place of the first.
    """
    c = counters
    last = "never" if c.last_created is None else clock(now - c.last_created)
    counts = "session counts (estab/half-open/terminating)"
    lines = [
        "Packet inspection statistics [process switch:fast switch]",
        f"  tcp packets: [{c.tcp_packets}:0]",
        f"  udp packets: [{c.udp_packets}:0]",
        f"Interfaces configured for inspection {interfaces}",
        f"Session creations since subsystem startup or last reset {c.sessions_created}",
        f"Current {counts} [{c.established}:{c.half_open}:{c.terminating}]",
        f"Maxever {counts} [{c.established_max}:{c.half_open_max}:{c.terminating_max}]",
        f"Last session created {last}",
        "Last statistic reset never",
        f"Last session creation rate {c.one_minute}",
        f"Maxever session creation rate {c.one_minute_max}",
        f"Last half-open session total {c.last_half_open}",
    ]
    return "\n".join(lines) + "\n"


def show_interfaces(
    values: Mapping[str, int | str],
    rules: RuleSet,
    interfaces: Iterable[Interface],
) -> str:
    """Return what `show ip inspect interfaces` prints."""
    lines = ["Interface Configuration"]
    for interface in interfaces:
        lines.append(f" Interface {interface.name}")
        for direction, title in (("in", "Inbound"), ("out", "Outgoing")):
            name = interface.rules.get(direction, "not set")
            lines.append(f"  {title} inspection rule is {name}")
            if name == rules.name:
                lines += _rule_lines(values, rules)
        for direction, title in (("in", "Inbound"), ("out", "Outgoing")):
            name = interface.lists.get(direction, "not set")
            lines.append(f"  {title} access list is {name}")
    return "\n".join(lines) + "\n"


# Lines of a configuration.


def written(
    values: Mapping[str, int | str],
    rules: RuleSet,
    interfaces: Iterable[Interface] = (),
) -> str:
    """Return the `ip inspect` lines that make these values and rules."""
    lines = []
    if not values[_I + "alert"]:
        lines.append("ip inspect alert-off")
    if values[_I + "audit_trail"]:
        lines.append("ip inspect audit-trail")
    for words, name in _PAIRS.items():
        names = f"{_I}{name}.low", f"{_I}{name}.high"
        if any(values[name] != KNOBS[name].default for name in names):
            low, high = (values[name] for name in names)
            lines.append(f"ip inspect {words} low {low} high {high}")
    for key, name in _SINGLE.items():
        if values[_I + name] != KNOBS[_I + name].default:
            lines.append(f"ip inspect {' '.join(key)} {values[_I + name]}")
    if (values[HOST], values[MINUTES]) != (KNOBS[HOST].default, 0):
        host, minutes = values[HOST], values[MINUTES]
        lines.append(f"ip inspect tcp max-incomplete host {host} block-time {minutes}")
    lines += [f"ip inspect name {rules.name} {rule}" for rule in rules]
    for interface in interfaces:
        lines.append(f"interface {interface.name}")
        for direction, name in interface.rules.items():
            lines.append(f" ip inspect {name} {direction}")
        for direction, name in interface.lists.items():
            lines.append(f" ip access-group {name} {direction}")
    return "\n".join(lines)


@dataclass(slots=True)
class Draft:
    """What `ip inspect name` and `interface` lines have said so far."""

    rules: dict[str, dict[str, Rule]] = field(default_factory=dict)
    interfaces: dict[str, Interface] = field(default_factory=dict)

    def sets(self) -> dict[str, RuleSet]:
        """Return the rule sets by name."""
        return {
            name: RuleSet(name, tuple(of.values())) for name, of in self.rules.items()
        }


def draft_of(config: Config) -> Draft:
    """Return what a configuration says of inspection beside its tunables."""
    draft = config.inspection.setdefault("draft", Draft())
    assert isinstance(draft, Draft)
    return draft


def chosen(config: Config, name: str | None = None) -> RuleSet | None:
    """Return the rules that are applied; None: the configuration names none.

    Of several that are bound, those of all are applied, in both directions, unless one
    is named.

    Raises:
        ValueError: several are named and no interface says which, or an interface
            names one that there is not.
    """
    draft = draft_of(config)
    sets = draft.sets()
    applied = {bound for i in draft.interfaces.values() for bound in i.rules.values()}
    applied = applied if name is None else {name}
    for missing in sorted(applied - sets.keys()):
        raise ValueError(f"there is no ip inspect name {missing}")
    candidates = sorted(applied) or list(sets)
    names = " and ".join(candidates)
    if len(candidates) > 1:
        if not applied:
            raise ValueError(
                f"one set of rules can be applied, not {names}; "
                "bind one to an interface, or choose it with --rules"
            )
        text = f"the rules of {names} are applied together, in both directions"
        config.notes += [] if text in config.notes else [text]
        return RuleSet.united([sets[one] for one in candidates])
    return sets[candidates[0]] if candidates else None


def _single(name: str) -> ios_config.Handler:
    def take(config: Config, words: list[str], no: bool) -> None:
        if no and len(words) <= 1:
            config.restore(_I + name)
        elif len(words) != 1:
            raise ValueError(f"one number is wanted, not {' '.join(words)!r}")
        else:
            config.set(_I + name, words[0])

    return take


def _switch(name: str, *, on: int) -> ios_config.Handler:
    def take(config: Config, words: list[str], no: bool) -> None:
        if words:
            raise ValueError(f"nothing follows, not {' '.join(words)!r}")
        config.keep(_I + name, 1 - on if no else on)

    return take


def _host(config: Config, words: list[str], no: bool) -> None:
    """Read `ip inspect tcp max-incomplete host N [block-time M]`."""
    if no:
        config.restore(HOST)
        config.restore(MINUTES)
        return
    if len(words) not in {1, 3} or (len(words) == 3 and words[1] != "block-time"):
        raise ValueError("host wants a number, then block-time and minutes")
    config.set(HOST, words[0])
    config.set(MINUTES, words[2] if len(words) == 3 else "0")


def _name(config: Config, words: list[str], no: bool) -> None:
    """Read `ip inspect name NAME PROTOCOL`, and what may follow."""
    draft = draft_of(config)
    name, *rest = words or [""]
    if not 0 < len(name) <= NAME_MAX:
        raise ValueError("a name is wanted, and a protocol")
    if no:
        rules = draft.rules.get(name, {})
        if not rules or (rest and rest[0] not in rules):
            raise ValueError(f"there is no ip inspect name {' '.join(words[:2])}")
        if rest:
            del rules[rest[0]]
        if not rest or not rules:
            del draft.rules[name]
        return
    if not rest:
        raise ValueError(f"a protocol is wanted behind {name}")
    protocol = keyword(rest[0], (*PROTOCOLS, *APPLICATIONS, *_WHOLE)) or rest[0]
    if protocol in _WHOLE:
        config.note(f"ip inspect name ... {protocol} is ignored")
        return
    rule = _rule(config, protocol, rest[1:])
    rules = draft.rules.setdefault(name, {})
    others = [r for r in rules.values() if r.port and r.protocol != protocol]
    if rule.port and len(others) == APPLICATIONS_MAX:
        config.note(f"applications beyond {APPLICATIONS_MAX} are inspected as tcp, udp")
    elif any((r.transport, r.port) == (rule.transport, rule.port) for r in others):
        config.note(f"{protocol} is ignored: another application has its port")
    else:
        rules[protocol] = rule


def _rule(config: Config, protocol: str, words: Sequence[str]) -> Rule:
    rule = Rule(protocol)
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
        if word in {"alert", "audit-trail"} and value in {"on", "off"}:
            on = value == "on"
            key = "alert" if word == "alert" else "audit_trail"
            rule = replace(rule, **{key: on})  # type: ignore[arg-type]
        elif word == "timeout" and value.isascii() and value.isdecimal():
            rule = replace(rule, timeout=int(value))
        else:
            raise ValueError(f"{word} {value!r} is not understood")
    return rule


@dataclass(slots=True)
class InterfaceBlock:
    """The lines below `interface NAME` that bind rules and access lists to it."""

    interface: Interface
    known: dict[str, Interface]

    def takes(self, words: list[str]) -> bool:
        """Tell whether a line belongs here; `ip inspect name` is of no interface."""
        lower = [word.lower() for word in words]
        if lower[0] != "ip" or len(words) == 1:
            return lower[0] in {"exit", "description"}
        name = keyword(words[1], ("inspect", "access-group", "access-list"))
        inspects = name == "inspect" and lower[-1] in {"in", "out"}
        return inspects or name == "access-group"

    def claims(self, indented: bool) -> bool:  # noqa: ARG002
        """Tell that other lines of an interface are no errors."""
        return False

    def line(self, words: list[str], no: bool) -> None:
        """Take one line."""
        if words[0].lower() == "description":
            return
        if len(words) != 4 or words[3].lower() not in {"in", "out"}:
            raise ValueError(f"{' '.join(words[:2])} wants a name, then in or out")
        inspects = keyword(words[1], ("inspect", "access-group")) == "inspect"
        bound = self.interface.rules if inspects else self.interface.lists
        direction = words[3].lower()
        if no:
            bound.pop(direction, None)
        else:
            self.known.setdefault(self.interface.name, self.interface)
            bound[direction] = words[2]


def _interface(config: Config, words: list[str], no: bool) -> Block | None:
    name = " ".join(words)
    interfaces = draft_of(config).interfaces
    if not name:
        raise ValueError("interface wants a name")
    if no:
        interfaces.pop(name, None)
        return None
    return InterfaceBlock(interfaces.get(name) or Interface(name), interfaces)


_INSPECT = ("ip", "inspect")
COMMANDS: dict[tuple[str, ...], ios_config.Handler] = {
    **{
        (*_INSPECT, word): pair(f"{_I}{name}.low", f"{_I}{name}.high")
        for word, name in _PAIRS.items()
    },
    **{(*_INSPECT, *words): _single(name) for words, name in _SINGLE.items()},
    (*_INSPECT, "tcp", "max-incomplete", "host"): _host,
    (*_INSPECT, "alert-off"): _switch("alert", on=0),
    (*_INSPECT, "audit-trail"): _switch("audit_trail", on=1),
    (*_INSPECT, "dns", "idle-time"): _single("dns_timeout"),
    **{
        (*_INSPECT, *words): ignored(f"ip inspect {' '.join(words)}")
        for words in _GLOBAL
    },
    (*_INSPECT, "name"): _name,
    ("interface",): _interface,
}
ios_config.COMMANDS.update(COMMANDS)
