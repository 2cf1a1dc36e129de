"""`syncache metrics --fleet CONF`: the members of a group, for Prometheus.

What each of them published last, with its name as the label `member`: one process
beside the machines sees all of them.  Names and labels: docs/fleet.md.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..fleet import FleetError
from ..fleet.record import STATES
from .group_view import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..fleet.view import Snapshot

Sample = tuple[str, str, dict[str, str], str]  # name, type, labels, value


class FleetSamples:
    """Looks at the group, once a scrape.

    Args:
        path: Of the configuration; None: the environment.

    Raises:
        Failure: it cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self._view, self._group = opened(path)
        self._lock = threading.Lock()  # scrapes have threads, the view one connection

    def __iter__(self) -> Iterator[Sample]:
        """Yield name, type, labels and value of each number."""
        try:
            with self._lock:
                seen = self._view.look()
        except FleetError:
            yield "syncache_fleet_up", "gauge", {"group": self._group}, "0"
            return
        yield "syncache_fleet_up", "gauge", {"group": self._group}, "1"
        yield from samples(seen)


def samples(seen: Snapshot) -> Iterator[Sample]:
    """Yield the numbers of a group and of its members."""
    document = seen.document
    group = {"group": document.group}
    yield "syncache_fleet_version", "gauge", group, str(document.version)
    yield "syncache_fleet_key", "gauge", group, str(document.masters[-1].number)
    yield "syncache_fleet_members", "gauge", group, str(len(seen.records))
    for record in seen.records:
        member = group | {"member": record.name}
        numbers = {
            "age_seconds": f"{max(seen.now - record.time, 0.0):.3f}",
            "version": str(record.version),
            "key": str(record.key),
            "clock_seconds": f"{-record.offset:.3f}",
            "refuses": str(int(record.refuses)),
            "wrong": str(len(seen.wrong(record))),
            "alarms": str(len(record.alarms)),
        }
        for name, value in numbers.items():
            yield f"syncache_fleet_member_{name}", "gauge", member, value
        for state in STATES:
            labels = member | {"state": state}
            value = str(int(record.state == state))
            yield "syncache_fleet_member_state", "gauge", labels, value
        for kind, rate in record.rates.items():
            labels = member | {"kind": kind}
            yield "syncache_fleet_member_rate", "gauge", labels, f"{rate:.1f}"
