"""`Folder`: keeps a flood of packets from becoming a flood of lines.

Elsewhere: the messages (`message`), and where they are written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .message import ALERT_SEVERITY, AlertOff, AlertOn, Message

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODE = "mode"  # ON and OFF are one kind: two states of one thing


@dataclass(slots=True)
class _Kind:
    """A folder's state of one kind; `held` is the newest of `count` messages."""

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
        """Yield the held messages whose second is over."""
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
    """Whether the held message may be logged: no second ON in a row, nor OFF."""
    mode = isinstance(kind.held, (AlertOn, AlertOff))
    return kind.held is not None and not (mode and type(kind.held) is kind.last)
