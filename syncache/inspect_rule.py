"""Which protocols are inspected, and a rule's settings for each.

Contents: `Rule`, one line of `ip inspect name`; `RuleSet`, all lines of one name,
and what C is told of them.  Elsewhere: the global values that a rule falls back to,
which are tunables.  A protocol without a rule passes without a session.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ._core.mirror import limit, numbers, words
from .inspect_application import APPLICATIONS, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ICMP, ICMPV6 = 1, 58
DNS_PORT = 53
# DNS is UDP that has a timeout of its own.
PROTOCOLS = words("flow_inspected")
SECONDS_MAX = limit("FLOW_MS_MAX") // 1000
APPLICATIONS_MAX = limit("FLOW_APPLICATIONS_MAX")
NAME_MAX = 64
EITHER, OUTSIDE, INSIDE = numbers("flow_rule_side", "either outside inside")
OFF, ON, INHERIT = numbers("flow_switch", "off on inherit")


@dataclass(frozen=True, slots=True)
class Rule:
    """The settings for one protocol; None: those of the tunables.

    Args:
        protocol: tcp, udp, dns, icmp or the name of an application.
        alert: Whether its sessions may be the cause of an alert line.
        audit_trail: Whether their beginning and end are reported.
        timeout: Seconds of silence that end one.
        transport: 6 or 17, for an application of one's own.
        port: The responder's, for an application of one's own.

    Raises:
        ValueError: one of them makes no sense.
    """

    protocol: str
    alert: bool | None = None
    audit_trail: bool | None = None
    timeout: int | None = None
    transport: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        timeout = self.timeout
        if timeout is not None and not 1 <= timeout <= SECONDS_MAX:
            raise ValueError(f"a timeout is 1 to {SECONDS_MAX} s, not {timeout}")
        if self.protocol in PROTOCOLS:
            if self.transport or self.port:
                raise ValueError(
                    f"{self.protocol} is not an application protocol: it has no port"
                )
            return
        if not self.transport and not self.port:
            if self.protocol not in APPLICATIONS:
                known = (*PROTOCOLS, *APPLICATIONS)
                near = difflib.get_close_matches(self.protocol, known, 3, 0)
                raise ValueError(
                    f"{self.protocol!r} is not one of {', '.join(PROTOCOLS)} or an "
                    f"application; the nearest are {', '.join(near)}"
                )
            transport, port = APPLICATIONS[self.protocol]
            object.__setattr__(self, "transport", transport)
            object.__setattr__(self, "port", port)
        if self.transport not in {TCP, UDP} or not 1 <= self.port < 2**16:
            raise ValueError(
                f"{self.protocol} wants transport 6 or 17 and a port, "
                f"not {self.transport} and {self.port}"
            )

    def fields(self) -> dict[str, int]:
        """Return struct flow_inspect_rule."""
        return {
            "inspect": 1,
            "alert": _switch(self.alert),
            "audit": _switch(self.audit_trail),
            "timeout_ms": (self.timeout or 0) * 1000,
        }

    def __str__(self) -> str:
        words = [self.protocol]
        if self.alert is not None:
            words += ["alert", "on" if self.alert else "off"]
        if self.audit_trail is not None:
            words += ["audit-trail", "on" if self.audit_trail else "off"]
        if self.timeout is not None:
            words += ["timeout", str(self.timeout)]
        return " ".join(words)


def _switch(value: bool | None) -> int:
    return INHERIT if value is None else int(value)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of one name, at most one for each protocol.

    With `inside` these rules hold for the sessions that begin outside, on the clients'
    side, and those of `inside` for the others; on a tap, which has no sides, a session
    is under the first that inspects it.

    Raises:
        ValueError: a protocol has two, two applications share a port, or there are
            too many of them.
    """

    name: str = "default"
    rules: tuple[Rule, ...] = field(
        default_factory=lambda: tuple(map(Rule, ("tcp", "udp", "icmp")))
    )
    inside: RuleSet | None = None

    def __post_init__(self) -> None:
        if not (self.name.isascii() and 0 < len(self.name) <= NAME_MAX):
            raise ValueError(f"a rule's name has 1 to {NAME_MAX} ASCII characters")
        names = [rule.protocol for rule in self.rules]
        ends = [(rule.transport, rule.port) for rule in self.applications]
        if len(set(names)) < len(names) or len(set(ends)) < len(ends):
            raise ValueError(f"two rules of {self.name} are for one protocol or port")
        if len(list(self._applications())) > APPLICATIONS_MAX:
            raise ValueError(f"{APPLICATIONS_MAX} applications are enough")
        if self.inside is not None and self.inside.inside is not None:
            raise ValueError("there are two sides, not three")

    @classmethod
    def of(cls, rules: RuleSet | Iterable[Rule] | None) -> RuleSet:
        """Return rules as a set; None: TCP, UDP and ICMP by the tunables."""
        if rules is None:
            return cls()
        return rules if isinstance(rules, RuleSet) else cls(rules=tuple(rules))

    @classmethod
    def united(cls, sets: Iterable[RuleSet]) -> RuleSet:
        """Return the rules of several; of two for one thing the first counts."""
        names: list[str] = []
        rules: dict[str, Rule] = {}
        for one in sets:
            names.append(one.name)
            for rule in one:
                end = f"{rule.transport} {rule.port}" if rule.port else rule.protocol
                rules.setdefault(end, rule)
        return cls("+".join(names)[:NAME_MAX], tuple(rules.values()))

    @classmethod
    def directed(cls, outside: RuleSet, inside: RuleSet) -> RuleSet:
        """Return rules by the side that a session begins on."""
        return cls(outside.name, outside.rules, inside)

    def sides(self) -> tuple[RuleSet, ...]:
        """The sets that these rules consist of: one, or outside and inside."""
        if self.inside is None:
            return (self,)
        return (RuleSet(self.name, self.rules), self.inside)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    @property
    def applications(self) -> tuple[Rule, ...]:
        """The rules that are for a port."""
        return tuple(rule for rule in self.rules if rule.port)

    def find(self, protocol: str) -> Rule | None:
        """Return the rule of a protocol."""
        return next((rule for rule in self.rules if rule.protocol == protocol), None)

    def _applications(self) -> Iterator[tuple[int, Rule]]:
        """Yield rules for ports with enum flow_rule_side."""
        if self.inside is None:
            yield from ((EITHER, rule) for rule in self.applications)
            return
        yield from ((OUTSIDE, rule) for rule in self.applications)
        yield from ((INSIDE, rule) for rule in self.inside.applications)

    def protocols(self) -> list[dict[str, int]]:
        """Return struct flow_inspect_rule for each protocol."""
        rules = []
        for protocol in PROTOCOLS:
            rule = self.find(protocol)
            if rule is None and protocol == "dns":
                rule = self.find("udp")
            rules.append(rule.fields() if rule else {"inspect": 0})
        return rules

    def fields(self) -> dict[str, Any]:
        """Return the members of struct flow_inspect_tunables that are rules."""
        applications = [
            {
                "port": rule.port,
                "protocol": rule.transport,
                "side": side,
                "rule": rule.fields(),
            }
            for side, rule in self._applications()
        ]
        inside = self if self.inside is None else self.inside
        return {
            "rule": self.protocols(),
            "by_side": int(self.inside is not None),
            "server_rule": inside.protocols(),
            "application_count": len(applications),
            "application": applications,
        }

    def name_of(self, protocol: int, port: int) -> str:
        """Name a session's application, or its protocol."""
        for _, rule in self._applications():
            if (rule.transport, rule.port) == (protocol, port):
                return rule.protocol
        if protocol == UDP:
            return "dns" if port == DNS_PORT else "udp"
        return "tcp" if protocol == TCP else "icmp"
