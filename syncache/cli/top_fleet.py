"""`syncache top --fleet CONF`: the members of a group, as they publish themselves.

One look a time brings all of them; a member is shown as a process of this machine is,
with its rates, state, alarms, and the networks and addresses of most of its SYNs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..fleet import FleetError
from ..fleet.view import LOST_SECONDS, Snapshot
from ..lookout import RATES
from .group_view import opened
from .top_data import Seen

if TYPE_CHECKING:
    from pathlib import Path

    from ..fleet.record import Record

NAMES = {"syns": "syn", "cookies": "cookie", "redeemed": "redeemed", "dropped": "drop"}


class Fleet:
    """The members of a group; a `top_data.Source`.

    Args:
        path: Of the configuration; None: the environment.

    Raises:
        Failure: it cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self._view, self._group = opened(path)
        self._known: dict[str, Seen] = {}
        self._since: dict[str, tuple[str, float]] = {}  # state, and from when

    def close(self) -> None:
        """Nothing is open between two looks."""

    def poll(self) -> list[Seen]:
        """Look at the group once."""
        try:
            seen = self._view.look()
        except FleetError as error:
            for one in self._known.values():
                one.top, one.error = None, str(error)
            return [*self._known.values()] or [Seen(self._group, error=str(error))]
        for record in seen.records:
            one = self._known.setdefault(record.name, Seen(record.name))
            self._take(one, record, seen)
        gone = self._known.keys() - {record.name for record in seen.records}
        for name in gone:
            del self._known[name]
        return [*self._known.values()] or [Seen(self._group, error="no members yet")]

    def _take(self, one: Seen, record: Record, seen: Snapshot) -> None:
        age = seen.now - record.time
        if age > LOST_SECONDS:
            one.top, one.error = None, f"{record.name}: lost for {age:.0f} s"
            return
        state, since = self._since.get(record.name, ("", 0.0))
        if state != record.state:
            since = seen.now
            self._since[record.name] = record.state, since
        one.top, one.error = top_of(record, seen, seen.now - since), ""
        one.history.append(list(one.top["rates"].values()))


def top_of(record: Record, seen: Snapshot, since: float) -> dict[str, Any]:
    """Return a record in the words of a process's answer to `top`."""
    syns = record.rates.get("syn", 0.0)
    rates = dict.fromkeys(RATES, 0)
    rates |= {name: round(record.rates.get(of, 0.0)) for name, of in NAMES.items()}
    attacked = record.state != "calm"
    return {
        "engine": f"fleet {seen.document.group}",
        "state": record.state,
        "since": max(since, 0.0),
        "floods": [target for target, _ in record.targets[:1] if attacked],
        "rates": rates,
        "tables": {},
        "links": {},
        "attempts": {
            "seconds": 1.0,
            "total": round(syns),
            "prefixes": len(record.sources),
            # Records have addresses without ports.
            "asked": [[at, 0, share * syns, 0] for at, share in record.targets],
            "asking": [[network, share * syns] for network, share in record.sources],
        },
        "alarms": [
            {"ago": max(seen.now - record.time, 0.0), "kind": "fleet", "text": text}
            for text in seen.wrong(record)
        ],
    }
