"""The forms of a log: plain text, text with the time, JSON, RFC 5424.

Contents: the members of a line of the log, and how each form writes them.
Elsewhere: where it goes (`output`), datagrams (`links.syslog`).
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..alerts import Message

FORMS = ("text", "time", "json", "rfc5424")
# Syslog's severities.
WARNING, NOTICE, INFO, DEBUG = 4, 5, 6, 7
SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the log.

    `kind` is a word for programs that read it; `facts` are the numbers of the text.
    `has_time` says that the plain form has the time too.
    """

    text: str
    moment: datetime
    kind: str = "message"
    severity: int = INFO
    facts: Mapping[str, Any] = field(default_factory=dict)
    has_time: bool = False

    @property
    def mnemonic(self) -> str:
        """The message's name in syslog."""
        return self.kind.upper()

    def __str__(self) -> str:
        return self.text


def moment_of(seconds: float | None) -> datetime:
    """Return the wall clock's time of a time of the monotonic clock; None: now."""
    now = datetime.now(timezone.utc)
    if seconds is None:
        return now
    try:
        return now - timedelta(seconds=time.monotonic() - seconds)
    except (OverflowError, ValueError):
        return now


def stamp(moment: datetime) -> str:
    """Spell a time with its milliseconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def form_of(
    name: str, command: str, datagram: Callable[[Entry], bytes] | None = None
) -> Callable[[Entry], str]:
    """Return the function that writes a line in a form, its end included.

    Args:
        name: One of `FORMS`.
        command: Who writes, such as `intercept`.
        datagram: Of `Syslog`, for rfc5424.
    """
    pid = os.getpid()

    def text(entry: Entry) -> str:
        head = f"{stamp(entry.moment)} " if entry.has_time else ""
        return f"{head}{entry.text}\n"

    def timed(entry: Entry) -> str:
        return f"{stamp(entry.moment)} {entry.text}\n"

    def as_json(entry: Entry) -> str:
        row = {
            "time": stamp(entry.moment),
            "command": command,
            "pid": pid,
            "severity": SEVERITIES[entry.severity],
            "kind": entry.kind,
            "text": entry.text,
        }
        rest = {f"fact_{n}" if n in row else n: v for n, v in entry.facts.items()}
        return json.dumps(row | rest, default=str) + "\n"

    def rfc5424(entry: Entry) -> str:
        assert datagram is not None
        return datagram(entry).decode() + "\n"

    forms = {"text": text, "time": timed, "json": as_json, "rfc5424": rfc5424}
    return forms[name]


def with_level(form: Callable[[Entry], str]) -> Callable[[Entry], str]:
    """Put the severity in front as the journal reads it, and takes it off again.

    See sd-daemon(3).
    """
    return lambda entry: f"<{entry.severity}>{form(entry)}"


def facts_of(message: Message) -> dict[str, Any]:
    """Return the members of a message that are not said otherwise."""
    members = asdict(message)
    return {n: v for n, v in members.items() if n not in {"time", "severity"} and v}
