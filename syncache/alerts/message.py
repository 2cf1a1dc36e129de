"""The reports of inspection and TCP Intercept, as objects that print as lines.

Contents: the messages of a router byte for byte, each a frozen object whose `str()`
is its line; our reason fields, which follow the original text so that parsers of the
original still match.  Elsewhere: reading them (`parser`), folding them
(`folder`), when one is due (csrc/flow), and where it goes (`links.syslog`,
Python's logging: `logger.log(message.level, message)` keeps the object in the record).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

WARNING, INFO = 30, 20  # the levels of Python's logging
ALERT_SEVERITY, AUDIT_SEVERITY = 4, 6  # those of syslog
MINUTE = 60


class Share(NamedTuple):
    """Who holds how many of something: `10.0.0.5:80(212)`."""

    who: str
    number: int

    def __str__(self) -> str:
        return f"{self.who}({self.number})"


@dataclass(frozen=True, slots=True)
class Cause:
    """Which threshold fired, with which number, and who was behind it.

    `reason` is rate, incomplete or host; `top` the destination with most half-open
    sessions, `sources` the prefix that most requests came from, `udp` how many of the
    half-open sessions are UDP.
    """

    reason: str
    limit: int
    value: int
    top: Share | None = None
    sources: Share | None = None
    udp: int | None = None

    def __str__(self) -> str:
        text = f"reason={self.reason} limit={self.limit} value={self.value}"
        if self.top:
            text += f" top={self.top}"
        if self.sources:
            text += f" srcs={self.sources}"
        if self.udp is not None:
            text += f" udp={self.udp}"
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The common members of messages: time, reason, number of events.

    `time` is the engine's clock in seconds; `folded` counts the messages of its kind
    that this one speaks for; `severity` is syslog's, 0 the worst.  A zone-based
    firewall names its zone pair and class in `zone`, as `ZP:CM`; a router with several
    routing tables the one concerned in `vrf`.
    """

    facility: ClassVar[str] = "FW"
    mnemonic: ClassVar[str] = ""

    time: float = field(default=0.0, compare=False)
    zone: str = field(default="", compare=False)
    vrf: str = field(default="", compare=False)
    cause: Cause | None = None
    folded: int = 1
    severity: int = ALERT_SEVERITY

    @property
    def level(self) -> int:
        """The level of Python's logging that fits."""
        return INFO if self.severity > ALERT_SEVERITY else WARNING

    def text(self) -> str:
        """Return the text behind the colon in the original."""
        raise NotImplementedError

    def original(self) -> str:
        """Return the line without our fields."""
        zone = f"(target:class)-({self.zone}):" if self.zone else ""
        vrf = f"VRF-{self.vrf}:" if self.vrf else ""
        head = f"%{self.facility}-{self.severity}-{self.mnemonic}: "
        return f"{head}{vrf}{zone}{self.text()}"

    def __str__(self) -> str:
        line = self.original()
        if self.cause:
            line += f" {self.cause}"
        if self.folded > 1:
            line += f" folded={self.folded}"
        return line


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertOn(Message):
    """A threshold was exceeded: half-open sessions are deleted from now on."""

    mnemonic: ClassVar[str] = "ALERT_ON"

    half_open: int
    high: int
    rate: int

    def text(self) -> str:
        """Return the text behind the colon in the original."""
        return (
            f"getting aggressive, count ({self.half_open}/{self.high}) "
            f"current 1-min rate: {self.rate}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertOff(Message):
    """Count and rate are both below their low thresholds again."""

    mnemonic: ClassVar[str] = "ALERT_OFF"

    half_open: int
    low: int
    rate: int

    def text(self) -> str:
        """Return the text behind the colon in the original."""
        return (
            f"calming down, count ({self.half_open}/{self.low}) "
            f"current 1-min rate: {self.rate}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAlert(Message):
    """A destination has more half-open TCP sessions than it may."""

    mnemonic: ClassVar[str] = "HOST_TCP_ALERT_ON"

    limit: int
    host: str

    def text(self) -> str:
        """Return the text behind the colon in the original."""
        return (
            f"Max tcp half-open connections ({self.limit}) exceeded "
            f"for host {self.host}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockHost(Message):
    """New TCP connections to a destination are refused for a time.

    The original counts whole minutes; other times are told in seconds.
    """

    mnemonic: ClassVar[str] = "BLOCK_HOST"

    host: str
    seconds: int
    limit: int

    def text(self) -> str:
        """Return the text behind the colon in the original."""
        minutes, odd = divmod(self.seconds, MINUTE)
        long = f"{self.seconds} seconds" if odd else f"{minutes} minutes"
        return (
            f"Blocking new TCP connections to host {self.host} for {long} "
            f"(half-open count {self.limit} exceeded)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnblockHost(Message):
    """They are admitted again."""

    mnemonic: ClassVar[str] = "UNBLOCK_HOST"

    host: str

    def text(self) -> str:
        """Return the text behind the colon in the original."""
        return f"New TCP connections to host {self.host} no longer blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStart(Message):
    """Audit trail: a session began.  The ends are `address:port`."""

    mnemonic: ClassVar[str] = "SESS_AUDIT_TRAIL_START"

    protocol: str
    initiator: str
    responder: str
    severity: int = AUDIT_SEVERITY

    def text(self) -> str:
        """Return the text behind the colon in the original."""
        return (
            f"Start {self.protocol} session: initiator ({self.initiator}) "
            f"-- responder ({self.responder})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStop(Message):
    """Audit trail: a session ended, with the bytes that each end sent."""

    mnemonic: ClassVar[str] = "SESS_AUDIT_TRAIL"

    protocol: str
    initiator: str
    initiator_bytes: int
    responder: str
    responder_bytes: int
    severity: int = AUDIT_SEVERITY

    def text(self) -> str:
        """Return the text behind the colon in the original."""
        return (
            f"Stop {self.protocol} session: initiator ({self.initiator}) "
            f"sent {self.initiator_bytes} bytes -- responder ({self.responder}) "
            f"sent {self.responder_bytes} bytes"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DropPacket(Message):
    """A packet was dropped; `interface`, `reason` and `zone` are "" if not known.

    The original names zone pair and class in two forms; ours is the newer one.
    """

    mnemonic: ClassVar[str] = "DROP_PKT"

    protocol: str
    source: str
    destination: str
    interface: str = ""
    reason: str = ""
    severity: int = AUDIT_SEVERITY

    def text(self) -> str:
        """Return the text behind the colon in the original."""
        where = f"from {self.interface} " if self.interface else ""
        reason = f" due to {self.reason}" if self.reason else ""
        return (
            f"Dropping {self.protocol} pkt {where}"
            f"{self.source} => {self.destination}{reason}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InterceptOn(AlertOn):
    """TCP Intercept became aggressive."""

    facility: ClassVar[str] = "TCP"
    mnemonic: ClassVar[str] = "INTERCEPT"

    severity: int = AUDIT_SEVERITY

    def text(self) -> str:
        """Return the text behind the colon in the original."""
        counts = f"({self.half_open}/{self.high}) 1 min {self.rate}"
        return f"getting aggressive, count {counts}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InterceptOff(AlertOff):
    """TCP Intercept calmed down."""

    facility: ClassVar[str] = "TCP"
    mnemonic: ClassVar[str] = "INTERCEPT"

    severity: int = AUDIT_SEVERITY

    def text(self) -> str:
        """Return the text behind the colon in the original."""
        counts = f"({self.half_open}/{self.low}) 1 min {self.rate}"
        return f"calming down, count {counts}"
