"""Texts of a log that bear a mnemonic of ours, and those of them that come again.

Contents: `Texts`, which finds the message in a line and keeps the last ones, since an
alert that comes a thousand times need not be read as often.  Elsewhere: patterns
(`parser`), what becomes of a message (`log`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .parser import message_of, scan, until
from .wrapped import end_of

if TYPE_CHECKING:
    from .message import Message
    from .parser import Scan

START, STOP = "SESS_AUDIT_TRAIL_START", "SESS_AUDIT_TRAIL"
DROPS = {"DROP_PKT", "LOG_SUMMARY"}
EACH_OTHER = {START, STOP, *DROPS}  # whose texts are hardly ever the same
TEXTS_MAX = 1000  # texts of alerts that are kept; in a flood they come again
UNLIKE = 20  # times as many lines of which none is kept, where those were no use


class Said(NamedTuple):
    """A text with a mnemonic of ours.

    `begin` and `end` are where the message is, counted from the end of the text.
    """

    found: Scan
    begin: int
    end: int
    message: Message | None


class Texts:
    """Finds messages in lines."""

    def __init__(self) -> None:
        self._kept: dict[str, Said] = {}
        self._alike = 0  # how many of them came again
        self._unlike = 0  # how many of the next lines are hardly worth a look there

    def find(self, line: str, at: int) -> Said | None:
        """Return the message of a line, whose first percent sign is there."""
        text = line[at:]
        if self._unlike:
            self._unlike -= 1
        else:
            said = self._kept.get(text)
            if said is not None:
                self._alike += 1
                return said
        found = scan(text)
        if found is None:
            return None
        begin, end = found.head.start(), len(text)
        if found.body is None:
            end = end_of(text, begin)
            found = until(found, end)
        is_alert = found.mnemonic not in EACH_OTHER
        message = message_of(found) if is_alert else None
        said = Said(found, begin - len(text), end - len(text), message)
        if is_alert and not self._unlike:
            self._keep(text, said)
        return said

    def _keep(self, text: str, said: Said) -> None:
        if len(self._kept) >= TEXTS_MAX:
            self._kept.clear()
            self._unlike = TEXTS_MAX * UNLIKE if self._alike < TEXTS_MAX else 0
            self._alike = 0
        self._kept[text] = said
