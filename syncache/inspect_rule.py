"""Which protocols are inspected, and what a rule says about each.

What is here: `Rule`, one line of `ip inspect name`; `RuleSet`, all lines of one name,
and what C is told of them.  What is not: the global values that a rule falls back to,
which are tunables.  A protocol without a rule passes without a session.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
DNS_PORT = 53
# In the order of enum flow_inspected.  DNS is UDP that has a timeout of its own.
PROTOCOLS = ("tcp", "udp", "dns", "icmp")
SECONDS_MAX = 2_147_483
APPLICATIONS_MAX = 32
NAME_MAX = 64
# enum flow_switch
OFF, ON, INHERIT = 0, 1, 2

# Applications that the original knows, and the port that it knows them by.
APPLICATIONS = {
    "aol": (TCP, 5190),
    "bgp": (TCP, 179),
    "bootpc": (UDP, 68),
    "bootps": (UDP, 67),
    "cuseeme": (TCP, 7648),
    "ddns-v3": (UDP, 2164),
    "esmtp": (TCP, 25),
    "exec": (TCP, 512),
    "finger": (TCP, 79),
    "ftp": (TCP, 21),
    "ftps": (TCP, 990),
    "gopher": (TCP, 70),
    "h323": (TCP, 1720),
    "http": (TCP, 80),
    "https": (TCP, 443),
    "ident": (TCP, 113),
    "igmpv3lite": (UDP, 465),
    "imap": (TCP, 143),
    "imap3": (TCP, 220),
    "imaps": (TCP, 993),
    "ipsec-msft": (UDP, 4500),
    "irc": (TCP, 194),
    "ircs": (TCP, 994),
    "isakmp": (UDP, 500),
    "kerberos": (TCP, 88),
    "l2tp": (UDP, 1701),
    "ldap": (TCP, 389),
    "ldaps": (TCP, 636),
    "login": (TCP, 513),
    "lotusnote": (TCP, 1352),
    "microsoft-ds": (TCP, 445),
    "ms-sql": (TCP, 1433),
    "mysql": (TCP, 3306),
    "netbios-dgm": (UDP, 138),
    "netbios-ns": (UDP, 137),
    "netbios-ssn": (TCP, 139),
    "netshow": (TCP, 1755),
    "nntp": (TCP, 119),
    "ntp": (UDP, 123),
    "pop3": (TCP, 110),
    "pop3s": (TCP, 995),
    "pptp": (TCP, 1723),
    "radius": (UDP, 1812),
    "rcmd": (TCP, 514),
    "realaudio": (TCP, 7070),
    "rtelnet": (TCP, 107),
    "rtsp": (TCP, 554),
    "shell": (TCP, 514),
    "sip": (UDP, 5060),
    "skinny": (TCP, 2000),
    "smtp": (TCP, 25),
    "snmp": (UDP, 161),
    "snmptrap": (UDP, 162),
    "sqlnet": (TCP, 1521),
    "ssh": (TCP, 22),
    "streamworks": (UDP, 1558),
    "sunrpc": (TCP, 111),
    "syslog": (UDP, 514),
    "tacacs": (TCP, 49),
    "telnet": (TCP, 23),
    "telnets": (TCP, 992),
    "tftp": (UDP, 69),
    "time": (TCP, 37),
    "timed": (UDP, 525),
    "uucp": (TCP, 540),
    "vdolive": (TCP, 7000),
    "who": (UDP, 513),
    "whois": (TCP, 43),
    "x11": (TCP, 6000),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for one protocol; None: what the tunables say.

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
                raise ValueError(f"{self.protocol} is no application: it has no port")
            return
        if not self.transport and not self.port:
            if self.protocol not in APPLICATIONS:
                known = ", ".join((*PROTOCOLS, *APPLICATIONS))
                raise ValueError(f"{self.protocol!r} is not one of {known}")
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

    Raises:
        ValueError: a protocol has two, two applications share a port, or there are
            too many of them.
    """

    name: str = "default"
    rules: tuple[Rule, ...] = field(
        default_factory=lambda: tuple(map(Rule, ("tcp", "udp", "icmp")))
    )

    def __post_init__(self) -> None:
        if not (self.name.isascii() and 0 < len(self.name) <= NAME_MAX):
            raise ValueError(f"a rule's name has 1 to {NAME_MAX} ASCII characters")
        names = [rule.protocol for rule in self.rules]
        ends = [(rule.transport, rule.port) for rule in self.applications]
        if len(set(names)) < len(names) or len(set(ends)) < len(ends):
            raise ValueError(f"two rules of {self.name} are for one protocol or port")
        if len(ends) > APPLICATIONS_MAX:
            raise ValueError(f"{len(ends)} applications; {APPLICATIONS_MAX} are enough")

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

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    @property
    def applications(self) -> tuple[Rule, ...]:
        """The rules that are for a port."""
        return tuple(rule for rule in self.rules if rule.port)

    def find(self, protocol: str) -> Rule | None:
        """Return the rule of a protocol."""
        return next((rule for rule in self.rules if rule.protocol == protocol), None)

    def fields(self) -> dict[str, Any]:
        """Return the members of struct flow_inspect_tunables that are rules."""
        rules = []
        for protocol in PROTOCOLS:
            rule = self.find(protocol)
            if rule is None and protocol == "dns":
                rule = self.find("udp")
            rules.append(rule.fields() if rule else {"inspect": 0})
        applications = [
            {
                "port": rule.port,
                "protocol": rule.transport,
                "rule": rule.fields(),
            }
            for rule in self.applications
        ]
        return {
            "rule": rules,
            "application_count": len(applications),
            "application": applications,
        }

    def name_of(self, protocol: int, port: int) -> str:
        """Name what a session runs: its application, or its protocol."""
        for rule in self.applications:
            if (rule.transport, rule.port) == (protocol, port):
                return rule.protocol
        if protocol == UDP:
            return "dns" if port == DNS_PORT else "udp"
        return "tcp" if protocol == TCP else "icmp"
