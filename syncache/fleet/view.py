"""`View`: the state of a group as its members publish it, for commands that show it.

    look()      one round trip: the document, the records of all members
    rows()      a value for each member, as `syncache fleet status --json` has it

It publishes nothing, and keeps its connection and its unsealing for the next look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import FleetError
from .member import IDLE_SECONDS, Member, wall_clock
from .record import Record, kind_of
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conf import Conf
    from .document import Document
    from .seal import Sealer

LOST_SECONDS = 3 * IDLE_SECONDS  # without a record


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The group at one moment.

    Attributes:
        document: Its keys and values.
        records: Of the members, by name.
        strange: Names of records that the group's key does not open.
        now: The wall clock.
    """

    document: Document
    records: list[Record]
    strange: list[str]
    now: float

    def wrong(self, record: Record) -> list[str]:
        """Return the faults in a member, a word or two each."""
        return complaints(record, self.document, self.now)

    def rows(self) -> list[dict[str, Any]]:
        """Return a value for each member; no key is in it."""
        return [
            {
                "name": record.name,
                "seen": round(self.now - record.time, 3),
                "version": record.version,
                "key": record.key,
                "clock": -record.offset,
                "refuses": record.refuses,
                "state": record.state,
                "rates": record.rates,
                "sources": [list(pair) for pair in record.sources],
                "targets": [list(pair) for pair in record.targets],
                "alarms": list(record.alarms),
                "wrong": self.wrong(record),
            }
            for record in self.records
        ]


class View:
    """Looks at a group, again and again.

    Args:
        conf: Of any member.
        wall: The wall clock.

    Raises:
        FleetError: the key file cannot be used, or the client is missing.
    """

    def __init__(self, conf: Conf, wall: Callable[[], float] = wall_clock) -> None:
        self._store = Store(conf)
        self._member = Member(conf, self._store, wall, silent=True, keeps=False)
        self._wall = wall

    def look(self) -> Snapshot:
        """Ask for everything.

        Raises:
            FleetError: nobody answers, or there is no group that our key opens.
        """
        member = self._member
        member.turn()
        if member.document is None:
            wrong = "; ".join(member.alarms.values())
            raise FleetError(wrong or f"there is no group {member.conf.group}")
        records, strange = members(self._store, member.sealer)
        return Snapshot(
            document=member.document,
            records=records,
            strange=strange,
            now=self._wall(),
        )

    def close(self) -> None:
        """Close the connection."""
        self._store.close()


def members(store: Store, sealer: Sealer) -> tuple[list[Record], list[str]]:
    """Return the records of all members, and the names of those that do not open."""
    found, strange = [], []
    for name, sealed in sorted(store.records().items()):
        try:
            found.append(Record.decode(name, sealer.open(kind_of(name), sealed)[1]))
        except FleetError:
            strange.append("".join(c if c.isprintable() else "?" for c in name[:64]))
    return found, strange


def complaints(record: Record, document: Document, now: float) -> list[str]:
    """Return the faults in a member, a word or two each."""
    words = []
    if record.name in document.revoked:
        return ["revoked"]
    if now - record.time > LOST_SECONDS:
        words.append("lost")
    if record.version < document.version:
        words.append("lags")
    if record.refuses:
        words.append("refuses: wrong clock")
    words += [alarm for alarm in record.alarms if alarm != "clock"]
    return words
