"""What inspection has to say, as objects and as lines of text, both ways.

What is here: the messages of a CBAC router byte for byte, each a frozen object whose
`str()` is its line; our reason fields, which follow the original text so that parsers
of the original still match; `parse`, which reads the same lines and their older
spellings; `Folder`, which keeps a flood of packets from becoming a flood of lines.
What is not: when a message is due (csrc/flow), and where it goes (`links.syslog`,
Python's logging: `logger.log(message.level, message)` keeps the object in the record).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    """What all messages have: when, why, how many it stands for.

    `time` is the engine's clock in seconds; `folded` counts the messages of its kind
    that this one speaks for; `severity` is syslog's, 0 the worst.
    """

    mnemonic: ClassVar[str] = ""

    time: float = field(default=0.0, compare=False)
    cause: Cause | None = None
    folded: int = 1
    severity: int = ALERT_SEVERITY

    @property
    def level(self) -> int:
        """The level of Python's logging that fits."""
        return INFO if self.severity > ALERT_SEVERITY else WARNING

    def text(self) -> str:
        """Return what stands behind the colon in the original."""
        raise NotImplementedError

    def original(self) -> str:
        """Return the line without our fields."""
        return f"%FW-{self.severity}-{self.mnemonic}: {self.text()}"

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
        """Return what stands behind the colon in the original."""
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
        """Return what stands behind the colon in the original."""
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
        """Return what stands behind the colon in the original."""
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
        """Return what stands behind the colon in the original."""
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
        """Return what stands behind the colon in the original."""
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
        """Return what stands behind the colon in the original."""
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
        """Return what stands behind the colon in the original."""
        return (
            f"Stop {self.protocol} session: initiator ({self.initiator}) "
            f"sent {self.initiator_bytes} bytes -- responder ({self.responder}) "
            f"sent {self.responder_bytes} bytes"
        )


# From text.

# No router counts further, and Python refuses to read thousands of digits.
_NUMBER = r"\d{1,20}"
_HEAD = re.compile(
    r"%FW-(?P<severity>[0-7])-(?P<mnemonic>[A-Z_]+):\s*"
    # A zone-based firewall names its zone pair and class in front of the text.
    r"(?:\([^()]*:[^()]*\)-\([^()]*:[^()]*\):\s*)?(?P<rest>.*)"
)
_COUNTS = (
    rf"count\s*\(?(?P<n>{_NUMBER})/(?P<limit>{_NUMBER})\)?\s*"
    rf"current 1-min rate:\s*(?P<rate>{_NUMBER})"
)
_HALF_OPEN = r"half[- ]open"
_END = r"\((?P<{0}>[^()\s]+)\)"
_BYTES = r"sent (?P<{0}_bytes>\d{{1,20}}) bytes"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text + r"\.?(?:\s+(?P<fields>\S.*))?$", re.IGNORECASE)


_INITIATOR, _RESPONDER = _END.format("initiator"), _END.format("responder")
_PATTERNS = {
    "ALERT_ON": _pattern(rf"getting aggressive,\s*{_COUNTS}"),
    "ALERT_OFF": _pattern(rf"calming down,\s*{_COUNTS}"),
    "HOST_TCP_ALERT_ON": _pattern(
        rf"Max tcp {_HALF_OPEN} connections \((?P<limit>{_NUMBER})\) exceeded "
        r"for host (?P<host>\S+?)"
    ),
    "BLOCK_HOST": _pattern(
        rf"Blocking new TCP connections to host (?P<host>\S+) for (?P<long>{_NUMBER}) "
        r"(?P<unit>minute|second)s? "
        rf"\({_HALF_OPEN} count (?P<limit>{_NUMBER}) exceeded\.?\)"
    ),
    "UNBLOCK_HOST": _pattern(
        r"New TCP connections to host (?P<host>\S+) no longer blocked"
    ),
    "SESS_AUDIT_TRAIL_START": _pattern(
        rf"Start (?P<protocol>\S+) session:\s*initiator {_INITIATOR} "
        rf"--\s*responder {_RESPONDER}"
    ),
    # IOS 12.0 to 12.2 had neither "Stop" nor the colon.
    "SESS_AUDIT_TRAIL": _pattern(
        rf"(?:Stop )?(?P<protocol>\S+) session:?\s*initiator {_INITIATOR} "
        rf"{_BYTES.format('initiator')}\s*--\s*responder {_RESPONDER} "
        rf"{_BYTES.format('responder')}"
    ),
}
_CAUSE = re.compile(
    rf"reason=(?P<reason>\w+) limit=(?P<limit>{_NUMBER})\b value=(?P<value>{_NUMBER})\b"
    rf"(?: top=(?P<top>\S+)\((?P<top_count>{_NUMBER})\))?"
    rf"(?: srcs=(?P<srcs>\S+)\((?P<srcs_count>{_NUMBER})\))?"
    rf"(?: udp=(?P<udp>{_NUMBER})\b)?"
)
_FOLDED = re.compile(rf"\bfolded=({_NUMBER})\b")


def parse(line: str) -> Message | None:
    """Read one line of a log; None if it holds no message of ours.

    What stands before the message, a date or a syslog header, is passed over.
    """
    head = _HEAD.search(line.strip())
    pattern = head and _PATTERNS.get(head["mnemonic"])
    found = pattern.match(head["rest"]) if head and pattern else None
    if not head or not found:
        return None
    message = _READERS[head["mnemonic"]](found)
    fields = found["fields"] or ""
    folded = _FOLDED.search(fields)
    return replace(
        message,
        severity=int(head["severity"]),
        cause=_cause(fields),
        folded=int(folded[1]) if folded else 1,
    )


def _cause(fields: str) -> Cause | None:
    found = _CAUSE.search(fields)
    if not found:
        return None

    def share(name: str) -> Share | None:
        return Share(found[name], int(found[name + "_count"])) if found[name] else None

    return Cause(
        found["reason"],
        int(found["limit"]),
        int(found["value"]),
        share("top"),
        share("srcs"),
        int(found["udp"]) if found["udp"] else None,
    )


def _alert_on(found: re.Match[str]) -> Message:
    return AlertOn(
        half_open=int(found["n"]), high=int(found["limit"]), rate=int(found["rate"])
    )


def _alert_off(found: re.Match[str]) -> Message:
    return AlertOff(
        half_open=int(found["n"]), low=int(found["limit"]), rate=int(found["rate"])
    )


def _host_alert(found: re.Match[str]) -> Message:
    return HostAlert(limit=int(found["limit"]), host=found["host"])


def _block_host(found: re.Match[str]) -> Message:
    unit = MINUTE if found["unit"].lower() == "minute" else 1
    return BlockHost(
        host=found["host"], seconds=int(found["long"]) * unit, limit=int(found["limit"])
    )


def _unblock_host(found: re.Match[str]) -> Message:
    return UnblockHost(host=found["host"])


def _session_start(found: re.Match[str]) -> Message:
    return SessionStart(
        protocol=found["protocol"],
        initiator=found["initiator"],
        responder=found["responder"],
    )


def _session_stop(found: re.Match[str]) -> Message:
    return SessionStop(
        protocol=found["protocol"],
        initiator=found["initiator"],
        initiator_bytes=int(found["initiator_bytes"]),
        responder=found["responder"],
        responder_bytes=int(found["responder_bytes"]),
    )


_READERS: dict[str, Callable[[re.Match[str]], Message]] = {
    "ALERT_ON": _alert_on,
    "ALERT_OFF": _alert_off,
    "HOST_TCP_ALERT_ON": _host_alert,
    "BLOCK_HOST": _block_host,
    "UNBLOCK_HOST": _unblock_host,
    "SESS_AUDIT_TRAIL_START": _session_start,
    "SESS_AUDIT_TRAIL": _session_stop,
}


# Folding.

_MODE = "mode"  # ON and OFF are one kind: two states of one thing


@dataclass(slots=True)
class _Kind:
    """What a folder knows of one kind; `held` is the newest of `count` messages."""

    second: float = float("-inf")
    said: int = 0
    held: Message | None = None
    count: int = 0
    last: type[Message] | None = None


class Folder:
    """Lets one message of each kind through in a second, and the rest as one.

    The first comes through at once.  What follows within its second is held: the
    newest of it comes when the second is over, with the number that it speaks for.
    ON and OFF are one kind, and alternate in what comes out too: when a pair of them
    falls into one second, the next line counts it.

    Args:
        alerts_per_second: Lines of each kind of alert.
        audits_per_second: Lines of each kind of the audit trail, which is a record
            rather than an alarm.
    """

    def __init__(
        self, *, alerts_per_second: int = 1, audits_per_second: int = 100
    ) -> None:
        if alerts_per_second < 1 or audits_per_second < 1:
            raise ValueError("at least one line a second has to get through")
        self._limits = alerts_per_second, audits_per_second
        self._kinds: dict[str, _Kind] = {}

    def add(self, message: Message) -> Iterator[Message]:
        """Take a message at its time; yield those that are to be written now."""
        yield from self.flush(message.time)
        mode = isinstance(message, (AlertOn, AlertOff))
        name = _MODE if mode else message.mnemonic
        kind = self._kinds.setdefault(name, _Kind())
        if kind.count == 0 and message.time >= kind.second + 1:
            kind.second, kind.said = message.time, 0
        if kind.count == 0 and kind.said < self._limit(message):
            kind.said += 1
            kind.last = type(message)
            yield message
            return
        kind.held = message
        kind.count += message.folded
        yield from self._release(kind, message.time)

    def flush(self, now: float) -> Iterator[Message]:
        """Yield what was held and whose second is over."""
        for kind in self._kinds.values():
            yield from self._release(kind, now)

    def close(self) -> Iterator[Message]:
        """Yield all that is held."""
        yield from self.flush(float("inf"))

    def next_deadline(self) -> float | None:
        """Return when `flush` has something to say; None: nothing is held."""
        due = [kind.second + 1 for kind in self._kinds.values() if _is_news(kind)]
        return min(due, default=None)

    def _release(self, kind: _Kind, now: float) -> Iterator[Message]:
        if now < kind.second + 1 or not _is_news(kind):
            return
        assert kind.held is not None
        message = replace(kind.held, folded=kind.count)
        kind.second = max(kind.second + 1, message.time)
        kind.said, kind.held, kind.count = 1, None, 0
        kind.last = type(message)
        yield message

    def _limit(self, message: Message) -> int:
        return self._limits[message.severity > ALERT_SEVERITY]


def _is_news(kind: _Kind) -> bool:
    """Tell whether what is held may be said: no second ON in a row, nor OFF."""
    mode = isinstance(kind.held, (AlertOn, AlertOff))
    return kind.held is not None and not (mode and type(kind.held) is kind.last)
